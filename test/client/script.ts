/**
 * Random but repeatable sequences of drawing messages that exercise every command in every variant, on surfaces of every
 * colour format. What the reference's software canvas made of the same bytes is in reference.json: so changing anything here
 * makes that file worthless. Left out is what the reference does not define: drawing a surface on itself, operations that it
 * has not, and its fourth byte of pixels without alpha.
 */
import { type AnyMessage, StringFlags, SurfaceFmt } from '../../src/protocol/index.ts';

/** Width and height of all surfaces, in pixels. */
export const size = { width: 48, height: 40 } as const;

/** Id and format of each surface. */
export const surfaces: readonly (readonly [number, number])[] = [
  [0, SurfaceFmt['32_xrgb']],
  [1, SurfaceFmt['32_argb']],
  [2, SurfaceFmt['16_555']],
  [3, SurfaceFmt['16_565']],
  [4, SurfaceFmt['8_a']],
  [5, SurfaceFmt['32_xrgb']],
  [6, SurfaceFmt['32_argb']],
];

const depthOf = (format: number) =>
  format === SurfaceFmt['8_a'] ? 8 : format === SurfaceFmt['16_555'] || format === SurfaceFmt['16_565'] ? 16 : 32;
const bitsOf = [0, 1, 1, 4, 4, 8, 16, 24, 32, 32, 8];

/** The three-operand operations that the reference has for sources and patterns alike; it lacks those that ignore one. */
const knownRop3 = [0x12, 0x16, 0x1e, 0x2e, 0x5b, 0x69, 0x6a, 0x78, 0x7e, 0x8e, 0x96, 0xb8, 0xca, 0xe2, 0xf8, 0xfe];

const simpleOperators = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 48, 49, 50, 51, 52, 55, 57, 58];
/** Saturate, disjoint and conjoint, dodge, burn, soft light, hue, saturation, colour, luminosity. */
const dividingOperators = [
  13, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 53, 54, 56, 59,
  60, 61, 62,
];

/** What a script draws, and with which numbers it began. */
export interface Plan {
  readonly seed: number;
  readonly commands: readonly string[];
  readonly count: number;
}

