// The rows of QUIC images as they are written; quic-encode.ts does the same in JavaScript and explains it. Colours only: gray
// and alpha are left to it. Besides what quic.as is given, the host lays out:
//   codes    u16[8][256]: by code number and symbol, the code word, and from the eighth bit on its length
//   rows     words of the pixels, with the row above the first one before it
import {
  bits,
  colorPace,
  colors,
  learn,
  max,
  MODEL,
  models,
  pass,
  quicBegin,
  random,
  RUN,
  RUN_BITS,
  RUN_STATES,
  RUN_SUMS,
  SHORT_RUNS,
  stretch,
  symbols,
  tables,
  WAIT,
  width,
} from './quic';

let codes: usize = 0;
let out: usize = 0;
/** Bits that are not written yet stand at the high end: fewer than 32. */
let held: u64 = 0;
let heldBits: u32 = 0;
let isFirst: bool = true;
let half: u32 = 0;

/** Begins a picture of QUIC type `imageType` (2 RGB16, 3 RGB24, 4 RGB32 or 5 RGBA) with `pixels` pixels a row. */
export function quicWriteStart(
  familyAt: usize,
  tablesAt: usize,
  codesAt: usize,
  state: usize,
  scratch: usize,
  imageType: i32,
  pixels: i32,
): void {
  quicBegin(familyAt, tablesAt, state, scratch, imageType, pixels);
  codes = codesAt;
  held = 0;
  heldBits = 0;
  isFirst = true;
  half = (max >> 1) * 0x010101;
}

/** Writes the next `count` rows, which begin at `rows`, to `to`: gives where what was written ends. */
export function quicWriteRows(rows: usize, count: i32, to: usize): usize {
  out = to;
  const bytes = <usize>width << 2;
  const end = rows + bytes * count;
  const shift = 8 - bits;
  const mask = i32x4.splat(max * 0x010101);
  for (let at = rows; at < end; at += 16) v128.store(at, v128.and(i32x4.shr_u(v128.load(at), shift), mask));
  while (rows < end) {
    row(rows, rows - bytes);
    rows += bytes;
  }
  return out;
}

/** Writes the last bits, and the word that a reader looks ahead to. */
export function quicWriteEnd(to: usize): usize {
  if (heldBits == 0) {
    store<u32>(to, 0);
    return to + 4;
  }
  store<u64>(to, held >> 32);
  return to + 8;
}

/** Writes the lower `length` bits of `word`, 1 to 32; the others must be 0. */
@inline
function put(word: u32, length: u32): void {
  heldBits += length;
  held |= <u64>word << (64 - heldBits);
  // Written whether it is complete or not: that costs less than to foresee it wrongly.
  store<u32>(out, <u32>(held >> 32));
  const whole = heldBits & 32;
  out += whole >> 3;
  held <<= whole;
  heldBits &= 31;
}

/** Where pixels that are the same as `pixel` end, from `at` on: sixteen are looked at at once, since most runs are shorter. */
@inline
function runEnd(at: usize, end: usize, pixel: u32): usize {
  const pixels = i32x4.splat(pixel);
  while (at < end) {
    const first = i16x8.narrow_i32x4_s(i32x4.eq(v128.load(at), pixels), i32x4.eq(v128.load(at, 16), pixels));
    const second = i16x8.narrow_i32x4_s(i32x4.eq(v128.load(at, 32), pixels), i32x4.eq(v128.load(at, 48), pixels));
    const equal = i8x16.bitmask(i8x16.narrow_i16x8_s(first, second));
    if (equal != 0xffff) return min(end, at + (<usize>ctz(~equal) << 2));
    at += 64;
  }
  return end;
}

