/**
 * The operators that put one pixel over another and divide: saturate, disjoint and conjoint, dodge, burn and soft light, and the
 * four that work on hue, saturation and luminosity. Pixels are four numbers of single precision (alpha, red, green, blue, from
 * 0 to 1, premultiplied), and every step is rounded to it: so the results are pixman's, to the bit.
 */
import { CompositeOp } from './compose.ts';

/** How `count` pixels of source and mask change those of the destination, in place. No mask is a mask of 1 everywhere. */
export type WideComposer = (
  dst: Float32Array,
  src: Float32Array,
  mask: Float32Array | undefined,
  count: number,
) => void;

/** One channel of the result: source's alpha, source (both times the mask), destination's alpha, destination. */
type Channel = (sa: number, s: number, da: number, d: number) => number;

const f = Math.fround;
const smallest = f(1.17549435e-38);
const isZero = (v: number) => v > -smallest && v < smallest;
const clamp = (v: number) => (v < 0 ? 0 : v > 1 ? 1 : v);

const perChannel =
  (alpha: Channel, colour: Channel) =>
  (component: boolean): WideComposer =>
  (dst, src, mask, count) => {
    for (let i = 0; i < count * 4; i += 4) {
      const sa = src[i]!;
      const da = dst[i]!;
      for (let c = 0; c < 4; c++) {
        const m = mask === undefined ? 1 : mask[component ? i + c : i]!;
        const made = c === 0 ? alpha : colour;
        dst[i + c] = made(f(sa * m), f(src[i + c]! * m), da, c === 0 ? da : dst[i + c]!);
      }
    }
  };

// ---- Porter and Duff's, where coverages are known to overlap or not ------------------------------------------------

type Factor = (sa: number, da: number) => number;
const zero: Factor = () => 0;
const one: Factor = () => 1;
const quotient = (a: number, b: number) => (isZero(b) ? 1 : clamp(f(a / b)));
const rest = (a: number, b: number) => (isZero(b) ? 0 : clamp(f(1 - f(a / b))));

interface Factors {
  readonly besideDest: Factor;
  readonly besideSource: Factor;
  readonly inDest: Factor;
  readonly inSource: Factor;
}
const disjoint: Factors = {
  besideDest: (sa, da) => quotient(f(1 - da), sa),
  besideSource: (sa, da) => quotient(f(1 - sa), da),
  inDest: (sa, da) => rest(f(1 - da), sa),
  inSource: (sa, da) => rest(f(1 - sa), da),
};
const conjoint: Factors = {
  besideDest: (sa, da) => rest(da, sa),
  besideSource: (sa, da) => rest(sa, da),
  inDest: (sa, da) => quotient(da, sa),
  inSource: (sa, da) => quotient(sa, da),
};

/** source × fs + destination × fd */
const porterDuff = (fs: Factor, fd: Factor) => {
  const channel: Channel = (sa, s, da, d) => Math.min(1, f(f(s * fs(sa, da)) + f(d * fd(sa, da))));
  return perChannel(channel, channel);
};

const operators: Record<number, (component: boolean) => WideComposer | undefined> = {
  [CompositeOp.saturate]: porterDuff(disjoint.besideDest, one),
};
for (const [base, { besideDest, besideSource, inDest, inSource }] of [
  [CompositeOp.disjoint, disjoint],
  [CompositeOp.conjoint, conjoint],
] as const) {
  for (const [op, fs, fd] of [
    [CompositeOp.over, one, besideSource],
    [CompositeOp.overReverse, besideDest, one],
    [CompositeOp.in, inDest, zero],
    [CompositeOp.inReverse, zero, inSource],
    [CompositeOp.out, besideDest, zero],
    [CompositeOp.outReverse, zero, besideSource],
    [CompositeOp.atop, inDest, besideSource],
    [CompositeOp.atopReverse, besideDest, inSource],
    [CompositeOp.xor, besideDest, besideSource],
  ] as const) {
    operators[base + op] = porterDuff(fs, fd);
  }
}

// ---- blend modes: what is only source or only destination stays, `blend` says what both together are ----------------

const union: Channel = (sa, _s, da) => f(f(da + sa) - f(da * sa));
const alone: Channel = (sa, s, da, d) => f(f(f(1 - sa) * d) + f(f(1 - da) * s));

const blendMode = (blend: Channel) => perChannel(union, (sa, s, da, d) => f(alone(sa, s, da, d) + blend(sa, s, da, d)));

operators[CompositeOp.colorDodge] = blendMode((sa, s, da, d) => {
  if (isZero(d)) return 0;
  if (f(d * sa) >= f(f(sa * da) - f(s * da)) || isZero(f(sa - s))) return f(sa * da);
  return f(f(f(sa * sa) * d) / f(sa - s));
});
operators[CompositeOp.colorBurn] = blendMode((sa, s, da, d) => {
  if (d >= da) return f(sa * da);
  const left = f(sa * f(da - d));
  if (left >= f(s * da) || isZero(s)) return 0;
  return f(sa * f(da - f(left / s)));
});
operators[CompositeOp.softLight] = blendMode((sa, s, da, d) => {
  const base = f(d * sa);
  if (isZero(da)) return base;
  if (f(2 * s) <= sa) return f(base - f(f(f(d * f(da - d)) * f(sa - f(2 * s))) / da));
  const by = f(f(2 * s) - sa);
  if (f(4 * d) > da) return f(base + f(f(f(Math.sqrt(f(d * da))) - d) * by));
  return f(base + f(f(by * d) * f(f(f(f(f(f(16 * d) / da) - 12) * d) / da) + 3)));
});

