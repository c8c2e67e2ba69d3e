/**
 * Reads a test card's tick count and last key off any picture of it, wherever in the picture it is and whoever took it, as
 * long as no colour was changed and no pixel scaled. Pure; runs anywhere.
 */

import { strip } from './test-card-layers.ts';

export interface TestCardReading {
  /** Modulo 2^32. */
  readonly ticks: number;
  /** 0 when none was pressed yet. */
  readonly key: number;
  /** Where the card's upper left corner is in the picture. */
  readonly left: number;
  readonly top: number;
}

/** `colorAt` returns 0xRRGGBB for a pixel within the picture. Undefined when there is no test card to be seen. */
export function readTestCard(
  width: number,
  height: number,
  colorAt: (x: number, y: number) => number,
): TestCardReading | undefined {
  const { square, flag } = strip;
  const squares = flag.length + strip.tickBits + strip.keyBits;
  const middle = square / 2;
  for (let top = 0; top + square <= height; top++) {
    for (let left = 0; left + squares * square <= width; left++) {
      // The first pixel of the flag, then the middle of each of its squares.
      if (colorAt(left, top) !== flag[0] || (left > 0 && colorAt(left - 1, top) === flag[0])) continue;
      const at = (i: number) => colorAt(left + i * square + middle, top + middle);
      if (!flag.every((color, i) => at(i) === color)) continue;
      const read = (from: number, count: number): number | undefined => {
        let value = 0;
        for (let i = from; i < from + count; i++) {
          const color = at(i);
          if (color !== 0xffffff && color !== 0) return undefined;
          value = value * 2 + (color === 0 ? 0 : 1);
        }
        return value;
      };
      const ticks = read(flag.length, strip.tickBits);
      const key = read(flag.length + strip.tickBits, strip.keyBits);
      if (ticks === undefined || key === undefined) continue;
      return { ticks, key, left: left - strip.left, top: top - strip.top };
    }
  }
  return undefined;
}
