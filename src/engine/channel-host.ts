/**
 * Hosts a channel's chart: where its frames come in and its commands go out. One loop takes frames from a chunk in order:
 * control messages step the chart, data messages pass its gate to whoever listens.
 */
import { Subject } from 'rxjs';
import type { AnyActorRef, AnyMachineSnapshot } from 'xstate';
import type { ChannelCommand, Keep, LinkName } from '../../machines/contract.ts';
import { SumacError } from '../errors.ts';
import type { Origin } from '../journal/record.ts';
import { addressWord } from '../protocol/address.ts';
import {
  type AnyMessage,
  type Caps,
  type Channel,
  channels,
  decodeMessage,
  type Entry,
  LinkErrorCode,
  longestBody,
  prefix,
  readSubMessages,
  type Side,
} from '../protocol/index.ts';
import { highWater, type Pipe } from '../transport/pipe.ts';
import { DataPlane, planeMessages } from './data-plane.ts';
import { Deframer } from './deframe.ts';
import { Gate } from './gate.ts';
import { HeldMessages } from './held-messages.ts';
import { type Lent, Outgoing } from './outgoing.ts';
import { cost, Pace } from './pace.ts';
import type { Born, Host, System } from './system.ts';
import type { ChannelWatch } from './watch.ts';

/** What the application hears of a channel besides messages. */
export type ChannelState =
  /** It may be used. `afresh`: the peer knows nothing of what was sent before. */
  | { readonly type: 'ready'; readonly afresh: boolean }
  | { readonly type: 'reset'; readonly keep: Keep }
  /** Another server speaks from now on. */
  | { readonly type: 'switched'; readonly link: LinkName }
  /** There is room to send again. */
  | { readonly type: 'writable' }
  | { readonly type: 'ended' };

/** What one channel's peer may ask of a server. */
export interface ChannelLimits {
  /**
   * Control messages that are handled each second, after a burst of two fifths of that, or twenty times as many of data; the
   * rest waits in the network. Default 500.
   */
  readonly maxMessagesPerSecond?: number | undefined;
  /** Bytes that are written while the peer takes none, before it is hung up on. Default 16 MiB. */
  readonly maxUnsentBytes?: number | undefined;
}

export interface ChannelServices {
  readonly limits?: ChannelLimits;
  /** Answers what the chart asks of the guest or the application. */
  perform?(host: ChannelHost, question: string, input: any): Promise<unknown>;
}

/** Numbers of unknown messages that are counted, each with one line in the log. */
const mostUnknown = 32;

const listNumber = 8;

/** What is said to a peer that broke the rules, before it is hung up on. `at`: milliseconds of the engine's clock. */
export const farewell = (side: Side, at: number): AnyMessage => ({
  type: `${prefix[side]}.disconnecting`,
  body: { timeStamp: BigInt(Math.round(at * 1e6)), reason: LinkErrorCode.invalidData },
});

export class ChannelHost implements Host {
  /** "display:0" */
  readonly channel: string;
  /** "server/session:3/display:0" */
  readonly address: string;
  readonly side: Side;
  readonly plane: DataPlane;
  /** Messages of the peer that were let in, in order. Byte fields are views, valid until the handler returns. */
  readonly messages = new Subject<AnyMessage>();
  readonly states = new Subject<ChannelState>();
  readonly actor: AnyActorRef;
  /** Messages that no declaration covers, by number. */
  readonly unknown = new Map<number, number>();
  private readonly system: System;
  private readonly services: ChannelServices;
  private readonly protocol: Channel;
  private readonly peer: Side;
  /** What the peer can do on this channel. */
  peerCaps: Caps = [];
  private link: LinkName | undefined;
  private pipe: Pipe | undefined;
  private previous: Pipe[] = [];
  private deframer: Deframer | undefined;
  private carried: Uint8Array | undefined;
  /** Messages that wait for the target. */
  private readonly held = new HeldMessages();
  private readonly gate: Gate;
  private readonly outgoing: Outgoing;
  private choked = false;
  private ended = false;
  private watch: ChannelWatch | undefined;
  private opening = false;
  private readonly pace: Pace;
  /** It only asks a target a question: what it hears is not the guest's. */
  private readonly asking: boolean;

