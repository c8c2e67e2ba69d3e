/**
 * The inner loops of LZ in plain JavaScript. True colour runs here only where WebAssembly is missing; the other types
 * always do. INVARIANT: nothing is written beyond the last unit and nothing is read from before the first.
 */
import { ImageError } from './error.ts';

function fail(fault: 'truncated' | 'overrun' | 'reference', at: number): never {
  const detail = {
    truncated: 'the data ends within the picture',
    overrun: 'more pixels than the picture has',
    reference: 'a match begins before the picture',
  };
  throw new ImageError(fault, detail[fault], at);
}

// The loops below are the same but for the unit they copy. They are kept apart, and without calls inside, because
// this is where the time goes. A match: three bits of length (7: more bytes follow until one is below 255), thirteen bits
// of distance (all ones: sixteen more follow). Lengths are biased by `1`, `2` or `3` units, distances by one.

const FAR = 8191;
/** From this length on a block copy beats a loop. */
const BLOCK = 24;

export function lzRgb32(src: Uint8Array, start: number, words: Uint32Array, count: number): number {
  const end = src.length;
  const view = new DataView(src.buffer, src.byteOffset, end);
  const out = new Int32Array(words.buffer, words.byteOffset, count);
  // Where four pixels can be read and written at once, whether all of them are wanted or not. What was too much is
  // overwritten by what follows. Most matches are short, and this costs less than a loop whose end cannot be foreseen.
  const easyIp = end - 13;
  const easyOp = count - 4;
  let ip = start;
  let op = 0;
  do {
    if (ip >= end) fail('truncated', ip);
    const ctrl = src[ip++]!;
    if (ctrl < 32) {
      const stop = op + ctrl + 1;
      if (stop > count) fail('overrun', ip);
      if (ip + ctrl * 3 <= easyIp && op <= easyOp) {
        out[op] = view.getInt32(ip, true) & 0xffffff;
        out[op + 1] = view.getInt32(ip + 3, true) & 0xffffff;
        out[op + 2] = view.getInt32(ip + 6, true) & 0xffffff;
        out[op + 3] = view.getInt32(ip + 9, true) & 0xffffff;
        let at = ip + 12;
        for (let i = op + 4; i < stop; i++, at += 3) out[i] = view.getInt32(at, true) & 0xffffff;
        ip += ctrl * 3 + 3;
        op = stop;
      } else {
        if (ip + ctrl * 3 + 3 > end) fail('truncated', ip);
        for (; op < stop; op++, ip += 3) out[op] = src[ip]! | (src[ip + 1]! << 8) | (src[ip + 2]! << 16);
      }
      continue;
    }
    let length = ctrl >> 5;
    if (length === 7) {
      let more = 255;
      while (more === 255 && ip < end) length += more = src[ip++]!;
    }
    if (ip >= end) fail('truncated', ip);
    let distance = ((ctrl & 31) << 8) + src[ip++]! + 1;
    if (distance === FAR + 1) {
      if (ip + 2 > end) fail('truncated', ip);
      distance += (src[ip]! << 8) | src[ip + 1]!;
      ip += 2;
    }
    const stop = op + length;
    if (stop > count) fail('overrun', ip);
    let ref = op - distance;
    if (ref < 0) fail('reference', ip);
    if (op <= easyOp) {
      out[op] = out[ref]!;
      out[op + 1] = out[ref + 1]!;
      out[op + 2] = out[ref + 2]!;
      out[op + 3] = out[ref + 3]!;
      if (length > 4) {
        op += 4;
        ref += 4;
        if (length > BLOCK && distance === 1) out.fill(out[ref - 1]!, op, stop);
        else if (length > BLOCK && distance >= length) out.copyWithin(op, ref, ref + length - 4);
        else for (; op < stop; op++, ref++) out[op] = out[ref]!;
      }
      op = stop;
    } else for (; op < stop; op++, ref++) out[op] = out[ref]!;
  } while (op < count);
  return ip;
}

