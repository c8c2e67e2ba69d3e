// The rows of QUIC images as they are written; quic-encode.ts does the same in JavaScript and explains it. Colours only: gray
// and alpha are left to it. Besides what quic.as is given, the host lays out:
//   codes    u16[256][8]: by symbol and code number, the code word, and from the eighth bit on its length
//   rows     words of the pixels, with the row above the first one before it
import {
  bits,
  colorPace,
  learn,
  max,
  MODEL,
  models,
  pass,
  quicBegin,
  random,
  RUN,
  RUN_BITS,
  stretch,
  symbols,
  tables,
  WAIT,
  width,
} from './quic';

let codes: usize = 0;
let out: usize = 0;
/** Bits that are not written yet stand at the low end: fewer than 32. */
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
  for (let i = 0; i < count; i++) {
    for (let at = rows; at < rows + bytes; at += 4) {
      const word = load<u32>(at);
      store<u32>(at, bits == 5 ? (word >> 3) & 0x1f1f1f : word & 0xffffff);
    }
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
  store<u32>(to, <u32>(held << (32 - heldBits)));
  store<u32>(to, 0, 4);
  return to + 8;
}

@inline
function put(word: u32, length: u32): void {
  held = (held << length) | word;
  heldBits += length;
  if (heldBits < 32) return;
  heldBits -= 32;
  store<u32>(out, <u32>(held >> heldBits));
  out += 4;
}

function writeRun(length: i32): void {
  let state = <usize>load<i32>(colorPace, RUN);
  let order = 1 << load<u8>(tables + state, RUN_BITS);
  while (length >= order) {
    length -= order;
    put(1, 1);
    if (state < 31) state++;
    order = 1 << load<u8>(tables + state, RUN_BITS);
  }
  put(length, load<u8>(tables + state, RUN_BITS) + 1);
  store<i32>(colorPace, state > 0 ? state - 1 : 0, RUN);
}

/** The differences of the three colours, each taken for small if it is near to 0 from either side. */
@inline
function symbolsOf(pixel: u32, predicted: u32): u32 {
  const difference = ((pixel | 0x808080) - (predicted & 0x7f7f7f)) ^ ((pixel ^ ~predicted) & 0x808080);
  return ((difference & half) << 1) ^ (((difference >> (bits - 1)) & 0x010101) * max);
}

function writePixel(x: i32, pixel: u32, predicted: u32): void {
  const before = load<u32>(symbols + (x << 2));
  const now = symbolsOf(pixel, predicted);
  store<u32>(symbols + (x << 2), now, 4);
  const r = code(models, before >> 16, now >> 16);
  const g = code(models + MODEL, (before >> 8) & 255, (now >> 8) & 255);
  const b = code(models + 2 * MODEL, before & 255, now & 255);
  put(r & 255, r >> 8);
  put(g & 255, g >> 8);
  put(b & 255, b >> 8);
}

@inline
function code(model: usize, before: u32, now: u32): u32 {
  return load<u16>(codes + (((now << 3) + <u32>load<u8>(model + (before << 1))) << 1));
}

function row(here: usize, above: usize): void {
  const pace = colorPace;
  const top = isFirst;
  isFirst = false;
  store<u32>(symbols, top ? 0 : load<u32>(symbols, 4));
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
    } else writeStretch(here, above, begin, end);
    pass(pace, end - x);
    x = end;
  }
}

function writeStretch(here: usize, above: usize, begin: i32, end: i32): void {
  const pace = colorPace;
  const written = symbols;
  const red = models;
  const green = models + MODEL;
  const blue = models + 2 * MODEL;
  let acc = held;
  let free = heldBits;
  let to = out;
  let x = begin;
  let stop = x + load<i32>(pace, WAIT);
  let runAt = 0;
  let left = load<u32>(here + ((x - 1) << 2));
  let left2 = x > 1 ? load<u32>(here + ((x - 2) << 2)) : 0;
  let up2 = load<u32>(above + ((x - 1) << 2));
  let before = load<u32>(written + (x << 2));
  for (;;) {
    const pause = stop < end ? stop + 1 : end;
    let ran = false;
    while (x < pause) {
      const up = load<u32>(above + (x << 2));
      if (up == up2 && left == left2 && x > 2 && x != runAt) {
        const wait = stop - x;
        runAt = x;
        while (x < end && load<u32>(here + (x << 2)) == left) x++;
        held = acc;
        heldBits = free;
        out = to;
        writeRun(x - runAt);
        if (x == end) {
          store<i32>(pace, wait, WAIT);
          return;
        }
        acc = held;
        free = heldBits;
        to = out;
        up2 = load<u32>(above + ((x - 1) << 2));
        before = load<u32>(written + (x << 2));
        stop = x + wait;
        ran = true;
        break;
      }
      const pixel = load<u32>(here + (x << 2));
      const now = symbolsOf(pixel, (left & up) + (((left ^ up) >> 1) & 0x7f7f7f));
      const r = code(red, before >> 16, now >> 16);
      const g = code(green, (before >> 8) & 255, (now >> 8) & 255);
      const b = code(blue, before & 255, now & 255);
      const tail = (g >> 8) + (b >> 8);
      const all = (r >> 8) + tail;
      if (all <= 32) {
        acc = (acc << all) | ((r & 255) << tail) | ((g & 255) << (b >> 8)) | (b & 255);
        free += all;
        if (free >= 32) {
          free -= 32;
          store<u32>(to, <u32>(acc >> free));
          to += 4;
        }
      } else {
        held = acc;
        heldBits = free;
        out = to;
        put(r & 255, r >> 8);
        put(g & 255, g >> 8);
        put(b & 255, b >> 8);
        acc = held;
        free = heldBits;
        to = out;
      }
      left2 = left;
      left = pixel;
      x++;
      store<u32>(written + (x << 2), now);
      before = now;
      up2 = up;
    }
    if (ran) continue;
    if (stop >= end) break;
    learn(stop);
    stop = x + random(pace);
  }
  store<i32>(pace, stop - end, WAIT);
  held = acc;
  heldBits = free;
  out = to;
}