  constructor(system: System, { actor, address, input, chart }: Born, side: Side, services: ChannelServices) {
    this.system = system;
    this.actor = actor;
    this.address = address;
    this.channel = input.channel ?? 'main:0';
    this.side = side;
    this.peer = side === 'server' ? 'client' : 'server';
    this.asking = chart === 'migration/handshake';
    this.services = services;
    this.protocol = channels[addressWord(this.channel) as keyof typeof channels];
    this.gate = new Gate(actor);
    this.plane = new DataPlane(side, this.protocol.name, () => Math.round(system.clock.now() * 1000), {
      send: (message) => this.outgoing.write(message, this.originOf(message)),
      waitFor: (list) => this.pace.waitFor(list),
    });
    this.outgoing = new Outgoing({
      ...{ system, address, side, protocol: this.protocol, plane: this.plane },
      overdraft: services.limits?.maxUnsentBytes,
      onOverdrawn: () => this.inform({ type: 'plane.violation', reason: 'the peer does not take what it is sent' }),
    });
    this.pace = new Pace(
      system,
      (error) => this.violate(error),
      () => this.afterReading(),
      services.limits?.maxMessagesPerSecond,
    );
    actor.subscribe((snapshot: AnyMachineSnapshot) => {
      this.noteProgress(snapshot);
      this.letOutWhatWasHeld();
    });
  }

  // ------------------------------------------------------------------------------------------- for the application

  /**
   * Sends a message if the gate is open. While a client's channel is handed over, messages wait for the target. False: the
   * message went nowhere. `lent`: bytes of the message that need not be copied. Throws WireError when a value does not fit its
   * field.
   */
  send(message: AnyMessage, lent?: Lent): boolean {
    // While there are some that were held, they go first.
    if (this.gate.speaking && this.held.isEmpty) {
      this.outgoing.write(message, 'application', undefined, lent);
      return true;
    }
    if (this.side === 'server' || this.ended || this.link === undefined) return false;
    return this.held.hold(message);
  }

  /** False while the peer, or the network, is behind: more would only queue up. */
  get writable(): boolean {
    const writable = this.gate.speaking && this.plane.open && (this.pipe?.pending ?? 0) < highWater;
    // Whoever was told so is told when it is over.
    if (!writable) this.choked = true;
    return writable;
  }

  /** Whether the application may use the channel at all. */
  get open(): boolean {
    return this.gate.speaking;
  }

  get pending(): number {
    return this.pipe?.pending ?? 0;
  }

  /** Gives the chart an input of the application's own. */
  tell(event: { type: `api.${string}`; [key: string]: unknown }): void {
    this.inform(event);
  }

  /** What the peer has sent is against the rules: the channel is closed, and the peer told why. */
  refuse(reason: string): void {
    this.violate(new SumacError('violation', reason));
  }

  // --------------------------------------------------------------------------------------------------- the chart's

  async perform(question: string, input: unknown): Promise<unknown> {
    if (this.services.perform === undefined) throw new Error(`nobody answers "${question}"`);
    return this.services.perform(this, question, input);
  }

  obey(command: ChannelCommand): void {
    switch (command.type) {
      case 'send':
        this.outgoing.write(command.message, 'chart');
        break;
      case 'attach':
        this.take(command.link, 'restart');
        this.opening = true;
        this.plane.openWindow();
        this.opening = false;
        break;
      case 'switch':
        if (this.pipe !== undefined) this.previous.push(this.pipe);
        this.pipe?.take({ onChunk: () => {}, onClosed: () => {} });
        this.take(command.link, this.protocol.name === 'display' ? command.serials : 'restart');
        this.states.next({ type: 'switched', link: command.link });
        break;
      case 'carry':
        this.carried = command.data;
        break;
      case 'send carried':
        if (this.carried !== undefined) {
          this.outgoing.write({ type: 'msgc.migrate_data', body: { data: this.carried } }, 'chart');
        }
        this.carried = undefined;
        break;
      case 'give back':
        this.giveBack();
        break;
      case 'close previous':
        for (const pipe of this.previous.splice(0)) pipe.close();
        break;
      case 'close':
        this.letGo()?.close();
        break;
      case 'reset':
        this.held.takeAll();
        this.states.next({ type: 'reset', keep: command.keep });
        break;
      case 'ready':
        this.states.next({ type: 'ready', afresh: command.afresh });
        break;
      case 'violation': {
        this.system.log(`${this.address}: closed: ${command.reason}`);
        const at = this.system.clock.now();
        this.outgoing.write(farewell(this.side, at), 'chart', at);
        break;
      }
    }
  }

