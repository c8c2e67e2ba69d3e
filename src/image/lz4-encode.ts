/**
 * Encoder of SPICE LZ4 images: one LZ4 block for the whole picture. It searches at whole pixels only, which is where the
 * repetitions of pictures are. A picture grows by one byte in 255 at most.
 */
import { BitmapFormat } from './bitmap.ts';
import { ImageError } from './error.ts';
import { KERNEL_MAX_HELD, kernel } from './kernel.ts';
import { writeColors } from './kernel-encode.ts';
import { hashOf } from './lz-encode.ts';
import { LZ4_HEADER_BYTES } from './lz4.ts';
import { checkSource, type EncodeOptions, type PixelSource, pack555, sourceWords } from './pixels.ts';

const HASH_BITS = 13;
/** LZ4's own rules: a block ends with five literals or more, and no match begins within its last twelve bytes. */
const LAST_LITERALS = 5;
const MATCH_MARGIN = 16;

/** Where a hash was seen last: the number of the pixel, modulo 2^16. */
const table = new Uint16Array(1 << HASH_BITS);

/** Encodes a picture, the top row first, as 16BIT, 24BIT, 32BIT or RGBA of `BitmapFormat`. Throws `ImageError` "input". */
export function encodeLz4(source: PixelSource, format: BitmapFormat, { lend }: EncodeOptions = {}): Uint8Array {
  if (format < BitmapFormat['16BIT'] || format > BitmapFormat.RGBA) {
    throw new ImageError('input', `bitmap format ${format} is not sent as LZ4`);
  }
  if (format === BitmapFormat['32BIT'] && source.width * source.height <= KERNEL_MAX_HELD) {
    const fast = kernel();
    if (fast !== undefined) {
      checkSource(source);
      const header = new Uint8Array(LZ4_HEADER_BYTES + 4);
      header[0] = 1; // top down
      header[1] = format;
      const made = writeColors(fast, 'lz4', source, header);
      new DataView(made.buffer, made.byteOffset).setUint32(LZ4_HEADER_BYTES, made.length - header.length);
      return lend === true ? made : made.slice();
    }
  }
  const words = sourceWords(source);
  let data = new Uint8Array(words.buffer);
  if (format === BitmapFormat['16BIT']) {
    const short = new Uint16Array(words.length);
    for (let i = 0; i < words.length; i++) short[i] = pack555(words[i]!);
    data = new Uint8Array(short.buffer);
  } else if (format === BitmapFormat['24BIT']) {
    data = new Uint8Array(words.length * 3);
    for (let i = 0, at = 0; i < words.length; i++, at += 3) {
      const word = words[i]!;
      data[at] = word;
      data[at + 1] = word >> 8;
      data[at + 2] = word >> 16;
    }
  } else if (format === BitmapFormat['32BIT']) for (let i = 0; i < words.length; i++) words[i] = words[i]! & 0xffffff;
  const out = new Uint8Array(LZ4_HEADER_BYTES + 4 + data.length + Math.ceil(data.length / 255) + 16);
  out[0] = 1; // top down
  out[1] = format;
  const end = compress(data, [2, 3, 4, 4][format - BitmapFormat['16BIT']]!, out, LZ4_HEADER_BYTES + 4);
  new DataView(out.buffer).setUint32(LZ4_HEADER_BYTES, end - LZ4_HEADER_BYTES - 4);
  return out.slice(0, end);
}

/** Compresses pixels of `step` bytes. */
function compress(src: Uint8Array, step: number, out: Uint8Array, at: number): number {
  const view = new DataView(src.buffer, src.byteOffset, src.length);
  const searchEnd = src.length - MATCH_MARGIN;
  const matchEnd = Math.floor((src.length - LAST_LITERALS) / step) * step;
  const farthest = Math.floor(0xffff / step);
  // Twelve bytes are looked up, though eight will do: what is found is longer then.
  const hashAt = (at: number) =>
    hashOf(view.getInt32(at, true), view.getInt32(at + 4, true), view.getInt32(at + 8, true)) >>> (32 - HASH_BITS);
  table.fill(0);
  let op = at;
  let anchor = 0;
  let ip = 0;
  let misses = 0;
  while (ip <= searchEnd) {
    const hash = hashAt(ip);
    const back = (ip / step - table[hash]!) & 0xffff;
    const distance = back * step;
    table[hash] = ip / step;
    // Eight bytes must be the same: matches of four save one byte and cost the decoder more than that.
    const isMatch = back >= 1 && back <= farthest && distance <= ip && equal(src, ip, distance, 8);
    if (!isMatch) {
      ip += step * (1 + (misses++ >> 6));
      continue;
    }
    misses = 0;
    let first = ip;
    while (first > anchor && first - distance > 0 && equal(src, first - step, distance, step)) first -= step;
    // Whole pixels.
    let stop = ip + Math.floor(8 / step) * step;
    while (stop < matchEnd && equal(src, stop, distance, step)) stop += step;
    op = sequence(src, anchor, first, stop - first, out, op);
    out[op] = distance;
    out[op + 1] = distance >> 8;
    op = extra(stop - first - 4, out, op + 2);
    anchor = stop;
    ip = stop;
    // What follows a match is found again by its last pixel.
    if (ip - step + 12 <= src.length) table[hashAt(ip - step)] = ip / step - 1;
  }
  return sequence(src, anchor, src.length, 4, out, op);
}

/** Whether so many bytes are the same as those `distance` before them. */
function equal(src: Uint8Array, at: number, distance: number, count: number): boolean {
  for (let i = at; i < at + count; i++) if (src[i] !== src[i - distance]) return false;
  return true;
}

/** Writes a sequence's token and literals; offset and the rest of the match length come after it. */
function sequence(src: Uint8Array, from: number, to: number, matchLength: number, out: Uint8Array, at: number): number {
  const count = to - from;
  out[at] = (Math.min(count, 15) << 4) | Math.min(matchLength - 4, 15);
  let op = extra(count, out, at + 1);
  if (count > 32) {
    out.set(src.subarray(from, to), op);
    op += count;
  } else for (let i = from; i < to; i++) out[op++] = src[i]!;
  return op;
}

/** What of a length does not fit into four bits. */
function extra(length: number, out: Uint8Array, at: number): number {
  if (length < 15) return at;
  let op = at;
  let more = length - 15;
  for (; more >= 255; more -= 255) out[op++] = 255;
  out[op++] = more;
  return op;
}
