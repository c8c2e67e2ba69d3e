/** Messages that are right, made from the layouts themselves, and frames of them. */
import fc from 'fast-check';
import { SumacError } from '../../src/errors.ts';
import { type ChannelName, channels, type Entry, encodeMessage, type Side } from '../../src/protocol/index.ts';
import { type Codec, encode } from '../../src/wire/codec.ts';
import { arbitraryOf } from '../support/arbitrary.ts';
import { glue, mutate } from './mutate.ts';
import type { Random } from './random.ts';

const arbitraries = new Map<Codec<any>, fc.Arbitrary<any>>();

/** Some value that a layout has. */
export function sampleOf(codec: Codec<any>, random: Random): any {
  let arbitrary = arbitraries.get(codec);
  if (arbitrary === undefined) arbitraries.set(codec, (arbitrary = arbitraryOf(codec)));
  return fc.sample(arbitrary, { seed: random.u32() | 0, numRuns: 1 })[0];
}

/** The bytes of some value of a layout; of none if the value does not fit it. */
export function bytesOf(codec: Codec<any>, random: Random): Uint8Array {
  try {
    return encode(codec, sampleOf(codec, random));
  } catch (error) {
    if (error instanceof SumacError) return new Uint8Array();
    throw error;
  }
}

export const words = Object.keys(channels) as ChannelName[];

export function entriesOf(word: ChannelName, sender: Side): readonly Entry[] {
  return [...channels[word].tables[sender].byNumber.values()];
}

/** The number and body of some message of a channel. */
export function messageOf(word: ChannelName, sender: Side, random: Random): { number: number; body: Uint8Array } {
  const entry = random.pick(entriesOf(word, sender));
  try {
    return encodeMessage(channels[word], sender, { type: entry.type, body: sampleOf(entry.codec, random) });
  } catch (error) {
    if (error instanceof SumacError) return { number: entry.number, body: new Uint8Array() };
    throw error;
  }
}

/** A message with its header, full or mini; the header may lie. */
export function framed(number: number, body: Uint8Array, mini: boolean, random?: Random): Uint8Array {
  const header = new Uint8Array(mini ? 6 : 18);
  const view = new DataView(header.buffer);
  const size = random?.once(40) ? random.u32() : body.length;
  view.setUint16(mini ? 0 : 8, number, true);
  view.setUint32(mini ? 2 : 10, size, true);
  if (!mini && random?.once(12)) view.setUint32(14, random.below(body.length + 4), true);
  return glue(header, body);
}

/** A stream of messages, some of them spoiled. */
export function streamOf(word: ChannelName, sender: Side, mini: boolean, random: Random, most = 12): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let left = random.size(most); left >= 0; left--) {
    const { number, body } = messageOf(word, sender, random);
    const spoiled = random.once(4) ? mutate(body, random) : body;
    parts.push(framed(random.once(30) ? random.below(400) : number, spoiled, mini, random));
  }
  const stream = glue(...parts);
  return random.once(6) ? mutate(stream, random) : stream;
}
