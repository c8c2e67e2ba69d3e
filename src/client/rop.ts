/**
 * Raster operations, bit by bit: the sixteen of two operands, which messages describe by `Ropd` flags, and the 256 of three.
 * They work on elements of a raster as they are, whatever their format.
 */
import { Ropd } from '../protocol/constants.ts';
import { type Format, type Pixel, pixelMask } from './raster.ts';

/**
 * An operation of a source and a destination as its truth table: bit 2·s + d is the result for a source bit s and a
 * destination bit d.
 */
export type Rop = number;
export const rops = { clear: 0b0000, noop: 0b1010, copy: 0b1100, invert: 0b0101, set: 0b1111 } as const;

/** The inversions that a descriptor has for the operand that plays the source, and for the other one. */
const inversions = { src: Ropd.inversSrc, brush: Ropd.inversBrush, dest: Ropd.inversDest } as const;
type Operand = keyof typeof inversions;

/** The operation of a descriptor; the first of several operations counts, and none at all is a copy. */
export function ropOf(descriptor: number, source: Operand, destination: Operand): Rop {
  const has = (flag: number) => (descriptor & flag) !== 0;
  const put = has(Ropd.opPut);
  if (!put && !has(Ropd.opOr | Ropd.opAnd | Ropd.opXor)) {
    if (has(Ropd.opBlackness)) return rops.clear;
    if (has(Ropd.opWhiteness)) return rops.set;
    return has(Ropd.opInvers) ? rops.invert : rops.copy;
  }
  const s = has(inversions[source]) ? 0b0011 : 0b1100;
  const d = has(inversions[destination]) ? 0b0101 : 0b1010;
  const plain = put ? s : has(Ropd.opOr) ? s | d : has(Ropd.opAnd) ? s & d : s ^ d;
  return has(Ropd.inversRes) ? ~plain & 15 : plain;
}

/** Combines one source element and one destination element; the result may have bits above the element. */
export function combine(rop: Rop, s: number, d: number): number {
  switch (rop) {
    case 0b0000:
      return 0;
    case 0b0001:
      return ~(s | d);
    case 0b0010:
      return ~s & d;
    case 0b0011:
      return ~s;
    case 0b0100:
      return s & ~d;
    case 0b0101:
      return ~d;
    case 0b0110:
      return s ^ d;
    case 0b0111:
      return ~(s & d);
    case 0b1000:
      return s & d;
    case 0b1001:
      return ~(s ^ d);
    case 0b1010:
      return d;
    case 0b1011:
      return ~s | d;
    case 0b1100:
      return s;
    case 0b1101:
      return s | ~d;
    case 0b1110:
      return s | d;
    default:
      return -1;
  }
}

/** Combines `count` elements of `src` from `from` on with those of `dst` from `to` on, in place. */
export function combineRow(
  rop: Rop,
  format: Format,
  dst: Pixel,
  to: number,
  src: Pixel,
  from: number,
  count: number,
): void {
  const mask = pixelMask[format];
  for (let i = 0; i < count; i++) dst[to + i] = combine(rop, src[from + i]!, dst[to + i]!) & mask;
}

/** Combines one source element with `count` destination elements, in place. */
export function combineFill(rop: Rop, format: Format, dst: Pixel, to: number, value: number, count: number): void {
  const mask = pixelMask[format];
  for (let i = 0; i < count; i++) dst[to + i] = combine(rop, value, dst[to + i]!) & mask;
}

/** Combines pattern, source and destination: bit 4·p + 2·s + d of `rop3` is the result for bits p, s and d. */
export function combine3(rop3: number, p: number, s: number, d: number): number {
  return (p & combine(rop3 >> 4, s, d)) | (~p & combine(rop3 & 15, s, d));
}
