/**
 * The drawing commands of the random scripts as a guest of libspice-server gives them: what is cached there comes again here
 * as the picture that it was, and no two palettes or pictures share a name.
 */
import { SurfaceFmt } from '../../src/protocol/constants.ts';
import { type Plan, script, surfaces } from '../client/script.ts';
import type { SpiceGuest } from './c/guest.ts';

/** Another surface in the place of the primary one, so that each format is drawn on the screen, too. */
export const swapped = (id: number, primary: number): number => (id === 0 ? primary : id === primary ? 0 : id);

/** The format of each surface when script surface `primary` is the screen. */
export const formatsWith = (primary: number): Map<number, number> =>
  new Map(surfaces.map(([id, format]) => [swapped(id, primary), format]));

/** Draws all of a plan. `turn` is another number for each plan of a session. */
export function drawPlan(guest: SpiceGuest, plan: Plan, turn: number, primary = 0): void {
  const kept = new Map<bigint, any>();
  const picture = (one: any): any => {
    if (one === null || one === undefined) return one;
    if (one.type === 'from_cache') return kept.get(one.id);
    if (one.type === 'surface') return { ...one, surfaceId: swapped(one.surfaceId, primary) };
    const id = one.id + BigInt(turn) * 1_000_000n;
    const own = { ...one, id, palette: one.palette && { ...one.palette, unique: id } };
    if (one.format === 8) own.data = plainWords(one.data, (one.flags & 2) !== 0);
    if (one.format === 6 && onAlpha) Object.assign(own, widened(one));
    if (one.flags & 1) kept.set(one.id, own);
    return own;
  };
  let onAlpha = false;
  const brush = (one: any) => (one?.pat ? { ...one, pat: picture(one.pat) } : one);
  for (const { type, body } of script(plan)) {
    const name = type.slice(4);
    if (name === 'surface_create') continue;
    const { base, mask } = body;
    onAlpha = surfaces.some(([id, format]) => id === base.surfaceId && format === SurfaceFmt['32_argb']);
    guest.draw(name, {
      ...body,
      base: { ...base, surfaceId: swapped(base.surfaceId, primary) },
      ...(body.srcBitmap === undefined ? {} : { srcBitmap: picture(body.srcBitmap) }),
      ...(body.maskBitmap === undefined ? {} : { maskBitmap: picture(body.maskBitmap) }),
      ...(body.brush === undefined ? {} : { brush: brush(body.brush) }),
      ...(body.foreBrush === undefined ? {} : { foreBrush: brush(body.foreBrush), backBrush: brush(body.backBrush) }),
      // A mask has no colours.
      ...(mask?.bitmap ? { mask: { ...mask, bitmap: { ...picture(mask.bitmap), palette: null } } } : {}),
    });
  }
}

/**
 * A picture of 16 bits as one with alpha: on a surface that shows it, the reference itself takes 16 bits for opaque when they
 * come as they are, and for transparent when they come through a codec.
 */
function widened({ width, height, stride, data }: any): object {
  const wide = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    const at = Math.floor(i / width) * stride + (i % width) * 2;
    const pixel = data[at] | (data[at + 1] << 8);
    wide.set([(pixel & 31) << 3, (pixel >> 2) & 0xf8, (pixel >> 7) & 0xf8, 255], i * 4);
  }
  return { format: 9, stride: width * 4, data: wide };
}

/** The unused byte of 32-bit pixels, which no codec keeps, as a client takes it for. */
function plainWords(data: Uint8Array, highBitsSet: boolean): Uint8Array {
  return data.map((byte, i) => (i % 4 === 3 ? (highBitsSet ? 255 : 0) : byte));
}

const bitsOf = [0, 1, 1, 4, 4, 8, 16, 24, 32, 32, 8];

/** A part of a BGRX picture of `stride` pixels a row as a bitmap of any `BitmapFmt`; palettes are of greys. */
export function bitmapOf(
  words: Uint32Array,
  stride: number,
  area: { left: number; top: number; right: number; bottom: number },
  format: number,
  id: bigint,
  flags = 0,
): any {
  const [width, height] = [area.right - area.left, area.bottom - area.top];
  const bits = bitsOf[format]!;
  const rowBytes = Math.ceil((width * bits) / 8);
  const data = new Uint8Array(rowBytes * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const word = words[(area.top + y) * stride + area.left + x]!;
      const [r, g, b] = [(word >> 16) & 255, (word >> 8) & 255, word & 255];
      const at = y * rowBytes;
      if (bits >= 24) {
        const alpha = format === 9 ? 128 + (g >> 1) : 255;
        const part = (value: number) => (format === 9 ? Math.floor((value * alpha) / 255) : value);
        data.set([part(b), part(g), part(r), alpha].slice(0, bits / 8), at + (x * bits) / 8);
      } else if (bits === 16) {
        const value = ((r >> 3) << 10) | ((g >> 3) << 5) | (b >> 3);
        data.set([value & 255, value >> 8], at + x * 2);
      } else if (bits === 8) data[at + x] = g;
      else {
        const value = g >> (8 - bits);
        const place = (x * bits) & 7;
        // Little: the first pixel stands lowest.
        const shift = format === 1 || format === 3 ? place : 8 - bits - place;
        data[at + ((x * bits) >> 3)]! |= value << shift;
      }
    }
  }
  const entries = 1 << Math.min(bits, 8);
  const palette =
    format <= 5
      ? { unique: id, ents: Array.from({ length: entries }, (_, i) => Math.floor((i * 255) / (entries - 1)) * 0x10101) }
      : null;
  const shape = { x: width, y: height, stride: rowBytes, bitmapFlags: 4, palette, data };
  return { id, type: 'bitmap', flags, width, height, format, ...shape };
}
