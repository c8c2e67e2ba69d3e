/**
 * Reads and writes rasters as numbers of single precision, for the operators that need more than bytes: four a pixel (alpha, red,
 * green, blue, from 0 to 1). A channel of five bits is a number of fifths of it there, not of bytes. The arithmetic is
 * pixman's, to the bit.
 */
import type { Format, Raster } from './raster.ts';
import { writeWords } from './raster.ts';
import { Filter, identity, isIdentity, type Matrix, Repeat, wrap } from './sample.ts';

export interface WideSampler {
  /**
   * Writes `count` target pixels, from (`x`, `y`) on to the right, to `out`. Where `mask` is nothing at all, what is in `out`
   * may stay.
   */
  row(x: number, y: number, count: number, out: Float32Array, mask?: Float32Array): void;
}

const f = Math.fround;
const per31 = f(1 / 31);
const per63 = f(1 / 63);
const per255 = f(1 / 255);

/** One element as four numbers at `at`. */
function put(format: Format, v: number, out: Float32Array, at: number): void {
  switch (format) {
    case 'a888':
    case 'x888':
      out[at] = format === 'a888' ? (v >>> 24) * per255 : 1;
      out[at + 1] = ((v >>> 16) & 255) * per255;
      out[at + 2] = ((v >>> 8) & 255) * per255;
      out[at + 3] = (v & 255) * per255;
      return;
    case 'x555':
      out[at] = 1;
      out[at + 1] = ((v >>> 10) & 31) * per31;
      out[at + 2] = ((v >>> 5) & 31) * per31;
      out[at + 3] = (v & 31) * per31;
      return;
    case 'r565':
      out[at] = 1;
      out[at + 1] = (v >>> 11) * per31;
      out[at + 2] = ((v >>> 5) & 63) * per63;
      out[at + 3] = (v & 31) * per31;
      return;
    case 'a8':
    case 'a1':
      out.fill(0, at, at + 4);
      out[at] = format === 'a8' ? v * per255 : v & 1;
  }
}

/** Reads `count` pixels from element `from` on. */
export function readWide({ px, format }: Raster, from: number, count: number, out: Float32Array): void {
  for (let i = 0; i < count; i++) put(format, px[from + i]!, out, i * 4);
}

const toByte = (v: number): number => {
  const u = Math.floor((v > 1 ? 1 : v < 0 ? 0 : v) * 256);
  return u - (u >> 8);
};

/** Writes `count` pixels from element `to` on; what is less than a byte is cut off. */
export function writeWide(raster: Raster, to: number, count: number, wide: Float32Array, words: Uint32Array): void {
  for (let i = 0, at = 0; i < count; i++, at += 4) {
    words[i] =
      (toByte(wide[at]!) << 24) | (toByte(wide[at + 1]!) << 16) | (toByte(wide[at + 2]!) << 8) | toByte(wide[at + 3]!);
  }
  writeWords(raster, to, count, words);
}

/** A way to read `source` through `matrix`, in numbers. */
export function wideSampler(source: Raster, matrix: Matrix | undefined, filter: number, repeat: number): WideSampler {
  const m = matrix ?? identity;
  const pixel = (x: number, y: number, out: Float32Array, at: number) => {
    const { width, height, px, format } = source;
    const column = width === 0 ? -1 : wrap(repeat, x, width);
    const row = height === 0 ? -1 : wrap(repeat, y, height);
    if (column < 0 || row < 0) out.fill(0, at, at + 4);
    else put(format, px[row * width + column]!, out, at);
  };
  if (isIdentity(m)) {
    // These two modes are read by whole rows, whatever the mask.
    const whole = repeat === Repeat.none || repeat === Repeat.normal;
    return {
      row(x, y, count, out, mask) {
        for (let i = 0; i < count; i++) if (whole || isSeen(mask, i)) pixel(x + i, y, out, i * 4);
      },
    };
  }
  const isNearest = filter === Filter.nearest || filter === Filter.fast;
  const four = new Float32Array(16);
  return {
    row(x, y, count, out, mask) {
      const [cx, cy] = [x + 0.5, y + 0.5];
      let u = Math.floor(m[0] * cx + m[1] * cy + m[2] + 0.5);
      let v = Math.floor(m[3] * cx + m[4] * cy + m[5] + 0.5);
      for (let i = 0; i < count; i++, u += m[0], v += m[3]) {
        if (!isSeen(mask, i)) continue;
        if (isNearest) {
          pixel((u - 1) >> 16, (v - 1) >> 16, out, i * 4);
          continue;
        }
        const left = Math.floor((u - 0x8000) / 0x10000);
        const top = Math.floor((v - 0x8000) / 0x10000);
        for (const corner of [0, 1, 2, 3]) pixel(left + (corner & 1), top + (corner >> 1), four, corner * 4);
        between(four, (u - 0x8000 - left * 0x10000) / 0x10000, (v - 0x8000 - top * 0x10000) / 0x10000, out, i * 4);
      }
    },
  };
}

const isSeen = (mask: Float32Array | undefined, i: number): boolean =>
  mask === undefined || mask[i * 4] !== 0 || mask[i * 4 + 1] !== 0 || mask[i * 4 + 2] !== 0 || mask[i * 4 + 3] !== 0;

/** Four pixels (above left, above right, below left, below right) by how far to the right and below. */
function between(four: Float32Array, x: number, y: number, out: Float32Array, at: number): void {
  const xy = f(x * y);
  const xUp = f(x * f(1 - y));
  const leftY = f(f(1 - x) * y);
  const leftUp = f(f(1 - x) * f(1 - y));
  for (let c = 0; c < 4; c++) {
    const above = f(f(four[c]! * leftUp) + f(four[4 + c]! * xUp));
    out[at + c] = f(f(above + f(four[8 + c]! * leftY)) + f(four[12 + c]! * xy));
  }
}
