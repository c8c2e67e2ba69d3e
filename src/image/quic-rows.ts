/**
 * The colours of the rows of QUIC images, decoded in plain JavaScript: what runs where WebAssembly is missing, and what the kernel is
 * compared with. The loops keep the bit reader's state in local variables, because this is where the time goes.
 * INVARIANT: no pixel outside the row is touched.
 */
import { type BitReader, truncated } from './quic-bits.ts';
import { type Model, Pace } from './quic-model.ts';

export class RgbRows {
  readonly #input: BitReader;
  readonly #models: readonly [Model, Model, Model];
  readonly #width: number;
  readonly #pace = new Pace();
  /** By column + 1: the symbols last decoded there, red in the highest byte. Columns inside runs keep older ones. */
  readonly #symbols: Int32Array;
  /** The largest value of a colour, and the same in each of the three bytes. */
  readonly #max: number;
  readonly #mask: number;

  constructor(input: BitReader, models: readonly [Model, Model, Model], width: number) {
    this.#input = input;
    this.#models = models;
    this.#width = width;
    this.#symbols = new Int32Array(width + 1);
    this.#max = (1 << models[0].family.bits) - 1;
    this.#mask = this.#max * 0x010101;
  }

  /** Decodes row `y` to `out` from `at` on; the row above lies right before it. */
  row(out: Int32Array, at: number, y: number): void {
    const width = this.#width;
    const pace = this.#pace;
    this.#symbols[0] = y === 0 ? 0 : this.#symbols[1]!;
    for (let x = 0; x < width; ) {
      const end = x + pace.stretch(width - x);
      const begin = x === 0 ? this.#first(out, at, y) : x;
      if (y === 0) this.#topRow(out, at, begin, end);
      else this.#stretch(out, at, begin, end);
      pace.pass(end - x);
      x = end;
    }
  }

