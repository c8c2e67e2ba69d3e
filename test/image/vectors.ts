/**
 * The golden vectors: pictures that the reference encoders made, in one pack per codec beside `index.json`. `raw` is what
 * went in; the hash is that of what the reference decoder gave (cut to the picture's width where its rows were padded,
 * rows in the order in which they were encoded).
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { ImageError } from '../../src/image/error.ts';
import { useKernel } from '../../src/image/kernel.ts';
import type { Pixels } from '../../src/image/pixels.ts';

export interface Vector {
  readonly codec: 'quic' | 'lz' | 'glz' | 'lz4';
  readonly name: string;
  readonly type: string;
  readonly content: string;
  readonly width: number;
  readonly height: number;
  readonly topDown: boolean;
  readonly rawStride: number;
  readonly rawAt: number;
  readonly rawBytes: number;
  readonly encodedAt: number;
  readonly encodedBytes: number;
  readonly decodedFormat: 'bgrx' | 'bgra' | 'a8' | 'xxxa' | 'asRaw';
  readonly decodedSha256: string;
  readonly palette?: number;
  readonly series?: string;
  readonly glzId?: number;
  readonly winHeadDist?: number;
  readonly windowPixels?: number;
}

const folder = new URL('./vectors/', import.meta.url);
const index = JSON.parse(readFileSync(new URL('index.json', folder), 'utf8')) as {
  palettes: number[][];
  vectors: Vector[];
};
const packs = new Map<string, Uint8Array>();

function pack(codec: string): Uint8Array {
  let bytes = packs.get(codec);
  if (bytes === undefined) packs.set(codec, (bytes = new Uint8Array(readFileSync(new URL(`${codec}.bin`, folder)))));
  return bytes;
}

/** All vectors of a codec. */
export function vectorsOf(codec: Vector['codec']): Vector[] {
  return index.vectors.filter((vector) => vector.codec === codec);
}

export function paletteOf(vector: Vector): number[] | undefined {
  return vector.palette === undefined ? undefined : index.palettes[vector.palette]!;
}

/** A copy, so that a test may damage it, and at an address that is no multiple of four, as in a message. */
export function encodedOf(vector: Vector): Uint8Array {
  const bytes = new Uint8Array(vector.encodedBytes + 1).subarray(1);
  bytes.set(pack(vector.codec).subarray(vector.encodedAt, vector.encodedAt + vector.encodedBytes));
  return bytes;
}

export function rawOf(vector: Vector): Uint8Array {
  return pack(vector.codec).slice(vector.rawAt, vector.rawAt + vector.rawBytes);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Our top-down picture in the form and the row order of the reference decoder's output. */
export function asReference(vector: Vector, data: Uint8Array): Uint8Array {
  const row = vector.width * 4;
  const ordered = new Uint8Array(data.length);
  for (let y = 0; y < vector.height; y++) {
    const from = vector.topDown ? y : vector.height - 1 - y;
    ordered.set(data.subarray(from * row, (from + 1) * row), y * row);
  }
  return vector.decodedFormat === 'a8' ? ordered.filter((_, i) => i % 4 === 3) : ordered;
}

/** A small generator of numbers that are the same in every run: xorshift32. Gives integers from 0 to below `below`. */
export function numbers(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Damaged forms of `bytes`: cut at up to `cuts` places, then `flips` times with up to three bits turned over. */
export function* damaged(bytes: Uint8Array, seed: number, cuts = 24, flips = 60): Generator<Uint8Array> {
  const random = numbers(seed);
  const step = Math.max(1, Math.floor(bytes.length / cuts));
  for (let length = 0; length < bytes.length; length += step) yield bytes.slice(0, length);
  for (let i = 0; i < flips; i++) {
    const copy = bytes.slice();
    for (let bits = 1 + random(3); bits > 0; bits--) copy[random(copy.length)]! ^= 1 << random(8);
    yield copy;
  }
}

/** What an ImageError says is wrong, or 'none'. Other errors are thrown on. */
export function faultOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof ImageError) return error.fault;
    throw error;
  }
  return 'none';
}

/** How many damaged forms of these vectors a decoder refuses; all others it decodes to whole pictures. */
export function refusals(vectors: readonly Vector[], decode: (bytes: Uint8Array, vector: Vector) => Pixels): number {
  let refused = 0;
  for (const [i, vector] of vectors.entries()) {
    for (const bytes of damaged(encodedOf(vector), i + 1)) {
      const fault = faultOf(() => {
        expect(decode(bytes, vector).data.length).toBe(vector.width * vector.height * 4);
      });
      if (fault !== 'none') refused++;
    }
  }
  return refused;
}

/** Runs a suite twice: with the WebAssembly kernel, and with the plain loops alone. */
export function describeBoth(name: string, suite: () => void): void {
  for (const on of [true, false]) {
    describe(`${name}, ${on ? 'kernel' : 'plain loops'}`, () => {
      beforeAll(() => {
        expect(useKernel(on)).toBe(on);
      });
      afterAll(() => {
        useKernel(true);
      });
      suite();
    });
  }
}
