// LZ4 blocks that share one window. Addresses are bytes; the loop writes up to 16 bytes beyond where it stops and reads as
// many beyond its input: the host leaves that room.

const PAUSED = 0;
const TRUNCATED = 1;
const OVERRUN = 2;
const REFERENCE = 3;
const BLOCK_DONE = 4;

/** Where in a sequence the loop stopped. */
const AT_TOKEN = 0;
const IN_LITERALS = 1;
const IN_MATCH = 2;

let ip: usize = 0;
let blockEnd: usize = 0;
let op: usize = 0;
let oldest: usize = 0;
let phase: i32 = AT_TOKEN;
let token: u32 = 0;
let leftLength: u32 = 0;
let leftDistance: u32 = 0;

/** Begins a picture whose bytes go to `out`. */
export function lz4Start(out: usize): void {
  op = out;
  oldest = out;
  phase = AT_TOKEN;
}

/** Begins a block, [from, to). */
export function lz4Block(from: usize, to: usize): void {
  ip = from;
  blockEnd = to;
}

/** The host moved the bytes down by so many. */
export function lz4Moved(bytes: usize): void {
  op -= bytes;
}

export function lz4Out(): usize {
  return op;
}

export function lz4In(): usize {
  return ip;
}

/** Copies `length` bytes from `distance` bytes back; gives where they end. */
@inline
function copyBack(out: usize, distance: u32, length: u32): usize {
  const stop = out + length;
  let ref = out - distance;
  if (distance < 16) {
    if (distance == 4) {
      const pixels = i32x4.splat(load<i32>(ref));
      do {
        v128.store(out, pixels);
        out += 16;
      } while (out < stop);
      return stop;
    }
    // Byte by byte until a whole number of repetitions, sixteen bytes or more, lies behind.
    const period = distance * ((15 + distance) / distance);
    const whole = min(out + period - distance, stop);
    while (out < whole) store<u8>(out++, load<u8>(ref++));
    ref = out - period;
  }
  while (out < stop) {
    v128.store(out, v128.load(ref));
    out += 16;
    ref += 16;
  }
  return stop;
}

/**
 * Decodes the block until the bytes reach `pause`. `limit` is the picture's end. Gives PAUSED, BLOCK_DONE, TRUNCATED,
 * OVERRUN or REFERENCE.
 */
export function lz4Bytes(pause: usize, limit: usize): i32 {
  let i = ip;
  let o = op;
  const end = blockEnd;
  // Where there is room for all that a short sequence can need, its parts need no further look.
  const easyIn = end - 40;
  const easyOut = pause - 80;
  for (;;) {
    if (phase == AT_TOKEN && end > i + 40 && pause > o + 80) {
      while (i < easyIn && o < easyOut) {
        const short = <u32>load<u8>(i);
        const literals = short >> 4;
        if (literals == 15) break;
        const distance = <u32>load<u16>(i + literals, 1);
        const from = o + literals;
        if (distance == 0 || from - oldest < distance) break;
        let length = (short & 15) + 4;
        let next = i + literals + 3;
        if (length == 19) {
          let more: u32 = 255;
          while (more == 255 && next < easyIn) {
            more = load<u8>(next++);
            length += more;
          }
          if (more == 255 || from + length > easyOut) break;
          v128.store(o, v128.load(i, 1));
          copyBack(from, distance, length);
        } else {
          v128.store(o, v128.load(i, 1));
          if (distance >= 16) {
            v128.store(from, v128.load(from - distance));
            v128.store(from, v128.load(from - distance, 16), 16);
          } else copyBack(from, distance, length);
        }
        i = next;
        o = from + length;
      }
    }
    if (phase == AT_TOKEN) {
      // At the picture's end the block must end as well, so the next token is looked at in any case.
      if (o >= pause && pause < limit) break;
      if (i >= end) return TRUNCATED;
      token = load<u8>(i++);
      let length = token >> 4;
      if (length == 15) {
        let more: u32 = 255;
        while (more == 255 && i < end) {
          more = load<u8>(i++);
          length += more;
        }
      }
      if (length > <u32>(end - i)) return TRUNCATED;
      if (length > <u32>(limit - o)) return OVERRUN;
      leftLength = length;
      phase = IN_LITERALS;
    }
    if (phase == IN_LITERALS) {
      const count = min(leftLength, <u32>(pause > o ? pause - o : 0));
      const stop = o + count;
      let from = i;
      while (o < stop) {
        v128.store(o, v128.load(from));
        o += 16;
        from += 16;
      }
      o = stop;
      i += count;
      leftLength -= count;
      if (leftLength > 0) break;
      if (i == end) {
        phase = AT_TOKEN;
        ip = i;
        op = o;
        return BLOCK_DONE;
      }
      if (i + 2 > end) return TRUNCATED;
      const distance = <u32>load<u16>(i);
      i += 2;
      if (distance == 0 || o - oldest < distance) return REFERENCE;
      let length = (token & 15) + 4;
      if (length == 19) {
        let more: u32 = 255;
        while (more == 255 && i < end) {
          more = load<u8>(i++);
          length += more;
        }
      }
      if (length > <u32>(limit - o)) return OVERRUN;
      leftLength = length;
      leftDistance = distance;
      phase = IN_MATCH;
    }
    const count = min(leftLength, <u32>(pause > o ? pause - o : 0));
    if (count > 0) o = copyBack(o, leftDistance, count);
    leftLength -= count;
    if (leftLength > 0) break;
    phase = AT_TOKEN;
  }
  ip = i;
  op = o;
  return PAUSED;
}
