import { describe, expect, test } from 'vitest';
import { BitmapFormat } from '../../src/image/bitmap.ts';
import { ImageError } from '../../src/image/error.ts';
import { decodeGlz } from '../../src/image/glz.ts';
import { GlzDictionary } from '../../src/image/glz-encode.ts';
import { GlzWindow } from '../../src/image/glz-window.ts';
import { KERNEL_BASE64 } from '../../src/image/kernel/module.ts';
import { useKernel } from '../../src/image/kernel.ts';
import { decodeLz, LzType } from '../../src/image/lz.ts';
import { encodeLz } from '../../src/image/lz-encode.ts';
import { decodeLz4 } from '../../src/image/lz4.ts';
import { encodeLz4 } from '../../src/image/lz4-encode.ts';
import type { EncodeOptions } from '../../src/image/pixels.ts';
import { decodeQuic } from '../../src/image/quic.ts';
import { encodeQuic } from '../../src/image/quic-encode.ts';
import { QuicType } from '../../src/image/quic-model.ts';
import { compileKernel } from './build-kernel.mjs';
import { damaged, encodedOf, numbers, sha256, vectorsOf } from './vectors.ts';

/** Pixels (their hash) or the fault, with the kernel on or off. */
function outcome(on: boolean, decode: () => { data: Uint8Array }): string {
  expect(useKernel(on)).toBe(on);
  try {
    return sha256(decode().data);
  } catch (error) {
    if (error instanceof ImageError) return error.fault;
    throw error;
  } finally {
    useKernel(true);
  }
}

/** A picture of `width` × `height` that is made of long runs, copies from far away, text-like detail and noise. */
function largePicture(width: number, height: number) {
  const random = numbers(width);
  const words = new Uint32Array(width * height);
  for (let at = 0; at < words.length; ) {
    const kind = random(5);
    const length = Math.min(words.length - at, kind === 0 ? 1 + random(400_000) : 1 + random(3000));
    if (kind === 0) words.fill(random(0x1000000), at, at + length);
    else if (kind === 1) for (let i = 0; i < length; i++) words[at + i] = random(0x1000000);
    else if (kind === 2) for (let i = 0; i < length; i++) words[at + i] = random(3) === 0 ? 0x202020 : 0xf0f0f0;
    else {
      const back = 1 + random(Math.max(1, Math.min(at, kind === 3 ? 5 : 73_000)));
      for (let i = 0; i < length && at >= back; i++) words[at + i] = words[at + i - back]!;
    }
    at += length;
  }
  return { width, height, data: new Uint8Array(words.buffer), alpha: false };
}

