/**
 * Tells pictures that were taken from those that were drawn: what QUIC makes smaller from what LZ does. It looks at a part of
 * the pixels only and estimates, from how they differ from their neighbours, what each would cost.
 */

/** About so many pixels are looked at. */
const samples = 4_096;

/** Estimated bits a pixel. */
export interface Costs {
  readonly quic: number;
  readonly lz: number;
}

/** Bits of the Golomb code for a difference of so much, about. */
const codeBits = Uint8Array.from({ length: 256 }, (_, difference) =>
  difference === 0 ? 1 : Math.min(12, 2 + 2 * Math.floor(Math.log2(difference + 0.5)) - (difference > 8 ? 1 : 0)),
);

/** Of the pixels of an area that is at least 2 by 2. `words`, whose upper byte means nothing, has `stride` words from row to row, from `start` on. */
export function estimate(words: Uint32Array, start: number, stride: number, width: number, height: number): Costs {
  // Runs of neighbours, for the equality of one pixel with the next says little by itself.
  const run = Math.min(width - 1, 32);
  const runs = Math.max(1, Math.min((width * height) / 8, samples) / run);
  const step = Math.max(1, ((height - 1) * (width - 1)) / runs);
  let [quic, lz, count] = [0, 0, 0];
  for (let place = 0; place < (height - 1) * (width - 1); place += step) {
    const y = 1 + Math.floor(place / (width - 1));
    const x = Math.min(1 + Math.floor(place % (width - 1)), width - run);
    let i = start + y * stride + x;
    for (let end = i + run; i < end; i++) {
      const here = words[i]! & 0xffffff;
      const left = words[i - 1]! & 0xffffff;
      const above = words[i - stride]! & 0xffffff;
      const before = words[i - stride - 1]! & 0xffffff;
      count++;
      if (here === left && above === before) {
        quic += 0.2;
        lz += 0.3;
        continue;
      }
      // What equals a neighbour is likely to be part of a match.
      if (here === left || here === above || here === before || here === (words[i - stride + 1]! & 0xffffff)) lz += 3;
      else lz += 25;
      const guess = (left & above) + (((left ^ above) >>> 1) & 0x7f7f7f);
      quic +=
        codeBits[Math.abs(((here >> 16) & 255) - ((guess >> 16) & 255))]! +
        codeBits[Math.abs(((here >> 8) & 255) - ((guess >> 8) & 255))]! +
        codeBits[Math.abs((here & 255) - (guess & 255))]!;
    }
  }
  return { quic: quic / count, lz: lz / count };
}

/**
 * Whether QUIC is worth its time: it takes several times as long as LZ, both to encode and to decode. LZ finds more than
 * neighbours, so its estimate is on the high side.
 */
export const isNatural = ({ quic, lz }: Costs): boolean => lz > 8 && quic < lz * 0.8;