/** The messages of a plan, surface_create first. */
export function script({ seed, commands, count }: Plan): AnyMessage[] {
  const { width, height } = size;
  const messages: AnyMessage[] = [];
  let state = seed >>> 0;
  /** A number from 0 to n − 1. */
  const some = (n: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % n;
  };
  const pick = <T>(list: readonly T[]): T => list[some(list.length)]!;
  const chance = (n: number) => some(n) === 0;
  const bytes = (n: number) => Uint8Array.from({ length: n }, () => some(256));

  for (const [surfaceId, format] of surfaces) {
    const body = { surfaceId, width, height, format, flags: surfaceId === 0 ? 1 : 0 };
    messages.push({ type: 'msg.surface_create', body });
  }

  let nextId = 100n;
  const cached: { id: bigint; width: number; height: number }[] = [];
  let drawnOn = 0;
  let plain = false;

  const bitmap = (w: number, h: number, format: number, depth: number) => {
    let stride = Math.ceil((w * bitsOf[format]!) / 8);
    if (!chance(3)) stride = (stride + 3) & ~3;
    const data = bytes(stride * h);
    if (format === 9) {
      for (let i = 0; i < data.length; i += 4) {
        data[i + 3] = pick([0, 255, data[i + 3]!, 128]);
        for (let c = 0; c < 3; c++) data[i + c] = Math.floor((data[i + c]! * data[i + 3]!) / 255);
      }
    }
    const ents = () => Array.from({ length: 1 << bitsOf[format]! }, () => some(depth === 16 ? 0x8000 : 0x1000000));
    const palette = format <= 5 ? { unique: BigInt(some(5) + 1), ents: ents() } : null;
    const bitmapFlags = some(2) * 4;
    return {
      id: nextId++,
      type: 'bitmap',
      flags: 0,
      width: w,
      height: h,
      format,
      bitmapFlags,
      x: w,
      y: h,
      stride,
      palette,
      data,
    };
  };

  const image = (w: number, h: number, format: number): any => {
    if (!plain && chance(6)) {
      const others = surfaces.filter(([id, other]) => id !== drawnOn && other === format);
      if (others.length > 0) return { id: 0n, type: 'surface', flags: 0, width, height, surfaceId: pick(others)[0] };
    }
    const large = cached.filter((one) => one.width >= w && one.height >= h);
    if (!plain && large.length > 0 && chance(8)) return { ...pick(large), type: 'from_cache', flags: 0 };
    const all = [2, 4, 5, 6, 7, 8, 8, 9, 9, 10];
    const formats = { [SurfaceFmt['16_565']]: [6, 7, 8, 9], [SurfaceFmt['8_a']]: [6, 7, 8, 9, 10] }[format] ?? all;
    const made: any = bitmap(w, h, pick(formats), depthOf(format));
    if (!plain && made.format > 5 && chance(8)) {
      made.flags = 1;
      cached.push({ id: made.id, width: w, height: h });
    }
    if (made.format > 5 && made.format < 10 && chance(10)) made.flags |= 2;
    return made;
  };

  const box = () => {
    const left = some(width - 1);
    const top = some(height - 1);
    return { left, top, right: left + 1 + some(width - left), bottom: top + 1 + some(height - top) };
  };
  const clip = () => {
    if (chance(2)) return { type: 'none' };
    const rect = () => {
      const left = some(width) - 4;
      const top = some(height) - 4;
      return { left, top, right: left + 1 + some(30), bottom: top + 1 + some(30) };
    };
    return { type: 'rects', rects: Array.from({ length: some(6) }, rect) };
  };
  const mask = () =>
    chance(3)
      ? {
          flags: some(2),
          pos: { x: some(6), y: some(6) },
          bitmap: bitmap(1 + some(60), 1 + some(60), pick([1, 2]), 32),
        }
      : { flags: 0, pos: { x: 0, y: 0 }, bitmap: null };
  const solid = () => ({ type: 'solid', color: some(0xffffffff) });
  const pattern = (format: number) => ({
    type: 'pattern',
    pat: image(1 + some(12), 1 + some(12), format),
    pos: { x: some(40) - 20, y: some(40) - 20 },
  });
  const brush = (format: number): any => (chance(5) ? { type: 'none' } : chance(2) ? solid() : pattern(format));
  const rop = () => pick([8, 8, 16, 32, 64, 128, 256, 512]) | (chance(2) ? some(8) : 0) | (chance(3) ? 1024 : 0);
  /** A picture's size and the part of it that goes to the box: as large as the box, or of another size. */
  const source = ({ left, top, right, bottom }: ReturnType<typeof box>, format: number) => {
    const scaled = chance(3);
    const [w, h] = scaled ? [1 + some(30), 1 + some(30)] : [right - left, bottom - top];
    const [x, y] = [some(5), some(5)];
    const srcArea = { left: x, top: y, right: x + w, bottom: y + h };
    return { srcArea, srcBitmap: image(w + x + some(4), h + y + some(4), format) };
  };

  const glyphs = (bits: number, left: number, top: number) =>
    Array.from({ length: 1 + some(5) }, (_, k) => {
      const [w, h] = [1 + some(9), 1 + some(9)];
      const renderPos = { x: left + k * 6, y: top + 8 };
      const glyphOrigin = { x: some(3) - 1, y: -some(8) };
      return { renderPos, glyphOrigin, width: w, height: h, data: bytes(((w * bits + 7) >> 3) * h) };
    });
  const coordinate = (n: number) => (some(n) - 16) * 16 + (chance(3) ? some(16) : 0);
  const path = () => ({
    segments: Array.from({ length: 1 + some(3) }, () => {
      const curved = chance(4);
      const length = curved ? 4 + 3 * some(2) : 2 + some(5);
      const flags = 1 | (curved ? 16 : 0) | pick([0, 2, 10]);
      return { flags, points: Array.from({ length }, () => ({ x: coordinate(80), y: coordinate(70) })) };
    }),
  });
  const style = () =>
    chance(2)
      ? { flags: pick([8, 12]), style: Array.from({ length: pick([2, 4]) }, () => (1 + some(6)) * 16) }
      : { flags: 0 };
  const transform = () => ({
    t00: pick([65536, 32768, 131072, -65536, 40000]) >>> 0,
    t01: pick([0, 0, 20000, 65536]),
    t02: (some(10) * 65536 - some(2) * 30000) >>> 0,
    t10: pick([0, 0, -12345, 65536]) >>> 0,
    t11: pick([65536, 50000, -65536, 90000]) >>> 0,
    t12: some(10) * 65536,
  });
  const origin = () => ({ x: some(8) - 3, y: some(8) - 3 });

  const composite = (format: number, operators: readonly number[]) => {
    const [hasMask, turned] = [chance(2), chance(3)];
    const maskTurned = hasMask && chance(3);
    const operator = pick(operators);
    const flags =
      operator |
      (some(5) << 8) |
      (some(5) << 11) |
      (some(4) << 14) |
      (some(4) << 16) |
      (chance(3) ? 1 << 18 : 0) |
      (hasMask ? 1 << 19 : 0) |
      (turned ? 1 << 20 : 0) |
      (maskTurned ? 1 << 21 : 0);
    return {
      flags,
      srcBitmap: image(4 + some(40), 4 + some(40), format),
      ...(hasMask ? { maskBitmap: bitmap(4 + some(40), 4 + some(40), pick([8, 9, 9]), 32) } : {}),
      ...(turned ? { srcTransform: transform() } : {}),
      ...(maskTurned ? { maskTransform: transform() } : {}),
      srcOrigin: origin(),
      maskOrigin: origin(),
    };
  };

  const bodies: Record<string, (base: any, format: number) => object | undefined> = {
    draw_fill: (_, format) => ({ brush: brush(format), ropDescriptor: rop(), mask: mask() }),
    draw_copy: (base, format) => ({
      ...source(base.box, format),
      ropDescriptor: rop(),
      scaleMode: some(2),
      mask: mask(),
    }),
    draw_blend: (base, format) => ({
      ...source(base.box, format),
      ropDescriptor: rop(),
      scaleMode: some(2),
      mask: mask(),
    }),
    draw_opaque: (base, format) => ({
      ...source(base.box, format),
      brush: brush(format),
      ropDescriptor: rop(),
      scaleMode: some(2),
      mask: mask(),
    }),
    draw_blackness: () => ({ mask: mask() }),
    draw_whiteness: () => ({ mask: mask() }),
    draw_invers: () => ({ mask: mask() }),
    draw_rop3: (base, format) => {
      if (format === SurfaceFmt['8_a']) return undefined;
      const laid = chance(2) ? solid() : { ...pattern(format), pos: { x: -some(20), y: -some(20) } };
      return { ...source(base.box, format), brush: laid, rop3: pick(knownRop3), scaleMode: some(2), mask: mask() };
    },
    draw_transparent: (base, format) => {
      const from = source(base.box, format);
      const { data, stride } = from.srcBitmap;
      const color = data && stride >= 3 ? data[0] | (data[1] << 8) | (data[2] << 16) : some(0x1000000);
      return { ...from, srcColor: color, trueColor: color };
    },
    draw_alpha_blend: (base, format) => ({
      ...source(base.box, format),
      alphaFlags: format === SurfaceFmt['32_argb'] ? some(4) : some(2),
      alpha: pick([0, 255, 255, some(256)]),
    }),
    copy_bits: () => ({ srcPos: { x: some(width) - 6, y: some(height) - 6 } }),
    draw_text: ({ box: { left, top } }, format) => {
      const flags = pick([StringFlags.rasterA1, StringFlags.rasterA4]);
      const backArea = chance(2) ? { left: 0, top: 0, right: 0, bottom: 0 } : box();
      const foreBrush = chance(2) ? solid() : pattern(format);
      const str = { flags, glyphs: glyphs(flags === StringFlags.rasterA1 ? 1 : 4, left, top) };
      return { str, backArea, foreBrush, backBrush: brush(format), foreMode: 8, backMode: 8 };
    },
    draw_stroke: (_, format) => {
      const attr = style();
      return { path: path(), attr, brush: brush(format), foreMode: pick([8, 8, 64, 520, 32]), backMode: 8 };
    },
    draw_composite: (_, format) => composite(format, simpleOperators),
    'draw_composite that divides': (_, format) => composite(format, dividingOperators),
  };
  /** Where the reference keeps something back between commands, or does not always fill its cache: no shared pictures. */
  const lonely = new Set(['draw_rop3', 'draw_text', 'draw_stroke', 'draw_composite', 'draw_composite that divides']);

  for (let i = 0; i < count; i++) {
    const name = pick(commands);
    const [surfaceId, format] = pick(surfaces);
    drawnOn = surfaceId;
    plain = lonely.has(name);
    const base = { surfaceId, box: box(), clip: clip() };
    const body = bodies[name]!(base, format);
    if (body !== undefined) messages.push({ type: `msg.${name.split(' ')[0]}`, body: { base, ...body } });
  }
  return messages;
}

/** The plans whose results are known. */
export const plans: readonly Plan[] = [
  ...[
    ['draw_fill', 'draw_blackness', 'draw_whiteness', 'draw_invers'],
    ['draw_copy', 'draw_blend'],
    ['draw_opaque', 'draw_transparent'],
    ['draw_rop3'],
    ['draw_alpha_blend'],
    ['draw_text'],
    ['draw_stroke'],
    ['draw_composite'],
    ['copy_bits', 'draw_fill'],
    ['draw_composite that divides'],
  ].map((commands, i) => ({ seed: 1000 + i * 77, commands, count: 220 })),
];
