/**
 * The operators that put one pixel over another and need no division: Porter and Duff's twelve, add, and most blend modes, on
 * premultiplied words 0xAARRGGBB. The arithmetic is pixman's, to the bit: a product of two bytes is rounded to the nearest,
 * and sums stop at 255. What divides is in compose-wide.ts.
 */

/** The numbers of draw_composite's operator field. `disjoint` and `conjoint` are added to the first twelve. */
export const CompositeOp = {
  clear: 0,
  src: 1,
  dst: 2,
  over: 3,
  overReverse: 4,
  in: 5,
  inReverse: 6,
  out: 7,
  outReverse: 8,
  atop: 9,
  atopReverse: 10,
  xor: 11,
  add: 12,
  saturate: 13,
  disjoint: 0x10,
  conjoint: 0x20,
  multiply: 0x30,
  screen: 0x31,
  overlay: 0x32,
  darken: 0x33,
  lighten: 0x34,
  colorDodge: 0x35,
  colorBurn: 0x36,
  hardLight: 0x37,
  softLight: 0x38,
  difference: 0x39,
  exclusion: 0x3a,
  hslHue: 0x3b,
  hslSaturation: 0x3c,
  hslColor: 0x3d,
  hslLuminosity: 0x3e,
} as const;

/** How `count` source words and mask words change destination words, in place. No mask is a mask of 255 everywhere. */
export type Composer = (dst: Uint32Array, src: Uint32Array, mask: Uint32Array | undefined, count: number) => void;

/** Writes one channel of the result: source and its alpha (both times the mask), destination and its alpha. */
type Channel = (s: number, sa: number, d: number, da: number) => number;

/** (a × b) / 255, rounded to the nearest. */
export const mul8 = (a: number, b: number): number => {
  const t = a * b + 0x80;
  return (t + (t >> 8)) >> 8;
};
const div255 = (t: number): number => (t + 0x80 + ((t + 0x80) >> 8)) >> 8;
const limit = (v: number): number => (v > 255 ? 255 : v);

/** All four bytes of a word times a byte, each divided by 255 and rounded. */
export function scaleWord(w: number, a: number): number {
  let rb = Math.imul(w & 0xff00ff, a) + 0x800080;
  rb = ((rb >>> 0) + ((rb >>> 8) & 0xff00ff)) >>> 8;
  let ag = Math.imul((w >>> 8) & 0xff00ff, a) + 0x800080;
  ag = (ag >>> 0) + ((ag >>> 8) & 0xff00ff);
  return ((rb & 0xff00ff) | (ag & 0xff00ff00)) >>> 0;
}

/** One premultiplied word over another. */
export function overWord(s: number, d: number): number {
  const left = 255 - (s >>> 24);
  if (left === 0) return s;
  const t = scaleWord(d, left);
  const rb = (t & 0xff00ff) + (s & 0xff00ff);
  const ag = ((t >>> 8) & 0xff00ff) + ((s >>> 8) & 0xff00ff);
  // A channel that went over 255 has its ninth bit set: make it all ones.
  const rbSum = (rb | (0x1000100 - ((rb >>> 8) & 0xff00ff))) & 0xff00ff;
  const agSum = (ag | (0x1000100 - ((ag >>> 8) & 0xff00ff))) & 0xff00ff;
  return (rbSum | (agSum << 8)) >>> 0;
}

const over: Composer = (dst, src, mask, count) => {
  for (let i = 0; i < count; i++) {
    const m = mask === undefined ? 255 : mask[i]! >>> 24;
    const s = m === 255 ? src[i]! : scaleWord(src[i]!, m);
    if (s !== 0) dst[i] = overWord(s, dst[i]!);
  }
};

/** Walks the channels of each pixel: `alpha` makes the result's alpha, `colour` the others. */
const perChannel =
  (alpha: Channel, colour: Channel) =>
  (component: boolean): Composer =>
  (dst, src, mask, count) => {
    for (let i = 0; i < count; i++) {
      const s = src[i]!;
      const m = mask === undefined ? 0xffffffff : mask[i]!;
      const d = dst[i]!;
      const sa = s >>> 24;
      const da = d >>> 24;
      const ma = m >>> 24;
      let word = 0;
      for (let shift = 0; shift < 32; shift += 8) {
        const mc = component ? (m >>> shift) & 255 : ma;
        const made = shift === 24 ? alpha : colour;
        word |= made(mul8((s >>> shift) & 255, mc), mul8(sa, mc), (d >>> shift) & 255, da) << shift;
      }
      dst[i] = word;
    }
  };

