// The colours of LZ and GLZ images as they are written; lz-encode.ts and glz-encode.ts do the same in JavaScript and explain
// it. Pixels are words of four bytes; all addresses are bytes of the linear memory. What is written may reach 16 bytes beyond
// its end, and up to 64 bytes behind the last pixel are read: the host leaves that room. It lays out:
//   places   LZ: u16[2^14], pixels by their numbers modulo 2^16; GLZ: u32[2^15][2], a picture's number and a place in it in bytes
//   images   GLZ: u32[2^16][2]: where the pixels of a picture begin and end, by the lower bits of its number
// Most matches are short and follow each other: so eight pixels are compared at once, and all that says a match whose length one
// more byte can hold is written at once. What has few branches has few that are foreseen wrongly.

const LZ_HASH_BITS = 14;
const GLZ_HASH_BITS = 15;
const FAR: u32 = 8192;
const IMAGES: u32 = 0xffff;

let out: usize = 0;

/** Takes the fourth byte from `count` pixels. */
export function clearFourth(at: usize, count: i32): void {
  const mask = i32x4.splat(0xffffff);
  const end = at + (<usize>count << 2);
  while (at < end) {
    v128.store(at, v128.and(v128.load(at), mask));
    at += 16;
  }
}

/** Three pixels, mixed. */
@inline
function hash(at: usize): u32 {
  return load<u32>(at) * 0x9e3779b1 + load<u32>(at, 4) * 0x85ebca6b + load<u32>(at, 8) * 0xc2b2ae35;
}

@inline
function lzSlot(places: usize, at: usize): usize {
  return places + ((hash(at) >> (32 - LZ_HASH_BITS)) << 1);
}

@inline
function glzSlot(places: usize, at: usize): usize {
  return places + ((hash(at) >> (32 - GLZ_HASH_BITS)) << 3);
}

/** By bits: which of four pixels are the same. */
@inline
function same(at: usize, other: usize): u32 {
  return i32x4.bitmask(i32x4.eq(v128.load(at), v128.load(other)));
}

/** How many of eight pixels are the same, from the first on. */
@inline
function sameCount(at: usize, other: usize): usize {
  return ctz(~(same(at, other) | (same(at + 16, other + 16) << 4)));
}

/** Where pixels that are the same end: at `end` or behind it, or before it. */
function sameEnd(at: usize, other: usize, end: usize): usize {
  while (at < end) {
    const equal = same(at, other);
    if (equal != 15) return at + (<usize>ctz(~equal) << 2);
    at += 16;
    other += 16;
  }
  return at;
}

/** Where a match at `at` begins if pixels that were not written yet belong to it: none before `anchor`, or from before `oldest`. */
function matchStart(at: usize, distance: usize, anchor: usize, oldest: usize): usize {
  while (at > anchor && at - distance > oldest && load<u32>(at - 4) == load<u32>(at - distance - 4)) at -= 4;
  return at;
}

/** Writes the pixels [from, to) as they are. */
@inline
function literals(from: usize, to: usize): void {
  let at = out;
  while (from < to) {
    const stop = min(from + 128, to);
    const bytes = (<u32>(stop - from) >> 2) * 3;
    store<u8>(at++, <u32>(stop - from - 4) >> 2);
    const next = at + bytes;
    do {
      v128.store(at, i8x16.swizzle(v128.load(from), v128(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 16, 16, 16, 16)));
      from += 16;
      at += 12;
    } while (from < stop);
    from = stop;
    at = next;
  }
  out = at;
}

/** The first byte of a match, which holds `low` as well, and the bytes of its length. */
@inline
function length(more: u32, low: u32): void {
  const over = <i32>more - 7;
  const long = <u32>~over >> 31;
  // Seven, or what is less; behind it what is more, if there is any.
  store<u16>(out, <u16>(((7 + (over & (over >> 31))) << 5) | low | ((over << 8) & (0 - long))));
  out += 1 + long;
  if (over < 255) return;
  let at = out - 1;
  let left = over;
  for (; left >= 255; left -= 255) store<u8>(at++, 255);
  store<u8>(at++, left);
  out = at;
}

/** Writes `count` pixels from `pixels` on as LZ: gives where what was written ends. */
export function lzWrite(pixels: usize, count: i32, places: usize, to: usize): usize {
  out = to;
  memory.fill(places, 0, 2 << LZ_HASH_BITS);
  const end = pixels + (<usize>count << 2);
  let anchor = pixels;
  let at = pixels + 4;
  // As many pixels as were looked at in vain since the last match; here the first.
  let misses: u32 = 1;
  while (at + 12 <= end) {
    const slot = lzSlot(places, at);
    const index = <u32>(at - pixels) >> 2;
    const back = (index - load<u16>(slot)) & 0xffff;
    const distance = <usize>back << 2;
    store<u16>(slot, <u16>index);
    if (load<u64>(at) != load<u64>(at - distance) || back == 0) {
      at += (1 + (misses++ >> 7)) << 2;
      continue;
    }
    const many = sameCount(at + 8, at - distance + 8);
    let stop = at + 8 + (many << 2);
    if (many == 8) stop = sameEnd(stop, stop - distance, end);
    stop = min(stop, end);
    let first = at;
    if (misses != 0) {
      misses = 0;
      first = matchStart(at, distance, anchor, pixels);
      literals(anchor, first);
    }
    const offset = back - 1;
    length(<u32>(stop - first) >> 2, min(offset >> 8, 31));
    const far = <u32>(offset >= FAR - 1);
    const beyond = offset - (FAR - 1);
    const near = offset & 255;
    store<u32>(out, near ^ ((near ^ (255 | (beyond & 0xff00) | ((beyond & 255) << 16))) & (0 - far)));
    out += 1 + (far << 1);
    at = stop;
    anchor = stop;
    // What follows a match is found again by its last pixel.
    store<u16>(lzSlot(places, at - 4), <u16>(<u32>(at - 4 - pixels) >> 2));
  }
  literals(anchor, end);
  return out;
}

