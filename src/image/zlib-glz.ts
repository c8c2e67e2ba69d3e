/**
 * ZLIB_GLZ images: a GLZ image inside a zlib stream, as servers send it over slow lines. The length that the message
 * states for the GLZ data is a budget: inflating stops where it is passed, however much more the stream would give.
 */
import { Unzlib, zlibSync } from 'fflate';
import { ImageError } from './error.ts';
import { decodeGlz, GLZ_HEADER_BYTES, type GlzDecoding, type GlzOptions } from './glz.ts';
import type { GlzWindow } from './glz-window.ts';
import { checkSize, type ImageSize } from './pixels.ts';

/** So much is inflated before the budget is looked at again: 4 KiB can become 4 MiB at most. */
const SLICE = 4096;

/**
 * Inflates a ZLIB_GLZ image and starts decoding what it holds; see `decodeGlz` for the rest. `glzDataSize` is the length
 * of the GLZ data that the message states, in bytes, `size` what its image descriptor declared. Throws `ImageError`.
 */
export function decodeZlibGlz(
  window: GlzWindow,
  bytes: Uint8Array,
  glzDataSize: number,
  size: ImageSize,
  options: GlzOptions = {},
): GlzDecoding {
  return decodeGlz(window, inflateGlz(bytes, glzDataSize, size), size, options);
}

/** Packs an encoded GLZ image; the message must state its unpacked length. `level` is zlib's, 1 to 9; 3 if absent. */
export function deflateGlz(glz: Uint8Array, level: 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 = 3): Uint8Array {
  return zlibSync(glz, { level });
}

/** The GLZ image inside a ZLIB_GLZ image, for a caller who wants to wait with `decodeGlzWhenReady`. Throws `ImageError`. */
export function inflateGlz(bytes: Uint8Array, glzDataSize: number, size: ImageSize): Uint8Array {
  checkSize(size.width, size.height);
  // No GLZ image is longer than its pixels and a thirty-second for the counts; no stream expands more than 1032 times.
  if (glzDataSize > GLZ_HEADER_BYTES + size.width * size.height * 5 + 16) {
    throw new ImageError('size', `${glzDataSize} bytes of GLZ for ${size.width}x${size.height} pixels`);
  }
  if (glzDataSize > bytes.length * 1032) {
    throw new ImageError('truncated', `${bytes.length} bytes cannot hold ${glzDataSize}`, bytes.length);
  }
  const out = new Uint8Array(glzDataSize);
  let filled = 0;
  const stream = new Unzlib((part) => {
    if (filled + part.length > glzDataSize) {
      throw new ImageError('overrun', `the zlib stream holds more than the ${glzDataSize} bytes stated`, bytes.length);
    }
    out.set(part, filled);
    filled += part.length;
  });
  let at = 0;
  try {
    for (; at + SLICE < bytes.length; at += SLICE) stream.push(bytes.subarray(at, at + SLICE));
    stream.push(bytes.subarray(at), true);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError('data', 'not a zlib stream', at, { cause: error });
  }
  if (filled !== glzDataSize) {
    throw new ImageError(
      'truncated',
      `the zlib stream holds ${filled} of the ${glzDataSize} bytes stated`,
      bytes.length,
    );
  }
  return out;
}
