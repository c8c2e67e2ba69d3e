/**
 * Encoder of GLZ images and the dictionary behind it: the pictures that the client's window holds at the same moment.
 * One dictionary serves all display channels of one client. INVARIANT: every picture that is encoded is sent, in whatever
 * order: the client waits for each number, and what it holds is worked out from the headers alone.
 */
import { ImageError } from './error.ts';
import { GLZ_HEADER_BYTES } from './glz.ts';
import { KernelDictionary } from './glz-kernel.ts';
import { KERNEL_MAX_HELD } from './kernel.ts';
import { LZ_MAGIC, LZ_VERSION, LzType } from './lz.ts';
import { hashOf } from './lz-encode.ts';
import { checkSource, type EncodeOptions, type PixelSource, pack555, sourceWords } from './pixels.ts';

export interface GlzDictionaryOptions {
  /** The window that the client announced, in pixels (spec §2.4, INIT glz_window_size). */
  readonly pixels: number;
  /** The number of the first picture: 0, or what the server before this one had come to (seamless migration). */
  readonly nextId?: number;
  /** All pictures will be RGB32: then the kernel holds them, and is faster. */
  readonly trueColor?: boolean;
}

interface Held {
  readonly type: number;
  readonly units: Int32Array;
}

const HASH_BITS = 15;

/** The pictures that new ones can point into. */
export class GlzDictionary {
  readonly limit: number;
  #nextId: number;
  #firstId: number;
  #held: Held[] = [];
  #pixels = 0;
  #fast: KernelDictionary | undefined;
  readonly #trueColor: boolean;
  #colors: Places | undefined;
  #alpha: Places | undefined;

  constructor(options: GlzDictionaryOptions) {
    // The format cannot say distances of 2^25 pixels or more.
    this.limit = Math.min(options.pixels, 1 << 25);
    this.#nextId = this.#firstId = options.nextId ?? 0;
    this.#trueColor = (options.trueColor ?? false) && this.limit <= KERNEL_MAX_HELD;
  }

  /** The number that the next picture gets; a server that takes over must start with it. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Whether a picture of this size fits into the window at all. */
  fits(width: number, height: number): boolean {
    return width * height < this.limit;
  }

  /** Forgets all pictures; the numbers go on. The client's window stays valid: nothing points back any more. */
  clear(): void {
    this.#fast = undefined;
    this.#held = [];
    this.#pixels = 0;
    this.#firstId = this.#nextId;
    this.#colors?.clear();
    this.#alpha?.clear();
  }

