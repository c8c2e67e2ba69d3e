/**
 * Decoder of GLZ images: LZ whose matches may also point into earlier pictures of the session. A decoding that meets a
 * picture which has not arrived stops there and can be resumed. INVARIANT: a match stays inside the picture it points
 * into, and no picture older than the header's window head is ever read.
 */
import { ImageError } from './error.ts';
import { BLOCK, type Cursor, fail, glzAlpha, glzRgb16, glzRgb32 } from './glz-loops.ts';
import type { GlzWindow } from './glz-window.ts';
import { KERNEL_MAX_HELD, KERNEL_MAX_INPUT, kernel } from './kernel.ts';
import { type Elsewhere, glzColors } from './kernel-decode.ts';
import { LZ_MAGIC, LZ_VERSION, LzType } from './lz.ts';
import {
  checkSameSize,
  type DecodeOptions,
  flipRows,
  type ImageSize,
  type Pixels,
  targetWords,
  toPixels,
} from './pixels.ts';

export const GLZ_HEADER_BYTES = 33;

export interface GlzHeader {
  /** RGB16, RGB24, RGB32 or RGBA of `LzType`. */
  readonly type: number;
  readonly topDown: boolean;
  readonly width: number;
  readonly height: number;
  readonly stride: number;
  /** The picture's number; pictures of all display channels of a session are counted together. */
  readonly id: number;
  /** How many pictures back the window begins. */
  readonly winHeadDist: number;
}

/** Reads the 33 bytes before the data; all numbers are big-endian. Throws `ImageError`. */
export function readGlzHeader(bytes: Uint8Array): GlzHeader {
  if (bytes.length < GLZ_HEADER_BYTES) throw new ImageError('truncated', 'no complete GLZ header', bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0) !== LZ_MAGIC || view.getUint32(4) !== LZ_VERSION) {
    throw new ImageError('magic', 'not a GLZ image of version 1.1');
  }
  const kind = view.getUint8(8);
  const type = kind & 15;
  if (type < LzType.RGB16 || type > LzType.RGBA) throw new ImageError('type', `${type} is no GLZ type`, 8);
  const id = view.getUint32(21) * 2 ** 32 + view.getUint32(25);
  const winHeadDist = view.getUint32(29);
  if (!Number.isSafeInteger(id + 1)) throw new ImageError('data', 'a picture number beyond 2^53', 21);
  if (winHeadDist > id) throw new ImageError('reference', 'a window that begins before the first picture', 29);
  return {
    type,
    topDown: kind >> 4 !== 0,
    width: view.getUint32(9),
    height: view.getUint32(13),
    stride: view.getUint32(17),
    id,
    winHeadDist,
  };
}

export interface GlzOptions extends DecodeOptions {
  /**
   * What is given may be written over when the window takes in another picture: for whoever draws it at once. That spares new
   * memory for each picture. Default: false.
   */
  readonly lend?: boolean | undefined;
}

/**
 * Starts decoding a GLZ image. Look at `missing` of what it gives: undefined means that the picture is complete. `size`
 * is what the message's image descriptor declared. Throws `ImageError`.
 */
export function decodeGlz(
  window: GlzWindow,
  bytes: Uint8Array,
  size: ImageSize,
  options: GlzOptions = {},
): GlzDecoding {
  const decoding = new GlzDecoding(window, bytes, size, options);
  decoding.resume();
  return decoding;
}

/** Decodes a GLZ image and waits for the pictures that it points into, however long they take (see `GlzWindow.arrival`). */
export async function decodeGlzWhenReady(
  window: GlzWindow,
  bytes: Uint8Array,
  size: ImageSize,
  options: GlzOptions = {},
): Promise<Pixels> {
  const decoding = decodeGlz(window, bytes, size, options);
  while (decoding.missing !== undefined) {
    await window.arrival(decoding.missing);
    decoding.resume();
  }
  return decoding.pixels;
}

/** A GLZ image that is decoded as far as the window allows. */
export class GlzDecoding {
  readonly header: GlzHeader;
  /** The picture that must arrive before `resume` can go on; undefined when this one is complete. */
  missing: number | undefined;
  readonly #window: GlzWindow;
  readonly #options: GlzOptions;
  readonly #cursor: Cursor;
  #alphaPass = false;
  #ownsBytes = false;
  #pixels: Pixels | undefined;
  #fault: unknown;

