// One block of LZ4 as it is written, of pixels of four bytes; lz4-encode.ts does the same in JavaScript and explains it. All
// addresses are bytes of the linear memory. What is written may reach 32 bytes beyond its end, and up to 64 are read behind the
// pixels: the host leaves that room. `places` are u16[2^13]: pixels by their numbers modulo 2^16.

const HASH_BITS = 13;
const FARTHEST: u32 = 0xffff >> 2;
/** No match begins within so many bytes of the end, or ends within so few. */
const MATCH_MARGIN = 16;
const LAST_PIXELS = 8;

@inline
function slotOf(places: usize, at: usize): usize {
  const mixed = load<u32>(at) * 0x9e3779b1 + load<u32>(at, 4) * 0x85ebca6b + load<u32>(at, 8) * 0xc2b2ae35;
  return places + ((mixed >> (32 - HASH_BITS)) << 1);
}

/** By bits: which of four pixels are the same as those `distance` bytes before. */
@inline
function same(at: usize, distance: usize): u32 {
  return i32x4.bitmask(i32x4.eq(v128.load(at), v128.load(at - distance)));
}

/** What of a length does not fit into four bits: gives where it ends. */
@inline
function extra(at: usize, length: u32): usize {
  if (length < 15) return at;
  let more = length - 15;
  for (; more >= 255; more -= 255) store<u8>(at++, 255);
  store<u8>(at++, more);
  return at;
}

/** Token, literals and what of their length does not fit into it: gives where they end. */
@inline
function literals(at: usize, from: usize, to: usize, matchLength: u32): usize {
  const count = <u32>(to - from);
  store<u8>(at++, (min<u32>(count, 15) << 4) | min<u32>(matchLength - 4, 15));
  let out = extra(at, count);
  const end = out + count;
  while (out < end) {
    v128.store(out, v128.load(from));
    from += 16;
    out += 16;
  }
  return end;
}

/** A match that pixels which are not written yet come before, some of which may belong to it: gives where it ends. */
function matchBehind(to: usize, from: usize, anchor: usize, at: usize, stop: usize, distance: usize): usize {
  let first = at;
  while (first > anchor && first - distance > from && load<u32>(first - 4) == load<u32>(first - distance - 4)) {
    first -= 4;
  }
  const length = <u32>(stop - first);
  const out = literals(to, anchor, first, length);
  store<u16>(out, <u16>distance);
  return extra(out + 2, length - 4);
}

/** Writes the bytes [from, end) to `to`: gives where what was written ends. */
export function lz4Write(from: usize, end: usize, places: usize, to: usize): usize {
  let out = to;
  memory.fill(places, 0, 2 << HASH_BITS);
  const searchEnd = <isize>end - MATCH_MARGIN;
  const matchEnd = end - LAST_PIXELS;
  let anchor = from;
  let at = from;
  let misses: u32 = 0;
  while (<isize>at <= searchEnd) {
    const slot = slotOf(places, at);
    const index = <u32>(at - from) >> 2;
    const back = (index - load<u16>(slot)) & 0xffff;
    const distance = <usize>back << 2;
    store<u16>(slot, <u16>index);
    if (load<u64>(at) != load<u64>(at - distance) || back - 1 >= FARTHEST) {
      at += (1 + (misses++ >> 6)) << 2;
      continue;
    }
    // Most matches are short and follow each other. Eight pixels more are compared at once, and all of a length that one more
    // byte can hold is written at once: what has few branches has few that are foreseen wrongly.
    const many = <u32>ctz(~(same(at + 8, distance) | (same(at + 24, distance) << 4)));
    let stop = at + 8 + (many << 2);
    if (many == 8) {
      do {
        const equal = same(stop, distance);
        if (equal != 15) {
          stop += ctz(~equal) << 2;
          break;
        }
        stop += 16;
      } while (stop < matchEnd);
    }
    stop = min(stop, matchEnd);
    if (misses == 0) {
      const more = <i32>(stop - at) - 19;
      store<u32>(out, (15 + (more & (more >> 31))) | (<u32>distance << 8) | (more << 24));
      out += 4 - (<u32>more >> 31);
      if (more >= 255) out = extra(out - 1, more + 15);
    } else {
      out = matchBehind(out, from, anchor, at, stop, distance);
      misses = 0;
    }
    at = stop;
    anchor = stop;
    // What follows a match is found again by its last pixel.
    store<u16>(slotOf(places, at - 4), <u16>(<u32>(at - 4 - from) >> 2));
  }
  return literals(out, anchor, end, 4);
}
