/**
 * The host of the WebAssembly kernel: it starts the kernel when it is first needed, and moves input in and pixels out.
 * Everything it does can also be done by the plain loops of the codecs, which take over where WebAssembly is not to be
 * had. INVARIANT: what the kernel reads and writes lies inside the rooms laid out here, whatever the input says.
 */
import { ImageError } from './error.ts';
import { KERNEL_BASE64 } from './kernel/module.ts';
import type { PixelSource } from './pixels.ts';
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
const TABLES_AT = 7168;
const STATE_AT = 8192;
const CODES_8_AT = 16384;
const CODES_5_AT = 20480;
const ROOMS_AT = 21504;
/** Between two rooms: the kernel's loops read and write a little beyond what they were given. */
const GAP = 128;

/** Pixels and bytes come out in portions of this many bytes, which stay in the processor's cache. */
const PORTION = 1 << 18;
/** So many portions fit into a window before what can still be referred to is moved to its beginning. */
const PORTIONS = 3;
/** The farthest that matches reach back, in bytes and rounded up. */
const LZ_REACH = (8192 + 0x10000) * 4;
const LZ4_REACH = 0x10000;

/** What the encoders of LZ and LZ4 need to find repetitions. */
const PLACES = 4 << 14;

const FAULTS = ['data', 'truncated', 'overrun', 'reference'] as const;
const DETAILS = [
  '',
  'the data ends within the picture',
  'more pixels than the picture has',
  'a match begins before the picture',
];

function fail(code: number, at: number): never {
  throw new ImageError(FAULTS[code] ?? 'data', DETAILS[code] ?? '', at);
}

/** A match of a GLZ picture that points into another picture. */
export interface ElsewhereMatch {
  /** Where in the input the match begins and ends. */
  readonly start: number;
  readonly end: number;
  readonly dist: number;
  readonly offset: number;
  readonly length: number;
  /** The pixel of the picture at which its pixels go. */
  readonly at: number;
}

/** Bytes of memory between two pictures. */
const mostKept = 4 * 1024 * 1024;

export class Kernel {
  readonly #exports: KernelExports;
  #bytes: Uint8Array;
  /** Where a picture that is written in portions is put together. */
  #made = new Uint8Array(0);

  constructor(exports: KernelExports) {
    this.#exports = exports;
    this.#bytes = new Uint8Array(exports.memory.buffer);
    this.#room(ROOMS_AT);
    this.#putFamily(FAMILY_8, FAMILY_8_AT);
    this.#putFamily(FAMILY_5, FAMILY_5_AT);
    this.#bytes.set(QUIC_TABLES, TABLES_AT);
    this.#putCodes(FAMILY_8, CODES_8_AT);
    this.#putCodes(FAMILY_5, CODES_5_AT);
  }

  /** Decodes the LZ colours of `src` from `start` on to all of `out`; gives where the input ended. Throws `ImageError`. */
  lz(src: Uint8Array, start: number, out: Uint32Array): number {
    const kernel = this.#exports;
    const input = ROOMS_AT;
    const window = align(input + src.length + GAP);
    const slides = out.length * 4 > LZ_REACH + PORTIONS * PORTION;
    const room = slides ? LZ_REACH + PORTIONS * PORTION : out.length * 4;
    const bytes = this.#room(window + room + GAP);
    bytes.set(src, input);
    kernel.lzStart(input + start, input + src.length, window);
    const target = new Uint8Array(out.buffer, out.byteOffset, out.length * 4);
    let done = 0;
    for (let at = window; done < target.length; ) {
      const limit = at + target.length - done;
      const fault = kernel.lzColors(Math.min(at + PORTION, limit), limit);
      if (fault !== 0) fail(fault, kernel.lzIn() - input);
      const end = kernel.lzOut();
      target.set(bytes.subarray(at, end), done);
      done += end - at;
      at = end;
      if (slides && at + PORTION > window + room) {
        const surplus = at - window - LZ_REACH;
        bytes.copyWithin(window, at - LZ_REACH, at);
        kernel.lzMoved(surplus);
        at -= surplus;
      }
    }
    return kernel.lzIn() - input;
  }

