/**
 * The inner loops of GLZ in plain JavaScript. True colour runs here where WebAssembly is missing, and where pictures point
 * into each other in many short matches; the other types always do. INVARIANT: a match stays inside the picture that it
 * points into, and that picture inside the window.
 */
import { ImageError } from './error.ts';
import type { GlzWindow } from './glz-window.ts';

export interface Cursor {
  bytes: Uint8Array;
  /** Where the next literal or match begins; when a loop stops for a missing picture, the match that needs it. */
  ip: number;
  op: number;
  readonly out: Uint32Array;
  readonly id: number;
  readonly winHeadDist: number;
}

export function fail(fault: 'truncated' | 'overrun' | 'reference', at: number): never {
  const detail = {
    truncated: 'the data ends within the picture',
    overrun: 'more pixels than the picture has',
    reference: 'a match outside the picture it points into, or outside the window',
  };
  throw new ImageError(fault, detail[fault], at);
}

// The loops give 0 when the picture is full, or the distance to the picture that is missing. A match: three bits of
// length (7: more bytes follow until one is below 255), a bit that says how the rest is laid out, then 12, 17 or 25 bits
// of pixel distance and 0 to 30 bits of picture distance. Within the same picture the pixel distance counts back and is
// biased by one; in another it counts from its start. They are kept apart for speed, as in lz-loops.ts.

/** From this length on a block copy beats a loop. */
export const BLOCK = 24;

export function glzRgb32(cursor: Cursor, window: GlzWindow): number {
  const { bytes: src, out, id, winHeadDist } = cursor;
  const end = src.length;
  const count = out.length;
  const view = new DataView(src.buffer, src.byteOffset, end);
  const wordEnd = end - 4;
  let { ip, op } = cursor;
  let lastDist = 0;
  let lastWords = out;
  while (op < count) {
    const start = ip;
    if (ip >= end) fail('truncated', ip);
    const ctrl = src[ip++]!;
    if (ctrl < 32) {
      const stop = op + ctrl + 1;
      if (stop > count) fail('overrun', ip);
      const last = ip + ctrl * 3;
      if (last <= wordEnd) {
        for (; op < stop; op++, ip += 3) out[op] = view.getUint32(ip, true) & 0xffffff;
      } else {
        if (last + 3 > end) fail('truncated', ip);
        for (; op < stop; op++, ip += 3) out[op] = src[ip]! | (src[ip + 1]! << 8) | (src[ip + 2]! << 16);
      }
      continue;
    }
    let length = ctrl >> 5;
    if (length === 7) {
      let more = 255;
      while (more === 255 && ip < end) length += more = src[ip++]!;
    }
    if (ip + 2 > end) fail('truncated', ip);
    let ofs = (ctrl & 15) | (src[ip++]! << 4);
    const code = src[ip++]!;
    const imageBytes = code >> 6;
    let dist = 0;
    if (ip + imageBytes + ((ctrl & 16) !== 0 ? (code >> 5) & 1 : 0) > end) fail('truncated', ip);
    if ((ctrl & 16) === 0) {
      dist = code & 0x3f;
      for (let i = 0, shift = 6; i < imageBytes; i++, shift += 8) dist += src[ip++]! << shift;
    } else {
      ofs |= (code & 31) << 12;
      for (let i = 0, shift = 0; i < imageBytes; i++, shift += 8) dist += src[ip++]! << shift;
      if ((code & 32) !== 0) ofs |= src[ip++]! << 17;
    }
    const stop = op + length;
    if (stop > count) fail('overrun', ip);
    if (dist !== 0) {
      if (dist !== lastDist) {
        if (dist > winHeadDist) fail('reference', ip);
        const words = window.words(id - dist);
        if (words === undefined) {
          cursor.ip = start;
          cursor.op = op;
          return dist;
        }
        lastDist = dist;
        lastWords = words;
      }
      if (ofs + length > lastWords.length) fail('reference', ip);
      if (length > 2 * BLOCK) {
        out.set(lastWords.subarray(ofs, ofs + length), op);
        op = stop;
      } else for (; op < stop; op++, ofs++) out[op] = lastWords[ofs]!;
      continue;
    }
    let ref = op - ofs - 1;
    if (ref < 0) fail('reference', ip);
    if (ofs === 0) {
      const word = out[ref]!;
      if (length > BLOCK) {
        out.fill(word, op, stop);
        op = stop;
      } else for (; op < stop; op++) out[op] = word;
    } else if (length > BLOCK && ofs >= length) {
      out.copyWithin(op, ref, ref + length);
      op = stop;
    } else for (; op < stop; op++, ref++) out[op] = out[ref]!;
  }
  cursor.ip = ip;
  return 0;
}

