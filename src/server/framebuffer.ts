/**
 * What the screen shows, as words 0x??RRGGBB, row by row; the upper byte means nothing. It finds out what a drawing really
 * changes: applications that draw all of their screen again and again are the rule. What was drawn from memory that the
 * application hands over is only put into its own when somebody needs it there. Knows nothing of clients.
 */
import type { Rect } from '../sources/console.ts';
import { isEmptyRect } from '../sources/rect.ts';
import { Drawable, type Place } from './drawable.ts';
import { PendingDraws, type PendingFill } from './pending.ts';

/** Equal rows between two changes that are not worth sending. */
const worthSplitting = 12;
/** Pixels of a row that are compared at once before they are looked at one by one. */
const worthComparing = 32;
/** Rows that must have moved alike, and their share of those that changed, for it to be called scrolling. */
const leastScrolled = 24;
const leastShare = 0.4;
/** Drawings that are not looked at for scrolling after many that were none. */
const mostRest = 16;

/** The same pixels are found `rows` rows further down (or up, below 0) now. */
export interface Scroll {
  readonly area: Rect;
  readonly from: { readonly x: number; readonly y: number };
}

export class Framebuffer {
  readonly width: number;
  readonly height: number;
  /** Its own memory, which may be behind what was drawn: see `place`. */
  readonly words: Uint32Array;
  private readonly bytes: Buffer;
  private readonly pending = new PendingDraws((one) => this.render(one));
  /** Counts changes: what was worked out for one count holds as long as it is the same. */
  version = 0;
  private fruitless = 0;
  private rest = 0;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.words = new Uint32Array(width * height);
    this.bytes = Buffer.from(this.words.buffer);
  }

  /** All that was drawn: BGRX, `width * 4` bytes a row. */
  get pixels(): Uint8Array {
    this.pending.renderAll();
    return new Uint8Array(this.words.buffer);
  }

  /** Where the pixels of an area lie, which is inside; valid until something is drawn, or `pixels` are asked for. */
  place(area: Rect): Place {
    const place = this.pending.place(area);
    if (place !== undefined && place !== 'nowhere') return place;
    if (place === undefined) this.pending.renderAll();
    return { words: this.words, at: area.top * this.width + area.left, stride: this.width };
  }

  /** Takes a drawable, which lies inside, and lets it go when it is drawn over, or drawn into its own memory. */
  keep(drawable: Drawable): void {
    this.version++;
    this.pending.add(drawable);
  }

  /** The screen is shown no more: what it has kept is let go. */
  close(): void {
    this.pending.clear();
  }

  inside(area: Rect): Rect {
    return {
      left: Math.max(0, Math.trunc(area.left)),
      top: Math.max(0, Math.trunc(area.top)),
      right: Math.min(this.width, Math.trunc(area.right)),
      bottom: Math.min(this.height, Math.trunc(area.bottom)),
    };
  }

  /** `area` lies inside. */
  fill(area: Rect, color: number): void {
    this.version++;
    if (this.pending.meets(area)) this.pending.add({ area, color });
    else this.color(area, color);
  }

  private render(one: Drawable | PendingFill): void {
    if (one instanceof Drawable) this.put(one);
    else this.color(one.area, one.color);
  }

  private put(drawable: Drawable): void {
    const { area } = drawable;
    const { words, at, stride } = drawable.place(area);
    const from = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
    this.take(area, from, at, stride, area.left, area.right);
  }

  /** Copies the columns from `left` to `right` of an area of which `from` has the pixels, from `at` on. */
  private take(
    { left: first, top, bottom }: Rect,
    from: Buffer,
    at: number,
    stride: number,
    left: number,
    right: number,
  ) {
    const { width, bytes } = this;
    if (stride === width && right - left === width) {
      from.copy(bytes, top * width * 4, at * 4, (at + (bottom - top) * width) * 4);
      return;
    }
    for (let y = top; y < bottom; y++) {
      const start = at + (y - top) * stride - first;
      from.copy(bytes, (y * width + left) * 4, (start + left) * 4, (start + right) * 4);
    }
  }

  private color({ left, top, right, bottom }: Rect, color: number): void {
    if (right - left < worthComparing) {
      // A call for each row would take longer than the row.
      const { width, words } = this;
      for (let y = top; y < bottom; y++) {
        for (let i = y * width + left, end = y * width + right; i < end; i++) words[i] = color;
      }
      return;
    }
    for (let y = top; y < bottom; y++) this.words.fill(color, y * this.width + left, y * this.width + right);
  }

  /** Both areas lie inside, and are of one size. */
  copy(area: Rect, from: { readonly x: number; readonly y: number }): void {
    this.version++;
    const { width, words } = this;
    const height = area.bottom - area.top;
    this.settle(area);
    this.settle({
      left: from.x,
      top: from.y,
      right: from.x + area.right - area.left,
      bottom: from.y + area.bottom - area.top,
    });
    const up = from.y > area.top || (from.y === area.top && from.x >= area.left);
    for (let i = 0; i < height; i++) {
      const y = up ? i : height - 1 - i;
      const start = (from.y + y) * width + from.x;
      words.copyWithin((area.top + y) * width + area.left, start, start + area.right - area.left);
    }
  }

  /**
   * Takes the pixels of `area`, which lies inside. `source` holds them from `at` on, `stride` words from row to row. Returns
   * the few rectangles in which something has changed.
   */
  draw(area: Rect, source: Uint32Array, at: number, stride: number): Rect[] {
    this.version++;
    this.settle(area);
    const { width, bytes } = this;
    // Signed words: the engine compares them faster.
    const words = new Int32Array(this.words.buffer);
    const pixels = new Int32Array(source.buffer, source.byteOffset, source.length);
    const from = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
    const changed: Rect[] = [];
    let open: { left: number; top: number; right: number; bottom: number } | undefined;
    const isWide = area.right - area.left >= worthComparing;
    for (let y = area.top; y < area.bottom; y++) {
      const to = y * width;
      const row = at + (y - area.top) * stride - area.left;
      let left = area.left;
      let right = area.right;
      if (isWide && bytes.compare(from, (row + left) * 4, (row + right) * 4, (to + left) * 4, (to + right) * 4) === 0)
        continue;
      while (left < right && ((words[to + left]! ^ pixels[row + left]!) & 0xffffff) === 0) left++;
      if (left < right) {
        while (((words[to + right - 1]! ^ pixels[row + right - 1]!) & 0xffffff) === 0) right--;
        if (open !== undefined && y - open.bottom < worthSplitting) {
          open.left = Math.min(open.left, left);
          open.right = Math.max(open.right, right);
          open.bottom = y + 1;
        } else {
          open = { left, top: y, right, bottom: y + 1 };
          changed.push(open);
        }
      }
      // With what means nothing: else rows that differ in that alone would be looked through each time.
      from.copy(bytes, (to + area.left) * 4, (row + area.left) * 4, (row + area.right) * 4);
    }
    return changed;
  }

  /**
   * Whether most of what these pixels change is what is there already, some rows further up or down; then moving it first
   * leaves less to draw. Arguments as of `draw`.
   */
  scrolled(area: Rect, source: Uint32Array, at: number, stride: number): Scroll | undefined {
    const height = area.bottom - area.top;
    if (height < leastScrolled * 2 || area.right - area.left < 32) return undefined;
    if (this.rest > 0) {
      this.rest--;
      return undefined;
    }
    const found = this.findScroll(area, source, at, stride);
    this.fruitless = found === undefined ? Math.min(this.fruitless + 1, mostRest) : 0;
    this.rest = this.fruitless >> 1;
    return found;
  }

  private findScroll(area: Rect, source: Uint32Array, at: number, stride: number): Scroll | undefined {
    this.settle(area);
    const { width } = this;
    const present = new Int32Array(this.words.buffer);
    const pixels = new Int32Array(source.buffer, source.byteOffset, source.length);
    const height = area.bottom - area.top;
    // Only the middle is looked at: frames and scroll bars at the sides stand still. What else does is put right by drawing.
    const margin = (area.right - area.left) >> 3;
    const [left, right] = [area.left + margin, area.right - margin];
    const before = new Int32Array(height);
    const after = new Int32Array(height);
    let changed = 0;
    for (let y = 0; y < height; y++) {
      const to = (area.top + y) * width;
      const from = at + y * stride - area.left;
      let [a, b] = [0, 0];
      for (let x = left; x < right; x++) {
        a = (Math.imul(a, 0x01000193) ^ (present[to + x]! & 0xffffff)) + 1;
        b = (Math.imul(b, 0x01000193) ^ (pixels[from + x]! & 0xffffff)) + 1;
      }
      before[y] = a;
      after[y] = b;
      if (a !== b) changed++;
    }
    if (changed < leastScrolled) return undefined;
    // Rows that look alike say nothing about where they went.
    const place = new Map<number, number>();
    for (let y = 0; y < height; y++) place.set(before[y]!, place.has(before[y]!) ? -1 : y);
    const votes = new Map<number, number>();
    for (let y = 0; y < height; y++) {
      const was = place.get(after[y]!);
      if (was !== undefined && was >= 0 && was !== y) votes.set(was - y, (votes.get(was - y) ?? 0) + 1);
    }
    let [by, most] = [0, 0];
    for (const [distance, count] of votes) if (count > most) [by, most] = [distance, count];
    if (most < leastScrolled || most < changed * leastShare) return undefined;
    let [first, last] = [height, -1];
    for (let y = Math.max(0, -by); y < Math.min(height, height - by); y++) {
      if (after[y] !== before[y + by]) continue;
      first = Math.min(first, y);
      last = y;
    }
    const moved = { left: area.left, right: area.right, top: area.top + first, bottom: area.top + last + 1 };
    return isEmptyRect(moved) ? undefined : { area: moved, from: { x: area.left, y: moved.top + by } };
  }

  /** Puts what waits into its own memory, if any of it is there. */
  private settle(area: Rect): void {
    if (this.pending.meets(area)) this.pending.renderAll();
  }
}
