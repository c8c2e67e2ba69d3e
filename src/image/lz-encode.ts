/**
 * Encoder of SPICE LZ images. It looks up the last place where the next three units (pixels, or bytes of palette indices
 * and alpha) were seen, and takes a match wherever that is shorter than the pixels themselves. A picture can never grow
 * by more than the header and one byte in thirty-two pixels.
 */
import { BitmapFormat, bitmapRowBytes } from './bitmap.ts';
import { ImageError } from './error.ts';
import { KERNEL_MAX_HELD, kernel } from './kernel.ts';
import { writeColors } from './kernel-encode.ts';
import { LZ_HEADER_BYTES, LZ_MAGIC, LZ_VERSION, LzType } from './lz.ts';
import { checkSource, type EncodeOptions, type ImageSize, type PixelSource, pack555, sourceWords } from './pixels.ts';

/** A picture of packed palette indices. */
export interface IndexedSource extends ImageSize {
  /** One of the five palette types of `LzType`. */
  readonly type: number;
  /** The rows from the top, each of `stride` bytes or, without it, of as many as its pixels need. */
  readonly data: Uint8Array;
  readonly stride?: number;
}

/** By LZ type: the bitmap format of the same layout, for the palette types. */
const PLT_FORMAT = [
  0,
  BitmapFormat['1BIT_LE'],
  BitmapFormat['1BIT_BE'],
  BitmapFormat['4BIT_LE'],
  BitmapFormat['4BIT_BE'],
  BitmapFormat['8BIT'],
];

/**
 * Encodes a picture, the top row first, as one of the RGB types of `LzType`, as A8 or as XXXA (alpha alone). RGB16 keeps
 * the upper five bits of each colour. Throws `ImageError` "input".
 */
export function encodeLz(source: PixelSource, type: LzType, { lend }: EncodeOptions = {}): Uint8Array {
  if (type < LzType.RGB16 || type > LzType.A8) throw new ImageError('input', `LZ type ${type} needs a palette image`);
  const { width, height } = source;
  const perPixel = [2, 3, 4, 4, 4, 1][type - LzType.RGB16]!;
  if ((type === LzType.RGB24 || type === LzType.RGB32) && width * height <= KERNEL_MAX_HELD) {
    const fast = kernel();
    if (fast !== undefined) {
      checkSource(source);
      const made = writeColors(fast, 'lz', source, begin(type, width, height, width * perPixel, 0));
      return lend === true ? made : made.slice();
    }
  }
  const words = sourceWords(source);
  const out = begin(type, width, height, width * perPixel, words.length * 4 + (words.length >> 4) + 16);
  let at = LZ_HEADER_BYTES;
  const units = new Int32Array(words.length);
  if (type === LzType.RGB16) {
    for (let i = 0; i < units.length; i++) units[i] = pack555(words[i]!);
    at = compress(units, 2, out, at);
  } else if (type <= LzType.RGBA) {
    for (let i = 0; i < units.length; i++) units[i] = words[i]! & 0xffffff;
    at = compress(units, 3, out, at);
  }
  if (type >= LzType.RGBA) {
    for (let i = 0; i < units.length; i++) units[i] = words[i]! >>> 24;
    at = compress(units, 1, out, at);
  }
  return out.slice(0, at);
}

/** Encodes a palette image, the top row first; the palette itself travels in the message. Throws `ImageError` "input". */
export function encodeLzPlt(source: IndexedSource): Uint8Array {
  const { type, width, height, data } = source;
  const rowBytes = bitmapRowBytes(PLT_FORMAT[type] ?? 0, width);
  const stride = source.stride ?? rowBytes;
  if (stride < rowBytes || data.length < stride * (height - 1) + rowBytes) {
    throw new ImageError('input', `${data.length} bytes for ${height} rows of ${rowBytes}`);
  }
  const units = new Int32Array(rowBytes * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < rowBytes; x++) units[to++] = data[y * stride + x]!;
  }
  const out = begin(type, width, height, rowBytes, units.length + (units.length >> 5) + 16);
  return out.slice(0, compress(units, 1, out, LZ_HEADER_BYTES));
}