  /**
   * Encodes a picture, the top row first, as RGB16, RGB24, RGB32 or RGBA of `LzType`. Throws `ImageError` "input" if it
   * does not fit into the window.
   */
  encode(source: PixelSource, type: LzType, { lend }: EncodeOptions = {}): Uint8Array {
    if (type < LzType.RGB16 || type > LzType.RGBA) throw new ImageError('input', `GLZ has no type ${type}`);
    const { width, height } = source;
    if (!this.fits(width, height)) {
      throw new ImageError('input', `${width}x${height} pixels do not fit into a window of ${this.limit}`);
    }
    checkSource(source);
    if (this.#trueColor && type !== LzType.RGB32) throw new ImageError('input', `type ${type} is not true colour`);
    if (this.#trueColor && this.#held.length === 0) this.#fast ??= KernelDictionary.of(this.limit);
    const fast = this.#fast;
    if (fast !== undefined) {
      const made = fast.encode(source, (held) => this.#header(source, type, this.#nextId++, held));
      return lend === true ? made : made.slice();
    }
    const units = sourceWords(source);
    if (type === LzType.RGB16) for (let i = 0; i < units.length; i++) units[i] = pack555(units[i]!);
    else if (type !== LzType.RGBA) for (let i = 0; i < units.length; i++) units[i] = units[i]! & 0xffffff;
    let gone = 0;
    while (this.#pixels + units.length > this.limit) this.#pixels -= this.#held[gone++]!.units.length;
    this.#held.splice(0, gone);
    this.#firstId += gone;
    const id = this.#nextId++;
    this.#held.push({ type, units });
    this.#pixels += units.length;

    const out = new Uint8Array(GLZ_HEADER_BYTES + units.length * 4 + (units.length >> 4) + 16);
    out.set(this.#header(source, type, id, id - this.#firstId));
    this.#colors ??= new Places();
    let at = this.#compress(units, type, 0xffffff, type === LzType.RGB16 ? 2 : 3, this.#colors, out, GLZ_HEADER_BYTES);
    if (type === LzType.RGBA) {
      this.#alpha ??= new Places();
      at = this.#compress(units, type, 0xff000000 | 0, 1, this.#alpha, out, at);
    }
    return out.slice(0, at);
  }

  /** `held`: the pictures before this one that may be pointed into. */
  #header({ width, height }: PixelSource, type: number, id: number, held: number): Uint8Array {
    const header = new Uint8Array(GLZ_HEADER_BYTES);
    const view = new DataView(header.buffer);
    view.setUint32(0, LZ_MAGIC);
    view.setUint32(4, LZ_VERSION);
    view.setUint8(8, type | 16); // top down
    view.setUint32(9, width);
    view.setUint32(13, height);
    view.setUint32(17, width * [2, 3, 4, 4][type - LzType.RGB16]!);
    view.setUint32(21, Math.floor(id / 2 ** 32));
    view.setUint32(25, id % 2 ** 32);
    view.setUint32(29, held);
    return header;
  }

  /**
   * Compresses the part of `units` (the newest picture) that `mask` shows. `unitBytes` is what a literal takes; the bias
   * of match lengths follows from it.
   */
  #compress(
    units: Int32Array,
    type: number,
    mask: number,
    unitBytes: 1 | 2 | 3,
    places: Places,
    out: Uint8Array,
    start: number,
  ): number {
    const { ids, offsets } = places;
    const id = this.#nextId - 1;
    const firstId = this.#firstId;
    const held = this.#held;
    const bias = 3 - unitBytes;
    const end = units.length;
    let op = start;
    let anchor = 0;
    let ip = 0;
    let misses = 0;
    while (ip + 3 <= end) {
      const hash = hashAt(units, ip, mask);
      const refId = ids[hash]!;
      const image = refId >= firstId ? held[refId - firstId]! : undefined;
      const from = image?.units ?? units;
      let ref = offsets[hash]!;
      ids[hash] = id;
      offsets[hash] = ip;
      if (
        image?.type !== type ||
        ((from[ref]! ^ units[ip]!) & mask) !== 0 ||
        ((from[ref + 1]! ^ units[ip + 1]!) & mask) !== 0
      ) {
        ip += 1 + (misses++ >> 7);
        continue;
      }
      const dist = id - refId;
      let first = ip;
      let back = ref;
      while (first > anchor && back > 0 && ((units[first - 1]! ^ from[back - 1]!) & mask) === 0) {
        first--;
        back--;
      }
      const fromEnd = from.length;
      let stop = ip + 2;
      for (ref += 2; stop < end && ref < fromEnd && ((units[stop]! ^ from[ref]!) & mask) === 0; stop++) ref++;
      const length = stop - first;
      const offset = dist === 0 ? first - back - 1 : back;
      if (length * unitBytes <= matchBytes(offset, dist) + 1 || length <= bias) {
        misses++;
        ip++;
        continue;
      }
      misses = 0;
      op = literals(units, anchor, first, unitBytes, mask, out, op);
      op = match(length - bias, offset, dist, out, op);
      anchor = stop;
      ip = stop;
      // What follows a match is found again by its last unit.
      if (stop + 2 <= end) {
        const last = hashAt(units, stop - 1, mask);
        ids[last] = id;
        offsets[last] = stop - 1;
      }
    }
    return literals(units, anchor, end, unitBytes, mask, out, op);
  }
}

/** Where three units in a row were seen last, by their hash: the number of the picture and the place in it. */
class Places {
  readonly ids = new Float64Array(1 << HASH_BITS).fill(-1);
  readonly offsets = new Int32Array(1 << HASH_BITS);

  clear(): void {
    this.ids.fill(-1);
  }
}

function hashAt(units: Int32Array, i: number, mask: number): number {
  // Alpha stands in the upper bits, which would be lost.
  const shift = mask > 0 ? 0 : 24;
  const [a, b, c] = [units[i]! & mask, units[i + 1]! & mask, units[i + 2]! & mask];
  return hashOf(a >>> shift, b >>> shift, c >>> shift) >>> (32 - HASH_BITS);
}

/** The bytes of a match beside those of its length. */
function matchBytes(offset: number, dist: number): number {
  if (offset < 1 << 12) return dist < 1 << 6 ? 3 : dist < 1 << 14 ? 4 : dist < 1 << 22 ? 5 : 6;
  return (dist === 0 ? 3 : dist < 1 << 8 ? 4 : dist < 1 << 16 ? 5 : 6) + (offset < 1 << 17 ? 0 : 1);
}

function match(length: number, offset: number, dist: number, out: Uint8Array, at: number): number {
  let op = at;
  const near = offset < 1 << 12;
  const low = (near ? 0 : 16) | (offset & 15);
  if (length < 7) out[op++] = (length << 5) | low;
  else {
    out[op++] = 0xe0 | low;
    let more = length - 7;
    for (; more >= 255; more -= 255) out[op++] = 255;
    out[op++] = more;
  }
  out[op++] = (offset >> 4) & 255;
  if (near) {
    const bytes = dist < 1 << 6 ? 0 : dist < 1 << 14 ? 1 : dist < 1 << 22 ? 2 : 3;
    out[op++] = (bytes << 6) | (dist & 63);
    for (let i = 0; i < bytes; i++) out[op++] = dist >> (6 + 8 * i);
  } else {
    const bytes = dist === 0 ? 0 : dist < 1 << 8 ? 1 : dist < 1 << 16 ? 2 : 3;
    const long = offset >= 1 << 17;
    out[op++] = (bytes << 6) | (long ? 32 : 0) | ((offset >> 12) & 31);
    for (let i = 0; i < bytes; i++) out[op++] = dist >> (8 * i);
    if (long) out[op++] = offset >> 17;
  }
  return op;
}

function literals(
  units: Int32Array,
  from: number,
  to: number,
  unitBytes: number,
  mask: number,
  out: Uint8Array,
  at: number,
): number {
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
    } else for (; i < stop; i++) out[op++] = (units[i]! & mask) >>> 24;
  }
  return op;
}
