/**
 * Reads what QUIC images are made of, in plain JavaScript: symbols in the code that a model has for them, and the lengths of runs.
 * INVARIANT: nothing is read from behind the input.
 */
import { ImageError } from './error.ts';
import { type Model, type Pace, QUIC_HEADER_BYTES, RUN_BITS } from './quic-model.ts';

export function truncated(at: number): never {
  throw new ImageError('truncated', 'the data ends within the picture', at * 4);
}

/** Reads bits from little-endian 32-bit words, the highest bit first. `word` always shows the next 32 bits. */
export class BitReader {
  readonly words: Int32Array;
  /** The next word to fetch. */
  at: number;
  word: number;
  /** The word after `word`, of which `left` bits are not in `word` yet. */
  next: number;
  left = 0;

  constructor(bytes: Uint8Array) {
    const count = bytes.length >> 2;
    this.words = new Int32Array(count);
    new Uint8Array(this.words.buffer).set(bytes.subarray(0, count * 4));
    const first = QUIC_HEADER_BYTES / 4;
    if (count < first + 2) truncated(count);
    this.word = this.words[first]!;
    this.next = this.words[first + 1]!;
    this.left = 32;
    this.at = first + 2;
  }

  /** Drops `count` bits, 1 to 31. */
  eat(count: number): void {
    this.word <<= count;
    if (this.left >= count) {
      this.left -= count;
      this.word |= this.next >>> this.left;
      return;
    }
    const over = count - this.left;
    if (this.at >= this.words.length) truncated(this.at);
    this.word |= this.next << over;
    this.next = this.words[this.at++]!;
    this.left = 32 - over;
    this.word |= this.next >>> this.left;
  }

  symbol(model: Model, previous: number): number {
    const { family } = model;
    const code = model.codes[previous]!;
    const zeros = Math.clz32(this.word);
    let symbol: number;
    if (zeros < family.escapeAfter[code]!) {
      symbol = (this.word >>> (31 - zeros - code)) + ((zeros - 1) << code);
      this.eat(zeros + code + 1);
    } else {
      const length = family.escapeLength[code]!;
      symbol = family.escapeBase[code]! + ((this.word >>> (32 - length)) & family.escapeMask[code]!);
      this.eat(length);
    }
    return symbol & ((1 << family.bits) - 1);
  }

  /** The length of a run of equal pixels, at most `limit`. */
  run(pace: Pace, limit: number): number {
    let length = 0;
    for (;;) {
      const ones = Math.min(Math.clz32(~this.word), 8);
      for (let i = 0; i < ones; i++) {
        length += 1 << RUN_BITS[pace.run]!;
        if (pace.run < RUN_BITS.length - 1) pace.run++;
      }
      if (length > limit) break;
      if (ones < 8) {
        this.eat(ones + 1);
        break;
      }
      this.eat(8);
    }
    const bits = RUN_BITS[pace.run]!;
    if (bits > 0 && length <= limit) {
      length += this.word >>> (32 - bits);
      this.eat(bits);
    }
    if (pace.run > 0) pace.run--;
    if (length > limit) throw new ImageError('overrun', 'a run beyond the end of its row', this.at * 4);
    return length;
  }
}