  /**
   * Decodes the GLZ colours of `src` to `out`. At each match that points into another picture it asks `elsewhere` for
   * the words to copy from; undefined stops it there. Gives the input position and the pixel at which it stopped:
   * `out.length` if the picture is complete. Throws `ImageError`.
   */
  glz(
    src: Uint8Array,
    start: number,
    out: Uint32Array,
    elsewhere: (match: ElsewhereMatch) => Uint32Array | undefined,
  ): { readonly ip: number; readonly op: number } {
    const kernel = this.#exports;
    const input = ROOMS_AT;
    const window = align(input + src.length + GAP);
    const bytes = this.#room(window + out.length * 4 + GAP);
    const words = new Uint32Array(bytes.buffer, window, out.length);
    bytes.set(src, input);
    kernel.lzStart(input + start, input + src.length, window);
    const limit = window + out.length * 4;
    for (let at = window; at < limit; ) {
      const pause = Math.min(at + PORTION, limit);
      const code = kernel.glzColors(pause, limit);
      let end = kernel.lzOut();
      let ip = kernel.lzIn();
      let stopped = false;
      if (code === 4) {
        const match: ElsewhereMatch = {
          start: kernel.glzMatchStart() - input,
          end: ip - input,
          dist: kernel.glzMatchDist(),
          offset: kernel.glzMatchOffset(),
          length: kernel.glzMatchLength(),
          at: (end - window) / 4,
        };
        const from = elsewhere(match);
        if (from === undefined) {
          stopped = true;
          ip = match.start + input;
        } else {
          copyWords(words, match.at, from, match.offset, match.length);
          kernel.lzSkip(match.length);
          end += match.length * 4;
        }
      } else if (code !== 0) fail(code, ip - input);
      if (stopped || end >= pause) {
        out.set(words.subarray((at - window) / 4, (end - window) / 4), (at - window) / 4);
        at = end;
      }
      if (stopped) return { ip: ip - input, op: (end - window) / 4 };
    }
    return { ip: kernel.lzIn() - input, op: out.length };
  }

  /** Decodes the chained LZ4 blocks of `src` from `start` on to all of `out`. Throws `ImageError`. */
  lz4(src: Uint8Array, start: number, out: Uint8Array): void {
    const kernel = this.#exports;
    const input = ROOMS_AT;
    const window = align(input + src.length + GAP);
    const slides = out.length > LZ4_REACH + PORTIONS * PORTION;
    const room = slides ? LZ4_REACH + PORTIONS * PORTION : out.length;
    const bytes = this.#room(window + room + GAP);
    bytes.set(src, input);
    kernel.lz4Start(window);
    let ip = start;
    let done = 0;
    let at = window;
    do {
      if (ip + 4 > src.length) fail(1, ip);
      const length = src[ip]! * 2 ** 24 + ((src[ip + 1]! << 16) | (src[ip + 2]! << 8) | src[ip + 3]!);
      ip += 4;
      if (length > src.length - ip) fail(1, ip);
      if (length === 0) throw new ImageError('data', 'an empty block', ip);
      kernel.lz4Block(input + ip, input + ip + length);
      ip += length;
      for (let blockDone = false; !blockDone; ) {
        const limit = at + out.length - done;
        const code = kernel.lz4Bytes(Math.min(at + PORTION, limit), limit);
        blockDone = code === 4;
        if (code !== 0 && !blockDone) fail(code, kernel.lz4In() - input);
        const end = kernel.lz4Out();
        out.set(bytes.subarray(at, end), done);
        done += end - at;
        at = end;
        if (slides && at + PORTION > window + room) {
          const surplus = at - window - LZ4_REACH;
          bytes.copyWithin(window, at - LZ4_REACH, at);
          kernel.lz4Moved(surplus);
          at -= surplus;
        }
      }
    } while (ip < src.length);
    if (done !== out.length) fail(1, ip);
  }

  /** Decodes the rows of a QUIC image of the given type; `start` is where the data begins. Throws `ImageError`. */
  quic(src: Uint8Array, start: number, type: QuicType, width: number, out: Uint32Array): void {
    const kernel = this.#exports;
    const count = (src.length - start) >> 2;
    if (count < 2) fail(1, src.length);
    const scratch = ROOMS_AT;
    const input = align(scratch + kernel.quicScratch(width) + GAP);
    const rows = align(input + count * 4 + GAP);
    const rowBytes = width * 4;
    const portion = Math.max(1, Math.min(Math.floor(PORTION / rowBytes), out.length / width));
    const bytes = this.#room(rows + portion * rowBytes + GAP);
    bytes.set(src.subarray(start, start + count * 4), input);
    const family = type === QuicType.RGB16 ? FAMILY_5_AT : FAMILY_8_AT;
    kernel.quicStart(family, TABLES_AT, STATE_AT, scratch, input, count, type, width);
    const target = new Uint8Array(out.buffer, out.byteOffset, out.length * 4);
    for (let done = 0; done < target.length; ) {
      const many = Math.min(portion, (target.length - done) / rowBytes);
      const fault = kernel.quicRows(rows, many);
      if (fault !== 0) fail(fault, src.length);
      target.set(bytes.subarray(rows, rows + many * rowBytes), done);
      done += many * rowBytes;
    }
  }

