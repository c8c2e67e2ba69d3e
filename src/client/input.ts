/** What the person at the client does with keyboard and mouse, sent to the guest no faster than it takes it (spec §2.5). */
import type { ChannelHost } from '../engine/channel-host.ts';
import { inputMotionAckBunch } from '../protocol/constants.ts';

/** Motions that may be under way: two bunches. */
const mostUnderWay = 2 * inputMotionAckBunch;

export class ClientInput {
  private host: ChannelHost | undefined;
  private underWay = 0;
  private motion: { dx: number; dy: number; buttons: number } | undefined;
  private position: { x: number; y: number; buttons: number; display: number } | undefined;
  /** Lock keys that the guest has on: 1 scroll, 2 num, 4 caps. */
  modifiers = 0;

  attach(host: ChannelHost): void {
    this.host = host;
    host.states.subscribe((state) => {
      if (state.type === 'ready' || state.type === 'reset') this.underWay = 0;
      if (state.type === 'ended' && this.host === host) this.host = undefined;
    });
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msg.init') this.modifiers = body.keyboardModifiers;
      else if (type === 'msg.key_modifiers') this.modifiers = body.modifiers;
      else if (type === 'msg.mouse_motion_ack') {
        this.underWay = Math.max(0, this.underWay - inputMotionAckBunch);
        this.sendMotion();
      }
    });
  }

  /** `code`: up to four scan code bytes, the first one lowest. False: there is no channel to send it on. */
  keyDown(code: number): boolean {
    return this.send({ type: 'msgc.key_down', body: { code } });
  }

  keyUp(code: number): boolean {
    return this.send({ type: 'msgc.key_up', body: { code } });
  }

  setModifiers(modifiers: number): boolean {
    return this.send({ type: 'msgc.key_modifiers', body: { modifiers } });
  }

  /** Motion in server mode; while the guest is behind, motions are added up. */
  move(dx: number, dy: number, buttons: number): void {
    const before = this.motion ?? { dx: 0, dy: 0 };
    this.motion = { dx: before.dx + dx, dy: before.dy + dy, buttons };
    this.sendMotion();
  }

  /** Position in client mode; while the guest is behind, only the last one counts. */
  place(x: number, y: number, buttons: number, display = 0): void {
    this.position = { x, y, buttons, display };
    this.sendMotion();
  }

  press(button: number, buttons: number): boolean {
    return this.send({ type: 'msgc.mouse_press', body: { button, buttonsState: buttons } });
  }

  release(button: number, buttons: number): boolean {
    return this.send({ type: 'msgc.mouse_release', body: { button, buttonsState: buttons } });
  }

  private sendMotion(): void {
    if (this.underWay >= mostUnderWay) return;
    if (this.motion !== undefined) {
      const { dx, dy, buttons } = this.motion;
      this.motion = undefined;
      if (this.send({ type: 'msgc.mouse_motion', body: { dx, dy, buttonsState: buttons } })) this.underWay++;
    }
    if (this.position !== undefined && this.underWay < mostUnderWay) {
      const { x, y, buttons, display } = this.position;
      this.position = undefined;
      const body = { x, y, buttonsState: buttons, displayId: display };
      if (this.send({ type: 'msgc.mouse_position', body })) this.underWay++;
    }
  }

  private send(message: { type: string; body: object }): boolean {
    return this.host?.send(message) ?? false;
  }
}
