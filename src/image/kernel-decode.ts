/**
 * The decoders' side of the kernel: input goes into its memory, and pixels come out in portions that stay in the processor's
 * cache. INVARIANT: what the kernel reads and writes lies inside the rooms laid out here, whatever the input says.
 */
import { ImageError } from './error.ts';
import { align, familyAt, GAP, type Kernel, type KernelExports, ROOMS_AT, STATE_AT, TABLES_AT } from './kernel.ts';
import type { QuicType } from './quic-model.ts';

/** Pixels and bytes come out in portions of this many bytes, which stay in the processor's cache. */
const PORTION = 1 << 18;
/** So many portions fit into a window before what can still be referred to is moved to its beginning. */
const PORTIONS = 3;
/** The farthest that matches reach back, in bytes and rounded up. */
const LZ_REACH = (8192 + 0x10000) * 4;
const LZ4_REACH = 0x10000;

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

/** Gives the picture that a match points into; undefined stops the decoding there. It may throw. */
export type Elsewhere = (match: ElsewhereMatch) => Uint32Array | undefined;

/** Decodes the LZ colours of `src` from `start` on to all of `out`; gives where the input ended. Throws `ImageError`. */
export function lzColors(kernel: Kernel, src: Uint8Array, start: number, out: Uint32Array): number {
  const { exports } = kernel;
  const input = ROOMS_AT;
  const window = align(input + src.length + GAP);
  const slides = out.length * 4 > LZ_REACH + PORTIONS * PORTION;
  const room = slides ? LZ_REACH + PORTIONS * PORTION : out.length * 4;
  const bytes = kernel.room(window + room + GAP);
  bytes.set(src, input);
  exports.lzStart(input + start, input + src.length, window);
  const target = new Uint8Array(out.buffer, out.byteOffset, out.length * 4);
  let done = 0;
  for (let at = window; done < target.length; ) {
    const limit = at + target.length - done;
    const fault = exports.lzColors(Math.min(at + PORTION, limit), limit);
    if (fault !== 0) fail(fault, exports.lzIn() - input);
    const end = exports.lzOut();
    target.set(bytes.subarray(at, end), done);
    done += end - at;
    at = end;
    if (slides && at + PORTION > window + room) {
      const surplus = at - window - LZ_REACH;
      bytes.copyWithin(window, at - LZ_REACH, at);
      exports.lzMoved(surplus);
      at -= surplus;
    }
  }
  return exports.lzIn() - input;
}

/**
 * Decodes the GLZ colours of `src` to `out`. At each match that points into another picture it asks `elsewhere` for
 * the words to copy from; undefined stops it there. Gives the input position and the pixel at which it stopped:
 * `out.length` if the picture is complete. Throws `ImageError`.
 */
export function glzColors(
  kernel: Kernel,
  src: Uint8Array,
  start: number,
  out: Uint32Array,
  elsewhere: Elsewhere,
): { readonly ip: number; readonly op: number } {
  const { exports } = kernel;
  const input = ROOMS_AT;
  const window = align(input + src.length + GAP);
  const bytes = kernel.room(window + out.length * 4 + GAP);
  const words = new Uint32Array(bytes.buffer, window, out.length);
  bytes.set(src, input);
  exports.glzKnown(0, 0, 0, 0);
  exports.lzStart(input + start, input + src.length, window);
  const limit = window + out.length * 4;
  for (let at = window; at < limit; ) {
    const pause = Math.min(at + PORTION, limit);
    const code = exports.glzColors(pause, limit);
    let end = exports.lzOut();
    let ip = exports.lzIn();
    let stopped = false;
    if (code === 4) {
      const match = matchOf(exports, input, window);
      const from = elsewhere(match);
      if (from === undefined) {
        stopped = true;
        ip = match.start + input;
      } else {
        copyWords(words, match.at, from, match.offset, match.length);
        exports.lzSkip(match.length);
        end += match.length * 4;
      }
    } else if (code !== 0) fail(code, ip - input);
    if (stopped || end >= pause) {
      out.set(words.subarray((at - window) / 4, (end - window) / 4), (at - window) / 4);
      at = end;
    }
    if (stopped) return { ip: ip - input, op: (end - window) / 4 };
  }
  return { ip: exports.lzIn() - input, op: out.length };
}

