/**
 * The rows of QUIC images that have one channel, decoded in plain JavaScript: what runs where WebAssembly is missing, and what the
 * kernel is compared with. INVARIANT: nothing outside the row is touched.
 */
import type { BitReader } from './quic-bits.ts';
import { type Model, Pace } from './quic-model.ts';

/** One channel by itself: gray, or the alpha that follows each row's colours in RGBA. */
export class PlaneRows {
  /** The row decoded last, and the one above it. */
  current: Uint8Array;
  previous: Uint8Array;
  readonly #input: BitReader;
  readonly #model: Model;
  readonly #pace = new Pace();
  /** By column + 1, as in `RgbRows`. */
  readonly #symbols: Uint8Array;

  constructor(input: BitReader, model: Model, width: number) {
    this.#input = input;
    this.#model = model;
    this.#symbols = new Uint8Array(width + 1);
    this.current = new Uint8Array(width);
    this.previous = new Uint8Array(width);
  }

  /** Decodes row `y` to `current`. */
  row(y: number): void {
    const above = this.current;
    const row = this.previous;
    this.current = row;
    this.previous = above;
    const width = row.length;
    const pace = this.#pace;
    const symbols = this.#symbols;
    symbols[0] = y === 0 ? 0 : symbols[1]!;
    for (let x = 0; x < width; ) {
      const end = x + pace.stretch(width - x);
      let begin = x;
      if (x === 0) {
        row[0] = undo((symbols[1] = this.#input.symbol(this.#model, symbols[0]!))) + (y === 0 ? 0 : above[0]!);
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

  /** The pixels [begin, end); without a row above there are no runs and the prediction is the pixel on the left. */
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
            const length = this.#input.run(pace, end - x);
            row.fill(left, x, x + length);
            x += length;
            if (x === end) {
              pace.wait = wait;
              return;
            }
            stop = x + wait;
            continue pauses;
          }
          predicted = (left + above[x]!) >> 1;
        }
        const symbol = this.#input.symbol(this.#model, symbols[x]!);
        symbols[x + 1] = symbol;
        row[x] = undo(symbol) + predicted;
      }
      if (stop >= end) break;
      this.#model.update(symbols[stop]!, symbols[stop + 1]!, pace.trigger);
      stop = x + pace.random();
    }
    pace.wait = stop - end;
  }
}

/** The difference that an 8-bit symbol stands for, modulo 256: 0, -1, 1, -2, 2, … */
function undo(symbol: number): number {
  return (symbol >> 1) ^ -(symbol & 1);
}
