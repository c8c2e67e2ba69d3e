/**
 * From a cursor message to the pointer's shape in BGRA, for all kinds that the protocol has (spec §2.6). Kinds with a mask
 * give the colours that the reference client gives where a pixel would invert the screen. Throws on nothing but ShapeError,
 * and allocates only what the data that came account for.
 */
import { CursorType, nameOf } from '../protocol/constants.ts';
import type { CursorHeader } from '../protocol/cursor.ts';

/** A shape that cannot be made of what was sent. */
export class ShapeError extends Error {
  override readonly name = 'ShapeError';
}

/** `bgra`: rows from the top, `width * 4` bytes each. The hot spot, in pixels, may lie on the edge behind the last pixel. */
export interface PointerShape {
  readonly width: number;
  readonly height: number;
  readonly hotX: number;
  readonly hotY: number;
  readonly bgra: Uint8Array;
}

const opaque = 0xff000000;

/** Throws ShapeError when the data are too short for the size, or the kind is not known. The result shares no bytes. */
export function cursorShape(header: CursorHeader, data: Uint8Array): PointerShape {
  const { width, height, type } = header;
  const decode = kinds[type];
  if (decode === undefined) throw new ShapeError(`a pointer of the kind ${nameOf(CursorType, type)}`);
  const words = decode(data, width, height);
  return {
    width,
    height,
    hotX: Math.min(header.hotSpotX, width),
    hotY: Math.min(header.hotSpotY, height),
    bgra: new Uint8Array(words.buffer),
  };
}

type Decode = (data: Uint8Array, width: number, height: number) => Uint32Array;

const kinds: Readonly<Record<number, Decode>> = {
  [CursorType.alpha]: (data, width, height) => {
    const count = width * height;
    need(data, count * 4);
    const words = new Uint32Array(count);
    new Uint8Array(words.buffer).set(data.subarray(0, count * 4));
    return words;
  },
  [CursorType.mono]: mono,
  [CursorType.color4]: (data, width, height) => {
    const indices = ((width + 1) >> 1) * height;
    const colors = palette(data, indices, 16);
    const index = (i: number) => (data[i >> 1]! >> (i & 1 ? 0 : 4)) & 15;
    return masked(data, width, height, indices + 64, 0xffffff, (i) => colors[index(i)]!, same);
  },
  [CursorType.color8]: (data, width, height) => {
    const count = width * height;
    const colors = palette(data, count, 256);
    return masked(data, width, height, count + 1024, 0xffffff, (i) => colors[data[i]!]!, same);
  },
  [CursorType.color16]: (data, width, height) => {
    const read = (i: number) => data[i * 2]! | (data[i * 2 + 1]! << 8);
    const widen = (pixel: number) => ((pixel & 0x1f) << 3) | ((pixel & 0x3e0) << 6) | ((pixel & 0x7c00) << 9);
    return masked(data, width, height, width * height * 2, 0x7fff, read, widen);
  },
  [CursorType.color24]: (data, width, height) => {
    const read = (i: number) => data[i * 3]! | (data[i * 3 + 1]! << 8) | (data[i * 3 + 2]! << 16);
    return masked(data, width, height, width * height * 3, 0xffffff, read, same);
  },
  [CursorType.color32]: (data, width, height) => {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return masked(data, width, height, width * height * 4, 0xffffff, (i) => view.getUint32(i * 4, true), same);
  },
};

const same = (pixel: number) => pixel;

function need(data: Uint8Array, bytes: number): void {
  if (data.length < bytes) throw new ShapeError('a pointer that is cut short');
}

/** `count` colours behind the indices. */
function palette(data: Uint8Array, at: number, count: number): Uint32Array {
  need(data, at + count * 4);
  return new Uint32Array(data.slice(at, at + count * 4).buffer);
}

/**
 * Pixels with a mask of one bit each behind them, neither with gaps between rows: a set bit is transparent, or, on a pixel of
 * the `inverting` colour, what inverts the screen.
 */
function masked(
  data: Uint8Array,
  width: number,
  height: number,
  maskAt: number,
  inverting: number,
  read: (i: number) => number,
  widen: (pixel: number) => number,
): Uint32Array {
  const count = width * height;
  need(data, maskAt + ((count + 7) >> 3));
  const words = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const pixel = read(i);
    if ((data[maskAt + (i >> 3)]! & (0x80 >> (i & 7))) === 0) words[i] = widen(pixel) | opaque;
    // Inverting is not for the pointers of today's screens: a grey chequer can be seen on all grounds.
    else if (pixel === inverting) words[i] = ((i % width) ^ Math.trunc(i / width)) & 1 ? 0xc0303030 : 0x30505050;
    else words[i] = widen(pixel);
  }
  return words;
}

/**
 * Two masks of one bit a pixel, rows of whole bytes: the first says which pixels of the screen stay, the second which are
 * inverted then. Where all stay, the shape does nothing but invert, and is shown white with a black edge.
 */
function mono(data: Uint8Array, width: number, height: number): Uint32Array {
  const stride = (width + 7) >> 3;
  const plane = stride * height;
  need(data, plane * 2);
  const bit = (at: number, x: number, y: number) => (data[at + y * stride + (x >> 3)]! & (0x80 >> (x & 7))) !== 0;
  const inverts = (x: number, y: number) => bit(plane, x, y);
  const onlyInverts = data.subarray(0, plane).every((byte) => byte === 0xff);
  const isEdge = (x: number, y: number): boolean => {
    if (x === 0 || y === 0 || x === width - 1 || y === height - 1 || inverts(x, y)) return false;
    for (let dy = -1; dy <= 1; dy++) {
      for (let dx = -1; dx <= 1; dx++) if (inverts(x + dx, y + dy)) return true;
    }
    return false;
  };
  const words = new Uint32Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (inverts(x, y)) words[i] = 0xffffffff;
      else if (!bit(0, x, y) || (onlyInverts && isEdge(x, y))) words[i] = opaque;
    }
  }
  return words;
}
