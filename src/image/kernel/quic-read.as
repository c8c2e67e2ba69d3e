// The rows of QUIC images as they are read; quic-rows.ts and quic-plane.ts do the same in JavaScript and explain it. The input is
// turned round word by word, so that the 64 bits below a place show the stream from its highest bit on. The host leaves 32 bytes
// of room before it.
import {
  bits,
  colorPace,
  colors,
  colorsAbove,
  ESCAPE_BASE,
  ESCAPE_LENGTH,
  ESCAPE_MASK,
  family,
  learn,
  mask,
  max,
  MODEL,
  models,
  pass,
  plane,
  planeAbove,
  planePace,
  planeSymbols,
  quicBegin,
  random,
  RUN,
  RUN_BITS,
  stretch,
  symbols,
  tables,
  TRIGGER,
  type,
  update,
  WAIT,
  width,
} from './quic';

const DONE = 0;
const TRUNCATED = 1;
const OVERRUN = 2;

let inputTop: usize = 0;
/** The bit to read next, and the last place where the look-ahead still lies inside the input. */
let bit: u32 = 0;
let bitLimit: u32 = 0;

let rowsDone: i32 = 0;
/** The colours of the row at hand and of the one above it, and the same for alpha or gray. */
let rowHere: usize = 0;
let rowAbove: usize = 0;
let alphaHere: usize = 0;
let alphaAbove: usize = 0;

/**
 * Begins a picture of QUIC type `imageType` (1 gray, 2 RGB16, 3 RGB24, 4 RGB32, 5 RGBA) whose data is `words` words at
 * `input`, two or more.
 */
export function quicStart(
  familyAt: usize,
  tablesAt: usize,
  state: usize,
  scratch: usize,
  input: usize,
  words: u32,
  imageType: i32,
  pixels: i32,
): void {
  quicBegin(familyAt, tablesAt, state, scratch, imageType, pixels);
  rowHere = colors;
  rowAbove = colorsAbove;
  alphaHere = plane;
  alphaAbove = planeAbove;
  rowsDone = 0;
  let low = input;
  let high = input + ((words - 1) << 2);
  inputTop = high - 4;
  while (low < high) {
    const word = load<u32>(low);
    store<u32>(low, load<u32>(high));
    store<u32>(high, word);
    low += 4;
    high -= 4;
  }
  bit = 0;
  bitLimit = (words - 1) << 5;
}

/** Decodes the next `count` rows to `out`. Gives DONE, TRUNCATED or OVERRUN. */
export function quicRows(out: usize, count: i32): i32 {
  for (let i = 0; i < count; i++) {
    const top = rowsDone == 0;
    if (type != 1) {
      const row = rowAbove;
      rowAbove = rowHere;
      rowHere = row;
      const fault = colorRow(top);
      if (fault != DONE) return fault;
    }
    if (type == 1 || type == 5) {
      const row = alphaAbove;
      alphaAbove = alphaHere;
      alphaHere = row;
      const fault = planeRow(top, type == 1 ? models : models + 3 * MODEL);
      if (fault != DONE) return fault;
    }
    if (type == 1) {
      for (let x = 0; x < width; x++) store<u32>(out + (x << 2), <u32>load<u8>(alphaHere + x) * 0x010101);
    } else if (type == 2) {
      for (let x = 0; x < width; x++) {
        const word = load<u32>(rowHere + (x << 2));
        store<u32>(out + (x << 2), (word << 3) | ((word >> 2) & 0x070707));
      }
    } else if (type == 5) {
      for (let x = 0; x < width; x++) {
        store<u32>(out + (x << 2), load<u32>(rowHere + (x << 2)) | ((<u32>load<u8>(alphaHere + x)) << 24));
      }
    } else memory.copy(out, rowHere, width << 2);
    out += width << 2;
    rowsDone++;
  }
  return DONE;
}

/** The next 57 bits or more, at the top of the word. */
@inline
function lookAhead(at: u32): u64 {
  return load<u64>(inputTop - (at >> 3)) << (at & 7);
}

function symbol(model: usize, previous: u32): u32 {
  const entry = <u32>load<u16>(model + (previous << 1));
  const code = entry & 255;
  const ahead = lookAhead(bit);
  const zeros = <u32>clz(ahead);
  if (zeros < entry >> 8) {
    bit += zeros + code + 1;
    return (<u32>(ahead >> (63 - zeros - code)) + ((zeros - 1) << code)) & max;
  }
  const length = <u32>load<u8>(family + code, ESCAPE_LENGTH);
  bit += length;
  return escaped(ahead, code, length);
}

@inline
function escaped(ahead: u64, code: u32, length: u32): u32 {
  const suffix = <u32>(ahead >> (64 - length)) & <u32>load<u8>(family + code, ESCAPE_MASK);
  return (<u32>load<u8>(family + code, ESCAPE_BASE) + suffix) & max;
}

