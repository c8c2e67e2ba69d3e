/**
 * Raw bitmaps in every SPICE format, and the expansion of palette indices that the LZ palette images share. The formats'
 * numbers are spice.proto's bitmap_fmt. Rows are never read beyond the bytes given, whatever the stride says.
 */
import { ImageError } from './error.ts';
import {
  checkSize,
  type DecodeOptions,
  expand555,
  type ImageSize,
  type Pixels,
  targetWords,
  toPixels,
} from './pixels.ts';

/** spice.proto's bitmap_fmt. `16BIT` is x1r5g5b5, `24BIT` is B, G, R, `8BIT_A` is alpha alone. */
export const BitmapFormat = {
  '1BIT_LE': 1,
  '1BIT_BE': 2,
  '4BIT_LE': 3,
  '4BIT_BE': 4,
  '8BIT': 5,
  '16BIT': 6,
  '24BIT': 7,
  '32BIT': 8,
  RGBA: 9,
  '8BIT_A': 10,
} as const;
export type BitmapFormat = (typeof BitmapFormat)[keyof typeof BitmapFormat];

/** Colours 0xRRGGBB by index. On a 16-bit surface the wire's entries are 5-5-5: pass them through `expand555` first. */
export type Palette = Uint32Array | readonly number[];

/** A raw bitmap as its message describes it. */
export interface Bitmap extends ImageSize {
  readonly format: number;
  /** Bytes from one row to the next. */
  readonly stride: number;
  /** BITMAP_FLAGS_TOP_DOWN: the first row is the top row. */
  readonly topDown: boolean;
  readonly data: Uint8Array;
  readonly palette?: Palette | undefined;
}

/** Bits of a pixel by format; 0 is no format. */
const BITS = [0, 1, 1, 4, 4, 8, 16, 24, 32, 32, 8];

/** Bytes that a row of `width` pixels takes without padding. Throws `ImageError` "type" for a number that is no format. */
export function bitmapRowBytes(format: number, width: number): number {
  const bits = BITS[format] ?? 0;
  if (bits === 0) throw new ImageError('type', `${format} is no bitmap format`);
  return Math.ceil((width * bits) / 8);
}

/**
 * Decodes a raw bitmap (spice.proto's bitmap_data). The fourth byte is copied from 32BIT and RGBA, is the alpha in 8BIT_A
 * (colour black) and comes from the palette entry or is 0 elsewhere.
 */
export function decodeBitmap(bitmap: Bitmap, options: DecodeOptions = {}): Pixels {
  const { width, height, format, stride, topDown, data } = bitmap;
  const rowBytes = checkRows(bitmap);
  const indexed = format <= BitmapFormat['8BIT'];
  if (indexed && (bitmap.palette === undefined || bitmap.palette.length === 0)) {
    throw new ImageError('palette', 'an indexed bitmap without a palette');
  }
  const out = targetWords(width * height, options.target);
  if (indexed) {
    expandIndices(data, stride, width, height, format, topDown, bitmap.palette!, out);
    return toPixels(width, height, out, false);
  }
  const bytes = new Uint8Array(out.buffer, out.byteOffset, width * height * 4);
  for (let y = 0; y < height; y++) {
    let from = y * stride;
    let to = (topDown ? y : height - 1 - y) * width;
    const end = to + width;
    switch (format) {
      case BitmapFormat['16BIT']:
        for (; to < end; to++, from += 2) out[to] = expand555(data[from]! | (data[from + 1]! << 8));
        break;
      case BitmapFormat['24BIT']:
        for (; to < end; to++, from += 3) out[to] = data[from]! | (data[from + 1]! << 8) | (data[from + 2]! << 16);
        break;
      case BitmapFormat['8BIT_A']:
        for (; to < end; to++, from++) out[to] = data[from]! << 24;
        break;
      default:
        bytes.set(data.subarray(from, from + rowBytes), to * 4);
    }
  }
  return toPixels(width, height, out, format === BitmapFormat.RGBA || format === BitmapFormat['8BIT_A']);
}

