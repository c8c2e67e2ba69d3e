/**
 * The GLZ dictionary of one client in the memory of a kernel of its own: true colour only. Pictures lie one behind the other,
 * and from the beginning again where there is no more room. INVARIANT: what is encoded never points into a picture that the
 * window has no room for any more; it may give one up sooner than it must.
 */
import { align, type KernelExports, ownKernel } from './kernel.ts';
import { putRows } from './kernel-encode.ts';
import type { PixelSource } from './pixels.ts';

/** Bytes of the tables (see lz-write.as), and those between two rooms. */
const PLACES = 8 << 15;
const IMAGES = 8 << 16;
const GAP = 128;
const PLACES_AT = 1024;
const IMAGES_AT = PLACES_AT + PLACES;
const PIXELS_AT = IMAGES_AT + IMAGES + GAP;
/** Pictures that are held: as many as `images` tells apart. */
const MOST_HELD = 1 << 16;
/** Pixels beyond the window's, so that what lies across its end is not given up too soon. */
const SLACK = 1 << 18;

interface Held {
  /** Pixels, from the first of all. */
  readonly start: number;
  readonly end: number;
}

export class KernelDictionary {
  readonly #exports: KernelExports;
  readonly #limit: number;
  #bytes: Uint8Array;
  /** From the oldest on. */
  #held: Held[] = [];
  #oldest = 0;
  /** The number of the next picture, from 1; and how many pixels all that are held have. */
  #next = 1;
  #pixels = 0;
  /** Where the next picture goes, and the farthest that any has come. */
  #at = 0;
  #top = 0;

  /** `limit`: pixels. */
  constructor(exports: KernelExports, limit: number) {
    this.#exports = exports;
    this.#limit = limit;
    this.#bytes = new Uint8Array(exports.memory.buffer);
    this.#room(PIXELS_AT);
  }

  /** Undefined where there is no kernel. */
  static of(limit: number): KernelDictionary | undefined {
    const exports = ownKernel();
    return exports === undefined ? undefined : new KernelDictionary(exports, limit);
  }

  /**
   * Encodes a picture of fewer pixels than the limit. `head` makes the header, given how many pictures before this one are
   * still held. What is given is a view of this dictionary's memory and holds until the next picture.
   */
  encode(source: PixelSource, head: (held: number) => Uint8Array): Uint8Array {
    const count = source.width * source.height;
    const start = this.#place(count);
    const held = this.#held.length - this.#oldest;
    this.#held.push({ start, end: start + count });
    this.#pixels += count;
    const pixels = PIXELS_AT + start * 4;
    const out = align(PIXELS_AT + this.#top * 4 + GAP);
    const bytes = this.#room(out + count * 4 + (count >> 4) + 32 + GAP);
    putRows(source, bytes, pixels);
    if (source.isBlank !== true) this.#exports.clearFourth(pixels, count & ~3);
    for (let i = (count & ~3) * 4 + 3; i < count * 4; i += 4) bytes[pixels + i] = 0;
    const id = this.#next++;
    new Uint32Array(bytes.buffer, IMAGES_AT + (id & (MOST_HELD - 1)) * 8, 2).set([pixels, pixels + count * 4]);
    const end = this.#exports.glzWrite(pixels, count, id, id - held, PLACES_AT, IMAGES_AT, out);
    const header = head(held);
    bytes.set(header, out - header.length);
    return bytes.subarray(out - header.length, end);
  }

  /** Makes room for so many pixels, by giving up what is oldest, and tells where it is. */
  #place(count: number): number {
    while (this.#pixels + count > this.#limit || this.#held.length - this.#oldest >= MOST_HELD) this.#giveUp();
    if (this.#at + count > this.#limit + SLACK) {
      // What lies behind was there before all that lies at the beginning.
      while (this.#first !== undefined && this.#first.start >= this.#at) this.#giveUp();
      this.#at = 0;
    }
    const end = this.#at + count;
    while (this.#first !== undefined && this.#first.start < end && this.#first.end > this.#at) this.#giveUp();
    const start = this.#at;
    this.#at = end;
    this.#top = Math.max(this.#top, end);
    return start;
  }

  get #first(): Held | undefined {
    return this.#held[this.#oldest];
  }

  #giveUp(): void {
    const { start, end } = this.#first!;
    this.#pixels -= end - start;
    if (++this.#oldest < 1_024) return;
    this.#held.splice(0, this.#oldest);
    this.#oldest = 0;
  }

  /** The memory, with at least `size` bytes. */
  #room(size: number): Uint8Array {
    const { memory } = this.#exports;
    const missing = size - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    if (this.#bytes.buffer !== memory.buffer) this.#bytes = new Uint8Array(memory.buffer);
    return this.#bytes;
  }
}