  watched(by: ((channel: string, side: Side) => ChannelWatch) | undefined): void {
    this.watch = by?.(this.channel, this.side);
    this.outgoing.watch = this.watch;
    if (this.pipe !== undefined && this.watch !== undefined) this.watch.over(this.link!, this.pipe.peer);
  }

  lost(): void {
    const { link } = (this.actor.getSnapshot() as AnyMachineSnapshot).context as { link: LinkName | null };
    if (link !== null) this.inform({ type: 'plane.closed', link, reason: 'the program that held it has ended' });
  }

  end(): void {
    this.ended = true;
    for (const pipe of this.previous.splice(0)) pipe.close();
    this.letGo()?.close();
    if (!this.asking) this.system.progress.delete(this.channel);
    this.system.lookAtWaiters();
    this.states.next({ type: 'ended' });
    this.states.complete();
    this.messages.complete();
  }

  // ---------------------------------------------------------------------------------------------------------- wire

  private take(name: LinkName, serials: 'restart' | 'go on'): void {
    this.deframer?.hold();
    this.pace.begin(undefined);
    const link = this.asking ? this.system.links.borrow(name) : this.system.links.take(name);
    this.link = name;
    this.pipe = link?.pipe;
    this.outgoing.use(link && { pipe: link.pipe, link: name, mini: link.agreed.miniHeader });
    this.system.write({
      ...{ kind: 'link', at: this.system.clock.now(), actor: this.address, link: name },
      ...(link === undefined ? { found: false } : { found: true, mini: link.agreed.miniHeader }),
    });
    if (link === undefined) {
      queueMicrotask(() => this.inform({ type: 'plane.closed', link: name, reason: 'the link is gone' }));
      return;
    }
    this.peerCaps = link.agreed.channelCaps;
    this.plane.begin(serials);
    this.tellProgress();
    const deframer = new Deframer(
      link.agreed.miniHeader,
      longestBody(this.peer, this.protocol.name),
      (number, body, subList) => this.onFrame(number, body, subList),
    );
    this.deframer = deframer;
    this.pace.begin({ deframer, pipe: link.pipe });
    this.watch?.over(name, link.pipe.peer);
    link.pipe.take(
      {
        onChunk: (chunk) => this.onChunk(chunk, deframer, name),
        onClosed: (error) => {
          if (this.link === name) {
            this.inform({
              type: 'plane.closed',
              link: name,
              reason: error?.message ?? 'the peer hung up',
            });
          }
        },
        onDrained: () => this.noteRoom(),
      },
      link.unread,
    );
    link.pipe.resume();
  }

  /** Forgets the pipe in use and returns it. */
  private letGo(): Pipe | undefined {
    const { pipe } = this;
    this.deframer?.hold();
    this.pace.begin(undefined);
    this.pipe = undefined;
    this.link = undefined;
    this.outgoing.use(undefined);
    return pipe;
  }

  private giveBack(): void {
    const { link, deframer } = this;
    const pipe = this.letGo();
    if (pipe === undefined || link === undefined || deframer === undefined) return;
    this.system.links.giveBack(link, deframer.takeRest());
  }

  private onChunk(chunk: Uint8Array, deframer: Deframer, link: LinkName): void {
    const { system } = this;
    const at = system.clock.now();
    if (system.journal !== undefined) {
      system.write({ kind: 'wire', at, actor: this.address, link, direction: 'in', bytes: chunk });
    }
    try {
      deframer.push(chunk);
    } catch (error) {
      this.violate(error);
    }
    if (!this.asking) system.handled.next({ channel: this.channel, link, at });
    this.afterReading();
  }

  private afterReading(): void {
    this.system.lookAtWaiters();
    this.noteRoom();
  }

