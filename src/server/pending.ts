/**
 * What was drawn and is not in the screen's own memory yet: drawables that lie where the application has them, and the fills on
 * top of them, oldest first. INVARIANT: it never keeps more of the application's memory than `mostBytes`, but for the newest
 * drawable, and never more than `most` of anything.
 */
import type { Rect } from '../sources/console.ts';
import { isWithin, overlap } from '../sources/rect.ts';
import { Drawable, type Place } from './drawable.ts';

/** Bytes of the application's memory that are kept from it while nobody needs them to be drawn. */
const mostBytes = 32 * 1024 * 1024;
const most = 64;

export interface PendingFill {
  readonly area: Rect;
  readonly color: number;
}

type Pending = Drawable | PendingFill;

export class PendingDraws {
  private list: Pending[] = [];
  private bytes = 0;
  private readonly render: (one: Pending) => void;

  /** `render` draws one into the screen's own memory; it is called in order. */
  constructor(render: (one: Drawable | PendingFill) => void) {
    this.render = render;
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** Takes one in. What it covers all of is dropped: nobody will ever see it. */
  add(one: Pending): void {
    let covered = false;
    for (const other of this.list) covered ||= isWithin(other.area, one.area);
    if (covered) {
      const { list } = this;
      this.list = [];
      for (const other of list) {
        if (isWithin(other.area, one.area)) this.drop(other);
        else this.list.push(other);
      }
    }
    this.list.push(one);
    if (one instanceof Drawable) this.bytes += one.bytes;
    while (this.list.length > most || (this.bytes > mostBytes && this.list.length > 1)) this.renderOldest();
  }

  meets(area: Rect): boolean {
    return this.list.some((one) => overlap(one.area, area));
  }

  /** Where an area lies, if all of it is what one drawable has drawn; 'nowhere' if none of it waits. */
  place(area: Rect): Place | 'nowhere' | undefined {
    for (let i = this.list.length - 1; i >= 0; i--) {
      const one = this.list[i]!;
      if (!overlap(one.area, area)) continue;
      return one instanceof Drawable && isWithin(area, one.area) ? one.place(area) : undefined;
    }
    return 'nowhere';
  }

  renderAll(): void {
    while (this.list.length > 0) this.renderOldest();
  }

  /** Nobody will ask for it any more. */
  clear(): void {
    for (const one of this.list.splice(0)) this.drop(one);
  }

  private renderOldest(): void {
    const oldest = this.list.shift()!;
    this.render(oldest);
    this.drop(oldest);
  }

  private drop(one: Pending): void {
    if (!(one instanceof Drawable)) return;
    this.bytes -= one.bytes;
    one.letGo();
  }
}
