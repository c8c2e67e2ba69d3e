// The colours of LZ and GLZ images. Pixels are words of four bytes; all addresses are bytes of the linear memory. Both
// loops write up to 64 bytes beyond where they stop and read up to 16 bytes beyond the input: the host leaves that room.

/** What the loops give when they stop. */
const PAUSED = 0;
const TRUNCATED = 1;
const OVERRUN = 2;
const REFERENCE = 3;
const ELSEWHERE = 4;

let ip: usize = 0;
let inputEnd: usize = 0;
let op: usize = 0;
/** No match may begin before this. */
let oldest: usize = 0;
/** What is left of a match that reached beyond a pause. */
let leftLength: u32 = 0;
let leftDistance: u32 = 0;
/** The start of the match that points into another picture, and that match. */
let matchStart: usize = 0;
let matchDist: u32 = 0;
let matchOffset: u32 = 0;
let matchLength: u32 = 0;

/** Pictures that GLZ matches may point into, by the lower bits of their numbers: number u64, begin u32, end u32. 0: none. */
let known: usize = 0;
let picture: u64 = 0;
let mostDist: u32 = 0;
const KNOWN_MASK: u32 = 0xfff;

/** Says where the pictures are that the next one, number `id`, may point into, and how far back. */
export function glzKnown(table: usize, id: u32, idHigh: u32, most: u32): void {
  known = table;
  picture = (<u64>idHigh << 32) | id;
  mostDist = most;
}

/** Begins a picture: input [from, to), pixels at `out`. */
export function lzStart(from: usize, to: usize, out: usize): void {
  ip = from;
  inputEnd = to;
  op = out;
  oldest = out;
  leftLength = 0;
}

/** The host moved the pixels down by so many bytes. */
export function lzMoved(bytes: usize): void {
  op -= bytes;
}

/** The host wrote so many pixels itself. */
export function lzSkip(pixels: u32): void {
  op += pixels << 2;
}

export function lzOut(): usize {
  return op;
}

/** Where the next byte of input is; after ELSEWHERE, where that match begins. */
export function lzIn(): usize {
  return ip;
}

export function glzMatchStart(): usize {
  return matchStart;
}

export function glzMatchDist(): u32 {
  return matchDist;
}

export function glzMatchOffset(): u32 {
  return matchOffset;
}

export function glzMatchLength(): u32 {
  return matchLength;
}

/** Copies `length` pixels from `distance` pixels back; gives where they end. */
@inline
function copyBack(out: usize, distance: u32, length: u32): usize {
  const stop = out + (length << 2);
  let ref = out - (distance << 2);
  if (distance >= 4) {
    do {
      v128.store(out, v128.load(ref));
      out += 16;
      ref += 16;
    } while (out < stop);
  } else if (distance == 1) {
    const pixels = i32x4.splat(load<i32>(ref));
    do {
      v128.store(out, pixels);
      out += 16;
    } while (out < stop);
  } else if (distance == 2) {
    const pixels = i64x2.splat(load<i64>(ref));
    do {
      v128.store(out, pixels);
      out += 16;
    } while (out < stop);
  } else {
    do {
      store<i32>(out, load<i32>(ref));
      out += 4;
      ref += 4;
    } while (out < stop);
  }
  return stop;
}

/** Copies pixels of another picture. */
@inline
function copyFrom(out: usize, from: usize, stop: usize): void {
  do {
    v128.store(out, v128.load(from));
    out += 16;
    from += 16;
  } while (out < stop);
}

/** Spreads literals of three bytes over words; gives where they end. */
@inline
function copyLiterals(out: usize, from: usize, stop: usize): void {
  do {
    v128.store(out, i8x16.swizzle(v128.load(from), v128(0, 1, 2, 16, 3, 4, 5, 16, 6, 7, 8, 16, 9, 10, 11, 16)));
    out += 16;
    from += 12;
  } while (out < stop);
}

/** Finishes a match that a pause cut; gives where it ends, or the pause if it is longer still. */
function finish(out: usize, pause: usize): usize {
  const length = min(leftLength, <u32>((pause - out) >> 2));
  if (length == 0) return out;
  leftLength -= length;
  return copyBack(out, leftDistance, length);
}

/**
 * Decodes LZ until the pixels reach `pause` (at most 32 beyond it) or the picture's end, `limit`. Gives PAUSED,
 * TRUNCATED, OVERRUN or REFERENCE.
 */
