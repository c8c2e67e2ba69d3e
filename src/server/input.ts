/**
 * Keyboard and mouse of every client, as one stream for the application. What a client holds down when its channel is gone
 * is released.
 */
import { type Observable, Subject } from 'rxjs';
import type { ChannelHost } from '../engine/channel-host.ts';
import { caps, InputsCap } from '../protocol/capabilities.ts';
import { inputMotionAckBunch } from '../protocol/constants.ts';
import { readMigrateData, writeMigrateData } from '../protocol/migrate-data.ts';
import type { GuestInput } from '../sources/console.ts';
import { Held } from './held.ts';
import type { Part } from './part.ts';

export class Input implements Part {
  readonly caps = caps(InputsCap.keyScancode);
  private readonly all = new Subject<GuestInput>();
  readonly events: Observable<GuestInput> = this.all.asObservable();
  private readonly hosts = new Set<ChannelHost>();
  /** Is told before the application is of what somebody does, with the address of their session. */
  onActive: ((session: string) => void) | undefined;
  /** Motions of a client that were not acknowledged yet. */
  private readonly motions = new WeakMap<ChannelHost, number>();
  private locks = 0;

  /** Lock keys that the guest has on. */
  get modifiers(): number {
    return this.locks;
  }

  setModifiers(modifiers: number): void {
    this.locks = modifiers;
    for (const host of this.hosts) host.send({ type: 'msg.key_modifiers', body: { modifiers } });
  }

  attach(host: ChannelHost): void {
    const held = new Held();
    const release = () => {
      for (const event of held.release()) this.all.next(event);
    };
    host.actor.subscribe(({ context }) => {
      if (context.link === null) release();
    });
    host.states.subscribe((state) => {
      if (state.type === 'ready') {
        this.hosts.add(host);
        if (!state.afresh) host.send({ type: 'msg.key_modifiers', body: { modifiers: this.locks } });
        this.acknowledge(host, 0);
      } else if (state.type === 'ended') {
        this.hosts.delete(host);
        release();
      }
    });
    const session = host.address.slice(0, host.address.lastIndexOf('/'));
    host.messages.subscribe((message) => {
      this.onActive?.(session);
      for (const event of inputOf(message)) {
        if (event.type === 'motion' || event.type === 'position') this.acknowledge(host, 1);
        held.note(event);
        this.all.next(event);
      }
    });
  }

  /** Which locks are on. */
  ask(): number {
    return this.locks;
  }

  collect(host: ChannelHost): Uint8Array {
    return writeMigrateData('inputs', { version: 1, motionCount: this.motions.get(host) ?? 0 });
  }

  load(host: ChannelHost, data: Uint8Array): void {
    this.motions.set(host, readMigrateData('inputs', data).motionCount);
  }

  /** One acknowledgement for every four motions (spec §2.5); what cannot be said now is said after the hand-over. */
  private acknowledge(host: ChannelHost, more: number): void {
    let motions = (this.motions.get(host) ?? 0) + more;
    while (motions >= inputMotionAckBunch && host.send({ type: 'msg.mouse_motion_ack', body: {} })) {
      motions -= inputMotionAckBunch;
    }
    this.motions.set(host, motions);
  }
}

function inputOf({ type, body }: { type: string; body: any }): readonly GuestInput[] {
  switch (type) {
    case 'msgc.key_down':
      return [{ type: 'key', code: body.code, down: true }];
    case 'msgc.key_up':
      return [{ type: 'key', code: body.code, down: false }];
    case 'msgc.key_scancode':
      return scanCodes(body.data);
    case 'msgc.key_modifiers':
      return [{ type: 'modifiers', modifiers: body.modifiers }];
    case 'msgc.mouse_motion':
      return [{ type: 'motion', dx: body.dx, dy: body.dy, buttons: body.buttonsState }];
    case 'msgc.mouse_position':
      return [{ type: 'position', x: body.x, y: body.y, buttons: body.buttonsState, display: body.displayId }];
    case 'msgc.mouse_press':
      return [{ type: 'button', button: body.button, down: true, buttons: body.buttonsState }];
    case 'msgc.mouse_release':
      return [{ type: 'button', button: body.button, down: false, buttons: body.buttonsState }];
    default:
      return [];
  }
}

/** Cuts a run of set 1 scan codes into keys: 0xE0 begins a code of two bytes, 0xE1 one of three. */
function scanCodes(bytes: Uint8Array): GuestInput[] {
  const keys: GuestInput[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at] === 0xe0 ? 2 : bytes[at] === 0xe1 ? 3 : 1;
    const code = bytes.subarray(at, at + length);
    const down = (code.at(-1)! & 0x80) === 0;
    keys.push({ type: 'key', code: code.reduce((sum, byte, i) => sum | (byte << (8 * i)), 0), down });
    at += length;
  }
  return keys;
}