export function glzRgb16(cursor: Cursor, window: GlzWindow): number {
  const { bytes: src, out, id, winHeadDist } = cursor;
  const end = src.length;
  const count = out.length;
  let { ip, op } = cursor;
  while (op < count) {
    const start = ip;
    if (ip >= end) fail('truncated', ip);
    const ctrl = src[ip++]!;
    if (ctrl < 32) {
      const stop = op + ctrl + 1;
      if (stop > count) fail('overrun', ip);
      if (ip + ctrl * 2 + 2 > end) fail('truncated', ip);
      for (; op < stop; op++, ip += 2) {
        const color = (src[ip]! << 8) | src[ip + 1]!;
        const spread = ((color & 0x7c00) << 9) | ((color & 0x3e0) << 6) | ((color & 31) << 3);
        out[op] = spread | ((spread >> 5) & 0x070707);
      }
      continue;
    }
    let length = ctrl >> 5;
    if (length === 7) {
      let more = 255;
      while (more === 255 && ip < end) length += more = src[ip++]!;
    }
    if (ip + 2 > end) fail('truncated', ip);
    let ofs = (ctrl & 15) | (src[ip++]! << 4);
    const code = src[ip++]!;
    const imageBytes = code >> 6;
    let dist = 0;
    if (ip + imageBytes + ((ctrl & 16) !== 0 ? (code >> 5) & 1 : 0) > end) fail('truncated', ip);
    if ((ctrl & 16) === 0) {
      dist = code & 0x3f;
      for (let i = 0, shift = 6; i < imageBytes; i++, shift += 8) dist += src[ip++]! << shift;
    } else {
      ofs |= (code & 31) << 12;
      for (let i = 0, shift = 0; i < imageBytes; i++, shift += 8) dist += src[ip++]! << shift;
      if ((code & 32) !== 0) ofs |= src[ip++]! << 17;
    }
    length += 1;
    const stop = op + length;
    if (stop > count) fail('overrun', ip);
    let from = out;
    let ref = op - ofs - 1;
    if (dist !== 0) {
      if (dist > winHeadDist) fail('reference', ip);
      const words = window.words(id - dist);
      if (words === undefined) {
        cursor.ip = start;
        cursor.op = op;
        return dist;
      }
      from = words;
      ref = ofs;
      if (ref + length > from.length) fail('reference', ip);
    } else if (ref < 0) fail('reference', ip);
    for (; op < stop; op++, ref++) out[op] = from[ref]!;
  }
  cursor.ip = ip;
  return 0;
}

/** The alpha pass: a unit is the highest byte of a word, in this picture and in others. */
export function glzAlpha(cursor: Cursor, window: GlzWindow): number {
  const { bytes: src, out, id, winHeadDist } = cursor;
  const end = src.length;
  const count = out.length;
  let { ip, op } = cursor;
  while (op < count) {
    const start = ip;
    if (ip >= end) fail('truncated', ip);
    const ctrl = src[ip++]!;
    if (ctrl < 32) {
      const stop = op + ctrl + 1;
      if (stop > count) fail('overrun', ip);
      if (ip + ctrl + 1 > end) fail('truncated', ip);
      for (; op < stop; op++) out[op] = (out[op]! & 0xffffff) | (src[ip++]! << 24);
      continue;
    }
    let length = ctrl >> 5;
    if (length === 7) {
      let more = 255;
      while (more === 255 && ip < end) length += more = src[ip++]!;
    }
    if (ip + 2 > end) fail('truncated', ip);
    let ofs = (ctrl & 15) | (src[ip++]! << 4);
    const code = src[ip++]!;
    const imageBytes = code >> 6;
    let dist = 0;
    if (ip + imageBytes + ((ctrl & 16) !== 0 ? (code >> 5) & 1 : 0) > end) fail('truncated', ip);
    if ((ctrl & 16) === 0) {
      dist = code & 0x3f;
      for (let i = 0, shift = 6; i < imageBytes; i++, shift += 8) dist += src[ip++]! << shift;
    } else {
      ofs |= (code & 31) << 12;
      for (let i = 0, shift = 0; i < imageBytes; i++, shift += 8) dist += src[ip++]! << shift;
      if ((code & 32) !== 0) ofs |= src[ip++]! << 17;
    }
    length += 2;
    const stop = op + length;
    if (stop > count) fail('overrun', ip);
    let from = out;
    let ref = op - ofs - 1;
    if (dist !== 0) {
      if (dist > winHeadDist) fail('reference', ip);
      const words = window.words(id - dist);
      if (words === undefined) {
        cursor.ip = start;
        cursor.op = op;
        return dist;
      }
      from = words;
      ref = ofs;
      if (ref + length > from.length) fail('reference', ip);
    } else if (ref < 0) fail('reference', ip);
    for (; op < stop; op++, ref++) out[op] = (out[op]! & 0xffffff) | (from[ref]! & 0xff000000);
  }
  cursor.ip = ip;
  return 0;
}