  constructor(window: GlzWindow, bytes: Uint8Array, size: ImageSize, options: GlzOptions) {
    const header = readGlzHeader(bytes);
    checkSameSize(header.width, header.height, size);
    const wanted = header.width * [2, 3, 4, 4][header.type - LzType.RGB16]!;
    if (header.stride !== wanted) throw new ImageError('size', `a stride of ${header.stride}, not ${wanted}`, 17);
    const count = header.width * header.height;
    if (count > (bytes.length - GLZ_HEADER_BYTES) * 255) {
      throw new ImageError('truncated', `${bytes.length} bytes cannot hold ${count} pixels`, bytes.length);
    }
    window.admit(header.id, header.id - header.winHeadDist);
    const isShared = options.target === undefined && options.lend !== true && header.topDown;
    this.header = header;
    this.#window = window;
    this.#options = options;
    this.#cursor = { bytes, ip: GLZ_HEADER_BYTES, op: 0, out: window.room(count, isShared), ...header };
  }

  /** The picture. It may share its bytes with the window: never write to them. Throws if `missing` is set. */
  get pixels(): Pixels {
    if (this.#pixels === undefined) throw new ImageError('window', `picture ${this.missing} has not arrived`);
    return this.#pixels;
  }

  /** Goes on after `missing` has arrived; it may then name another picture. Throws `ImageError`. */
  resume(): void {
    if (this.#pixels !== undefined) return;
    if (this.#fault !== undefined) throw this.#fault;
    try {
      this.#go();
    } catch (error) {
      // Its room may be another's from now on.
      this.#fault = error;
      this.#window.giveUp(this.#cursor.out);
      throw error;
    }
  }

  #go(): void {
    const cursor = this.#cursor;
    const { type, id, winHeadDist } = this.header;
    this.missing = undefined;
    if (!this.#alphaPass) {
      const dist = type === LzType.RGB16 ? glzRgb16(cursor, this.#window) : trueColors(cursor, this.#window);
      if (dist !== 0) {
        this.#suspend(id - dist);
        return;
      }
      this.#alphaPass = true;
      cursor.op = 0;
    }
    if (type === LzType.RGBA) {
      const dist = glzAlpha(cursor, this.#window);
      if (dist !== 0) {
        this.#suspend(id - dist);
        return;
      }
    }
    this.#window.add(id, cursor.out, id - winHeadDist);
    this.#pixels = this.#present();
  }

  #suspend(missing: number): void {
    // The caller's bytes belong to a frame that may be overwritten while we wait.
    if (!this.#ownsBytes) this.#cursor.bytes = this.#cursor.bytes.slice();
    this.#ownsBytes = true;
    this.missing = missing;
  }

  #present(): Pixels {
    const { type, width, height, topDown } = this.header;
    const held = this.#cursor.out;
    const { target } = this.#options;
    if (topDown && target === undefined) return toPixels(width, height, held, type === LzType.RGBA);
    const words = targetWords(held.length, target);
    words.set(held);
    if (!topDown) flipRows(words, width, height);
    return toPixels(width, height, words, type === LzType.RGBA);
  }
}

/** So many short matches into other pictures are left to the kernel's host, which is slow at them. */
const PATIENCE = 200;

/** True colour, by the kernel as far as it can. */
function trueColors(cursor: Cursor, window: GlzWindow): number {
  const { bytes, out, id, winHeadDist } = cursor;
  const fast = bytes.length <= KERNEL_MAX_INPUT && out.length <= KERNEL_MAX_HELD ? kernel() : undefined;
  if (fast === undefined || cursor.op > 0) return glzRgb32(cursor, window);
  let short = 0;
  const elsewhere: Elsewhere = (match) => {
    if (match.dist > winHeadDist) fail('reference', match.end);
    if (match.length < BLOCK && ++short > PATIENCE) return undefined;
    const words = window.words(id - match.dist);
    if (words !== undefined && match.offset + match.length > words.length) fail('reference', match.end);
    return words;
  };
  const { ip, op } =
    window.memoryOf(out)?.colors(bytes, cursor.ip, out, cursor, elsewhere) ??
    glzColors(fast, bytes, cursor.ip, out, elsewhere);
  cursor.ip = ip;
  cursor.op = op;
  // The plain loop goes on, and says what is missing if that is why the kernel stopped.
  return op < out.length ? glzRgb32(cursor, window) : 0;
}
