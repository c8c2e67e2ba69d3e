/**
 * Encoder of SPICE LZ4 images: one LZ4 block for the whole picture. It searches at whole pixels only, which is where the
 * repetitions of pictures are. A picture grows by one byte in 255 at most.
 */
import { BitmapFormat } from './bitmap.ts';
import { ImageError } from './error.ts';
import { KERNEL_MAX_HELD, kernel } from './kernel.ts';
import { writeColors } from './kernel-encode.ts';
import { LZ4_HEADER_BYTES } from './lz4.ts';
import { checkSource, type EncodeOptions, type PixelSource, pack555, sourceWords } from './pixels.ts';

const HASH_BITS = 14;
/** LZ4's own rules: a block ends with five literals or more, and no match begins within its last twelve bytes. */
const LAST_LITERALS = 5;
const MATCH_MARGIN = 12;

const table = new Int32Array(1 << HASH_BITS);

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

function compress(src: Uint8Array, step: number, out: Uint8Array, at: number): number {
  const view = new DataView(src.buffer, src.byteOffset, src.length);
  const searchEnd = src.length - MATCH_MARGIN;
  const matchEnd = src.length - LAST_LITERALS;
  table.fill(-1);
  let op = at;
  let anchor = 0;
  let ip = 0;
  let misses = 0;
  while (ip < searchEnd) {
    // Eight bytes must be the same: matches of four save one byte and cost the decoder more than that.
    const word = view.getInt32(ip, true);
    const second = view.getInt32(ip + 4, true);
    const hash = hashOf(word, second);
    let ref = table[hash]!;
    table[hash] = ip;
    if (ref < 0 || ip - ref > 0xffff || view.getInt32(ref, true) !== word || view.getInt32(ref + 4, true) !== second) {
      ip += step * (1 + (misses++ >> 6));
      continue;
    }
    misses = 0;
    const distance = ip - ref;
    let first = ip;
    while (first > anchor && first - distance > 0 && src[first - 1] === src[first - distance - 1]) first--;
    let stop = ip + 8;
    ref += 8;
    while (stop + 4 <= matchEnd && view.getInt32(stop, true) === view.getInt32(ref, true)) {
      stop += 4;
      ref += 4;
    }
    while (stop < matchEnd && src[stop] === src[ref]) {
      stop++;
      ref++;
    }
    op = sequence(src, anchor, first, stop - first, out, op);
    out[op] = distance;
    out[op + 1] = distance >> 8;
    op = extra(stop - first - 4, out, op + 2);
    anchor = stop;
    // On to the next whole pixel.
    ip = Math.ceil(stop / step) * step;
    // What follows a match is found again by its last pixels.
    for (let inside = ip - 2 * step; inside < ip && inside < searchEnd; inside += step) {
      if (inside > first) table[hashOf(view.getInt32(inside, true), view.getInt32(inside + 4, true))] = inside;
    }
  }
  return sequence(src, anchor, src.length, 4, out, op);
}

function hashOf(word: number, second: number): number {
  const mixed = Math.imul(word, 0x85ebca6b) ^ second;
  return Math.imul(mixed ^ (mixed >>> 15), 0x9e3779b1) >>> (32 - HASH_BITS);
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