export function lzRgb16(src: Uint8Array, start: number, out: Uint32Array, count: number): number {
  const end = src.length;
  let ip = start;
  let op = 0;
  do {
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
    if (ip >= end) fail('truncated', ip);
    let distance = ((ctrl & 31) << 8) + src[ip++]! + 1;
    if (distance === FAR + 1) {
      if (ip + 2 > end) fail('truncated', ip);
      distance += (src[ip]! << 8) | src[ip + 1]!;
      ip += 2;
    }
    length += 1;
    const stop = op + length;
    if (stop > count) fail('overrun', ip);
    let ref = op - distance;
    if (ref < 0) fail('reference', ip);
    if (distance === 1) {
      out.fill(out[ref]!, op, stop);
      op = stop;
    } else if (length > BLOCK && distance >= length) {
      out.copyWithin(op, ref, ref + length);
      op = stop;
    } else for (; op < stop; op++, ref++) out[op] = out[ref]!;
  } while (op < count);
  return ip;
}

/** Packed indices: fills `out` to its end. */
export function lzBytes(src: Uint8Array, start: number, out: Uint8Array): number {
  const end = src.length;
  const count = out.length;
  let ip = start;
  let op = 0;
  do {
    if (ip >= end) fail('truncated', ip);
    const ctrl = src[ip++]!;
    if (ctrl < 32) {
      const stop = op + ctrl + 1;
      if (stop > count) fail('overrun', ip);
      if (ip + ctrl + 1 > end) fail('truncated', ip);
      while (op < stop) out[op++] = src[ip++]!;
      continue;
    }
    let length = ctrl >> 5;
    if (length === 7) {
      let more = 255;
      while (more === 255 && ip < end) length += more = src[ip++]!;
    }
    if (ip >= end) fail('truncated', ip);
    let distance = ((ctrl & 31) << 8) + src[ip++]! + 1;
    if (distance === FAR + 1) {
      if (ip + 2 > end) fail('truncated', ip);
      distance += (src[ip]! << 8) | src[ip + 1]!;
      ip += 2;
    }
    length += 2;
    const stop = op + length;
    if (stop > count) fail('overrun', ip);
    let ref = op - distance;
    if (ref < 0) fail('reference', ip);
    if (length > BLOCK && distance >= length) {
      out.copyWithin(op, ref, ref + length);
      op = stop;
    } else while (op < stop) out[op++] = out[ref++]!;
  } while (op < count);
  return ip;
}

/** The alpha pass: as `lzBytes`, but a unit is the fourth byte of a pixel. `out` holds whole pixels. */
export function lzAlpha(src: Uint8Array, start: number, out: Uint8Array): number {
  const end = src.length;
  const count = out.length;
  let ip = start;
  let op = 3;
  do {
    if (ip >= end) fail('truncated', ip);
    const ctrl = src[ip++]!;
    if (ctrl < 32) {
      const stop = op + ctrl * 4;
      if (stop >= count) fail('overrun', ip);
      if (ip + ctrl + 1 > end) fail('truncated', ip);
      for (; op <= stop; op += 4) out[op] = src[ip++]!;
      continue;
    }
    let length = ctrl >> 5;
    if (length === 7) {
      let more = 255;
      while (more === 255 && ip < end) length += more = src[ip++]!;
    }
    if (ip >= end) fail('truncated', ip);
    let distance = ((ctrl & 31) << 8) + src[ip++]! + 1;
    if (distance === FAR + 1) {
      if (ip + 2 > end) fail('truncated', ip);
      distance += (src[ip]! << 8) | src[ip + 1]!;
      ip += 2;
    }
    const stop = op + (length + 2) * 4;
    if (stop - 4 >= count) fail('overrun', ip);
    let ref = op - distance * 4;
    if (ref < 0) fail('reference', ip);
    for (; op < stop; op += 4, ref += 4) out[op] = out[ref]!;
  } while (op < count);
  return ip;
}