describe('the kernel', () => {
  test('is what its sources compile to', async () => {
    expect(KERNEL_BASE64).toBe(Buffer.from(await compileKernel()).toString('base64'));
  }, 60_000);

  test('can be switched off and on', () => {
    expect([useKernel(true), useKernel(false), useKernel(true)]).toEqual([true, false, true]);
  });

  test('writes the same bytes as the plain loops', () => {
    const both = (encode: () => Uint8Array) => {
      const made = [true, false].map((on) => {
        expect(useKernel(on)).toBe(on);
        return sha256(encode());
      });
      useKernel(true);
      expect(made[0]).toBe(made[1]);
    };
    for (const [width, height] of [
      [1, 1],
      [3, 1],
      [7, 3],
      [301, 200],
      [1024, 300],
      [11, 9_000],
    ] as const) {
      const large = largePicture(width + 9, height);
      // Rows with gaps, and a fourth byte that means nothing.
      const source = {
        width,
        height,
        data: large.data.map((byte, i) => (i % 4 === 3 ? i : byte)),
        stride: (width + 9) * 4,
      };
      both(() => encodeLz(source, LzType.RGB32));
      both(() => encodeLz(source, LzType.RGB24));
      both(() => encodeLz4(source, BitmapFormat['32BIT']));
      const dictionaries = [true, false].map(
        () => new GlzDictionary({ pixels: 1 << 20, nextId: 2 ** 32 - 2, trueColor: true }),
      );
      for (let i = 0; i < 4; i++) {
        const turn = {
          ...source,
          height: Math.max(1, height - i * 7),
          data: source.data.subarray(i * 4 * (width + 9)),
        };
        if (turn.data.length < turn.height * turn.stride) continue;
        let at = 0;
        both(() => dictionaries[at++]!.encode(turn, LzType.RGB32));
      }
    }
  });

  test('lends what it encoded until the next picture', () => {
    const random = numbers(5);
    const noise = new Uint8Array(700 * 500 * 4).map((_, i) => (i % 4 === 3 ? 0 : random(256)));
    for (const source of [largePicture(300, 200), { width: 700, height: 500, data: noise }]) {
      const dictionaries = [1, 2].map(() => new GlzDictionary({ pixels: 1 << 20, trueColor: true }));
      for (const encode of [
        (options?: EncodeOptions) => encodeQuic(source, QuicType.RGB32, options),
        (options?: EncodeOptions) => encodeLz(source, LzType.RGB32, options),
        (options?: EncodeOptions) => encodeLz4(source, BitmapFormat['32BIT'], options),
        (options?: EncodeOptions) => dictionaries[options ? 0 : 1]!.encode(source, LzType.RGB32, options),
      ]) {
        const owned = encode();
        const lent = encode({ lend: true });
        expect(sha256(lent)).toBe(sha256(owned));
        expect(lent.buffer.byteLength).toBeGreaterThan(lent.length);
        expect(owned.buffer.byteLength).toBe(owned.length);
      }
    }
  });

  test.each([false, true])('holds no more GLZ pictures than the window has room for, lent: %s', (lend) => {
    const window = new GlzWindow({ pixels: 100_000 });
    const dictionary = new GlzDictionary({ pixels: 100_000, trueColor: true });
    const random = numbers(77);
    const wide = largePicture(400, 400);
    for (let i = 0; i < 400; i++) {
      const [width, height] = [1 + random(300), 1 + random(300)];
      const [x, y] = [random(400 - width), random(400 - height)];
      const source = { width, height, data: wide.data.subarray((y * 400 + x) * 4), stride: 1600 };
      const { pixels } = decodeGlz(window, dictionary.encode(source, LzType.RGB32), { width, height }, { lend });
      const wanted = new Uint8Array(width * height * 4);
      for (let row = 0; row < height; row++) {
        wanted.set(source.data.subarray(row * 1600, row * 1600 + width * 4), row * width * 4);
      }
      expect(sha256(pixels.data)).toBe(sha256(wanted));
    }
  });

  test('pictures larger than its windows come out whole', () => {
    for (const [width, height] of [
      [1201, 1000],
      [33, 60_000],
      [60_000, 20],
    ] as const) {
      const picture = largePicture(width, height);
      const wanted = sha256(picture.data);
      const lz = encodeLz(picture, LzType.RGB32);
      const glz = new GlzDictionary({ pixels: 1 << 24 }).encode(picture, LzType.RGB32);
      const lz4 = encodeLz4(picture, BitmapFormat['32BIT']);
      const quic = encodeQuic(picture, QuicType.RGB32);
      for (const on of [true, false]) {
        expect(outcome(on, () => decodeLz(lz, picture))).toBe(wanted);
        expect(outcome(on, () => decodeGlz(new GlzWindow({ pixels: 1 << 24 }), glz, picture).pixels)).toBe(wanted);
        expect(outcome(on, () => decodeLz4(lz4, picture))).toBe(wanted);
        expect(outcome(on, () => decodeQuic(quic, picture))).toBe(wanted);
      }
    }
  });

  test('many short matches into other pictures', () => {
    const random = numbers(8);
    const first = new Uint32Array(200 * 200).map(() => random(0x1000000));
    // Every pixel row of the second picture is made of short pieces of the first.
    const second = new Uint32Array(200 * 200);
    for (let at = 0; at < second.length; ) {
      const length = Math.min(second.length - at, 3 + random(12));
      const from = random(first.length - length);
      second.set(first.subarray(from, from + length), at);
      at += length;
    }
    const size = { width: 200, height: 200 };
    const dictionary = new GlzDictionary({ pixels: 1 << 20 });
    const pictures = [first, second, first].map((words) => ({ ...size, data: new Uint8Array(words.buffer) }));
    const encoded = pictures.map((picture) => dictionary.encode(picture, LzType.RGB32));
    expect(encoded[1]!.length).toBeLessThan(second.length * 2);
    for (const on of [true, false]) {
      const window = new GlzWindow({ pixels: 1 << 20 });
      for (const [i, bytes] of encoded.entries()) {
        expect(outcome(on, () => decodeGlz(window, bytes, size).pixels)).toBe(sha256(pictures[i]!.data));
      }
    }
    // The second picture comes first, and waits in the middle of a match.
    const window = new GlzWindow({ pixels: 1 << 20 });
    const waiting = decodeGlz(window, encoded[1]!, size);
    expect(waiting.missing).toBe(0);
    decodeGlz(window, encoded[0]!, size);
    waiting.resume();
    expect(sha256(waiting.pixels.data)).toBe(sha256(pictures[1]!.data));
  });

  test('gives the pixels and the faults of the plain loops for damaged input', () => {
    let seed = 4000;
    let refused = 0;
    for (const vector of [...vectorsOf('lz'), ...vectorsOf('lz4')]) {
      if (!['rgb24', 'rgb32', 'rgba'].includes(vector.type)) continue;
      for (const bytes of damaged(encodedOf(vector), seed++)) {
        const decode = () => (vector.codec === 'lz' ? decodeLz(bytes, vector) : decodeLz4(bytes, vector));
        const plain = outcome(false, decode);
        expect(outcome(true, decode)).toBe(plain);
        if (plain.length < 64) refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });

  test('gives the pixels of the plain loops for damaged QUIC images, or refuses what they refuse', () => {
    let seed = 7000;
    let refused = 0;
    for (const vector of vectorsOf('quic')) {
      for (const bytes of damaged(encodedOf(vector), seed++)) {
        const decode = () => decodeQuic(bytes, vector);
        const plain = outcome(false, decode);
        const fast = outcome(true, decode);
        // Which of two faults is met first may differ.
        if (plain.length < 64) {
          expect(fast.length).toBeLessThan(64);
          refused++;
        } else expect(fast).toBe(plain);
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });

  test('writes the bytes of the plain loops', () => {
    const random = numbers(77);
    for (let round = 0; round < 60; round++) {
      const [width, height] = [1 + random(round < 50 ? 90 : 900), 1 + random(round < 50 ? 40 : 300)];
      const { data } = largePicture(width + random(3), height);
      const picture = { width, height, data, stride: (data.length / 4 / height) * 4 };
      for (const type of [QuicType.RGB16, QuicType.RGB24, QuicType.RGB32]) {
        const encode = () => ({ data: encodeQuic(picture, type) });
        expect(outcome(true, encode)).toBe(outcome(false, encode));
      }
    }
  });

  test('noise behind good headers never leads it out of its memory', () => {
    const random = numbers(31);
    for (let round = 0; round < 400; round++) {
      const bytes = new Uint8Array(300).map(() => (round % 4 === 0 ? 255 : random(256) & random(256)));
      const view = new DataView(bytes.buffer);
      const size = { width: 1 + random(70), height: 1 + random(70) };
      for (const [i, word] of [0x43495551, 0, 1 + random(5), size.width, size.height].entries()) {
        view.setUint32(i * 4, word, true);
      }
      const quic = bytes.slice();
      expect(outcome(true, () => decodeQuic(quic, size)).length).toBe(
        outcome(false, () => decodeQuic(quic, size)).length,
      );
      for (const [i, word] of [0x20205a4c, 0x10001, 8, size.width, size.height, size.width * 4, 1].entries()) {
        view.setUint32(i * 4, word);
      }
      expect(outcome(true, () => decodeLz(bytes, size))).toBe(outcome(false, () => decodeLz(bytes, size)));
      bytes.set([1, 8, 0, 0, 1, 38]);
      expect(outcome(true, () => decodeLz4(bytes, size))).toBe(outcome(false, () => decodeLz4(bytes, size)));
    }
  });
});
