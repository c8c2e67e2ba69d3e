/**
 * The guest's pointer as a client sees it: its shape, where it is in server mouse mode, and whether it is shown (spec §2.6).
 * INVARIANT: until the server has said init, shapes and moves count for nothing; a hand-over that begins afresh waits for the
 * target's init with the pointer as it was.
 */
import { type Observable, Subject } from 'rxjs';
import type { ChannelHost } from '../engine/channel-host.ts';
import { CursorFlags } from '../protocol/constants.ts';
import type { Cursor } from '../protocol/cursor.ts';
import type { Point16 } from '../protocol/draw.ts';
import { cursorShape, type PointerShape, ShapeError } from './cursor-shape.ts';

/** What a server may let a client keep: so many shapes, and so many pixels of them. Beyond, the oldest goes. */
const mostShapes = 1_024;
const mostPixels = 1 << 22;

export type PointerChange = 'shape' | 'position' | 'visible';

export class ClientPointer {
  /** Undefined until there is one. Never written to. */
  shape: PointerShape | undefined;
  /** Of the hot spot, in pixels of the first display. It counts in server mouse mode; in client mode the person leads. */
  position: { readonly x: number; readonly y: number } = { x: 0, y: 0 };
  visible = false;
  readonly changes: Observable<PointerChange>;
  /** Shapes that could not be shown, by the reason. */
  readonly unshown = new Map<string, number>();
  private readonly all = new Subject<PointerChange>();
  private readonly cache = new Map<bigint, PointerShape>();
  private kept = 0;
  private known = false;

  constructor() {
    this.changes = this.all.asObservable();
  }

  attach(host: ChannelHost): void {
    this.forget();
    host.states.subscribe((state) => {
      if (state.type === 'reset' && state.keep !== 'everything') this.forget();
    });
    host.messages.subscribe(({ type, body }) => this.take(type, body));
  }

  private take(type: string, body: any): void {
    switch (type) {
      case 'msg.init':
        this.forget();
        this.known = true;
        this.place(body.position);
        this.dress(body.cursor, body.visible);
        return;
      case 'msg.reset':
        this.forget();
        this.show(false);
        return;
      case 'msg.inval_one':
        this.drop(body.id);
        return;
      case 'msg.inval_all':
        this.drop();
        return;
    }
    if (!this.known) return;
    if (type === 'msg.set') {
      this.place(body.position);
      this.dress(body.cursor, body.visible);
    } else if (type === 'msg.move') {
      this.place(body.position);
      this.show(this.shape !== undefined);
    } else if (type === 'msg.hide') this.show(false);
  }

  private dress({ flags, header, data }: Cursor, visible: boolean): void {
    if ((flags & CursorFlags.none) !== 0 || header === undefined) {
      this.show(false);
      return;
    }
    try {
      const shape = flags & CursorFlags.fromCache ? this.cache.get(header.unique) : cursorShape(header, data);
      if (shape === undefined) throw new ShapeError('a pointer that is not in the cache');
      if (flags & CursorFlags.cacheMe) this.keep(header.unique, shape);
      if (this.shape !== shape) {
        this.shape = shape;
        this.all.next('shape');
      }
      this.show(visible);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      this.unshown.set(error.message, (this.unshown.get(error.message) ?? 0) + 1);
      this.show(false);
    }
  }

  private place({ x, y }: Point16): void {
    if (this.position.x === x && this.position.y === y) return;
    this.position = { x, y };
    this.all.next('position');
  }

  private show(visible: boolean): void {
    if (this.visible === visible) return;
    this.visible = visible;
    this.all.next('visible');
  }

  private keep(id: bigint, shape: PointerShape): void {
    this.drop(id);
    this.cache.set(id, shape);
    this.kept += shape.width * shape.height;
    for (const oldest of this.cache.keys()) {
      if (this.kept <= mostPixels && this.cache.size <= mostShapes) break;
      this.drop(oldest);
    }
  }

  /** One shape, or all. */
  private drop(id?: bigint): void {
    if (id === undefined) {
      this.cache.clear();
      this.kept = 0;
      return;
    }
    const shape = this.cache.get(id);
    if (shape === undefined) return;
    this.cache.delete(id);
    this.kept -= shape.width * shape.height;
  }

  private forget(): void {
    this.drop();
    this.known = false;
  }
}
