/**
 * What the screen shows, as words 0x00RRGGBB, row by row. It finds out what a drawing really changes: applications that draw
 * all of their screen again and again are the rule. Knows nothing of clients.
 */
import type { Rect } from '../sources/console.ts';
import { isEmptyRect } from '../sources/rect.ts';

/** Equal rows between two changes that are not worth sending. */
const worthSplitting = 12;
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
  readonly words: Uint32Array;
  /** The same memory: BGRX, `width * 4` bytes a row. */
  readonly pixels: Uint8Array;
  /** Counts changes: what was worked out for one count holds as long as it is the same. */
  version = 0;
  private fruitless = 0;
  private rest = 0;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.words = new Uint32Array(width * height);
    this.pixels = new Uint8Array(this.words.buffer);
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
  fill({ left, top, right, bottom }: Rect, color: number): void {
    this.version++;
    for (let y = top; y < bottom; y++) this.words.fill(color, y * this.width + left, y * this.width + right);
  }

  /** Both areas lie inside, and are of one size. */
  copy(area: Rect, from: { readonly x: number; readonly y: number }): void {
    this.version++;
    const { width, words } = this;
    const height = area.bottom - area.top;
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
    const { width } = this;
    // Signed words: the engine compares them faster.
    const words = new Int32Array(this.words.buffer);
    const pixels = new Int32Array(source.buffer, source.byteOffset, source.length);
    const changed: Rect[] = [];
    let open: { left: number; top: number; right: number; bottom: number } | undefined;
    for (let y = area.top; y < area.bottom; y++) {
      const to = y * width;
      const from = at + (y - area.top) * stride - area.left;
      let left = area.left;
      let right = area.right;
      while (left < right && words[to + left] === (pixels[from + left]! & 0xffffff)) left++;
      if (left === right) continue;
      while (words[to + right - 1] === (pixels[from + right - 1]! & 0xffffff)) right--;
      copyColors(words, to + left, pixels, from + left, right - left);
      if (open !== undefined && y - open.bottom < worthSplitting) {
        open.left = Math.min(open.left, left);
        open.right = Math.max(open.right, right);
        open.bottom = y + 1;
      } else {
        open = { left, top: y, right, bottom: y + 1 };
        changed.push(open);
      }
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
        a = (Math.imul(a, 0x01000193) ^ present[to + x]!) + 1;
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

  /** The colour that all pixels of an area have, if they are all of one. */
  uniform({ left, top, right, bottom }: Rect): number | undefined {
    const { width, words } = this;
    const color = words[top * width + left]!;
    if (words[(bottom - 1) * width + right - 1] !== color) return undefined;
    for (let y = top; y < bottom; y++) {
      for (let i = y * width + left, end = y * width + right; i < end; i++) if (words[i] !== color) return undefined;
    }
    return color;
  }
}

/** Copies pixels without their fourth byte; four at a time, which takes two thirds of the time. */
function copyColors(to: Int32Array, start: number, from: Int32Array, at: number, count: number): void {
  const apart = at - start;
  const end = start + count;
  let i = start;
  for (; i + 4 <= end; i += 4) {
    to[i] = from[i + apart]! & 0xffffff;
    to[i + 1] = from[i + apart + 1]! & 0xffffff;
    to[i + 2] = from[i + apart + 2]! & 0xffffff;
    to[i + 3] = from[i + apart + 3]! & 0xffffff;
  }
  for (; i < end; i++) to[i] = from[i + apart]! & 0xffffff;
}
