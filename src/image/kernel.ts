/**
 * The WebAssembly kernel: it is started here when it is first needed, and its memory is kept here. Everything it does can also be
 * done by the plain loops of the codecs, which take over where WebAssembly is not to be had. kernel-decode.ts and
 * kernel-encode.ts lay out what lies in the memory from `ROOMS_AT` on.
 */
import { KERNEL_BASE64 } from './kernel/module.ts';
import { FAMILY_5, FAMILY_8, type Family, QUIC_TABLES, QuicType } from './quic-model.ts';

export interface KernelExports {
  readonly memory: WebAssembly.Memory;
  lzStart(from: number, to: number, out: number): void;
  lzColors(pause: number, limit: number): number;
  lzMoved(bytes: number): void;
  lzSkip(pixels: number): void;
  lzOut(): number;
  lzIn(): number;
  glzColors(pause: number, limit: number): number;
  glzKnown(table: number, id: number, idHigh: number, mostDist: number): void;
  glzMatchStart(): number;
  glzMatchDist(): number;
  glzMatchOffset(): number;
  glzMatchLength(): number;
  lz4Start(out: number): void;
  lz4Block(from: number, to: number): void;
  lz4Bytes(pause: number, limit: number): number;
  lz4Moved(bytes: number): void;
  lz4Out(): number;
  lz4In(): number;
  quicScratch(pixels: number): number;
  quicStart(
    family: number,
    tables: number,
    state: number,
    scratch: number,
    input: number,
    words: number,
    type: number,
    pixels: number,
  ): void;
  quicRows(out: number, count: number): number;
  quicWriteStart(
    family: number,
    tables: number,
    codes: number,
    state: number,
    scratch: number,
    type: number,
    pixels: number,
  ): void;
  quicWriteRows(rows: number, count: number, out: number): number;
  quicWriteEnd(out: number): number;
  clearFourth(pixels: number, count: number): void;
  lzWrite(pixels: number, count: number, places: number, out: number): number;
  lz4Write(from: number, end: number, places: number, out: number): number;
  glzWrite(
    pixels: number,
    count: number,
    id: number,
    firstId: number,
    places: number,
    images: number,
    out: number,
  ): number;
}

/** The kernel counts in 32 bits; longer input, which no server sends, goes to the plain loops. */
export const KERNEL_MAX_INPUT = 1 << 24;
/** A picture whose pixels must stay in the kernel's memory until it is complete (GLZ) may have so many. */
export const KERNEL_MAX_HELD = 1 << 22;

// The memory: QUIC's tables and state, then the rooms of the picture at hand.
const FAMILY_8_AT = 1024;
const FAMILY_5_AT = 4096;
export const TABLES_AT = 7168;
export const STATE_AT = 8192;
const CODES_8_AT = 16384;
const CODES_5_AT = 20480;
export const ROOMS_AT = 24576;
/** Between two rooms: the kernel's loops read and write a little beyond what they were given. */
export const GAP = 128;

export const align = (at: number): number => (at + 15) & ~15;

/** Where what QUIC images of a type need lies: the lengths of code words and what belongs to them, and the words. */
export const familyAt = (type: QuicType): number => (type === QuicType.RGB16 ? FAMILY_5_AT : FAMILY_8_AT);
export const codesAt = (type: QuicType): number => (type === QuicType.RGB16 ? CODES_5_AT : CODES_8_AT);

export class Kernel {
  readonly exports: KernelExports;
  #bytes: Uint8Array;

  constructor(exports: KernelExports) {
    this.exports = exports;
    this.#bytes = new Uint8Array(exports.memory.buffer);
    this.room(ROOMS_AT);
    this.#putFamily(FAMILY_8, FAMILY_8_AT);
    this.#putFamily(FAMILY_5, FAMILY_5_AT);
    this.#bytes.set(QUIC_TABLES, TABLES_AT);
    this.#putCodes(FAMILY_8, CODES_8_AT);
    this.#putCodes(FAMILY_5, CODES_5_AT);
  }

  /** The memory, with at least `size` bytes. Views of it that were taken before may be worth nothing afterwards. */
  room(size: number): Uint8Array {
    const { memory } = this.exports;
    if (memory.buffer.byteLength < size) {
      memory.grow(Math.ceil((size - memory.buffer.byteLength) / 65536));
    }
    if (this.#bytes.buffer !== memory.buffer) this.#bytes = new Uint8Array(memory.buffer);
    return this.#bytes;
  }

  #putFamily(family: Family, at: number): void {
    const { lengths, escapeAfter, escapeLength, escapeBase, escapeMask, buckets } = family;
    this.#bytes.set(lengths, at);
    [escapeAfter, escapeLength, escapeBase, escapeMask, buckets].forEach((table, i) => {
      this.#bytes.set(table, at + 2048 + i * 8);
    });
  }

  /** By code number × 256 + symbol: the code word, and its length from the eighth bit on. */
  #putCodes({ words, lengths }: Family, at: number): void {
    const codes = new Uint16Array(this.#bytes.buffer, at, 8 * 256);
    for (let i = 0; i < words.length; i++) codes[((i & 7) << 8) + (i >> 3)] = words[i]! | (lengths[i]! << 8);
  }
}

let compiled: WebAssembly.Module | undefined;
let shared: Kernel | undefined;
let state: 'unknown' | 'ready' | 'unavailable' | 'off' = 'unknown';

/** The kernel, or undefined where WebAssembly or its SIMD instructions are missing or were switched off. */
export function kernel(): Kernel | undefined {
  if (state === 'unknown') {
    try {
      const bytes = Uint8Array.from(atob(KERNEL_BASE64), (letter) => letter.charCodeAt(0));
      compiled = new WebAssembly.Module(bytes);
      shared = new Kernel(instanceOf(compiled));
      state = 'ready';
    } catch {
      state = 'unavailable';
    }
  }
  return state === 'ready' ? shared : undefined;
}

/** The kernel's loops with a memory of their own, or undefined where there is no kernel. */
export function ownKernel(): KernelExports | undefined {
  return kernel() === undefined ? undefined : instanceOf(compiled!);
}

const instanceOf = (module: WebAssembly.Module): KernelExports =>
  new WebAssembly.Instance(module).exports as unknown as KernelExports;

/** Switches between the kernel and the plain loops, to compare them; gives whether the kernel is in use now. */
export function useKernel(on: boolean): boolean {
  if (!on) state = 'off';
  else if (state === 'off') state = shared === undefined ? 'unknown' : 'ready';
  return kernel() !== undefined;
}