function writeRun(length: u32): void {
  const state = <usize>load<i32>(colorPace, RUN);
  const sums = tables + RUN_SUMS;
  // From the state's place on the way of all runs on: the state that it ends in is looked up.
  const way = load<u16>(sums + (state << 1)) + length;
  let next: usize;
  if (way < SHORT_RUNS) {
    next = load<u8>(tables + way, RUN_STATES);
    const logarithm = <u32>load<u8>(tables + next, RUN_BITS) + 1;
    const ones = (1 << <u32>(next - state)) - 1;
    put((ones << logarithm) | (way - load<u16>(sums + (next << 1))), logarithm + <u32>(next - state));
  } else {
    next = state;
    let logarithm = <u32>load<u8>(tables + next, RUN_BITS);
    while (length >> logarithm != 0) {
      length -= 1 << logarithm;
      put(1, 1);
      if (next < 31) next++;
      logarithm = load<u8>(tables + next, RUN_BITS);
    }
    put(length, logarithm + 1);
  }
  store<i32>(colorPace, next > 0 ? next - 1 : 0, RUN);
}

/** The differences of the three colours, each taken for small if it is near to 0 from either side. */
@inline
function symbolsOf(pixel: u32, predicted: u32): u32 {
  const difference = ((pixel | 0x808080) - (predicted & 0x7f7f7f)) ^ ((pixel ^ ~predicted) & 0x808080);
  return ((difference & half) << 1) ^ (((difference >> (bits - 1)) & 0x010101) * max);
}

/**
 * The symbols of all pixels of a row but the first, with the highest bit set where a run may begin: there the pixels above and to
 * the left are the same as those to the left of them. They depend on nothing that is learnt.
 */
function prepare(here: usize, above: usize): void {
  const end = here + (<usize>width << 2);
  const ones = i8x16.splat(1);
  const mask = i8x16.splat(<i8>max);
  const twice = i8x16.splat(<i8>(max * 2 + 1));
  const offset = i8x16.splat(<i8>(128 - ((max + 1) >> 1)));
  const zero = i32x4.splat(0);
  let to = colors;
  for (let at = here; at < end; at += 16) {
    const left = v128.load(at - 4);
    const up = v128.load(above);
    const predicted = i8x16.sub(i8x16.avgr_u(left, up), v128.and(v128.xor(left, up), ones));
    const difference = v128.and(i8x16.sub(v128.load(at), predicted), mask);
    const negative = i8x16.lt_s(i8x16.add(difference, offset), zero);
    const now = v128.and(v128.xor(i8x16.add(difference, difference), negative), twice);
    const flat = v128.and(i32x4.eq(left, v128.load(at - 8)), i32x4.eq(up, v128.load(above - 4)));
    v128.store(to, v128.or(v128.and(now, i32x4.splat(0xffffff)), i32x4.shl(flat, 31)));
    above += 16;
    to += 16;
  }
  // No run begins before the fourth pixel.
  for (let x: usize = 1; x < 3; x++) store<u32>(colors + (x << 2), load<u32>(colors + (x << 2)) & 0xffffff);
}

/** The word for a symbol, given the place of the model's entry for the one before it. */
@inline
function wordOf(words: usize, entry: usize, symbol: u32): u32 {
  return load<u16>(words + (<usize>load<u8>(entry) << 9) + (symbol << 1));
}

function writePixel(x: i32, pixel: u32, predicted: u32): void {
  const before = load<u32>(symbols + (x << 2));
  const now = symbolsOf(pixel, predicted);
  store<u32>(symbols + (x << 2), now, 4);
  const r = wordOf(codes, models + ((before >> 16) << 1), now >> 16);
  const g = wordOf(codes, models + MODEL + (((before >> 8) & 255) << 1), (now >> 8) & 255);
  const b = wordOf(codes, models + 2 * MODEL + ((before & 255) << 1), now & 255);
  put(r & 255, r >> 8);
  put(g & 255, g >> 8);
  put(b & 255, b >> 8);
}

