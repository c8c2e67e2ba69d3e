/**
 * The part of a screen that a client has not been sent yet, as a few rectangles. INVARIANT: everything that was added and not
 * taken or removed is in it; it may hold more than that, never less, and never more rectangles than `most`.
 */
import type { Rect } from '../sources/console.ts';
import { areaOf, around, isEmptyRect, isWithin, overlap, without } from '../sources/rect.ts';

/** More rectangles than this are put together. */
const most = 24;

export class Dirty {
  private rects: Rect[] = [];

  get isEmpty(): boolean {
    return this.rects.length === 0;
  }

  /** Pixels, some of them perhaps counted twice. */
  get area(): number {
    return this.rects.reduce((sum, rect) => sum + areaOf(rect), 0);
  }

  /** What is dirty already keeps its place: else what changes all the time would let nothing else be taken. */
  add(rect: Rect): void {
    if (isEmptyRect(rect)) return;
    let parts = [rect];
    for (const one of this.rects) parts = parts.flatMap((part) => without(part, one));
    this.rects.push(...parts);
    while (this.rects.length > most) this.join();
  }

  /** These pixels need not be sent any more. */
  remove(rect: Rect): void {
    if (!this.meets(rect)) return;
    this.rects = this.rects.flatMap((one) => without(one, rect));
    while (this.rects.length > most) this.join();
  }

  meets(rect: Rect): boolean {
    return this.rects.some((one) => overlap(one, rect));
  }

  clear(): void {
    this.rects = [];
  }

  /** Takes a rectangle out, the oldest first: no more than `rows` rows of it. Undefined when there is none. */
  take(rows: (width: number) => number): Rect | undefined {
    const rect = this.rects.shift();
    if (rect === undefined) return undefined;
    const cut = rect.top + Math.max(1, rows(rect.right - rect.left));
    if (cut >= rect.bottom) return rect;
    this.rects.unshift({ ...rect, top: cut });
    return { ...rect, bottom: cut };
  }

  /** Puts the two together that leave the fewest pixels between them. */
  private join(): void {
    let best = Number.POSITIVE_INFINITY;
    let pair: readonly [number, number] = [0, 1];
    for (let i = 0; i < this.rects.length; i++) {
      for (let j = i + 1; j < this.rects.length; j++) {
        const [a, b] = [this.rects[i]!, this.rects[j]!];
        const waste = areaOf(around(a, b)) - areaOf(a) - areaOf(b);
        if (waste < best) {
          best = waste;
          pair = [i, j];
        }
      }
    }
    const joined = around(this.rects[pair[0]]!, this.rects[pair[1]]!);
    // What the new one covers is in it; what only meets it may be there twice.
    this.rects = this.rects.filter((rect, i) => !pair.includes(i) && !isWithin(rect, joined));
    this.rects.push(joined);
  }
}
