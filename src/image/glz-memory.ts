/**
 * Pictures of a GLZ window in the memory of a kernel of their own: they are decoded where they stay, and one that points into
 * another is copied from it by the kernel. INVARIANT: the memory never grows, so that views of it hold; what does not fit into it
 * lies elsewhere, which is for the window to see to.
 */
import { align, GAP, KERNEL_MAX_INPUT, type KernelExports, ownKernel } from './kernel.ts';
import { type Elsewhere, glzInPlace } from './kernel-decode.ts';

/** By the lower bits of a picture's number: that number in two words, and where its pixels begin and end. */
const MOST_KNOWN = 1 << 12;
const KNOWN_AT = 1024;
const ROOMS_AT = KNOWN_AT + MOST_KNOWN * 16;
/** Beside the window's pixels: room for a picture that is not in it yet, for what it is decoded from, and for gaps. */
const SLACK = 16 << 20;
const MOST_PIXELS = 1 << 24;

export class GlzMemory {
  readonly #exports: KernelExports;
  readonly #bytes: Uint8Array;
  /** What is free, from the lowest address on; and how long what begins at an address is. */
  #free: { at: number; size: number }[];
  readonly #taken = new Map<number, number>();

  private constructor(exports: KernelExports, pixels: number) {
    this.#exports = exports;
    const size = ROOMS_AT + Math.min(pixels, MOST_PIXELS) * 4 + SLACK;
    exports.memory.grow(Math.ceil(size / 65536));
    this.#bytes = new Uint8Array(exports.memory.buffer);
    this.#free = [{ at: ROOMS_AT, size: size - ROOMS_AT }];
  }

  /** For a window of so many pixels; undefined where there is no kernel, or no memory for it. */
  static of(pixels: number): GlzMemory | undefined {
    try {
      const exports = ownKernel();
      return exports === undefined ? undefined : new GlzMemory(exports, pixels);
    } catch {
      return undefined;
    }
  }

  /** Room for so many pixels, with anything in it; undefined if there is none. */
  take(count: number): Uint32Array | undefined {
    if (this.#taken.size >= MOST_KNOWN) return undefined;
    const at = this.#reserve(count * 4);
    return at === undefined ? undefined : new Uint32Array(this.#bytes.buffer, at, count);
  }

  /** Whether these pixels lie here. */
  has(words: Uint32Array): boolean {
    return words.buffer === this.#bytes.buffer;
  }

  /** Takes back what was given. */
  give(words: Uint32Array): void {
    if (this.has(words)) this.#release(words.byteOffset);
  }

  /** From now on other pictures may point into picture `id`. */
  know(id: number, { byteOffset, byteLength }: Uint32Array): void {
    this.#entry(id).set([id >>> 0, highOf(id), byteOffset, byteOffset + byteLength]);
  }

  /** From now on none may. */
  forget(id: number): void {
    const entry = this.#entry(id);
    if (entry[0] === id >>> 0 && entry[1] === highOf(id)) entry.fill(0);
  }

  /** As `glzColors`, to `out`, which must lie here; undefined if there is no room for the input. Throws `ImageError`. */
  colors(
    src: Uint8Array,
    start: number,
    out: Uint32Array,
    { id, winHeadDist }: { readonly id: number; readonly winHeadDist: number },
    elsewhere: Elsewhere,
  ): { readonly ip: number; readonly op: number } | undefined {
    const input = src.length > KERNEL_MAX_INPUT ? undefined : this.#reserve(src.length);
    if (input === undefined) return undefined;
    try {
      this.#bytes.set(src, input);
      this.#exports.glzKnown(KNOWN_AT, id >>> 0, highOf(id), winHeadDist);
      return glzInPlace(this.#exports, { input, start, length: src.length }, out, elsewhere);
    } finally {
      this.#release(input);
    }
  }

  #entry(id: number): Uint32Array {
    return new Uint32Array(this.#bytes.buffer, KNOWN_AT + (id % MOST_KNOWN) * 16, 4);
  }

  /** The first place that is large enough: so what is used stays low, and the rest of the memory is never touched. */
  #reserve(bytes: number): number | undefined {
    const size = align(bytes) + GAP;
    const index = this.#free.findIndex((one) => one.size >= size);
    if (index < 0) return undefined;
    const place = this.#free[index]!;
    const { at } = place;
    place.at += size;
    place.size -= size;
    if (place.size === 0) this.#free.splice(index, 1);
    this.#taken.set(at, size);
    return at;
  }

  #release(at: number): void {
    const size = this.#taken.get(at);
    if (size === undefined) return;
    this.#taken.delete(at);
    const free = this.#free;
    let index = free.findIndex((one) => one.at > at);
    if (index < 0) index = free.length;
    const before = free[index - 1];
    const after = free[index];
    const joinsBefore = before !== undefined && before.at + before.size === at;
    const joinsAfter = after !== undefined && at + size === after.at;
    if (joinsBefore) {
      before.size += size + (joinsAfter ? after.size : 0);
      if (joinsAfter) free.splice(index, 1);
    } else if (joinsAfter) {
      after.at = at;
      after.size += size;
    } else free.splice(index, 0, { at, size });
  }
}

/** The bits of a picture's number above the lower 32. */
const highOf = (id: number): number => Math.floor(id / 2 ** 32);
