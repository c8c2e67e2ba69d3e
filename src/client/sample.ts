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
export const identity: Matrix = [one, 0, 0, 0, one, 0];
export const isIdentity = (m: Matrix): boolean => m.every((v, i) => v === identity[i]);

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
  if (isIdentity(m)) return { row: (x, y, count, out) => plainRow(source, repeat, x, y, count, out) };
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

/**
 * Whether all that a target of `width` by `height` pixels reads lies in the picture, its corner at `origin`: as pixman tells it,
 * who asks more of a bilinear filter unless it does what the nearest pixel would.
 */
export function covers(
  source: { readonly width: number; readonly height: number },
  matrix: Matrix | undefined,
  filter: number,
  origin: { readonly x: number; readonly y: number },
  width: number,
  height: number,
): boolean {
  const [right, bottom] = [origin.x + width, origin.y + height];
  const m = matrix ?? identity;
  if (isIdentity(m)) return origin.x >= 0 && origin.y >= 0 && right <= source.width && bottom <= source.height;
  const corners = [origin.x + 0.5, right - 0.5].flatMap((x) =>
    [origin.y + 0.5, bottom - 0.5].map((y) => [x, y] as const),
  );
  const us = corners.map(([x, y]) => Math.floor(m[0] * x + m[1] * y + m[2] + 0.5));
  const vs = corners.map(([x, y]) => Math.floor(m[3] * x + m[4] * y + m[5] + 0.5));
  const within = (before: number, after: number) =>
    Math.floor((Math.min(...us) - before) / one) >= 0 &&
    Math.floor((Math.min(...vs) - before) / one) >= 0 &&
    Math.floor((Math.max(...us) + after) / one) < source.width &&
    Math.floor((Math.max(...vs) + after) / one) < source.height;
  if (filter === Filter.nearest || filter === Filter.fast) return within(1, -1);
  const isWhole = m.every((v) => v % one === 0);
  const isNearest = isWhole && (((m[0] + m[1]) & (m[3] + m[4])) >> 16) % 2 === 1;
  return (isNearest && within(1, -1)) || within(one / 2, one / 2);
}

/** The index of a coordinate after repetition, or -1 where nothing is. */
export function wrap(repeat: number, i: number, size: number): number {
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
  // Unless it reads far more than there is.
  const isDense = du * count < (source.width + count) * 4 * one;
  if (dv === 0 && du > 0 && repeat === Repeat.none && isDense) {
    straightRow(source, u - one / 2, v - one / 2, du, count, out);
    return;
  }
  for (let i = 0; i < count; i++, u += du, v += dv) {
    const x = Math.floor((u - one / 2) / one);
    const y = Math.floor((v - one / 2) / one);
    const wx = (u - one / 2 - x * one) >> 9;
    const wy = (v - one / 2 - y * one) >> 9;
    const tl = pixel(source, repeat, x, y);
    const tr = pixel(source, repeat, x + 1, y);
    const bl = pixel(source, repeat, x, y + 1);
    const br = pixel(source, repeat, x + 1, y + 1);
    out[i] = between(tl, tr, bl, br, wx, wy);
  }
};

/** Four words by their weights, 0 to 128 in each direction. */
function between(tl: number, tr: number, bl: number, br: number, wx: number, wy: number): number {
  // Two channels at once across (15 bits each), then each by itself down (22 bits).
  const lx = 128 - wx;
  const topRb = (tl & 0xff00ff) * lx + (tr & 0xff00ff) * wx;
  const topAg = ((tl >>> 8) & 0xff00ff) * lx + ((tr >>> 8) & 0xff00ff) * wx;
  const lowRb = (bl & 0xff00ff) * lx + (br & 0xff00ff) * wx;
  const lowAg = ((bl >>> 8) & 0xff00ff) * lx + ((br >>> 8) & 0xff00ff) * wx;
  const ly = 128 - wy;
  const b = ((topRb & 0xffff) * ly + (lowRb & 0xffff) * wy) >>> 14;
  const r = ((topRb >>> 16) * ly + (lowRb >>> 16) * wy) >>> 14;
  const g = ((topAg & 0xffff) * ly + (lowAg & 0xffff) * wy) >>> 14;
  const a = ((topAg >>> 16) * ly + (lowAg >>> 16) * wy) >>> 14;
  return ((a << 24) | (r << 16) | (g << 8) | b) >>> 0;
}

/** A row that is only scaled: its two source rows are read once. */
function straightRow(source: Raster, u: number, v: number, du: number, count: number, out: Uint32Array): void {
  const y = Math.floor(v / one);
  const wy = (v - y * one) >> 9;
  const first = Math.floor(u / one);
  const width = Math.floor((u + du * (count - 1)) / one) + 2 - first;
  const top = new Uint32Array(width);
  const low = new Uint32Array(width);
  plainRow(source, Repeat.none, first, y, width, top);
  plainRow(source, Repeat.none, first, y + 1, width, low);
  let at = u - first * one;
  for (let i = 0; i < count; i++, at += du) {
    const x = Math.floor(at / one);
    out[i] = between(top[x]!, top[x + 1]!, low[x]!, low[x + 1]!, (at - x * one) >> 9, wy);
  }
}
