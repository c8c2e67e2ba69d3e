/**
 * Encoder of QUIC images. The format leaves no choice: the same pixels always become the same bytes, and they are the
 * bytes that libspice-server writes. It mirrors `quic.ts` step by step.
 */
import { kernel } from './kernel.ts';
import { writeQuic } from './kernel-encode.ts';
import { checkSource, type EncodeOptions, type PixelSource, sourceWords } from './pixels.ts';
import { Model, Pace, QUIC_MAGIC, QuicType, quicParams, RUN_BITS } from './quic-model.ts';

/** Longer rows, which nobody has, are left to the plain loops. */
const KERNEL_MAX_WIDTH = 1 << 16;

/**
 * Encodes a picture, the top row first, as one of `QuicType`. RGB16 keeps the upper five bits of each colour, GRAY the
 * blue channel. Throws `ImageError` "input".
 */
export function encodeQuic(source: PixelSource, type: QuicType, { lend }: EncodeOptions = {}): Uint8Array {
  const { width, height } = source;
  const { channels, family } = quicParams(type);
  const fast = channels === 3 && width <= KERNEL_MAX_WIDTH ? kernel() : undefined;
  if (fast !== undefined) {
    checkSource(source);
    const header = new Uint8Array(Uint32Array.of(QUIC_MAGIC, 0, type, width, height).buffer);
    const made = writeQuic(fast, source, type, header);
    return lend === true ? made : made.slice();
  }
  const words = sourceWords(source);
  const out = new BitWriter(words.length);
  for (const word of [QUIC_MAGIC, 0, type, width, height]) out.putWord(word);
  const rgb =
    channels >= 3 ? new RgbRows(out, [new Model(family), new Model(family), new Model(family)], width) : undefined;
  const plane = channels !== 3 ? new PlaneRows(out, new Model(family), width) : undefined;
  // Signed words: the engine keeps them in integer registers, which it does not for unsigned ones that are compared.
  const colors = new Int32Array(words.length);
  if (type === QuicType.RGB16) for (let i = 0; i < words.length; i++) colors[i] = (words[i]! >>> 3) & 0x1f1f1f;
  else for (let i = 0; i < words.length; i++) colors[i] = words[i]! & 0xffffff;
  const shift = type === QuicType.RGBA ? 24 : 0;
  for (let y = 0, at = 0; y < height; y++, at += width) {
    out.reserve(width * channels);
    rgb?.row(colors, at, y);
    plane?.row(words, at, y, shift);
  }
  return out.finish();
}

/** Writes bits to little-endian 32-bit words, the highest bit first. */
class BitWriter {
  words: Int32Array;
  at = 0;
  word = 0;
  /** Bits that are still free in `word`. */
  free = 32;

  constructor(pixels: number) {
    this.words = new Int32Array((pixels >> 1) + 64);
  }

  /** Makes room for so many symbols, none of which takes more than 32 bits, and as many run lengths. */
  reserve(symbols: number): void {
    const needed = this.at + symbols * 2 + 16;
    if (needed <= this.words.length) return;
    const grown = new Int32Array(Math.max(needed, this.words.length * 2));
    grown.set(this.words.subarray(0, this.at));
    this.words = grown;
  }

  /** Writes the lower `count` bits of `bits`, 1 to 31; the others must be 0. */
  put(bits: number, count: number): void {
    if (this.free >= count) {
      this.free -= count;
      this.word |= bits << this.free;
      return;
    }
    const over = count - this.free;
    this.words[this.at++] = this.word | (bits >>> over);
    this.free = 32 - over;
    this.word = bits << this.free;
  }

  putWord(word: number): void {
    this.put(word >>> 16, 16);
    this.put(word & 0xffff, 16);
  }

  /** Writes the length of a run of equal pixels. */
  run(pace: Pace, length: number): void {
    let left = length;
    let order = 1 << RUN_BITS[pace.run]!;
    for (; left >= order; order = 1 << RUN_BITS[pace.run]!) {
      left -= order;
      this.put(1, 1);
      if (pace.run < RUN_BITS.length - 1) pace.run++;
    }
    this.put(left, RUN_BITS[pace.run]! + 1);
    if (pace.run > 0) pace.run--;
  }

