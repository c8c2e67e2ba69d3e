/**
 * What QUIC's decoder and encoder share: the Golomb-Rice code families, the adaptive model that chooses a code, and the
 * state that says when the model learns. Both sides step these in the same way, or they lose each other: INVARIANT: same
 * symbols in, same state out, on every host. Facts from SFALIC (R. Starosolski) as SPICE uses it.
 */
import { ImageError } from './error.ts';

/** The image types of QUIC headers. */
export const QuicType = { GRAY: 1, RGB16: 2, RGB24: 3, RGB32: 4, RGBA: 5 } as const;
export type QuicType = (typeof QuicType)[keyof typeof QuicType];

export const QUIC_MAGIC = 0x43495551;
export const QUIC_HEADER_BYTES = 20;

/** No code word is longer than this. */
const MAX_CODE_LENGTH = 26;

/** The codes for symbols of `bits` bits: code number 0 suits small symbols, `bits - 1` all alike. */
export interface Family {
  readonly bits: number;
  /** By code number: with so many zeros or more in front, the word is not Golomb-Rice but has a fixed length. */
  readonly escapeAfter: Uint8Array;
  /** By code number: the length of the fixed-length words, the first symbol they stand for, and the bits that count. */
  readonly escapeLength: Uint8Array;
  readonly escapeBase: Uint8Array;
  readonly escapeMask: Uint8Array;
  /** By symbol × 8 + code number. */
  readonly words: Uint32Array;
  readonly lengths: Uint8Array;
  /** By symbol: the bucket of the model that predicts the symbol after it. */
  readonly buckets: Uint8Array;
  readonly bucketCount: number;
}

function family(bits: number): Family {
  const levels = 1 << bits;
  const escapeAfter = new Uint8Array(8);
  const escapeLength = new Uint8Array(8);
  const escapeBase = new Uint8Array(8);
  const escapeMask = new Uint8Array(8);
  const words = new Uint32Array(levels * 8);
  const lengths = new Uint8Array(levels * 8);
  for (let code = 0; code < bits; code++) {
    const prefix = Math.min(MAX_CODE_LENGTH - bits, (1 << (bits - code)) - 1);
    const escaped = levels - (prefix << code);
    const suffix = escaped === 1 ? 0 : 32 - Math.clz32(escaped - 1);
    escapeAfter[code] = prefix;
    escapeLength[code] = prefix + suffix;
    escapeBase[code] = prefix << code;
    escapeMask[code] = (1 << suffix) - 1;
    for (let symbol = 0; symbol < levels; symbol++) {
      const rice = symbol < prefix << code;
      words[symbol * 8 + code] = rice ? (1 << code) | (symbol & ((1 << code) - 1)) : symbol - (prefix << code);
      lengths[symbol * 8 + code] = rice ? (symbol >> code) + code + 1 : prefix + suffix;
    }
  }
  // Buckets hold 1, 2, 4, 8, … symbols; what is left at the end joins the last.
  const bucketCount = bits === 8 ? 8 : 5;
  const buckets = new Uint8Array(levels);
  for (let symbol = 0; symbol < levels; symbol++) {
    buckets[symbol] = Math.min(31 - Math.clz32(symbol + 1), bucketCount - 1);
  }
  return { bits, escapeAfter, escapeLength, escapeBase, escapeMask, words, lengths, buckets, bucketCount };
}

export const FAMILY_8 = family(8);
export const FAMILY_5 = family(5);

/** The adaptive model of one colour channel. */
export class Model {
  readonly family: Family;
  /** By symbol: the code number for the symbol that follows it. The loops read this directly. */
  readonly codes: Uint8Array;
  /** By bucket × 8 + code number: what the symbols of that bucket would have cost, halved now and then. */
  readonly #costs: Uint32Array;
  readonly #best: Uint8Array;

  constructor(family: Family) {
    this.family = family;
    this.codes = new Uint8Array(1 << family.bits).fill(family.bits - 1);
    this.#costs = new Uint32Array(family.bucketCount * 8);
    this.#best = new Uint8Array(family.bucketCount).fill(family.bits - 1);
  }

  /** Learns that `symbol` came after `previous`. */
  update(previous: number, symbol: number, trigger: number): void {
    const { bits, lengths, buckets } = this.family;
    const costs = this.#costs;
    const bucket = buckets[previous]!;
    const base = bucket * 8;
    let best = bits - 1;
    let least = (costs[base + best] = costs[base + best]! + lengths[symbol * 8 + best]!);
    for (let code = bits - 2; code >= 0; code--) {
      const cost = (costs[base + code] = costs[base + code]! + lengths[symbol * 8 + code]!);
      if (cost < least) {
        best = code;
        least = cost;
      }
    }
    if (least > trigger) for (let code = 0; code < bits; code++) costs[base + code] = costs[base + code]! >>> 1;
    if (this.#best[bucket] !== best) {
      this.#best[bucket] = best;
      const first = (1 << bucket) - 1;
      this.codes.fill(best, first, bucket === this.family.bucketCount - 1 ? 1 << bits : first * 2 + 1);
    }
  }
}