  /**
   * Encodes the colours of a picture as the rows of a QUIC image of the given type, not gray. Row `y` of the picture begins
   * at `y * stride` of `data`. `header` comes before them in what is returned.
   */
  quicWrite(
    { width, height, data, stride = width * 4 }: PixelSource,
    type: QuicType,
    header: Uint8Array,
  ): Uint8Array<ArrayBuffer> {
    const kernel = this.#exports;
    const rowBytes = width * 4;
    const portion = Math.max(1, Math.min(Math.floor(PORTION / 4 / rowBytes), height));
    const scratch = ROOMS_AT;
    const rows = align(scratch + kernel.quicScratch(width) + GAP);
    const written = align(rows + (portion + 1) * rowBytes + GAP);
    // Three words of up to 26 bits a pixel, or a run of 32 bits and then a pixel.
    const bytes = this.#room(written + portion * width * 16 + GAP);
    const isSmall = type === QuicType.RGB16;
    const tables = [isSmall ? FAMILY_5_AT : FAMILY_8_AT, TABLES_AT, isSmall ? CODES_5_AT : CODES_8_AT] as const;
    kernel.quicWriteStart(...tables, STATE_AT, scratch, type, width);
    const usual = header.length + ((width * height) >> 1) * 3 + 64;
    let made = this.#made.length < usual ? new Uint8Array(usual) : this.#made;
    made.set(header);
    let length = header.length;
    const keep = (end: number) => {
      const more = end - written;
      if (length + more > made.length) {
        const larger = new Uint8Array(Math.max(length + more, made.length * 2));
        larger.set(made.subarray(0, length));
        made = larger;
      }
      made.set(bytes.subarray(written, end), length);
      length += more;
    };
    for (let y = 0; y < height; y += portion) {
      const many = Math.min(portion, height - y);
      if (y > 0) bytes.copyWithin(rows, rows + portion * rowBytes, rows + (portion + 1) * rowBytes);
      putRows({ width, height: many, data: data.subarray(y * stride), stride }, bytes, rows + rowBytes);
      keep(kernel.quicWriteRows(rows + rowBytes, many, written));
    }
    keep(kernel.quicWriteEnd(written));
    if (made.length <= mostKept) this.#made = made;
    return made.slice(0, length);
  }

  /**
   * Encodes the colours of a picture of up to `KERNEL_MAX_HELD` pixels as LZ of three bytes a pixel, or as one block of LZ4 of
   * its four bytes, the fourth 0. `header` comes before them in what is returned.
   */
  write(coding: 'lz' | 'lz4', source: PixelSource, header: Uint8Array): Uint8Array<ArrayBuffer> {
    const kernel = this.#exports;
    const count = source.width * source.height;
    const pixels = align(ROOMS_AT + PLACES + GAP);
    const out = align(pixels + count * 4 + GAP);
    const bytes = this.#room(out + count * 4 + (count >> 4) + 32 + GAP);
    putRows(source, bytes, pixels);
    if (source.isBlank !== true) kernel.clearFourth(pixels, count);
    const end =
      coding === 'lz'
        ? kernel.lzWrite(pixels, count, ROOMS_AT, out)
        : kernel.lz4Write(pixels, pixels + count * 4, ROOMS_AT, out);
    return behind(header, bytes.subarray(out, end));
  }

  /** The memory, with at least `size` bytes. */
  #room(size: number): Uint8Array {
    const { memory } = this.#exports;
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

  /** By symbol and code number: the code word, and its length from the eighth bit on. */
  #putCodes({ words, lengths }: Family, at: number): void {
    const codes = new Uint16Array(this.#bytes.buffer, at, words.length);
    for (let i = 0; i < words.length; i++) codes[i] = words[i]! | (lengths[i]! << 8);
  }
}

/** Copies the rows of a picture, without gaps, to `at`. */
export function putRows({ width, height, data, stride = width * 4 }: PixelSource, bytes: Uint8Array, at: number): void {
  const rowBytes = width * 4;
  if (stride === rowBytes) bytes.set(data.subarray(0, height * rowBytes), at);
  else {
    for (let y = 0; y < height; y++) {
      bytes.set(data.subarray(y * stride, y * stride + rowBytes), at + y * rowBytes);
    }
  }
}

/** A copy of both in one array. */
export function behind(header: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(header.length + data.length);
  whole.set(header);
  whole.set(data, header.length);
  return whole;
}

function align(at: number): number {
  return (at + 15) & ~15;
}

function copyWords(to: Uint32Array, at: number, from: Uint32Array, offset: number, length: number): void {
  if (length > 24) to.set(from.subarray(offset, offset + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = from[offset + i]!;
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