  private onFrame(number: number, body: Uint8Array, subList: number): void {
    if (subList > 0) for (const sub of readSubMessages(body, subList)) this.handle(sub.number, sub.body);
    this.plane.countReceived();
    if (this.side === 'client' && !this.leaves) this.tellProgress();
    if (number === listNumber && this.peer === 'server') {
      for (const sub of readSubMessages(body, 0)) this.handle(sub.number, sub.body);
      return;
    }
    this.handle(number, subList > 0 ? body.subarray(0, subList) : body);
  }

  private handle(number: number, body: Uint8Array): void {
    this.watch?.message('in', number, body);
    const entry = this.protocol.tables[this.peer].byNumber.get(number);
    if (this.side === 'server') this.pace.count(entry?.path === 'control' ? cost.control : cost.data);
    if (entry === undefined) this.meetUnknown(number);
    else if (entry.path === 'control') this.step(entry, body);
    else if (planeMessages.has(entry.type)) {
      this.plane.take(decodeMessage(this.protocol, this.peer, number, body));
    } else this.pass(entry, body);
  }

  private pass(entry: Entry, body: Uint8Array): void {
    if (this.gate.flowing) {
      if (this.messages.observed) this.messages.next(decodeMessage(this.protocol, this.peer, entry.number, body));
    } else if (!this.gate.deaf) {
      throw new SumacError('violation', `${this.protocol.name}.${entry.name} while nothing may flow`);
    }
  }

  private step(entry: Entry, body: Uint8Array): void {
    const message = decodeMessage(this.protocol, this.peer, entry.number, body.slice());
    this.inform({ ...message });
    if (this.link !== undefined && !this.ended) this.messages.next(message);
  }

  /** A client skips what a newer server may say; a server takes it for an attack. */
  private meetUnknown(number: number): void {
    if (this.side === 'server') throw new SumacError('violation', `message ${number} is not known`);
    const met = this.unknown.get(number) ?? 0;
    if (met === 0 && this.unknown.size >= mostUnknown) return;
    if (met === 0) this.system.log(`${this.address}: message ${number} is not known and skipped`);
    this.unknown.set(number, met + 1);
  }

  private violate(error: unknown): void {
    this.deframer?.hold();
    if (!(error instanceof SumacError)) {
      this.system.log(`${this.address}: a fault of ours: ${error instanceof Error ? error.stack : String(error)}`);
    }
    this.inform({
      type: 'plane.violation',
      reason: error instanceof Error ? error.message : String(error),
    });
  }

  /** When to ping, or to ask for acknowledgements anew, is the application's choice; all else follows from what was received. */
  private originOf({ type }: AnyMessage): Origin {
    return type === 'msg.ping' || (type === 'msg.set_ack' && !this.opening) ? 'application' : 'plane';
  }

  // ------------------------------------------------------------------------------------------------------ progress

  /** Tells the channels that wait for this one how far it has come on its link. */
  private tellProgress(): void {
    if (this.side === 'client' && !this.asking) this.system.progress.set(this.channel, this.plane.received);
  }

  /** It is on its way to a target that counts from 1: what was counted at the source is nothing that others may wait for. */
  private get leaves(): boolean {
    return this.gate.deaf && (this.protocol.name !== 'display' || this.pipe === undefined);
  }

  private noteProgress(snapshot: AnyMachineSnapshot): void {
    if (this.side === 'server' || this.asking) return;
    if (this.leaves) this.system.progress.set(this.channel, 0);
    // Nobody waits for a channel that there is not.
    else if (snapshot.matches({ flow: 'down' }) && this.system.progress.delete(this.channel)) {
      this.system.lookAtWaiters();
    }
  }

  // ---------------------------------------------------------------------------------------------------------- gate

  private inform(event: { readonly type: string; readonly [key: string]: unknown }): void {
    if (!this.ended) this.actor.send(event as never);
  }

  private letOutWhatWasHeld(): void {
    if (this.held.isEmpty || !this.gate.speaking) return;
    for (const message of this.held.takeAll()) this.outgoing.write(message, 'application');
  }

  private noteRoom(): void {
    const { choked } = this;
    this.choked = false;
    if (this.writable && choked) this.states.next({ type: 'writable' });
  }
}