type Factor = (sa: number, da: number) => number;
const zero: Factor = () => 0;
const one: Factor = () => 255;
const ofSource: Factor = (sa) => sa;
const ofDest: Factor = (_, da) => da;
const besideSource: Factor = (sa) => 255 - sa;
const besideDest: Factor = (_, da) => 255 - da;

/** source × fs + destination × fd */
const porterDuff = (fs: Factor, fd: Factor) => {
  const channel: Channel = (s, sa, d, da) => limit(mul8(s, fs(sa, da)) + mul8(d, fd(sa, da)));
  return perChannel(channel, channel);
};

/** The blend modes: what is only source or only destination stays, `blend` says what both together are. */
const blendMode = (blend: Channel) =>
  perChannel(
    (_s, sa, _d, da) => div255(da * 255 + sa * 255 - sa * da),
    (s, sa, d, da) => div255(Math.min(((255 - sa) * d + (255 - da) * s + blend(s, sa, d, da)) >>> 0, 255 * 255)),
  );
const hard = (s: number, sa: number, d: number, da: number, low: boolean) =>
  low ? 2 * s * d : sa * da - 2 * (da - d) * (sa - s);

const bytes: Record<number, (component: boolean) => Composer> = {
  [CompositeOp.clear]: porterDuff(zero, zero),
  [CompositeOp.src]: porterDuff(one, zero),
  [CompositeOp.dst]: porterDuff(zero, one),
  [CompositeOp.over]: porterDuff(one, besideSource),
  [CompositeOp.overReverse]: porterDuff(besideDest, one),
  [CompositeOp.in]: porterDuff(ofDest, zero),
  [CompositeOp.inReverse]: porterDuff(zero, ofSource),
  [CompositeOp.out]: porterDuff(besideDest, zero),
  [CompositeOp.outReverse]: porterDuff(zero, besideSource),
  [CompositeOp.atop]: porterDuff(ofDest, besideSource),
  [CompositeOp.atopReverse]: porterDuff(besideDest, ofSource),
  [CompositeOp.xor]: porterDuff(besideDest, besideSource),
  [CompositeOp.add]: porterDuff(one, one),
  [CompositeOp.multiply]: perChannel(...multiply()),
  [CompositeOp.screen]: blendMode((s, sa, d, da) => s * da + d * sa - s * d),
  [CompositeOp.overlay]: blendMode((s, sa, d, da) => hard(s, sa, d, da, 2 * d < da)),
  [CompositeOp.darken]: blendMode((s, sa, d, da) => Math.min(da * s, sa * d)),
  [CompositeOp.lighten]: blendMode((s, sa, d, da) => Math.max(da * s, sa * d)),
  [CompositeOp.hardLight]: blendMode((s, sa, d, da) => hard(s, sa, d, da, 2 * s < sa)),
  [CompositeOp.difference]: blendMode((s, sa, d, da) => Math.abs(d * sa - s * da)),
  [CompositeOp.exclusion]: blendMode((s, sa, d, da) => s * da + d * sa - 2 * d * s),
};

/** Each product is rounded by itself here, not their sum. */
function multiply(): [Channel, Channel] {
  const channel: Channel = (s, sa, d, da) => limit(limit(mul8(s, 255 - da) + mul8(d, 255 - sa)) + mul8(d, s));
  return [channel, channel];
}

/** The first three of the disjoint and conjoint operators are the plain ones. */
for (const base of [CompositeOp.disjoint, CompositeOp.conjoint]) {
  for (const op of [CompositeOp.clear, CompositeOp.src, CompositeOp.dst]) bytes[base + op] = bytes[op]!;
}

/** The composer of an operator on words, or undefined if it divides or there is none of that number. */
export function composerOf(op: number, component: boolean): Composer | undefined {
  if (op === CompositeOp.over && !component) return over;
  return bytes[op]?.(component);
}
