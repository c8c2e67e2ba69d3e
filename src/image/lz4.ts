/**
 * Decoder of SPICE LZ4 images: a byte for the order of rows, a byte for the bitmap format, then LZ4 blocks, each with its
 * length before it (32 bits, big-endian). A block may point into what the blocks before it gave.
 * INVARIANT: nothing is written beyond the declared picture and nothing is read from before its start.
 */
import { BitmapFormat, bitmapRowBytes, decodeBitmap } from './bitmap.ts';
import { ImageError } from './error.ts';
import { KERNEL_MAX_INPUT, kernel } from './kernel.ts';
import { lz4Blocks } from './kernel-decode.ts';
import {
  checkSize,
  type DecodeOptions,
  flipRows,
  type ImageSize,
  type Pixels,
  targetWords,
  toPixels,
} from './pixels.ts';

export const LZ4_HEADER_BYTES = 2;

/**
 * Decodes an LZ4 image. `size` is what the message's image descriptor declared: the image itself has none. The formats
 * are 16BIT, 24BIT, 32BIT (whose fourth byte is kept) and RGBA. Throws `ImageError`.
 */
export function decodeLz4(bytes: Uint8Array, size: ImageSize, options: DecodeOptions = {}): Pixels {
  const { width, height } = size;
  checkSize(width, height);
  if (bytes.length < LZ4_HEADER_BYTES) throw new ImageError('truncated', 'no complete LZ4 header', bytes.length);
  const topDown = bytes[0] !== 0;
  const format = bytes[1]!;
  if (format < BitmapFormat['16BIT'] || format > BitmapFormat.RGBA) {
    throw new ImageError('type', `bitmap format ${format} is not sent as LZ4`, 1);
  }
  const stride = bitmapRowBytes(format, width);
  const total = stride * height;
  if (total > (bytes.length - LZ4_HEADER_BYTES) * 255) {
    throw new ImageError('truncated', `${bytes.length} bytes cannot hold ${total}`, bytes.length);
  }
  if (format === BitmapFormat['16BIT'] || format === BitmapFormat['24BIT']) {
    const data = new Uint8Array(total);
    decodeBlocks(bytes, data);
    return decodeBitmap({ width, height, format, stride, topDown, data }, options);
  }
  const words = targetWords(width * height, options.target);
  decodeBlocks(bytes, new Uint8Array(words.buffer, words.byteOffset, total));
  if (!topDown) flipRows(words, width, height);
  return toPixels(width, height, words, format === BitmapFormat.RGBA);
}

/** Decodes all blocks; they must fill `out` exactly. */
function decodeBlocks(src: Uint8Array, out: Uint8Array): void {
  // What is hardly compressed is mostly copied, which is done best from where it lies.
  const isPacked = src.length * 8 < out.length * 7;
  const fast = isPacked && src.length <= KERNEL_MAX_INPUT ? kernel() : undefined;
  if (fast === undefined) blocks(src, out);
  else lz4Blocks(fast, src, LZ4_HEADER_BYTES, out);
}

function blocks(src: Uint8Array, out: Uint8Array): void {
  let ip = LZ4_HEADER_BYTES;
  let op = 0;
  do {
    if (ip + 4 > src.length) throw new ImageError('truncated', 'no complete length of a block', ip);
    const length = src[ip]! * 2 ** 24 + ((src[ip + 1]! << 16) | (src[ip + 2]! << 8) | src[ip + 3]!);
    ip += 4;
    if (length > src.length - ip) throw new ImageError('truncated', `a block of ${length} bytes`, ip);
    if (length === 0) throw new ImageError('data', 'an empty block', ip);
    op = block(src, ip, ip + length, out, op);
    ip += length;
  } while (ip < src.length);
  if (op !== out.length) throw new ImageError('truncated', `${op} of ${out.length} bytes`, ip);
}

/** From this length on a block copy beats a loop. */
const BLOCK = 32;

/** Decodes the LZ4 block src[start, end) to `out` from `op` on; gives where it ended. */
function block(src: Uint8Array, start: number, end: number, out: Uint8Array, op: number): number {
  const limit = out.length;
  let ip = start;
  for (;;) {
    if (ip >= end) fail('truncated', ip);
    const token = src[ip++]!;
    let length = token >> 4;
    if (length === 15) {
      let more = 255;
      while (more === 255 && ip < end) length += more = src[ip++]!;
    }
    if (length > end - ip) fail('truncated', ip);
    if (length > limit - op) fail('overrun', ip);
    if (length > BLOCK) {
      out.set(src.subarray(ip, ip + length), op);
      ip += length;
      op += length;
    } else for (const stop = op + length; op < stop; ) out[op++] = src[ip++]!;
    // The last sequence of a block has literals only.
    if (ip === end) return op;
    if (ip + 2 > end) fail('truncated', ip);
    const distance = src[ip]! | (src[ip + 1]! << 8);
    ip += 2;
    if (distance === 0 || distance > op) fail('reference', ip);
    length = (token & 15) + 4;
    if (length === 19) {
      let more = 255;
      while (more === 255 && ip < end) length += more = src[ip++]!;
    }
    if (length > limit - op) fail('overrun', ip);
    let ref = op - distance;
    const stop = op + length;
    if (length > BLOCK) {
      // An overlapping match repeats what lies between: each copy doubles how much of it there is.
      while (op < stop) {
        const part = Math.min(op - ref, stop - op);
        out.copyWithin(op, ref, ref + part);
        op += part;
      }
    } else while (op < stop) out[op++] = out[ref++]!;
  }
}

function fail(fault: 'truncated' | 'overrun' | 'reference', at: number): never {
  const detail = {
    truncated: 'the data ends within a block',
    overrun: 'more bytes than the picture has',
    reference: 'a match begins before the picture',
  };
  throw new ImageError(fault, detail[fault], at);
}
