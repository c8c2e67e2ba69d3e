/**
 * Decoder of SPICE LZ images (LZ_RGB, LZ_PLT, and the alpha plane of JPEG_ALPHA): a descendant of FastLZ that counts in
 * pixels. The data is a sequence of literals (a count below 32, then that many pixels) and matches (length and distance
 * back). INVARIANT: nothing is written beyond the declared pixels and nothing is read from outside image or input.
 */
import { BitmapFormat, expandIndices, type Palette } from './bitmap.ts';
import { ImageError } from './error.ts';
import { KERNEL_MAX_INPUT, kernel } from './kernel.ts';
import { lzColors } from './kernel-decode.ts';
import { lzAlpha, lzBytes, lzRgb16, lzRgb32 } from './lz-loops.ts';
import {
  checkSameSize,
  type DecodeOptions,
  flipRows,
  type ImageSize,
  type Pixels,
  targetWords,
  toPixels,
} from './pixels.ts';

/** The pixel types of LZ and GLZ headers. XXXA carries only alpha; RGBA is RGB followed by a pass of alpha. */
export const LzType = {
  PLT1_LE: 1,
  PLT1_BE: 2,
  PLT4_LE: 3,
  PLT4_BE: 4,
  PLT8: 5,
  RGB16: 6,
  RGB24: 7,
  RGB32: 8,
  RGBA: 9,
  XXXA: 10,
  A8: 11,
} as const;
export type LzType = (typeof LzType)[keyof typeof LzType];

/** "LZ  " with its last letter first, as it stands in the data. */
export const LZ_MAGIC = 0x20205a4c;
export const LZ_VERSION = 0x00010001;
export const LZ_HEADER_BYTES = 28;

export interface LzHeader {
  readonly type: number;
  readonly width: number;
  readonly height: number;
  /** Bytes of a source row: for palette types the packed indices, one byte more than width asks for at most. */
  readonly stride: number;
  readonly topDown: boolean;
}

/** Reads the 28 bytes before the data. All numbers are big-endian. Throws `ImageError` "truncated", "magic" or "type". */
export function readLzHeader(bytes: Uint8Array): LzHeader {
  if (bytes.length < LZ_HEADER_BYTES) throw new ImageError('truncated', 'no complete LZ header', bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0) !== LZ_MAGIC || view.getUint32(4) !== LZ_VERSION) {
    throw new ImageError('magic', 'not an LZ image of version 1.1');
  }
  const type = view.getUint32(8);
  if (type < LzType.PLT1_LE || type > LzType.A8) throw new ImageError('type', `${type} is no LZ type`, 8);
  return {
    type,
    width: view.getUint32(12),
    height: view.getUint32(16),
    stride: view.getUint32(20),
    topDown: view.getUint32(24) !== 0,
  };
}

export interface LzOptions extends DecodeOptions {
  /** Needed by the palette types. */
  readonly palette?: Palette | undefined;
}

/**
 * Decodes an LZ image of any type. `size` is what the message's image descriptor declared. RGB types give 0 in the fourth
 * byte; A8 and XXXA give black with alpha. Throws `ImageError`, after which the target's content is undefined.
 */
export function decodeLz(bytes: Uint8Array, size: ImageSize, options: LzOptions = {}): Pixels {
  const header = readLzHeader(bytes);
  const { type, width, height, topDown } = header;
  checkSameSize(width, height, size);
  checkStride(header);
  const count = width * height;
  if (type <= LzType.PLT8) return decodePlt(bytes, header, options);
  checkPlausible(bytes, count);
  const out = targetWords(count, options.target);
  let at = LZ_HEADER_BYTES;
  if (type === LzType.RGB16) at = lzRgb16(bytes, at, out, count);
  else if (type === LzType.A8 || type === LzType.XXXA) {
    out.fill(0, 0, count);
    at = lzAlpha(bytes, at, new Uint8Array(out.buffer, out.byteOffset, count * 4));
  } else {
    const fast = bytes.length <= KERNEL_MAX_INPUT ? kernel() : undefined;
    at = fast === undefined ? lzRgb32(bytes, at, out, count) : lzColors(fast, bytes, at, out);
    if (type === LzType.RGBA) at = lzAlpha(bytes, at, new Uint8Array(out.buffer, out.byteOffset, count * 4));
  }
  if (at !== bytes.length) throw new ImageError('trailing', `${bytes.length - at} bytes after the last pixel`, at);
  if (!topDown) flipRows(out, width, height);
  return toPixels(width, height, out, type >= LzType.RGBA);
}