/** The bytes of a match beside those of its length. */
@inline
function matchBytes(offset: u32, dist: u32): u32 {
  if (offset < 1 << 12) return dist < 1 << 6 ? 3 : dist < 1 << 14 ? 4 : dist < 1 << 22 ? 5 : 6;
  return (dist == 0 ? 3 : dist < 1 << 8 ? 4 : dist < 1 << 16 ? 5 : 6) + (offset < 1 << 17 ? 0 : 1);
}

@inline
function elsewhere(offset: u32, dist: u32): void {
  let at = out;
  store<u8>(at++, offset >> 4);
  if (offset < 1 << 12) {
    const bytes: u32 = dist < 1 << 6 ? 0 : dist < 1 << 14 ? 1 : dist < 1 << 22 ? 2 : 3;
    store<u8>(at++, (bytes << 6) | (dist & 63));
    for (let i: u32 = 0; i < bytes; i++) store<u8>(at++, dist >> (6 + 8 * i));
  } else {
    const bytes: u32 = dist == 0 ? 0 : dist < 1 << 8 ? 1 : dist < 1 << 16 ? 2 : 3;
    const long = offset >= 1 << 17;
    store<u8>(at++, (bytes << 6) | (long ? 32 : 0) | ((offset >> 12) & 31));
    for (let i: u32 = 0; i < bytes; i++) store<u8>(at++, dist >> (8 * i));
    if (long) store<u8>(at++, offset >> 17);
  }
  out = at;
}

/**
 * Writes `count` pixels from `pixels` on as GLZ picture number `id`, which `images` has already; `firstId`, above 0, is the oldest
 * that may be pointed into. `places` are 0 at first. Gives where what was written ends.
 */
export function glzWrite(
  pixels: usize,
  count: i32,
  id: u32,
  firstId: u32,
  places: usize,
  images: usize,
  to: usize,
): usize {
  out = to;
  const end = pixels + (<usize>count << 2);
  let anchor = pixels;
  let at = pixels;
  let misses: u32 = 0;
  while (at + 12 <= end) {
    const slot = glzSlot(places, at);
    const found = load<u32>(slot);
    const place = load<u32>(slot, 4);
    store<u64>(slot, <u64>id | (<u64>(at - pixels) << 32));
    const image = images + ((found & IMAGES) << 3);
    const from = <usize>load<u32>(image);
    const other = from + place;
    if (found < firstId || load<u64>(at) != load<u64>(other)) {
      at += (1 + (misses++ >> 7)) << 2;
      continue;
    }
    const most = min(end, at + (<usize>load<u32>(image, 4) - other));
    const many = sameCount(at + 8, other + 8);
    let stop = at + 8 + (many << 2);
    if (many == 8) stop = sameEnd(stop, other + 40, most);
    stop = min(stop, most);
    if (<i32>(misses == 0) & <i32>(found == id)) {
      const offset = (<u32>(at - other) >> 2) - 1;
      length(<u32>(stop - at) >> 2, (<u32>(offset >= 1 << 12) << 4) | (offset & 15));
      if (offset < 1 << 17) {
        store<u16>(out, <u16>(((offset >> 4) & 255) | ((offset >> 12) << 8)));
        out += 2;
      } else elsewhere(offset, 0);
    } else {
      const distance = at - other;
      const first = matchStart(at, distance, anchor, from);
      const dist = id - found;
      const offset = dist == 0 ? (<u32>distance >> 2) - 1 : <u32>(first - distance - from) >> 2;
      const pixelCount = <u32>(stop - first) >> 2;
      if (pixelCount * 3 <= matchBytes(offset, dist) + 1) {
        misses++;
        at += 4;
        continue;
      }
      misses = 0;
      literals(anchor, first);
      length(pixelCount, (offset < 1 << 12 ? 0 : 16) | (offset & 15));
      elsewhere(offset, dist);
    }
    at = stop;
    anchor = stop;
    // What follows a match is found again by its last pixel.
    if (stop + 8 <= end) store<u64>(glzSlot(places, at - 4), <u64>id | (<u64>(at - 4 - pixels) << 32));
  }
  literals(anchor, end);
  return out;
}