export function lzColors(pause: usize, limit: usize): i32 {
  let i = ip;
  let o = op;
  const end = inputEnd;
  const first = oldest;
  if (leftLength > 0) o = finish(o, pause);
  while (o < pause) {
    if (i >= end) return TRUNCATED;
    const control = <u32>load<u8>(i++);
    if (control < 32) {
      const stop = o + (control << 2) + 4;
      const next = i + control * 3 + 3;
      if (stop > limit) return OVERRUN;
      if (next > end) return TRUNCATED;
      copyLiterals(o, i, stop);
      o = stop;
      i = next;
      continue;
    }
    let length = control >> 5;
    if (length == 7) {
      let more: u32 = 255;
      while (more == 255 && i < end) {
        more = load<u8>(i++);
        length += more;
      }
    }
    if (i >= end) return TRUNCATED;
    let distance = ((control & 31) << 8) + <u32>load<u8>(i++) + 1;
    if (distance == 8192) {
      if (i + 2 > end) return TRUNCATED;
      distance += ((<u32>load<u8>(i)) << 8) | <u32>load<u8>(i, 1);
      i += 2;
    }
    if (length > <u32>((limit - o) >> 2)) return OVERRUN;
    if (o - first < distance << 2) return REFERENCE;
    const room = <u32>((pause - o) >> 2);
    if (length > room) {
      leftLength = length - room;
      leftDistance = distance;
      length = room;
    }
    o = copyBack(o, distance, length);
  }
  ip = i;
  op = o;
  return PAUSED;
}

/**
 * As `lzColors`, for GLZ: gives ELSEWHERE for a match that points into another picture that is not known. The host copies those pixels and
 * calls again, or begins the match anew from `glzMatchStart`.
 */
export function glzColors(pause: usize, limit: usize): i32 {
  let i = ip;
  let o = op;
  const end = inputEnd;
  const first = oldest;
  const easyIn = end - 112;
  const easyOut = pause - 128;
  if (leftLength > 0) o = finish(o, pause);
  while (o < pause) {
    // Where there is room for all that a short token can need, its parts need no further look.
    if (i < easyIn && o < easyOut) {
      const short = <u32>load<u8>(i);
      if (short < 32) {
        copyLiterals(o, i + 1, o + (short << 2) + 4);
        o += (short << 2) + 4;
        i += short * 3 + 4;
        continue;
      }
      const code = <u32>load<u8>(i, 2);
      const long = 0 - ((short >> 4) & 1);
      const back = ((short & 15) | (<u32>load<u8>(i, 1) << 4) | (((code & 31) << 12) & long)) + 1;
      // Neither another picture nor more bytes of distance.
      const isPlain = ((code & 0xc0) | (code & 63 & ~long) | (code & 32 & long)) == 0;
      if (short < 0xe0 && isPlain && o - first >= back << 2) {
        o = copyBack(o, back, short >> 5);
        i += 3;
        continue;
      }
    }
    const start = i;
    if (i >= end) return TRUNCATED;
    const control = <u32>load<u8>(i++);
    if (control < 32) {
      const stop = o + (control << 2) + 4;
      const next = i + control * 3 + 3;
      if (stop > limit) return OVERRUN;
      if (next > end) return TRUNCATED;
      copyLiterals(o, i, stop);
      o = stop;
      i = next;
      continue;
    }
    let length = control >> 5;
    if (length == 7) {
      let more: u32 = 255;
      while (more == 255 && i < end) {
        more = load<u8>(i++);
        length += more;
      }
    }
    if (i + 2 > end) return TRUNCATED;
    let offset = (control & 15) | ((<u32>load<u8>(i)) << 4);
    const code = <u32>load<u8>(i, 1);
    i += 2;
    const imageBytes = code >> 6;
    const long = (control & 16) != 0;
    if (i + imageBytes + (long ? (code >> 5) & 1 : 0) > end) return TRUNCATED;
    let dist: u32 = 0;
    let shift: u32 = 0;
    if (!long) {
      dist = code & 63;
      shift = 6;
    }
    for (let n: u32 = 0; n < imageBytes; n++) {
      dist += (<u32>load<u8>(i++)) << shift;
      shift += 8;
    }
    if (long) {
      offset |= (code & 31) << 12;
      if ((code & 32) != 0) offset |= (<u32>load<u8>(i++)) << 17;
    }
    if (length > <u32>((limit - o) >> 2)) return OVERRUN;
    if (dist != 0) {
      if (known != 0 && dist <= mostDist) {
        const entry = known + ((<u32>(picture - dist) & KNOWN_MASK) << 4);
        const from = <usize>load<u32>(entry, 8) + (<usize>offset << 2);
        const stop = o + (length << 2);
        if (load<u64>(entry) == picture - dist && from + (length << 2) <= <usize>load<u32>(entry, 12)) {
          copyFrom(o, from, stop);
          o = stop;
          continue;
        }
      }
      ip = i;
      op = o;
      matchStart = start;
      matchDist = dist;
      matchOffset = offset;
      matchLength = length;
      return ELSEWHERE;
    }
    const distance = offset + 1;
    if (o - first < distance << 2) return REFERENCE;
    const room = <u32>((pause - o) >> 2);
    if (length > room) {
      leftLength = length - room;
      leftDistance = distance;
      length = room;
    }
    o = copyBack(o, distance, length);
  }
  ip = i;
  op = o;
  return PAUSED;
}