function begin(type: number, width: number, height: number, stride: number, room: number): Uint8Array {
  const out = new Uint8Array(LZ_HEADER_BYTES + room);
  const view = new DataView(out.buffer);
  view.setUint32(0, LZ_MAGIC);
  view.setUint32(4, LZ_VERSION);
  view.setUint32(8, type);
  view.setUint32(12, width);
  view.setUint32(16, height);
  view.setUint32(20, stride);
  view.setUint32(24, 1); // top down
  return out;
}

const HASH_BITS = 14;
/** Distances from here on take four bytes of match instead of two. */
const FAR = 8192;

/** Where a hash was seen last: the number of the unit, modulo 2^16. So no match reaches farther back than that. */
const table = new Uint16Array(1 << HASH_BITS);

/**
 * Compresses `units` to `out` from `at` on and gives where it ended. `unitBytes` is what a literal takes: 3 for true
 * colour, 2 for 5-5-5 (both in pixels), 1 for bytes; the bias of match lengths follows from it.
 */
function compress(units: Int32Array, unitBytes: 1 | 2 | 3, out: Uint8Array, at: number): number {
  const end = units.length;
  // A match of fewer units is not worth its bytes, with the one more that the literals after it need.
  const nearLeast = unitBytes === 3 ? 2 : 3;
  const farLeast = unitBytes === 3 ? 2 : unitBytes === 2 ? 3 : 5;
  const bias = 3 - unitBytes;
  table.fill(0);
  let op = at;
  let anchor = 0; // the first unit that is not written yet
  let ip = 1;
  let misses = 1;
  while (ip + 3 <= end) {
    const hash = hashAt(units, ip);
    const distance = (ip - table[hash]!) & 0xffff;
    table[hash] = ip;
    let ref = ip - distance;
    if (distance === 0 || units[ref] !== units[ip] || units[ref + 1] !== units[ip + 1]) {
      ip += 1 + (misses++ >> 7);
      continue;
    }
    let stop = ip + 2;
    for (let i = ref + 2; stop < end && units[stop] === units[i]; stop++) i++;
    let from = ip;
    while (from > anchor && ref > 0 && units[from - 1] === units[ref - 1]) {
      from--;
      ref--;
    }
    const length = stop - from;
    if (length < (distance >= FAR ? farLeast : nearLeast)) {
      misses++;
      ip++;
      continue;
    }
    misses = 0;
    op = literals(units, anchor, from, unitBytes, out, op);
    const offset = distance - 1;
    const far = offset >= FAR - 1;
    const high = far ? 31 : offset >> 8;
    let more = length - bias;
    if (more < 7) out[op++] = (more << 5) | high;
    else {
      out[op++] = 0xe0 | high;
      for (more -= 7; more >= 255; more -= 255) out[op++] = 255;
      out[op++] = more;
    }
    if (far) {
      out[op] = 255;
      out[op + 1] = (offset - (FAR - 1)) >> 8;
      out[op + 2] = (offset - (FAR - 1)) & 255;
      op += 3;
    } else out[op++] = offset & 255;
    anchor = stop;
    ip = stop;
    // What follows a match is found again by its last unit.
    if (stop + 2 <= end) table[hashAt(units, stop - 1)] = stop - 1;
  }
  return literals(units, anchor, end, unitBytes, out, op);
}

function hashAt(units: Int32Array, i: number): number {
  return hashOf(units[i]!, units[i + 1]!, units[i + 2]!) >>> (32 - HASH_BITS);
}

/** Three units, mixed: the upper bits are good. */
export function hashOf(a: number, b: number, c: number): number {
  return Math.imul(a, 0x9e3779b1) + Math.imul(b, 0x85ebca6b) + Math.imul(c, 0xc2b2ae35);
}

/** Writes the units [from, to) as they are. */
function literals(units: Int32Array, from: number, to: number, unitBytes: number, out: Uint8Array, at: number): number {
  let op = at;
  let i = from;
  while (i < to) {
    const stop = Math.min(i + 32, to);
    out[op++] = stop - i - 1;
    if (unitBytes === 3) {
      for (; i < stop; i++, op += 3) {
        const unit = units[i]!;
        out[op] = unit;
        out[op + 1] = unit >> 8;
        out[op + 2] = unit >> 16;
      }
    } else if (unitBytes === 2) {
      for (; i < stop; i++, op += 2) {
        out[op] = units[i]! >> 8;
        out[op + 1] = units[i]!;
      }
    } else for (; i < stop; i++) out[op++] = units[i]!;
  }
  return op;
}
