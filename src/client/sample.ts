/**
 * Reads a raster through a transformation: where it is scaled, turned or repeated. The arithmetic is pixman's, to the bit:
 * 16.16 fixed point, pixel centres at one half, bilinear weights of seven bits, results cut off.
 */
import type { Transform } from '../protocol/draw.ts';
import { type Raster, readWords, toWord } from './raster.ts';

/** The numbers of draw_composite's filter field; `good` and `best` are bilinear. */
export const Filter = { fast: 0, good: 1, best: 2, nearest: 3, bilinear: 4 } as const;
/** The numbers of its repeat field: what lies outside is transparent, a tile, the nearest edge or a mirror image. */
export const Repeat = { none: 0, normal: 1, pad: 2, reflect: 3 } as const;

/** Two rows of a matrix in signed 16.16 fixed point: target pixel to source pixel. */
export type Matrix = readonly [number, number, number, number, number, number];
const one = 0x10000;
const identity: Matrix = [one, 0, 0, 0, one, 0];

export const matrixOf = (t: Transform): Matrix => [t.t00 | 0, t.t01 | 0, t.t02 | 0, t.t10 | 0, t.t11 | 0, t.t12 | 0];
/** Scales by 16.16 factors, then moves by whole pixels. */
export const scaling = (sx: number, sy: number, dx = 0, dy = 0): Matrix => [sx, 0, dx * one, 0, sy, dy * one];

export interface Sampler {
  /** Writes the words of `count` target pixels, from (`x`, `y`) on to the right, to `out`. */
  row(x: number, y: number, count: number, out: Uint32Array): void;
}

/** A way to read `source` through `matrix`. */
export function sampler(source: Raster, matrix: Matrix | undefined, filter: number, repeat: number): Sampler {
  const m = matrix ?? identity;
  if (m.every((v, i) => v === identity[i]))
    return { row: (x, y, count, out) => plainRow(source, repeat, x, y, count, out) };
  const read = filter === Filter.nearest || filter === Filter.fast ? nearestRow : bilinearRow;
  return {
    row(x, y, count, out) {
      const [cx, cy] = [x + 0.5, y + 0.5];
      // (x + ½) is exact in 16.16, so the products are whole numbers of 2^-16; halves are rounded up.
      const u = Math.floor(m[0] * cx + m[1] * cy + m[2] + 0.5);
      const v = Math.floor(m[3] * cx + m[4] * cy + m[5] + 0.5);
      read(source, repeat, u, v, m[0], m[3], count, out);
    },
  };
}

/** The index of a coordinate after repetition, or -1 where nothing is. */
function wrap(repeat: number, i: number, size: number): number {
  if (i >= 0 && i < size) return i;
  switch (repeat) {
    case Repeat.normal:
      return ((i % size) + size) % size;
    case Repeat.pad:
      return i < 0 ? 0 : size - 1;
    case Repeat.reflect: {
      const at = ((i % (size * 2)) + size * 2) % (size * 2);
      return at < size ? at : size * 2 - 1 - at;
    }
    default:
      return -1;
  }
}

function plainRow(source: Raster, repeat: number, x: number, y: number, count: number, out: Uint32Array): void {
  const { width, height } = source;
  const row = width === 0 || height === 0 ? -1 : wrap(repeat, y, height);
  if (row < 0) {
    out.fill(0, 0, count);
    return;
  }
  if (x >= 0 && x + count <= width) {
    readWords(source, row * width + x, count, out);
    return;
  }
  for (let i = 0; i < count; i++) {
    const at = wrap(repeat, x + i, width);
    out[i] = at < 0 ? 0 : toWord(source.format, source.px[row * width + at]!);
  }
}

type ReadRow = (
  source: Raster,
  repeat: number,
  u: number,
  v: number,
  du: number,
  dv: number,
  count: number,
  out: Uint32Array,
) => void;

const pixel = ({ px, width, height, format }: Raster, repeat: number, x: number, y: number): number => {
  if (width === 0 || height === 0) return 0;
  const column = wrap(repeat, x, width);
  const row = wrap(repeat, y, height);
  return column < 0 || row < 0 ? 0 : toWord(format, px[row * width + column]!);
};

const nearestRow: ReadRow = (source, repeat, u, v, du, dv, count, out) => {
  for (let i = 0; i < count; i++, u += du, v += dv) {
    out[i] = pixel(source, repeat, Math.floor((u - 1) / one), Math.floor((v - 1) / one));
  }
};

const bilinearRow: ReadRow = (source, repeat, u, v, du, dv, count, out) => {
  for (let i = 0; i < count; i++, u += du, v += dv) {
    const x = Math.floor((u - one / 2) / one);
    const y = Math.floor((v - one / 2) / one);
    const wx = (u - one / 2 - x * one) >> 9;
    const wy = (v - one / 2 - y * one) >> 9;
    const bottomRight = wx * wy;
    const topRight = wx * (128 - wy);
    const bottomLeft = (128 - wx) * wy;
    const topLeft = (128 - wx) * (128 - wy);
    const tl = pixel(source, repeat, x, y);
    const tr = pixel(source, repeat, x + 1, y);
    const bl = pixel(source, repeat, x, y + 1);
    const br = pixel(source, repeat, x + 1, y + 1);
    let word = 0;
    for (let shift = 0; shift < 32; shift += 8) {
      const sum =
        ((tl >>> shift) & 255) * topLeft +
        ((tr >>> shift) & 255) * topRight +
        ((bl >>> shift) & 255) * bottomLeft +
        ((br >>> shift) & 255) * bottomRight;
      word |= (sum >> 14) << shift;
    }
    out[i] = word;
  }
};