// ---- hue, saturation and luminosity of all three colours together ----------------------------------------------------

type Colour = [red: number, green: number, blue: number];
type Mixture = (source: Colour, sa: number, dest: Colour, da: number) => Colour;

const times = ([r, g, b]: Colour, by: number): Colour => [f(r * by), f(g * by), f(b * by)];
const luminosity = ([r, g, b]: Colour) => f(f(f(r * f(0.3)) + f(g * f(0.59))) + f(b * f(0.11)));
const saturation = (c: Colour) => f(Math.max(...c) - Math.min(...c));

/** Moves a colour that lies outside 0 to `alpha` towards its own grey until it is inside. */
function clip(colour: Colour, alpha: number): Colour {
  const grey = luminosity(colour);
  const [low, high] = [Math.min(...colour), Math.max(...colour)];
  let made = colour;
  if (low < 0) {
    const t = f(grey - low);
    const up = (v: number) => f(grey + f(f(f(v - grey) * grey) / t));
    made = isZero(t) ? [0, 0, 0] : [up(made[0]), up(made[1]), up(made[2])];
  }
  if (high > alpha) {
    const t = f(high - grey);
    const down = (v: number) => f(grey + f(f(f(v - grey) * f(alpha - grey)) / t));
    made = isZero(t) ? [alpha, alpha, alpha] : [down(made[0]), down(made[1]), down(made[2])];
  }
  return made;
}

function withLuminosity(colour: Colour, alpha: number, wanted: number): Colour {
  const by = f(wanted - luminosity(colour));
  return clip([f(colour[0] + by), f(colour[1] + by), f(colour[2] + by)], alpha);
}

function withSaturation(colour: Colour, wanted: number): Colour {
  const [r, g, b] = colour;
  // Which is the highest and which the lowest; of equal ones pixman takes the later for the higher.
  const [high, middle, low] =
    r > g ? (r > b ? (g > b ? [0, 1, 2] : [0, 2, 1]) : [2, 0, 1]) : r > b ? [1, 0, 2] : g > b ? [1, 2, 0] : [2, 1, 0];
  const span = f(colour[high!]! - colour[low!]!);
  const made: Colour = [0, 0, 0];
  if (isZero(span)) return made;
  made[middle!] = f(f(f(colour[middle!]! - colour[low!]!) * wanted) / span);
  made[high!] = wanted;
  return made;
}

const mixed =
  (mix: Mixture) =>
  (component: boolean): WideComposer | undefined =>
    component
      ? undefined
      : (dst, src, mask, count) => {
          for (let i = 0; i < count * 4; i += 4) {
            const m = mask === undefined ? 1 : mask[i]!;
            const sa = f(src[i]! * m);
            // The reference takes the mask twice for green and forgets it for blue.
            const source: Colour = [f(src[i + 1]! * m), f(f(src[i + 2]! * m) * m), src[i + 3]!];
            const da = dst[i]!;
            const dest: Colour = [dst[i + 1]!, dst[i + 2]!, dst[i + 3]!];
            const both = mix(source, sa, dest, da);
            dst[i] = f(f(sa + da) - f(sa * da));
            for (const c of [0, 1, 2] as const) dst[i + 1 + c] = f(alone(sa, source[c], da, dest[c]) + both[c]);
          }
        };

operators[CompositeOp.hslHue] = mixed((s, sa, d, da) =>
  withLuminosity(withSaturation(times(s, da), f(saturation(d) * sa)), f(sa * da), f(luminosity(d) * sa)),
);
operators[CompositeOp.hslSaturation] = mixed((s, sa, d, da) =>
  withLuminosity(withSaturation(times(d, sa), f(saturation(s) * da)), f(sa * da), f(luminosity(d) * sa)),
);
operators[CompositeOp.hslColor] = mixed((s, sa, d, da) =>
  withLuminosity(times(s, da), f(sa * da), f(luminosity(d) * sa)),
);
operators[CompositeOp.hslLuminosity] = mixed((s, sa, d, da) =>
  withLuminosity(times(d, sa), f(sa * da), f(luminosity(s) * da)),
);

const nothing: WideComposer = () => {};

/**
 * The composer of an operator that divides, or undefined if this is none. The four of hue, saturation and luminosity change
 * nothing with `component`, where each channel of the mask counts for itself: pixman has them not.
 */
export function wideComposerOf(op: number, component: boolean): WideComposer | undefined {
  const operator = operators[op];
  return operator && (operator(component) ?? nothing);
}
