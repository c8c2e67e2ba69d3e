// The colours of LZ and GLZ images as they are written; lz-encode.ts and glz-encode.ts do the same in JavaScript and explain
// it. Pixels are words of four bytes; all addresses are bytes of the linear memory. What is written may reach 16 bytes beyond
// its end, and up to 16 bytes behind the last pixel are read: the host leaves that room. It lays out:
//   places   LZ: u32[2^14], GLZ: u32[2^17][2]
//   images   GLZ: u32[2^16][2]: where the pixels of a picture begin and end, by the lower bits of its number

const LZ_HASH_BITS = 14;
const GLZ_HASH_BITS = 17;
const FAR: u32 = 8192;
const FARTHEST: u32 = FAR + 0xffff;
const NONE: u32 = 0xffffffff;
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

@inline
function lzHash(a: u32, b: u32, c: u32): u32 {
  return (((a * 0x9e3779b1) ^ (b * 0x85ebca6b) ^ c) * 0xc2b2ae35) >> (32 - LZ_HASH_BITS);
}

@inline
function glzHash(a: u32, b: u32, c: u32): u32 {
  const mixed = (a * 0x9e3779b1) ^ ((b ^ (b >> 15)) * 0x85ebca6b) ^ c ^ (c >> 15);
  return ((mixed ^ (mixed >> 15)) * 0xc2b2ae35) >> (32 - GLZ_HASH_BITS);
}

/** Where pixels that are equal end: `at` goes no further than `end`, `other` no further than `otherEnd`. */
@inline
function equalEnd(at: usize, other: usize, end: usize, otherEnd: usize): usize {
  const most = min(end, at + (otherEnd - other));
  while (at < most) {
    const differ = i32x4.bitmask(i32x4.ne(v128.load(at), v128.load(other)));
    if (differ != 0) return min(most, at + (<usize>ctz(differ) << 2));
    at += 16;
    other += 16;
  }
  return most;
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

@inline
function length(more: u32, low: u32): void {
  let at = out;
  if (more < 7) store<u8>(at++, (more << 5) | low);
  else {
    store<u8>(at++, 0xe0 | low);
    for (more -= 7; more >= 255; more -= 255) store<u8>(at++, 255);
    store<u8>(at++, more);
  }
  out = at;
}

/** Writes `count` pixels from `pixels` on as LZ: gives where what was written ends. */
export function lzWrite(pixels: usize, count: i32, places: usize, to: usize): usize {
  out = to;
  memory.fill(places, 0xff, 4 << LZ_HASH_BITS);
  const end = pixels + (<usize>count << 2);
  let anchor = pixels;
  let at = pixels + 4;
  let misses: u32 = 0;
  while (at + 12 <= end) {
    const unit = load<u32>(at);
    const second = load<u32>(at, 4);
    const third = load<u32>(at, 8);
    let ref: usize;
    if (unit == second && unit == third && unit == load<u32>(at - 4)) ref = at - 4;
    else {
      const slot = places + (lzHash(unit, second, third) << 2);
      const found = load<u32>(slot);
      store<u32>(slot, <u32>(at - pixels));
      ref = pixels + found;
      if (
        found == NONE ||
        load<u32>(ref) != unit ||
        load<u32>(ref, 4) != second ||
        <u32>(at - ref) >> 2 > FARTHEST
      ) {
        at += (1 + (misses++ >> 7)) << 2;
        continue;
      }
    }
    const stop = equalEnd(at + 8, ref + 8, end, end);
    while (at > anchor && ref > pixels && load<u32>(at - 4) == load<u32>(ref - 4)) {
      at -= 4;
      ref -= 4;
    }
    misses = 0;
    literals(anchor, at);
    const offset = (<u32>(at - ref) >> 2) - 1;
    const far = offset >= FAR - 1;
    length(<u32>(stop - at) >> 2, far ? 31 : offset >> 8);
    if (far) {
      const beyond = offset - (FAR - 1);
      store<u8>(out, 255);
      store<u8>(out, beyond >> 8, 1);
      store<u8>(out, beyond, 2);
      out += 3;
    } else store<u8>(out++, offset);
    // What follows a match is found again by its last pixels.
    for (at = stop - 8; at < stop && at + 8 < end; at += 4) {
      const slot = places + (lzHash(load<u32>(at), load<u32>(at, 4), load<u32>(at, 8)) << 2);
      store<u32>(slot, <u32>(at - pixels));
    }
    anchor = stop;
    at = stop;
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
 * Writes `count` pixels from `pixels` on as GLZ picture number `id`, which `images` has already; `firstId` is the oldest that
 * may be pointed into. No number is 2^32 - 1. Gives where what was written ends.
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
    const unit = load<u32>(at);
    const second = load<u32>(at, 4);
    const third = load<u32>(at, 8);
    let ref: usize = 0;
    let from = pixels;
    let fromEnd = end;
    let dist: u32 = 0;
    if (at > pixels && unit == second && unit == third && unit == load<u32>(at - 4)) ref = at - 4;
    else {
      const slot = places + (glzHash(unit, second, third) << 3);
      const found = load<u32>(slot);
      if (found != NONE && found >= firstId) {
        const image = images + ((found & IMAGES) << 3);
        from = load<u32>(image);
        fromEnd = load<u32>(image, 4);
        ref = from + load<u32>(slot, 4);
        dist = id - found;
      }
      store<u32>(slot, id);
      store<u32>(slot, <u32>(at - pixels), 4);
      if (ref == 0 || load<u32>(ref) != unit || load<u32>(ref, 4) != second) {
        at += (1 + (misses++ >> 7)) << 2;
        continue;
      }
    }
    const stop = equalEnd(at + 8, ref + 8, end, fromEnd);
    let first = at;
    while (first > anchor && ref > from && load<u32>(first - 4) == load<u32>(ref - 4)) {
      first -= 4;
      ref -= 4;
    }
    const many = <u32>(stop - first) >> 2;
    const offset = dist == 0 ? (<u32>(first - ref) >> 2) - 1 : <u32>(ref - from) >> 2;
    if (many * 3 <= matchBytes(offset, dist) + 1) {
      at += 4;
      continue;
    }
    misses = 0;
    literals(anchor, first);
    length(many, (offset < 1 << 12 ? 0 : 16) | (offset & 15));
    elsewhere(offset, dist);
    // What follows a match is found again by its last pixels.
    for (at = stop - 8; at < stop && at + 8 < end; at += 4) {
      const slot = places + (glzHash(load<u32>(at), load<u32>(at, 4), load<u32>(at, 8)) << 3);
      store<u32>(slot, id);
      store<u32>(slot, <u32>(at - pixels), 4);
    }
    anchor = stop;
    at = stop;
  }
  literals(anchor, end);
  return out;
}