  /** The first pixel of a row, which has nothing to its left. */
  #first(out: Int32Array, at: number, y: number): number {
    const pace = this.#pace;
    this.#pixel(out, at, 0, y === 0 ? 0 : out[at - this.#width]!);
    if (pace.wait > 0) pace.wait--;
    else {
      pace.wait = pace.random();
      this.#learn(0);
    }
    return 1;
  }

  /** The top row has nothing above: it is predicted from the left alone and has no runs. */
  #topRow(out: Int32Array, at: number, begin: number, end: number): void {
    const pace = this.#pace;
    let stop = begin + pace.wait;
    let x = begin;
    for (; stop < end; stop = x + pace.random()) {
      for (; x <= stop; x++) this.#pixel(out, at, x, out[at + x - 1]!);
      this.#learn(stop);
    }
    for (; x < end; x++) this.#pixel(out, at, x, out[at + x - 1]!);
    pace.wait = stop - end;
  }

  #pixel(out: Int32Array, at: number, x: number, predicted: number): void {
    const before = this.#symbols[x]!;
    const [red, green, blue] = this.#models;
    const r = this.#input.symbol(red, before >>> 16);
    const g = this.#input.symbol(green, (before >> 8) & 255);
    const b = this.#input.symbol(blue, before & 255);
    this.#symbols[x + 1] = (r << 16) | (g << 8) | b;
    out[at + x] = this.#undo((r << 16) | (g << 8) | b, predicted);
  }

  /** The colours that differ from those predicted by what the symbols say; all three bytes at once. */
  #undo(symbols: number, predicted: number): number {
    const difference = ((symbols >>> 1) & 0x7f7f7f) ^ ((symbols & 0x010101) * this.#max);
    return (((difference & 0x7f7f7f) + (predicted & 0x7f7f7f)) ^ ((difference ^ predicted) & 0x808080)) & this.#mask;
  }

  #learn(x: number): void {
    const before = this.#symbols[x]!;
    const now = this.#symbols[x + 1]!;
    const { trigger } = this.#pace;
    this.#models[0].update(before >>> 16, now >>> 16, trigger);
    this.#models[1].update((before >> 8) & 255, (now >> 8) & 255, trigger);
    this.#models[2].update(before & 255, now & 255, trigger);
  }

  /** The pixels [begin, end) of a row that has one above; `begin` is at least 1. */
  #stretch(out: Int32Array, at: number, begin: number, end: number): void {
    const input = this.#input;
    const pace = this.#pace;
    const symbols = this.#symbols;
    const max = this.#max;
    const mask = this.#mask;
    const [redModel, greenModel, blueModel] = this.#models;
    const redCodes = redModel.codes;
    const greenCodes = greenModel.codes;
    const blueCodes = blueModel.codes;
    const { escapeAfter, escapeLength, escapeBase, escapeMask } = redModel.family;
    const words = input.words;
    const wordEnd = words.length;
    let { word, next, left, at: wordAt } = input;

    let x = begin;
    let stop = x + pace.wait;
    let runAt = 0;
    let here = at + x;
    let above = here - this.#width;
    let pixelLeft = out[here - 1]!;
    let pixelLeft2 = x > 1 ? out[here - 2]! : 0;
    let pixelAbove2 = out[above - 1]!;
    let before = symbols[x]!;
    pauses: for (;;) {
      const pause = stop < end ? stop + 1 : end;
      while (x < pause) {
        const pixelAbove = out[above]!;
        if (pixelAbove === pixelAbove2 && pixelLeft === pixelLeft2 && x > 2 && x !== runAt) {
          // A run: pixels equal to the one on the left.
          const wait = stop - x;
          runAt = x;
          input.word = word;
          input.next = next;
          input.left = left;
          input.at = wordAt;
          const length = input.run(pace, end - x);
          ({ word, next, left, at: wordAt } = input);
          if (length > 0) {
            const runEnd = here + length;
            if (length > 32) {
              out.fill(pixelLeft, here, runEnd);
              here = runEnd;
            } else while (here < runEnd) out[here++] = pixelLeft;
            above += length;
            x += length;
            pixelAbove2 = out[above - 1]!;
            before = symbols[x]!;
          }
          if (x === end) {
            pace.wait = wait;
            return;
          }
          stop = x + wait;
          continue pauses;
        }

        // The three code words are read from one window of 32 bits; what is shifted in below are zeros, so a word that
        // does not fit makes the sum too large. Then, which is rare, they are read one by one.
        const redCode = redCodes[before >>> 16]!;
        const greenCode = greenCodes[(before >> 8) & 255]!;
        const blueCode = blueCodes[before & 255]!;
        let bits = word;
        let zeros = Math.clz32(bits);
        let length: number;
        let r: number;
        if (zeros < escapeAfter[redCode]!) {
          r = (bits >>> (31 - zeros - redCode)) + ((zeros - 1) << redCode);
          length = zeros + redCode + 1;
        } else {
          length = escapeLength[redCode]!;
          r = (escapeBase[redCode]! + ((bits >>> (32 - length)) & escapeMask[redCode]!)) & max;
        }
        bits <<= length;
        let total = length;
        zeros = Math.clz32(bits);
        let g: number;
        if (zeros < escapeAfter[greenCode]!) {
          g = (bits >>> (31 - zeros - greenCode)) + ((zeros - 1) << greenCode);
          length = zeros + greenCode + 1;
        } else {
          length = escapeLength[greenCode]!;
          g = (escapeBase[greenCode]! + ((bits >>> (32 - length)) & escapeMask[greenCode]!)) & max;
        }
        bits <<= length;
        total += length;
        zeros = Math.clz32(bits);
        let b: number;
        if (zeros < escapeAfter[blueCode]!) {
          b = (bits >>> (31 - zeros - blueCode)) + ((zeros - 1) << blueCode);
          length = zeros + blueCode + 1;
        } else {
          length = escapeLength[blueCode]!;
          b = (escapeBase[blueCode]! + ((bits >>> (32 - length)) & escapeMask[blueCode]!)) & max;
        }
        total += length;
        if (total < 32) {
          word <<= total;
          if (left >= total) {
            left -= total;
            word |= next >>> left;
          } else {
            total -= left;
            if (wordAt >= wordEnd) truncated(wordAt);
            word |= next << total;
            next = words[wordAt++]!;
            left = 32 - total;
            word |= next >>> left;
          }
        } else {
          input.word = word;
          input.next = next;
          input.left = left;
          input.at = wordAt;
          r = input.symbol(redModel, before >>> 16);
          g = input.symbol(greenModel, (before >> 8) & 255);
          b = input.symbol(blueModel, before & 255);
          ({ word, next, left, at: wordAt } = input);
        }

        before = (r << 16) | (g << 8) | b;
        x++;
        symbols[x] = before;
        const predicted = (pixelLeft & pixelAbove) + (((pixelLeft ^ pixelAbove) >>> 1) & 0x7f7f7f);
        const difference = ((before >>> 1) & 0x7f7f7f) ^ Math.imul(before & 0x010101, max);
        pixelLeft2 = pixelLeft;
        pixelLeft = (((difference & 0x7f7f7f) + (predicted & 0x7f7f7f)) ^ ((difference ^ predicted) & 0x808080)) & mask;
        out[here++] = pixelLeft;
        pixelAbove2 = pixelAbove;
        above++;
      }
      if (stop >= end) break;
      this.#learn(stop);
      stop = x + pace.random();
    }
    pace.wait = stop - end;
    input.word = word;
    input.next = next;
    input.left = left;
    input.at = wordAt;
  }
}