/** As `glzColors`, where input and `out` lie in the kernel's memory already. */
export function glzInPlace(
  exports: KernelExports,
  { input, start, length }: { readonly input: number; readonly start: number; readonly length: number },
  out: Uint32Array,
  elsewhere: Elsewhere,
): { readonly ip: number; readonly op: number } {
  const limit = out.byteOffset + out.byteLength;
  exports.lzStart(input + start, input + length, out.byteOffset);
  for (;;) {
    const code = exports.glzColors(limit, limit);
    if (code === 0) return { ip: exports.lzIn() - input, op: out.length };
    if (code !== 4) fail(code, exports.lzIn() - input);
    const match = matchOf(exports, input, out.byteOffset);
    const from = elsewhere(match);
    if (from === undefined) return { ip: match.start, op: match.at };
    copyWords(out, match.at, from, match.offset, match.length);
    exports.lzSkip(match.length);
  }
}

/** The match that the kernel stopped at. */
const matchOf = (exports: KernelExports, input: number, out: number): ElsewhereMatch => ({
  start: exports.glzMatchStart() - input,
  end: exports.lzIn() - input,
  dist: exports.glzMatchDist(),
  offset: exports.glzMatchOffset(),
  length: exports.glzMatchLength(),
  at: (exports.lzOut() - out) / 4,
});

/** Decodes the chained LZ4 blocks of `src` from `start` on to all of `out`. Throws `ImageError`. */
export function lz4Blocks(kernel: Kernel, src: Uint8Array, start: number, out: Uint8Array): void {
  const { exports } = kernel;
  const input = ROOMS_AT;
  const window = align(input + src.length + GAP);
  const slides = out.length > LZ4_REACH + PORTIONS * PORTION;
  const room = slides ? LZ4_REACH + PORTIONS * PORTION : out.length;
  const bytes = kernel.room(window + room + GAP);
  bytes.set(src, input);
  exports.lz4Start(window);
  let ip = start;
  let done = 0;
  let at = window;
  do {
    if (ip + 4 > src.length) fail(1, ip);
    const length = src[ip]! * 2 ** 24 + ((src[ip + 1]! << 16) | (src[ip + 2]! << 8) | src[ip + 3]!);
    ip += 4;
    if (length > src.length - ip) fail(1, ip);
    if (length === 0) throw new ImageError('data', 'an empty block', ip);
    exports.lz4Block(input + ip, input + ip + length);
    ip += length;
    for (let blockDone = false; !blockDone; ) {
      const limit = at + out.length - done;
      const code = exports.lz4Bytes(Math.min(at + PORTION, limit), limit);
      blockDone = code === 4;
      if (code !== 0 && !blockDone) fail(code, exports.lz4In() - input);
      const end = exports.lz4Out();
      out.set(bytes.subarray(at, end), done);
      done += end - at;
      at = end;
      if (slides && at + PORTION > window + room) {
        const surplus = at - window - LZ4_REACH;
        bytes.copyWithin(window, at - LZ4_REACH, at);
        exports.lz4Moved(surplus);
        at -= surplus;
      }
    }
  } while (ip < src.length);
  if (done !== out.length) fail(1, ip);
}

/** Decodes the rows of a QUIC image of the given type; `start` is where the data begins. Throws `ImageError`. */
export function quicRows(
  kernel: Kernel,
  src: Uint8Array,
  start: number,
  type: QuicType,
  width: number,
  out: Uint32Array,
): void {
  const { exports } = kernel;
  const count = (src.length - start) >> 2;
  if (count < 2) fail(1, src.length);
  const scratch = ROOMS_AT;
  const input = align(scratch + exports.quicScratch(width) + GAP);
  const rows = align(input + count * 4 + GAP);
  const rowBytes = width * 4;
  const portion = Math.max(1, Math.min(Math.floor(PORTION / rowBytes), out.length / width));
  const bytes = kernel.room(rows + portion * rowBytes + GAP);
  bytes.set(src.subarray(start, start + count * 4), input);
  exports.quicStart(familyAt(type), TABLES_AT, STATE_AT, scratch, input, count, type, width);
  const target = new Uint8Array(out.buffer, out.byteOffset, out.length * 4);
  for (let done = 0; done < target.length; ) {
    const many = Math.min(portion, (target.length - done) / rowBytes);
    const fault = exports.quicRows(rows, many);
    if (fault !== 0) fail(fault, src.length);
    target.set(bytes.subarray(rows, rows + many * rowBytes), done);
    done += many * rowBytes;
  }
}

function copyWords(to: Uint32Array, at: number, from: Uint32Array, offset: number, length: number): void {
  if (length > 24) to.set(from.subarray(offset, offset + length), at);
  else for (let i = 0; i < length; i++) to[at + i] = from[offset + i]!;
}