  /** Fills up the last word and adds the one that the decoder looks ahead to. */
  finish(): Uint8Array {
    this.reserve(4);
    this.words[this.at++] = this.word;
    this.words[this.at++] = 0;
    return new Uint8Array(this.words.buffer).slice(0, this.at * 4);
  }
}

class RgbRows {
  readonly #out: BitWriter;
  readonly #models: readonly [Model, Model, Model];
  readonly #width: number;
  readonly #pace = new Pace();
  /** By column + 1: the symbols last written there, red in the highest byte. */
  readonly #symbols: Int32Array;
  readonly #max: number;

  constructor(out: BitWriter, models: readonly [Model, Model, Model], width: number) {
    this.#out = out;
    this.#models = models;
    this.#width = width;
    this.#symbols = new Int32Array(width + 1);
    this.#max = (1 << models[0].family.bits) - 1;
  }

  row(pixels: Int32Array, at: number, y: number): void {
    const width = this.#width;
    const pace = this.#pace;
    this.#symbols[0] = y === 0 ? 0 : this.#symbols[1]!;
    for (let x = 0; x < width; ) {
      const end = x + pace.stretch(width - x);
      let begin = x;
      if (x === 0) {
        this.#pixel(0, pixels[at]!, y === 0 ? 0 : pixels[at - width]!);
        if (pace.wait > 0) pace.wait--;
        else {
          pace.wait = pace.random();
          this.#learn(0);
        }
        begin = 1;
      }
      if (y === 0) this.#topRow(pixels, at, begin, end);
      else this.#stretch(pixels, at, begin, end);
      pace.pass(end - x);
      x = end;
    }
  }

  #topRow(pixels: Int32Array, at: number, begin: number, end: number): void {
    const pace = this.#pace;
    let stop = begin + pace.wait;
    let x = begin;
    for (; stop < end; stop = x + pace.random()) {
      for (; x <= stop; x++) this.#pixel(x, pixels[at + x]!, pixels[at + x - 1]!);
      this.#learn(stop);
    }
    for (; x < end; x++) this.#pixel(x, pixels[at + x]!, pixels[at + x - 1]!);
    pace.wait = stop - end;
  }

  /** The pixels [begin, end) of a row that has one above; `begin` is at least 1. */
  #stretch(pixels: Int32Array, at: number, begin: number, end: number): void {
    const width = this.#width;
    const pace = this.#pace;
    const out = this.#out;
    let x = begin;
    let stop = x + pace.wait;
    let runAt = 0;
    pauses: for (;;) {
      for (const pause = Math.min(stop + 1, end); x < pause; x++) {
        const here = at + x;
        const left = pixels[here - 1]!;
        const above = pixels[here - width]!;
        if (above === pixels[here - width - 1] && x > 2 && left === pixels[here - 2] && x !== runAt) {
          const wait = stop - x;
          runAt = x;
          while (x < end && pixels[at + x] === left) x++;
          out.run(pace, x - runAt);
          if (x === end) {
            pace.wait = wait;
            return;
          }
          stop = x + wait;
          continue pauses;
        }
        this.#pixel(x, pixels[here]!, (left & above) + (((left ^ above) >>> 1) & 0x7f7f7f));
      }
      if (stop >= end) break;
      this.#learn(stop);
      stop = x + pace.random();
    }
    pace.wait = stop - end;
  }

  #pixel(x: number, pixel: number, predicted: number): void {
    const before = this.#symbols[x]!;
    const max = this.#max;
    const [red, green, blue] = this.#models;
    const { words, lengths } = red.family;
    // The difference from the prediction, small ones of either sign first: 0, -1, 1, -2, 2, …
    let r = ((pixel >>> 16) - (predicted >>> 16)) & max;
    let g = ((pixel >>> 8) - (predicted >>> 8)) & max;
    let b = (pixel - predicted) & max;
    r = r <= max >> 1 ? r << 1 : ((max - r) << 1) + 1;
    g = g <= max >> 1 ? g << 1 : ((max - g) << 1) + 1;
    b = b <= max >> 1 ? b << 1 : ((max - b) << 1) + 1;
    this.#symbols[x + 1] = (r << 16) | (g << 8) | b;
    const redAt = r * 8 + red.codes[before >>> 16]!;
    const greenAt = g * 8 + green.codes[(before >> 8) & 255]!;
    const blueAt = b * 8 + blue.codes[before & 255]!;
    const greenBits = lengths[greenAt]!;
    const blueBits = lengths[blueAt]!;
    const tail = greenBits + blueBits;
    const all = lengths[redAt]! + tail;
    if (all < 32) this.#out.put((words[redAt]! << tail) | (words[greenAt]! << blueBits) | words[blueAt]!, all);
    else {
      this.#out.put(words[redAt]!, lengths[redAt]!);
      this.#out.put(words[greenAt]!, greenBits);
      this.#out.put(words[blueAt]!, blueBits);
    }
  }

  #learn(x: number): void {
    const before = this.#symbols[x]!;
    const now = this.#symbols[x + 1]!;
    const { trigger } = this.#pace;
    this.#models[0].update(before >>> 16, now >>> 16, trigger);
    this.#models[1].update((before >> 8) & 255, (now >> 8) & 255, trigger);
    this.#models[2].update(before & 255, now & 255, trigger);
  }
}

