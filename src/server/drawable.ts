/**
 * A picture that the application draws and whose memory it hands over: it is taken where it lies, by whoever needs it, until
 * nobody does. INVARIANT: its pixels are not looked at after `release` was called, and that is called once.
 */
import type { Rect } from '../sources/console.ts';

/** Where the pixels of an area lie: words 0x??RRGGBB from `at` on, `stride` words from row to row. */
export interface Place {
  readonly words: Uint32Array;
  readonly at: number;
  readonly stride: number;
  /** Whose memory that is, if it is not the screen's own. */
  readonly drawable?: Drawable;
}

export class Drawable {
  /** Lies inside the screen. */
  readonly area: Rect;
  readonly words: Uint32Array;
  private readonly start: number;
  private readonly stride: number;
  private readonly release: () => void;
  private holders = 1;

  /** `at`, `stride`: of the pixels of `area`, as of a Place. Whoever makes it holds it, until `letGo`. */
  constructor(area: Rect, words: Uint32Array, at: number, stride: number, release: () => void) {
    this.area = area;
    this.words = words;
    this.start = at;
    this.stride = stride;
    this.release = release;
  }

  /** Bytes of memory that are kept from the application. */
  get bytes(): number {
    return this.words.byteLength;
  }

  /** Where a part of it lies. */
  place({ left, top }: Rect): Place {
    const { words, stride, area } = this;
    const at = this.start + (top - area.top) * stride + left - area.left;
    return { words, at, stride, drawable: this };
  }

  /** Somebody else needs it too, who calls `letGo` once. */
  hold(): void {
    this.holders++;
  }

  letGo(): void {
    if (--this.holders === 0) this.release();
  }
}

/** The colour that all pixels of a place have, if they are all of one. */
export function uniformColor({ words, at, stride }: Place, width: number, height: number): number | undefined {
  const color = words[at]! & 0xffffff;
  if ((words[at + (height - 1) * stride + width - 1]! & 0xffffff) !== color) return undefined;
  for (let y = 0; y < height; y++) {
    for (let i = at + y * stride, end = i + width; i < end; i++) {
      if ((words[i]! & 0xffffff) !== color) return undefined;
    }
  }
  return color;
}