function row(here: usize, above: usize): void {
  const pace = colorPace;
  const top = isFirst;
  isFirst = false;
  store<u32>(symbols, top ? 0 : load<u32>(symbols, 4));
  if (!top) prepare(here, above);
  for (let x = 0; x < width; ) {
    const end = x + stretch(pace, width - x);
    let begin = x;
    if (x == 0) {
      writePixel(0, load<u32>(here), top ? 0 : load<u32>(above));
      const wait = load<i32>(pace, WAIT);
      if (wait > 0) store<i32>(pace, wait - 1, WAIT);
      else {
        store<i32>(pace, random(pace), WAIT);
        learn(0);
      }
      begin = 1;
    }
    if (top) {
      let stop = begin + load<i32>(pace, WAIT);
      for (let i = begin; i < end; i++) {
        writePixel(i, load<u32>(here + (i << 2)), load<u32>(here + ((i - 1) << 2)));
        if (i < stop) continue;
        learn(i);
        stop = i + 1 + random(pace);
      }
      store<i32>(pace, stop - end, WAIT);
    } else writeStretch(here, begin, end);
    pass(pace, end - x);
    x = end;
  }
}

/** The pixels [begin, end) of a row that was prepared. */
function writeStretch(here: usize, begin: i32, end: i32): void {
  const pace = colorPace;
  const prepared = colors;
  const written = symbols;
  const words = codes;
  const red = models;
  const green = models + MODEL;
  const blue = models + 2 * MODEL;
  let acc = held;
  let count = heldBits;
  let to = out;
  let x = begin;
  let stop = x + load<i32>(pace, WAIT);
  let runAt = 0;
  for (;;) {
    const pause = stop < end ? stop + 1 : end;
    const before = load<u32>(written + (x << 2));
    // The codes that the model has for what follows: so many words of the table.
    let r = <usize>load<u8>(red + ((before >> 15) & 0x1fe));
    let g = <usize>load<u8>(green + ((before >> 7) & 0x1fe));
    let b = <usize>load<u8>(blue + ((before << 1) & 0x1fe));
    let ran = false;
    while (x < pause) {
      const now = load<u32>(prepared + (x << 2));
      if (<i32>now < 0 && x != runAt) {
        const wait = stop - x;
        const from = here + (x << 2);
        runAt = x;
        x = <i32>((runEnd(from, here + (end << 2), load<u32>(from - 4)) - here) >> 2);
        held = acc;
        heldBits = count;
        out = to;
        writeRun(x - runAt);
        if (x == end) {
          store<i32>(pace, wait, WAIT);
          return;
        }
        acc = held;
        count = heldBits;
        to = out;
        stop = x + wait;
        ran = true;
        break;
      }
      const redAt = (now >> 15) & 0x1fe;
      const greenAt = (now >> 7) & 0x1fe;
      const blueAt = (now << 1) & 0x1fe;
      const redWord = <u32>load<u16>(words + redAt + (r << 9));
      const greenWord = <u32>load<u16>(words + greenAt + (g << 9));
      const blueWord = <u32>load<u16>(words + blueAt + (b << 9));
      r = load<u8>(red + redAt);
      g = load<u8>(green + greenAt);
      b = load<u8>(blue + blueAt);
      x++;
      store<u32>(written + (x << 2), now & 0xffffff);
      const blueBits = blueWord >> 8;
      const tail = (greenWord >> 8) + blueBits;
      const all = (redWord >> 8) + tail;
      if (all <= 32) {
        // As `put` does it.
        count += all;
        const word = ((redWord & 255) << tail) | ((greenWord & 255) << blueBits) | (blueWord & 255);
        acc |= <u64>word << (64 - count);
        store<u32>(to, <u32>(acc >> 32));
        const whole = count & 32;
        to += whole >> 3;
        acc <<= whole;
        count &= 31;
      } else {
        held = acc;
        heldBits = count;
        out = to;
        put(redWord & 255, redWord >> 8);
        put(greenWord & 255, greenWord >> 8);
        put(blueWord & 255, blueBits);
        acc = held;
        count = heldBits;
        to = out;
      }
    }
    if (ran) continue;
    if (stop >= end) break;
    learn(stop);
    stop = x + random(pace);
  }
  store<i32>(pace, stop - end, WAIT);
  held = acc;
  heldBits = count;
  out = to;
}