/** One channel by itself: gray, or the alpha that follows each row's colours in RGBA. */
class PlaneRows {
  readonly #out: BitWriter;
  readonly #model: Model;
  readonly #pace = new Pace();
  readonly #symbols: Uint8Array;
  #current: Uint8Array;
  #previous: Uint8Array;

  constructor(out: BitWriter, model: Model, width: number) {
    this.#out = out;
    this.#model = model;
    this.#symbols = new Uint8Array(width + 1);
    this.#current = new Uint8Array(width);
    this.#previous = new Uint8Array(width);
  }

  row(words: Int32Array, at: number, y: number, shift: number): void {
    const above = this.#current;
    const row = this.#previous;
    this.#current = row;
    this.#previous = above;
    const width = row.length;
    for (let x = 0; x < width; x++) row[x] = words[at + x]! >>> shift;
    const pace = this.#pace;
    const symbols = this.#symbols;
    symbols[0] = y === 0 ? 0 : symbols[1]!;
    for (let x = 0; x < width; ) {
      const end = x + pace.stretch(width - x);
      let begin = x;
      if (x === 0) {
        this.#pixel(0, row[0]!, y === 0 ? 0 : above[0]!);
        if (pace.wait > 0) pace.wait--;
        else {
          pace.wait = pace.random();
          this.#model.update(symbols[0]!, symbols[1]!, pace.trigger);
        }
        begin = 1;
      }
      this.#stretch(row, y === 0 ? undefined : above, begin, end);
      pace.pass(end - x);
      x = end;
    }
  }

  #stretch(row: Uint8Array, above: Uint8Array | undefined, begin: number, end: number): void {
    const pace = this.#pace;
    const symbols = this.#symbols;
    let x = begin;
    let stop = x + pace.wait;
    let runAt = 0;
    pauses: for (;;) {
      for (const pause = Math.min(stop + 1, end); x < pause; x++) {
        const left = row[x - 1]!;
        let predicted = left;
        if (above !== undefined) {
          if (above[x] === above[x - 1] && x > 2 && left === row[x - 2] && x !== runAt) {
            const wait = stop - x;
            runAt = x;
            while (x < end && row[x] === left) x++;
            this.#out.run(pace, x - runAt);
            if (x === end) {
              pace.wait = wait;
              return;
            }
            stop = x + wait;
            continue pauses;
          }
          predicted = (left + above[x]!) >> 1;
        }
        this.#pixel(x, row[x]!, predicted);
      }
      if (stop >= end) break;
      this.#model.update(symbols[stop]!, symbols[stop + 1]!, pace.trigger);
      stop = x + pace.random();
    }
    pace.wait = stop - end;
  }

  #pixel(x: number, value: number, predicted: number): void {
    const difference = (value - predicted) & 255;
    const symbol = difference <= 127 ? difference << 1 : ((255 - difference) << 1) + 1;
    const { words, lengths } = this.#model.family;
    const at = symbol * 8 + this.#model.codes[this.#symbols[x]!]!;
    this.#symbols[x + 1] = symbol;
    this.#out.put(words[at]!, lengths[at]!);
  }
}