/** The length of a run; negative, and a fault, if it is longer than `most` or the input ends. */
function run(pace: usize, most: i32): i32 {
  let state: usize = load<i32>(pace, RUN);
  let length: i32 = 0;
  for (;;) {
    const ones = min(<u32>clz(~lookAhead(bit)), 32);
    for (let i: u32 = 0; i < ones; i++) {
      length += 1 << load<u8>(tables + state, RUN_BITS);
      if (state < 31) state++;
      if (length > most) return -OVERRUN;
    }
    bit += ones;
    if (bit > bitLimit) return -TRUNCATED;
    if (ones < 32) break;
  }
  bit++;
  const count = <u32>load<u8>(tables + state, RUN_BITS);
  if (count > 0) {
    length += <u32>(lookAhead(bit) >> (64 - count));
    bit += count;
  }
  if (bit > bitLimit) return -TRUNCATED;
  store<i32>(pace, state > 0 ? state - 1 : 0, RUN);
  return length > most ? -OVERRUN : length;
}

@inline
function undo(difference: i32, predicted: i32, max: i32, mask: i32): i32 {
  const moved = ((difference >>> 1) & 0x7f7f7f) ^ ((difference & 0x010101) * max);
  return (((moved & 0x7f7f7f) + (predicted & 0x7f7f7f)) ^ ((moved ^ predicted) & 0x808080)) & mask;
}

function pixel(x: i32, predicted: i32): void {
  const before = load<u32>(symbols + (x << 2));
  const r = symbol(models, before >> 16);
  const g = symbol(models + MODEL, (before >> 8) & 255);
  const b = symbol(models + 2 * MODEL, before & 255);
  const now = (r << 16) | (g << 8) | b;
  store<u32>(symbols + (x << 2), now, 4);
  store<u32>(rowHere + (x << 2), undo(now, predicted, max, mask));
}

function colorRow(top: bool): i32 {
  const pace = colorPace;
  store<u32>(symbols, top ? 0 : load<u32>(symbols, 4));
  for (let x = 0; x < width; ) {
    const end = x + stretch(pace, width - x);
    let begin = x;
    if (x == 0) {
      pixel(0, top ? 0 : load<i32>(rowAbove));
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
        pixel(i, load<i32>(rowHere + ((i - 1) << 2)));
        if (bit > bitLimit) return TRUNCATED;
        if (i < stop) continue;
        learn(i);
        stop = i + 1 + random(pace);
      }
      store<i32>(pace, stop - end, WAIT);
    } else {
      const fault = colorStretch(begin, end);
      if (fault != DONE) return fault;
    }
    if (bit > bitLimit) return TRUNCATED;
    pass(pace, end - x);
    x = end;
  }
  return DONE;
}

