/** Ways to spoil bytes: what is changed is small, or a number that code likes to get wrong. */
import type { Random } from './random.ts';

const awkward = [0, 1, 2, 3, 4, 7, 8, 0x10, 0x7f, 0x80, 0xff, 0x100, 0x3ff, 0x400, 0x7fff, 0x8000, 0xffff, 0x10000];
const huge = [0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x40000000, 0x3fffffff, 0x00ffffff, 0x01000000];

type Change = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array;

const put = (bytes: Uint8Array, at: number, value: number, size: number): Uint8Array => {
  const copy = bytes.slice();
  for (let i = 0; i < size && at + i < copy.length; i++) copy[at + i] = value >>> (8 * i);
  return copy;
};

const changes: readonly Change[] = [
  (bytes, random) => {
    const copy = bytes.slice();
    const at = random.below(copy.length);
    copy[at] = copy[at]! ^ (1 << random.below(8));
    return copy;
  },
  (bytes, random) => put(bytes, random.below(bytes.length), random.u32(), 1),
  (bytes, random) => put(bytes, random.below(bytes.length), random.pick(awkward), random.pick([1, 2, 4])),
  (bytes, random) => put(bytes, random.below(bytes.length), random.pick(huge), 4),
  (bytes, random) => put(bytes, random.below(bytes.length), bytes.length + random.below(5) - 2, random.pick([1, 2, 4])),
  (bytes, random) => {
    // A number near what is there.
    const at = random.below(bytes.length);
    return put(bytes, at, bytes[at]! + random.below(9) - 4, 1);
  },
  (bytes, random) => bytes.slice(0, random.below(bytes.length + 1)),
  (bytes, random) => {
    const at = random.below(bytes.length + 1);
    const piece = random.once(2) ? random.bytes(random.size(16)) : new Uint8Array(random.size(64));
    return glue(bytes.subarray(0, at), piece, bytes.subarray(at));
  },
  (bytes, random) => {
    // A piece again, somewhere.
    const from = random.below(bytes.length);
    const piece = bytes.subarray(from, from + random.size(bytes.length - from));
    const at = random.below(bytes.length + 1);
    return glue(bytes.subarray(0, at), piece, bytes.subarray(at));
  },
  (bytes, random) => {
    const from = random.below(bytes.length);
    return glue(bytes.subarray(0, from), bytes.subarray(from + random.size(bytes.length - from)));
  },
  (bytes, random, others) => {
    const other = random.pick(others);
    if (other === undefined) return bytes;
    return glue(bytes.subarray(0, random.below(bytes.length)), other.subarray(random.below(other.length)));
  },
];

export function glue(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A few changes to some bytes; `others` may lend a piece. */
export function mutate(bytes: Uint8Array, random: Random, others: readonly Uint8Array[] = []): Uint8Array {
  let spoiled = bytes;
  for (let left = 1 + random.size(6); left > 0 && spoiled.length > 0; left--) {
    spoiled = random.pick(changes)(spoiled, random, others);
  }
  return spoiled.length > 4 * 1024 * 1024 ? spoiled.slice(0, 4 * 1024 * 1024) : spoiled;
}

const utf8 = new TextEncoder();

/** One of these texts, spoiled, with some of these words strewn in. */
export function spoiledText(seeds: readonly string[], words: readonly string[], random: Random): Uint8Array {
  let bytes = mutate(
    utf8.encode(random.pick(seeds)),
    random,
    seeds.map((seed) => utf8.encode(seed)),
  );
  while (random.once(2)) {
    const at = random.below(bytes.length + 1);
    bytes = glue(bytes.subarray(0, at), utf8.encode(random.pick(words)), bytes.subarray(at));
  }
  return bytes;
}