/** By how long the model has been learning: the cost at which it halves its counts. */
const TRIGGERS = [110, 550, 900, 800, 550, 400, 350];
/** After so many symbols the model learns half as often, down to one in 2^6 on average. */
const NEXT_STEP = 2048;
const LAST_STEP = 6;

/** By run state: the logarithm of the run length that a single one stands for. */
export const RUN_BITS = Uint8Array.from([
  0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15,
]);

/** The lower six bits of QUIC's table of random numbers: all that it uses of them. */
const CHAOS = Uint8Array.from([
  2, 23, 19, 21, 7, 18, 40, 14, 12, 32, 47, 44, 36, 6, 18, 11, 4, 19, 42, 29, 16, 63, 57, 51, 16, 3, 5, 14, 15, 30, 20,
  9, 36, 45, 3, 57, 61, 0, 8, 5, 41, 14, 43, 27, 43, 59, 31, 35, 39, 60, 42, 38, 13, 54, 62, 1, 26, 3, 11, 61, 52, 34,
  7, 48, 4, 59, 22, 12, 22, 8, 50, 4, 10, 6, 44, 8, 11, 46, 31, 51, 53, 17, 1, 43, 46, 60, 36, 54, 10, 27, 39, 44, 22,
  41, 23, 2, 44, 0, 40, 53, 40, 48, 16, 43, 32, 28, 33, 12, 20, 2, 56, 62, 55, 58, 18, 20, 13, 55, 38, 29, 57, 19, 49,
  33, 47, 63, 59, 0, 35, 61, 19, 25, 46, 38, 60, 4, 35, 1, 26, 40, 28, 10, 5, 14, 25, 18, 48, 49, 20, 59, 62, 34, 46, 7,
  33, 52, 34, 58, 9, 29, 8, 55, 62, 60, 37, 36, 37, 50, 6, 3, 10, 28, 48, 24, 26, 61, 57, 30, 11, 54, 2, 6, 50, 47, 7,
  17, 35, 53, 32, 12, 23, 17, 5, 21, 49, 55, 51, 45, 52, 27, 39, 25, 39, 63, 22, 24, 42, 52, 56, 38, 41, 41, 56, 32, 13,
  24, 26, 51, 27, 56, 58, 37, 24, 42, 15, 28, 17, 30, 31, 15, 16, 23, 25, 54, 33, 34, 1, 29, 31, 50, 53, 21, 49, 15, 47,
  9, 0, 58, 37, 45, 30, 13, 9, 45, 63, 21,
]);

/** By run state: how long a run becomes by single ones from the first state up to this one. */
const RUN_SUMS = new Uint16Array(32);
for (let state = 1; state < 32; state++) RUN_SUMS[state] = RUN_SUMS[state - 1]! + (1 << RUN_BITS[state - 1]!);

/** What the kernel needs besides the families: random numbers, run bits, triggers, sums of runs, and the states of short ones. */
export const QUIC_TABLES = new Uint8Array(908);
QUIC_TABLES.set(CHAOS);
QUIC_TABLES.set(RUN_BITS, 256);
QUIC_TABLES.set(new Uint8Array(Uint16Array.from(TRIGGERS).buffer), 288);
QUIC_TABLES.set(new Uint8Array(RUN_SUMS.buffer), 304);
for (let way = 0; way < 540; way++) QUIC_TABLES[368 + way] = RUN_SUMS.findLastIndex((sum) => sum <= way);

/** When the next pixel will be learnt from, and what run lengths are expected. The colours of RGB share one of these. */
export class Pace {
  /** Pixels to go before the next one is learnt from. */
  wait = 0;
  /** Index into `RUN_BITS`. */
  run = 0;
  /** See `Model.update`. */
  trigger = TRIGGERS[0]!;
  #seed = 255;
  #step = 0;
  #mask = 0;
  #stepLeft = NEXT_STEP;

  /** A new random number of pixels to wait. */
  random(): number {
    this.#seed = (this.#seed + 1) & 255;
    return CHAOS[this.#seed]! & this.#mask;
  }

  /** How many of the row's last `left` pixels can be coded before the pace changes. */
  stretch(left: number): number {
    return this.#step < LAST_STEP ? Math.min(this.#stepLeft, left) : left;
  }

  /** Tells that a stretch of `count` pixels was coded. */
  pass(count: number): void {
    if (this.#step === LAST_STEP) return;
    this.#stepLeft -= count;
    if (this.#stepLeft > 0) return;
    this.#step++;
    this.#stepLeft = NEXT_STEP;
    this.#mask = (1 << this.#step) - 1;
    this.trigger = TRIGGERS[this.#step]!;
  }
}

/** Checks that `type` is one, and says how many colour channels and bits it has. */
export function quicParams(type: number): { readonly channels: number; readonly family: Family } {
  if (type < QuicType.GRAY || type > QuicType.RGBA) throw new ImageError('type', `${type} is no QUIC type`, 8);
  const channels = type === QuicType.GRAY ? 1 : type === QuicType.RGBA ? 4 : 3;
  return { channels, family: type === QuicType.RGB16 ? FAMILY_5 : FAMILY_8 };
}