function colorStretch(begin: i32, end: i32): i32 {
  const pace = colorPace;
  const row = rowHere;
  const above = rowAbove;
  const written = symbols;
  const red = models;
  const green = models + MODEL;
  const blue = models + 2 * MODEL;
  const top = inputTop;
  const limit = bitLimit;
  const most = max;
  const inside = mask;
  let at = bit;
  let x = begin;
  let stop = x + load<i32>(pace, WAIT);
  let runAt = 0;
  let left = load<i32>(row + ((x - 1) << 2));
  let left2 = x > 1 ? load<i32>(row + ((x - 2) << 2)) : 0;
  let up2 = load<i32>(above + ((x - 1) << 2));
  let before = load<u32>(written + (x << 2));
  for (;;) {
    const pause = stop < end ? stop + 1 : end;
    let ran = false;
    while (x < pause) {
      const up = load<i32>(above + (x << 2));
      if (up == up2 && left == left2 && x > 2 && x != runAt) {
        const wait = stop - x;
        runAt = x;
        bit = at;
        const length = run(pace, end - x);
        if (length < 0) return -length;
        at = bit;
        for (const runEnd = x + length; x < runEnd; x++) store<i32>(row + (x << 2), left);
        if (x == end) {
          store<i32>(pace, wait, WAIT);
          return DONE;
        }
        up2 = load<i32>(above + ((x - 1) << 2));
        before = load<u32>(written + (x << 2));
        stop = x + wait;
        ran = true;
        break;
      }

      let ahead = load<u64>(top - (at >> 3)) << (at & 7);
      let entry = <u32>load<u16>(red + ((before >> 16) << 1));
      let code = entry & 255;
      let zeros = <u32>clz(ahead);
      let length: u32;
      let r: u32;
      if (zeros < entry >> 8) {
        length = zeros + code + 1;
        r = <u32>(ahead >> (64 - length)) + ((zeros - 1) << code);
      } else {
        length = load<u8>(family + code, ESCAPE_LENGTH);
        r = escaped(ahead, code, length);
      }
      ahead <<= length;
      let total = length;

      entry = load<u16>(green + (((before >> 8) & 255) << 1));
      code = entry & 255;
      zeros = <u32>clz(ahead);
      let g: u32;
      if (zeros < entry >> 8) {
        length = zeros + code + 1;
        g = <u32>(ahead >> (64 - length)) + ((zeros - 1) << code);
      } else {
        length = load<u8>(family + code, ESCAPE_LENGTH);
        g = escaped(ahead, code, length);
      }
      ahead <<= length;
      total += length;

      entry = load<u16>(blue + ((before & 255) << 1));
      code = entry & 255;
      zeros = <u32>clz(ahead);
      let b: u32;
      if (zeros < entry >> 8) {
        length = zeros + code + 1;
        b = <u32>(ahead >> (64 - length)) + ((zeros - 1) << code);
      } else {
        length = load<u8>(family + code, ESCAPE_LENGTH);
        b = escaped(ahead, code, length);
      }
      total += length;

      // 57 bits were there. Three longer words, which are rare, are read one by one.
      if (total > 57) {
        bit = at;
        r = symbol(red, before >> 16);
        g = symbol(green, (before >> 8) & 255);
        b = symbol(blue, before & 255);
        at = bit;
      } else at += total;
      if (at > limit) return TRUNCATED;

      before = (r << 16) | (g << 8) | b;
      const predicted = (left & up) + (((left ^ up) >>> 1) & 0x7f7f7f);
      left2 = left;
      left = undo(before, predicted, most, inside);
      store<i32>(row + (x << 2), left);
      x++;
      store<u32>(written + (x << 2), before);
      up2 = up;
    }
    if (ran) continue;
    if (stop >= end) break;
    learn(stop);
    stop = x + random(pace);
  }
  store<i32>(pace, stop - end, WAIT);
  bit = at;
  return DONE;
}

/** A row of one channel by itself: gray, or the alpha of RGBA. */
function planeRow(top: bool, model: usize): i32 {
  const pace = planePace;
  store<u8>(planeSymbols, top ? 0 : load<u8>(planeSymbols, 1));
  for (let x = 0; x < width; ) {
    const end = x + stretch(pace, width - x);
    let begin = x;
    if (x == 0) {
      const now = symbol(model, load<u8>(planeSymbols));
      store<u8>(planeSymbols, <u8>now, 1);
      store<u8>(alphaHere, <u8>(((now >> 1) ^ (0 - (now & 1))) + (top ? 0 : <u32>load<u8>(alphaAbove))));
      const wait = load<i32>(pace, WAIT);
      if (wait > 0) store<i32>(pace, wait - 1, WAIT);
      else {
        store<i32>(pace, random(pace), WAIT);
        update(model, load<u8>(planeSymbols), now, load<u32>(pace, TRIGGER));
      }
      begin = 1;
    }
    const fault = planeStretch(top, model, begin, end);
    if (fault != DONE) return fault;
    if (bit > bitLimit) return TRUNCATED;
    pass(pace, end - x);
    x = end;
  }
  return DONE;
}

function planeStretch(top: bool, model: usize, begin: i32, end: i32): i32 {
  const pace = planePace;
  const row = alphaHere;
  const above = alphaAbove;
  let x = begin;
  let stop = x + load<i32>(pace, WAIT);
  let runAt = 0;
  while (x < end) {
    const left = <u32>load<u8>(row + x - 1);
    let predicted = left;
    if (!top) {
      const up = <u32>load<u8>(above + x);
      if (up == <u32>load<u8>(above + x - 1) && x > 2 && left == <u32>load<u8>(row + x - 2) && x != runAt) {
        const wait = stop - x;
        runAt = x;
        const length = run(pace, end - x);
        if (length < 0) return -length;
        memory.fill(row + x, <u8>left, length);
        x += length;
        if (x == end) {
          store<i32>(pace, wait, WAIT);
          return DONE;
        }
        stop = x + wait;
        continue;
      }
      predicted = (left + up) >> 1;
    }
    const before = <u32>load<u8>(planeSymbols + x);
    const now = symbol(model, before);
    if (bit > bitLimit) return TRUNCATED;
    store<u8>(planeSymbols + x, <u8>now, 1);
    store<u8>(row + x, <u8>(((now >> 1) ^ (0 - (now & 1))) + predicted));
    if (x == stop) {
      update(model, before, now, load<u32>(pace, TRIGGER));
      stop = x + 1 + random(pace);
    }
    x++;
  }
  store<i32>(pace, stop - end, WAIT);
  return DONE;
}