/**
 * Decodes an XXXA image into the fourth bytes of `pixels`, a BGRX picture of the declared size, top row first
 * (JPEG_ALPHA). The colours stay. Throws `ImageError` "type" for any other LZ type.
 */
export function decodeLzAlphaInto(bytes: Uint8Array, size: ImageSize, pixels: Uint8Array): void {
  const header = readLzHeader(bytes);
  if (header.type !== LzType.XXXA) throw new ImageError('type', `LZ type ${header.type} where XXXA must be`, 8);
  checkSameSize(header.width, header.height, size);
  checkStride(header);
  const count = size.width * size.height;
  checkPlausible(bytes, count);
  if (pixels.length < count * 4) throw new ImageError('target', `${pixels.length} bytes for ${count} pixels`);
  // The colours are already the right way up. With the bottom row of alpha first, they are turned over for the pass.
  const words = header.topDown ? undefined : targetWords(count, pixels);
  if (words !== undefined) flipRows(words, size.width, size.height);
  const at = lzAlpha(bytes, LZ_HEADER_BYTES, pixels.subarray(0, count * 4));
  if (words !== undefined) flipRows(words, size.width, size.height);
  if (at !== bytes.length) throw new ImageError('trailing', `${bytes.length - at} bytes after the last pixel`, at);
}

function checkStride({ type, width, stride }: LzHeader): void {
  const perPixel = [0, 0, 0, 0, 0, 0, 2, 3, 4, 4, 4, 1][type]!;
  const wanted = type <= LzType.PLT8 ? Math.ceil((width * [0, 1, 1, 4, 4, 8][type]!) / 8) : width * perPixel;
  if (stride !== wanted) throw new ImageError('size', `a stride of ${stride}, not ${wanted}`, 20);
}

/** A byte of input stands for 255 units at most (a length byte of a match): so much is known before any allocation. */
function checkPlausible(bytes: Uint8Array, units: number): void {
  if (units > (bytes.length - LZ_HEADER_BYTES) * 255 + 16) {
    throw new ImageError('truncated', `${bytes.length} bytes cannot hold ${units} pixels`, bytes.length);
  }
}

/** Palette images count in bytes of packed indices; they are decoded as such and then looked up. */
function decodePlt(bytes: Uint8Array, header: LzHeader, { palette, target }: LzOptions): Pixels {
  const { type, width, height, stride, topDown } = header;
  if (palette === undefined || palette.length === 0) throw new ImageError('palette', 'an LZ image needs a palette');
  checkPlausible(bytes, stride * height);
  const out = targetWords(width * height, target);
  const indices = new Uint8Array(stride * height);
  const at = lzBytes(bytes, LZ_HEADER_BYTES, indices);
  if (at !== bytes.length) throw new ImageError('trailing', `${bytes.length - at} bytes after the last pixel`, at);
  const opaque = Uint32Array.from(palette, (color) => color & 0xffffff);
  expandIndices(indices, stride, width, height, PLT_FORMAT[type]!, topDown, opaque, out);
  return toPixels(width, height, out, false);
}

const PLT_FORMAT = [
  0,
  BitmapFormat['1BIT_LE'],
  BitmapFormat['1BIT_BE'],
  BitmapFormat['4BIT_LE'],
  BitmapFormat['4BIT_BE'],
  BitmapFormat['8BIT'],
];
