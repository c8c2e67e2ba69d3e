/**
 * Pixels in memory, in the six formats that SPICE surfaces have, and the way between them. Everything that is blended goes
 * through one 32-bit word a pixel, 0xAARRGGBB. Rows have no gap. Knows no messages.
 */

/** `a1` alpha of 0 or 1, one byte a pixel; `a8` alpha; `x555` and `r565` 16 bits; `x888` and `a888` 32 bits. */
export type Format = 'a1' | 'a8' | 'x555' | 'r565' | 'x888' | 'a888';
export type Pixel = Uint8Array | Uint16Array | Uint32Array;

export interface Raster {
  readonly format: Format;
  readonly width: number;
  readonly height: number;
  /** width × height elements, the top row first. */
  readonly px: Pixel;
}

/** Bytes of a pixel in memory. */
export const pixelBytes = { a1: 1, a8: 1, x555: 2, r565: 2, x888: 4, a888: 4 } as const;
/** The bits of an element that belong to the picture. */
export const pixelMask = {
  a1: 1,
  a8: 0xff,
  x555: 0xffff,
  r565: 0xffff,
  x888: 0xffffffff,
  a888: 0xffffffff,
} as const;

/** A raster of zeroes. The caller has checked the size. */
export function createRaster(format: Format, width: number, height: number): Raster {
  const bytes = pixelBytes[format];
  const count = width * height;
  const px = bytes === 4 ? new Uint32Array(count) : bytes === 2 ? new Uint16Array(count) : new Uint8Array(count);
  return { format, width, height, px };
}

/** A raster over words that are there already, `x888` or `a888`. */
export const wordRaster = (words: Uint32Array, width: number, height: number, alpha: boolean): Raster => ({
  format: alpha ? 'a888' : 'x888',
  width,
  height,
  px: words,
});

/** The colour of 5-5-5 bits; the upper bits of a channel are repeated in its lower ones. */
export const expand555 = (v: number): number => {
  const spread = ((v & 0x7c00) << 9) | ((v & 0x03e0) << 6) | ((v & 0x001f) << 3);
  return spread | ((spread >> 5) & 0x070707);
};
/** The colour of 5-6-5 bits. */
export const expand565 = (v: number): number =>
  ((((v & 0xf800) << 8) | ((v & 0xe000) << 3)) >>> 0) |
  ((v & 0x07e0) << 5) |
  ((v & 0x0600) >> 1) |
  ((v & 0x001f) << 3) |
  ((v & 0x001c) >> 2);
export const pack555 = (w: number): number => ((w >> 9) & 0x7c00) | ((w >> 6) & 0x03e0) | ((w >> 3) & 0x001f);
export const pack565 = (w: number): number => ((w >> 8) & 0xf800) | ((w >> 5) & 0x07e0) | ((w >> 3) & 0x001f);

/** One element as a word 0xAARRGGBB; what has no alpha is opaque, what has no colour is black. */
export function toWord(format: Format, v: number): number {
  switch (format) {
    case 'a888':
      return v;
    case 'x888':
      return v | 0xff000000;
    case 'x555':
      return expand555(v) | 0xff000000;
    case 'r565':
      return expand565(v) | 0xff000000;
    case 'a8':
      return v << 24;
    case 'a1':
      return v === 0 ? 0 : 0xff000000;
  }
}

/** Reads `count` pixels from element `from` on as words into `out`. */
export function readWords(raster: Raster, from: number, count: number, out: Uint32Array): void {
  const { px, format } = raster;
  switch (format) {
    case 'a888':
      out.set((px as Uint32Array).subarray(from, from + count));
      return;
    case 'x888':
      for (let i = 0; i < count; i++) out[i] = px[from + i]! | 0xff000000;
      return;
    case 'x555':
      for (let i = 0; i < count; i++) out[i] = expand555(px[from + i]!) | 0xff000000;
      return;
    case 'r565':
      for (let i = 0; i < count; i++) out[i] = expand565(px[from + i]!) | 0xff000000;
      return;
    case 'a8':
      for (let i = 0; i < count; i++) out[i] = px[from + i]! << 24;
      return;
    case 'a1':
      for (let i = 0; i < count; i++) out[i] = px[from + i] === 0 ? 0 : 0xff000000;
  }
}

/** Writes `count` words to the raster from element `to` on. Lower bits of a channel are cut off, as pixman does. */
export function writeWords(raster: Raster, to: number, count: number, words: Uint32Array): void {
  const { px, format } = raster;
  switch (format) {
    case 'a888':
      (px as Uint32Array).set(words.subarray(0, count), to);
      return;
    case 'x888':
      for (let i = 0; i < count; i++) px[to + i] = words[i]! & 0xffffff;
      return;
    case 'x555':
      for (let i = 0; i < count; i++) px[to + i] = pack555(words[i]!);
      return;
    case 'r565':
      for (let i = 0; i < count; i++) px[to + i] = pack565(words[i]!);
      return;
    case 'a8':
      for (let i = 0; i < count; i++) px[to + i] = words[i]! >>> 24;
      return;
    case 'a1':
      for (let i = 0; i < count; i++) px[to + i] = words[i]! >>> 31;
  }
}

/** The same picture in another format; the raster itself if it has that format already. */
export function convert(raster: Raster, format: Format): Raster {
  if (raster.format === format) return raster;
  const { width, height } = raster;
  const made = createRaster(format, width, height);
  const row = new Uint32Array(width);
  for (let y = 0; y < height; y++) {
    readWords(raster, y * width, width, row);
    writeWords(made, y * width, width, row);
  }
  return made;
}

const isWords = (format: Format) => format === 'x888' || format === 'a888';

/** The same elements, with the fourth byte of 32-bit ones taken for alpha, or not. */
export const withAlpha = (raster: Raster, alpha: boolean): Raster =>
  isWords(raster.format) ? { ...raster, format: alpha ? 'a888' : 'x888' } : raster;

/**
 * The form in which a picture can be copied element by element to a surface of `format`. On 32-bit surfaces the fourth byte
 * is copied with the others, alpha or not: it stays as it is in 32-bit pictures, and is what it was made of in others.
 */
export function forSurface(raster: Raster, format: Format): Raster {
  if (!isWords(format)) return convert(raster, format);
  return isWords(raster.format) ? raster : withAlpha(convert(raster, 'a888'), false);
}
