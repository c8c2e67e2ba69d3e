// One block of LZ4 as it is written, of pixels of four bytes; lz4-encode.ts does the same in JavaScript and explains it. All
// addresses are bytes of the linear memory. What is written may reach 32 bytes beyond its end, and as much is read behind the
// pixels: the host leaves that room. `places` are u32[2^14].

const HASH_BITS = 14;
const LAST_LITERALS = 5;
const MATCH_MARGIN = 12;
const NONE: u32 = 0xffffffff;

let out: usize = 0;

@inline
function hash(word: u32, second: u32): u32 {
  const mixed = (word * 0x85ebca6b) ^ second;
  return ((mixed ^ (mixed >> 15)) * 0x9e3779b1) >> (32 - HASH_BITS);
}

/** What of a length does not fit into four bits. */
@inline
function extra(length: u32): void {
  if (length < 15) return;
  let at = out;
  let more = length - 15;
  for (; more >= 255; more -= 255) store<u8>(at++, 255);
  store<u8>(at++, more);
  out = at;
}

@inline
function sequence(from: usize, to: usize, matchLength: u32): void {
  const count = <u32>(to - from);
  store<u8>(out++, (min<u32>(count, 15) << 4) | min<u32>(matchLength - 4, 15));
  extra(count);
  let at = out;
  out += count;
  while (from < to) {
    v128.store(at, v128.load(from));
    from += 16;
    at += 16;
  }
}

/** Writes the bytes [from, end) to `to`: gives where what was written ends. */
export function lz4Write(from: usize, end: usize, places: usize, to: usize): usize {
  out = to;
  memory.fill(places, 0xff, 4 << HASH_BITS);
  const searchEnd = <isize>end - MATCH_MARGIN;
  const matchEnd = end - LAST_LITERALS;
  let anchor = from;
  let at = from;
  let misses: u32 = 0;
  while (<isize>at < searchEnd) {
    const both = load<u64>(at);
    const slot = places + (hash(<u32>both, <u32>(both >> 32)) << 2);
    const found = load<u32>(slot);
    store<u32>(slot, <u32>(at - from));
    let ref = from + found;
    if (found == NONE || <u32>(at - ref) > 0xffff || load<u64>(ref) != both) {
      at += (1 + (misses++ >> 6)) << 2;
      continue;
    }
    misses = 0;
    const distance = at - ref;
    let first = at;
    while (first > anchor && first - distance > from && load<u8>(first - 1) == load<u8>(first - distance - 1)) first--;
    let stop = at + 8;
    ref += 8;
    for (;;) {
      if (stop >= matchEnd) {
        stop = matchEnd;
        break;
      }
      const differ = i8x16.bitmask(i8x16.ne(v128.load(stop), v128.load(ref)));
      if (differ != 0) {
        stop = min(matchEnd, stop + ctz(differ));
        break;
      }
      stop += 16;
      ref += 16;
    }
    sequence(anchor, first, <u32>(stop - first));
    store<u16>(out, <u16>distance);
    out += 2;
    extra(<u32>(stop - first) - 4);
    anchor = stop;
    // On to the next whole pixel.
    at = from + ((stop - from + 3) & ~3);
    // What follows a match is found again by its last pixels.
    for (let inside = at - 8; inside < at && <isize>inside < searchEnd; inside += 4) {
      if (inside <= first) continue;
      const last = load<u64>(inside);
      store<u32>(places + (hash(<u32>last, <u32>(last >> 32)) << 2), <u32>(inside - from));
    }
  }
  sequence(anchor, end, 4);
  return out;
}
