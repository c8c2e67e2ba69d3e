/** The guest's pointer, for every client: its shape and where it is. */
import type { ChannelHost } from '../engine/channel-host.ts';
import { CursorFlags, CursorType } from '../protocol/constants.ts';
import type { Cursor } from '../protocol/cursor.ts';
import type { CursorShape } from '../sources/console.ts';
import type { Part } from './part.ts';

export class Pointer implements Part {
  readonly caps = [];
  private readonly hosts = new Set<ChannelHost>();
  private shape: CursorShape | undefined;
  private shapes = 0n;
  private position = { x: 0, y: 0 };
  private visible = false;

  attach(host: ChannelHost): void {
    host.states.subscribe((state) => {
      if (state.type === 'ready') {
        this.hosts.add(host);
        if (!state.afresh) {
          if (this.shape !== undefined) host.send(this.shown());
          return;
        }
        host.send({
          type: 'msg.init',
          body: {
            position: this.position,
            trailLength: 0,
            trailFrequency: 0,
            visible: this.visible,
            cursor: this.cursor(),
          },
        });
      } else if (state.type === 'ended') this.hosts.delete(host);
    });
  }

  set(shape: CursorShape): void {
    this.shape = shape;
    this.shapes++;
    this.visible = true;
    this.tell(this.shown());
  }

  move(x: number, y: number): void {
    this.position = { x: x & 0x7fff, y: y & 0x7fff };
    this.visible = true;
    this.tell({ type: 'msg.move', body: { position: this.position } });
  }

  hide(): void {
    this.visible = false;
    this.tell({ type: 'msg.hide', body: {} });
  }

  private shown(): { type: string; body: object } {
    return { type: 'msg.set', body: { position: this.position, visible: this.visible, cursor: this.cursor() } };
  }

  /** Moves may be missed by a client that is behind; the next one puts it right. */
  private tell(message: { type: string; body: object }): void {
    for (const host of this.hosts) if (host.writable) host.send(message);
  }

  private cursor(): Cursor {
    const { shape } = this;
    if (shape === undefined) return { flags: CursorFlags.none, data: new Uint8Array() };
    return {
      flags: 0,
      header: {
        unique: this.shapes,
        type: CursorType.alpha,
        width: shape.width,
        height: shape.height,
        hotSpotX: shape.hotX,
        hotSpotY: shape.hotY,
      },
      data: shape.bgra,
    };
  }
}
