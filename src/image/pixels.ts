/**
 * The one form that all decoders give and all encoders take: 32 bits a pixel, bytes B, G, R and X or A, rows from the
 * top. Nothing here knows a codec. No decoder may allocate before `checkSize` has seen the size that was declared.
 */
import { ImageError } from './error.ts';

// INVARIANT: a pixel is read and written as one little-endian 32-bit word, 0xAARRGGBB. All hosts that run JavaScript
// engines of note are little-endian; on another one the colours would be silently wrong, so it is refused here.
if (new Uint8Array(new Uint32Array([1]).buffer)[0] !== 1) throw new Error('image codecs need a little-endian host');

/** The most pixels that one image may have: 2^26, which is 256 MiB decoded. */
export const MAX_PIXELS = 1 << 26;
/** The most pixels that a row or a column may have: what is kept for a row of a decoder stays small. */
export const MAX_SIDE = 0xffff;

/** Width and height in pixels, as the image descriptor of the message declared them. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** A picture. `data` holds width × height × 4 bytes, BGRX or BGRA, the top row first and no gap between rows. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
  /** True if the fourth byte is alpha (premultiplied, as SPICE has it); false if it means nothing. */
  readonly alpha: boolean;
}

/** What an encoder takes: as `Pixels`, but rows may lie further apart, so that a part of a framebuffer can be encoded. */
export interface PixelSource {
  readonly width: number;
  readonly height: number;
  /** Starts at the first pixel of the top row. */
  readonly data: Uint8Array;
  /** Bytes from one row to the next; width × 4 if absent. */
  readonly stride?: number;
  /** The fourth byte of every pixel is known to be 0; whoever wants it to be so need not see to it. */
  readonly isBlank?: boolean;
}

/** What every decoder lets its caller choose. */
export interface DecodeOptions {
  /** Where to put the pixels, instead of a new array; see `targetWords` for what it must be. */
  readonly target?: Uint8Array | undefined;
}

/** What every encoder lets its caller choose. */
export interface EncodeOptions {
  /**
   * What is given may lie in memory that is used again: it holds until the next image is encoded or decoded by anyone. Whoever
   * writes it out at once saves a copy and new memory for it. Default: false, it belongs to the caller.
   */
  readonly lend?: boolean | undefined;
}

/** Checks that a declared size is one that a surface can have. Throws `ImageError` "size". */
export function checkSize(width: number, height: number): void {
  if (
    !(Number.isInteger(width) && Number.isInteger(height)) ||
    width < 1 ||
    height < 1 ||
    width * height > MAX_PIXELS
  ) {
    throw new ImageError('size', `${width}x${height} is no size for an image`);
  }
}

/** Checks an encoded header's size against the declared one. Throws `ImageError` "size". */
export function checkSameSize(width: number, height: number, declared: ImageSize): void {
  checkSize(declared.width, declared.height);
  if (width !== declared.width || height !== declared.height) {
    throw new ImageError('size', `${width}x${height} encoded, ${declared.width}x${declared.height} declared`);
  }
}

/**
 * The words to decode into: a view of the caller's `target`, or a new array. A target must hold width × height × 4 bytes
 * and start at a multiple of four in its buffer; else `ImageError` "target".
 */
export function targetWords(count: number, target: Uint8Array | undefined): Uint32Array {
  if (target === undefined) return new Uint32Array(count);
  if (target.byteLength < count * 4 || target.byteOffset % 4 !== 0) {
    throw new ImageError('target', `a target of ${target.byteLength} bytes for ${count} pixels`);
  }
  return new Uint32Array(target.buffer, target.byteOffset, count);
}

/** The picture whose pixels are `words`. */
export function toPixels(width: number, height: number, words: Uint32Array, alpha: boolean): Pixels {
  return { width, height, data: new Uint8Array(words.buffer, words.byteOffset, width * height * 4), alpha };
}

/** Turns the picture upside down in place: codecs that carry a "top down" flag store the bottom row first without it. */
export function flipRows(words: Uint32Array, width: number, height: number): void {
  const row = new Uint32Array(width);
  for (let top = 0, bottom = (height - 1) * width; top < bottom; top += width, bottom -= width) {
    row.set(words.subarray(top, top + width));
    words.copyWithin(top, bottom, bottom + width);
    words.set(row, bottom);
  }
}

/** Throws `ImageError` "input" if rows of the source are missing, or "size". */
export function checkSource({ width, height, data, stride = width * 4 }: PixelSource): void {
  checkSize(width, height);
  if (stride < width * 4 || data.byteLength < stride * (height - 1) + width * 4) {
    throw new ImageError('input', `${data.byteLength} bytes for ${width}x${height} pixels, ${stride} bytes a row`);
  }
}

/** The source's pixels without gaps, as words. Throws `ImageError` "input" if rows are missing. */
export function sourceWords(source: PixelSource): Int32Array {
  const { width, height, data } = source;
  const stride = source.stride ?? width * 4;
  checkSource(source);
  const words = new Int32Array(width * height);
  const bytes = new Uint8Array(words.buffer);
  if (stride === width * 4) bytes.set(data.subarray(0, bytes.length));
  else {
    for (let y = 0; y < height; y++) bytes.set(data.subarray(y * stride, y * stride + width * 4), y * width * 4);
  }
  return words;
}

/** A 5-5-5 pixel as a word: each channel's upper bits are repeated below, so that 31 becomes 255. */
export function expand555(color: number): number {
  const r = (color >> 10) & 31;
  const g = (color >> 5) & 31;
  const b = color & 31;
  return (((r << 3) | (r >> 2)) << 16) | (((g << 3) | (g >> 2)) << 8) | ((b << 3) | (b >> 2));
}

/** The reverse of `expand555`: the upper five bits of each channel. */
export function pack555(word: number): number {
  return ((word >> 9) & 0x7c00) | ((word >> 6) & 0x3e0) | ((word >> 3) & 31);
}
