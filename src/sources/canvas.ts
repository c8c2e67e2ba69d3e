/**
 * A picture in memory that a guest draws on: BGRX, every stroke kept within a clip, and never outside the picture. Pure;
 * runs anywhere.
 */
import type { Rect } from './console.ts';
import { dot, glyphAdvance, glyphHeight, glyphWidth } from './font.ts';
import { intersect, isEmptyRect, rectAt } from './rect.ts';

export class Canvas {
  readonly width: number;
  readonly height: number;
  /** width × height × 4 bytes: blue, green, red, 0. */
  readonly pixels: Uint8Array;
  private readonly words: Uint32Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.words = new Uint32Array(width * height);
    this.pixels = new Uint8Array(this.words.buffer);
  }

  get bounds(): Rect {
    return rectAt(0, 0, this.width, this.height);
  }

  /** `color` is 0xRRGGBB. */
  fill(rect: Rect, color: number, clip: Rect = this.bounds): void {
    const { left, top, right, bottom } = intersect(intersect(rect, clip), this.bounds);
    if (right <= left) return;
    const word = wordOf(color);
    for (let y = top; y < bottom; y++) this.words.fill(word, y * this.width + left, y * this.width + right);
  }

  /** Letters of `scale` times 5 by 7 pixels; `x`, `y` is the first one's upper left corner. Paints the dots only. */
  text(x: number, y: number, scale: number, text: string, color: number, clip: Rect = this.bounds): void {
    for (const [index, letter] of [...text].entries()) {
      const left = x + index * glyphAdvance * scale;
      if (isEmptyRect(intersect(rectAt(left, y, glyphWidth * scale, glyphHeight * scale), clip))) continue;
      for (let row = 0; row < glyphHeight; row++) {
        for (let column = 0; column < glyphWidth; column++) {
          if (dot(letter, column, row)) {
            this.fill(rectAt(left + column * scale, y + row * scale, scale, scale), color, clip);
          }
        }
      }
    }
  }

  /** Moves the pixels at `from` to `rect`. Both must lie within the picture. */
  copy(rect: Rect, from: { x: number; y: number }): void {
    const [width, height] = [rect.right - rect.left, rect.bottom - rect.top];
    for (let i = 0; i < height; i++) {
      // The last row first when it moves down, so that no row is overwritten before it was read.
      const row = from.y < rect.top ? height - 1 - i : i;
      const source = (from.y + row) * this.width + from.x;
      this.words.copyWithin((rect.top + row) * this.width + rect.left, source, source + width);
    }
  }

  /** The rows of `rect` alone, tightly packed; `rect` must lie within the picture. */
  crop(rect: Rect): Uint8Array {
    const width = rect.right - rect.left;
    const cut = new Uint32Array(width * (rect.bottom - rect.top));
    for (let y = rect.top; y < rect.bottom; y++) {
      const start = y * this.width + rect.left;
      cut.set(this.words.subarray(start, start + width), (y - rect.top) * width);
    }
    return new Uint8Array(cut.buffer);
  }

  /** The colour of all of `rect`, 0xRRGGBB, or undefined when it has more than one. */
  onlyColor(rect: Rect): number | undefined {
    const first = this.words[rect.top * this.width + rect.left]!;
    for (let y = rect.top; y < rect.bottom; y++) {
      for (let x = rect.left; x < rect.right; x++) {
        if (this.words[y * this.width + x] !== first) return undefined;
      }
    }
    return this.color(rect.left, rect.top);
  }

  /** 0xRRGGBB. */
  color(x: number, y: number): number {
    const at = (y * this.width + x) * 4;
    return (this.pixels[at + 2]! << 16) | (this.pixels[at + 1]! << 8) | this.pixels[at]!;
  }
}

const bytes = new Uint8Array(4);
const word = new Uint32Array(bytes.buffer);

/** The four bytes of a pixel as this machine writes them in one go. */
function wordOf(color: number): number {
  bytes[0] = color;
  bytes[1] = color >> 8;
  bytes[2] = color >> 16;
  return word[0]!;
}