/** Decodes a one-bit bitmap that is used as a mask: one byte a pixel, 0 or 255, the top row first. */
export function decodeMask(bitmap: Bitmap): Uint8Array {
  const { width, height, format, stride, topDown, data } = bitmap;
  checkRows(bitmap);
  if (format !== BitmapFormat['1BIT_LE'] && format !== BitmapFormat['1BIT_BE']) {
    throw new ImageError('type', `bitmap format ${format} is no mask`);
  }
  const flip = format === BitmapFormat['1BIT_BE'] ? 7 : 0;
  const out = new Uint8Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = y * stride;
    const to = (topDown ? y : height - 1 - y) * width;
    for (let x = 0; x < width; x++) out[to + x] = -((data[from + (x >> 3)]! >> ((x & 7) ^ flip)) & 1);
  }
  return out;
}

function checkRows(bitmap: Bitmap): number {
  const { width, height, stride, data } = bitmap;
  checkSize(width, height);
  const rowBytes = bitmapRowBytes(bitmap.format, width);
  if (!(stride >= rowBytes)) throw new ImageError('size', `a stride of ${stride} for rows of ${rowBytes} bytes`);
  if (stride * (height - 1) + rowBytes > data.length) {
    throw new ImageError('truncated', `${data.length} bytes for ${height} rows of ${stride}`, data.length);
  }
  return rowBytes;
}

/**
 * Writes the colours of packed indices to `out`, top row first. `format` is one of the five indexed formats.
 * A 4-bit index is taken modulo the palette's length, as every SPICE client does; any other index that the palette does
 * not have is `ImageError` "palette". The caller has checked that `data` holds all rows.
 */
export function expandIndices(
  data: Uint8Array,
  stride: number,
  width: number,
  height: number,
  format: number,
  topDown: boolean,
  palette: Palette,
  out: Uint32Array,
): void {
  if (format === BitmapFormat['8BIT']) expandBytes(data, stride, width, height, topDown, palette, out);
  else if (format >= BitmapFormat['4BIT_LE']) {
    expandNibbles(data, stride, width, height, format === BitmapFormat['4BIT_BE'], topDown, palette, out);
  } else expandBits(data, stride, width, height, format === BitmapFormat['1BIT_BE'], topDown, palette, out);
}

function expandBytes(
  data: Uint8Array,
  stride: number,
  width: number,
  height: number,
  topDown: boolean,
  palette: Palette,
  out: Uint32Array,
): void {
  const count = Math.min(palette.length, 256);
  const colors = new Uint32Array(256);
  for (let i = 0; i < count; i++) colors[i] = palette[i]!;
  for (let y = 0; y < height; y++) {
    let from = y * stride;
    let to = (topDown ? y : height - 1 - y) * width;
    for (const end = to + width; to < end; to++) {
      const index = data[from++]!;
      if (index >= count) throw new ImageError('palette', `index ${index} of ${count} colours`, from - 1);
      out[to] = colors[index]!;
    }
  }
}

function expandNibbles(
  data: Uint8Array,
  stride: number,
  width: number,
  height: number,
  highFirst: boolean,
  topDown: boolean,
  palette: Palette,
  out: Uint32Array,
): void {
  const colors = new Uint32Array(16);
  for (let i = 0; i < 16; i++) colors[i] = palette[i % palette.length]!;
  const firstShift = highFirst ? 4 : 0;
  for (let y = 0; y < height; y++) {
    const from = y * stride;
    const to = (topDown ? y : height - 1 - y) * width;
    for (let x = 0; x < width; x++) {
      out[to + x] = colors[(data[from + (x >> 1)]! >> (firstShift ^ ((x & 1) << 2))) & 15]!;
    }
  }
}

function expandBits(
  data: Uint8Array,
  stride: number,
  width: number,
  height: number,
  highFirst: boolean,
  topDown: boolean,
  palette: Palette,
  out: Uint32Array,
): void {
  if (palette.length < 2) throw new ImageError('palette', 'a one-bit image needs two colours');
  const back = palette[0]!;
  const fore = palette[1]!;
  const flip = highFirst ? 7 : 0;
  for (let y = 0; y < height; y++) {
    const from = y * stride;
    const to = (topDown ? y : height - 1 - y) * width;
    for (let x = 0; x < width; x++) {
      out[to + x] = (data[from + (x >> 3)]! >> ((x & 7) ^ flip)) & 1 ? fore : back;
    }
  }
}
