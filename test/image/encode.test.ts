import { inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { BitmapFormat, decodeBitmap } from '../../src/image/bitmap.ts';
import { ImageError } from '../../src/image/error.ts';
import { decodeGlz } from '../../src/image/glz.ts';
import { GlzDictionary } from '../../src/image/glz-encode.ts';
import { GlzWindow } from '../../src/image/glz-window.ts';
import { decodeLz, LzType } from '../../src/image/lz.ts';
import { encodeLz, encodeLzPlt } from '../../src/image/lz-encode.ts';
import { decodeLz4 } from '../../src/image/lz4.ts';
import { encodeLz4 } from '../../src/image/lz4-encode.ts';
import type { Pixels } from '../../src/image/pixels.ts';
import { decodeQuic } from '../../src/image/quic.ts';
import { encodeQuic } from '../../src/image/quic-encode.ts';
import { QuicType } from '../../src/image/quic-model.ts';
import { decodeZlibGlz, deflateGlz } from '../../src/image/zlib-glz.ts';
import { encodedOf, numbers, paletteOf, rawOf, type Vector, vectorsOf } from './vectors.ts';

const FORMAT: Record<string, BitmapFormat> = {
  rgb16: BitmapFormat['16BIT'],
  rgb24: BitmapFormat['24BIT'],
  rgb32: BitmapFormat['32BIT'],
  rgba: BitmapFormat.RGBA,
  xxxa: BitmapFormat.RGBA,
  a8: BitmapFormat['8BIT_A'],
};
const LZ: Record<string, LzType> = {
  plt1le: LzType.PLT1_LE,
  plt1be: LzType.PLT1_BE,
  plt4le: LzType.PLT4_LE,
  plt4be: LzType.PLT4_BE,
  plt8: LzType.PLT8,
  rgb16: LzType.RGB16,
  rgb24: LzType.RGB24,
  rgb32: LzType.RGB32,
  rgba: LzType.RGBA,
  xxxa: LzType.XXXA,
  a8: LzType.A8,
};
const QUIC: Record<string, QuicType> = {
  rgb16: QuicType.RGB16,
  rgb24: QuicType.RGB24,
  rgb32: QuicType.RGB32,
  rgba: QuicType.RGBA,
};

/** The picture that the vector was made from, its first row on top. */
function sourceOf({ type, width, height, rawStride, ...vector }: Vector): Pixels {
  const data = rawOf(vector as Vector);
  return decodeBitmap({ format: FORMAT[type]!, width, height, stride: rawStride, topDown: true, data });
}

/** What of a picture the type can carry. */
function carried(source: Pixels, type: string): Uint8Array {
  const kept = type === 'rgba' ? 0xffffffff : type === 'xxxa' || type === 'a8' ? 0xff000000 : 0xffffff;
  const words = new Uint32Array(source.data.slice().buffer).map((word) => word & kept);
  return new Uint8Array(words.buffer);
}

/** Pictures of many sizes: noise, smooth slopes, flat areas with text-like detail, repetitions near and far. */
function* pictures(): Generator<Pixels> {
  const random = numbers(99);
  const sizes = [1, 2, 3, 4, 5, 32, 33, 100, 300];
  for (const width of sizes) {
    for (const height of [1, 2, 30]) {
      for (const kind of [0, 1, 2, 3, 4]) {
        const words = new Uint32Array(width * height);
        for (let i = 0; i < words.length; i++) {
          const x = i % width;
          const y = (i - x) / width;
          if (kind === 0) words[i] = random(0x10000) * 0x10001;
          else if (kind === 1) words[i] = ((x * 2) & 255) | (((x + y) & 255) << 8) | ((y & 255) << 16) | (x << 24);
          else if (kind === 2) words[i] = random(9) === 0 ? 0xff000000 : 0x80f0f0f0;
          else if (kind === 3) words[i] = (x % 7 === 0 || y % 5 === 0 ? 0x336699 : 0xffffff) | ((y % 3) << 24);
          else words[i] = 0x12345678;
        }
        yield { width, height, data: new Uint8Array(words.buffer), alpha: true };
      }
    }
  }
  // Matches at every distance class, and runs whose lengths need many bytes.
  const words = new Uint32Array(700 * 400).fill(0x445566);
  const patch = Uint32Array.from({ length: 200 }, () => random(0x1000000));
  for (const at of [0, 300, 5000, 8191 + 200, 30000, 30200 + 73725, 200000, 200000 + 73727]) words.set(patch, at);
  yield { width: 700, height: 400, data: new Uint8Array(words.buffer), alpha: true };
}

/** As toEqual, but quick for large pictures. */
function expectSame(got: Uint8Array, wanted: Uint8Array): void {
  if (Buffer.compare(got, wanted) !== 0) expect(got).toEqual(wanted);
  expect(got.length).toBe(wanted.length);
}

describe('QUIC encoder', () => {
  test.each(vectorsOf('quic'))('$name: the very bytes of the reference encoder', (vector) => {
    expect(encodeQuic(sourceOf(vector), QUIC[vector.type]!)).toEqual(encodedOf(vector));
  });

  test('pictures come back, in every type', () => {
    for (const picture of pictures()) {
      const { width, height } = picture;
      for (const [type, number] of [...Object.entries(QUIC), ['gray', QuicType.GRAY] as const]) {
        const back = decodeQuic(encodeQuic(picture, number), picture).data;
        if (type === 'gray') {
          expectSame(
            back,
            picture.data.map((_, i) => (i % 4 === 3 ? 0 : picture.data[i - (i % 4)]!)),
          );
        } else if (type === 'rgb16') {
          const five = picture.data.map((byte, i) => (i % 4 === 3 ? 0 : (byte & 0xf8) | (byte >> 5)));
          expectSame(back, five);
        } else expectSame(back, carried(picture, type));
      }
      expect([width, height]).toEqual([picture.width, picture.height]);
    }
  });
});

describe('LZ encoder', () => {
  const vectors = vectorsOf('lz');

  test.each(vectors)('the source of $name comes back', (vector) => {
    if (vector.type.startsWith('plt')) {
      const { width, height, rawStride: stride } = vector;
      const palette = paletteOf(vector);
      const bytes = encodeLzPlt({ type: LZ[vector.type]!, width, height, stride, data: rawOf(vector) });
      const back = decodeLz(bytes, vector, { palette });
      const reference = decodeLz(encodedOf(vector), vector, { palette });
      if (vector.topDown) expectSame(back.data, reference.data);
      expect(back.data.length).toBe(reference.data.length);
    } else {
      const source = sourceOf(vector);
      const back = decodeLz(encodeLz(source, LZ[vector.type]!), vector);
      expectSame(back.data, carried(source, vector.type));
    }
  });

  test('pictures come back, in every type', () => {
    for (const picture of pictures()) {
      for (const type of [LzType.RGB24, LzType.RGB32]) {
        expectSame(decodeLz(encodeLz(picture, type), picture).data, carried(picture, 'rgb32'));
      }
      expectSame(decodeLz(encodeLz(picture, LzType.RGBA), picture).data, picture.data);
      for (const type of [LzType.A8, LzType.XXXA]) {
        expectSame(decodeLz(encodeLz(picture, type), picture).data, carried(picture, 'a8'));
      }
      const five = picture.data.map((byte, i) => (i % 4 === 3 ? 0 : (byte & 0xf8) | (byte >> 5)));
      expectSame(decodeLz(encodeLz(picture, LzType.RGB16), picture).data, five);
    }
  });

  test('takes no more bytes than the reference encoder', () => {
    let ours = 0;
    let theirs = 0;
    for (const vector of vectors.filter((v) => !v.type.startsWith('plt'))) {
      ours += encodeLz(sourceOf(vector), LZ[vector.type]!).length;
      theirs += vector.encodedBytes;
    }
    expect(ours).toBeLessThanOrEqual(theirs);
  });

  test('encodes a part of a framebuffer', () => {
    const data = Uint8Array.from({ length: 40 * 10 * 4 }, (_, i) => (i * 37) >> 3);
    const part = { width: 7, height: 4, stride: 160, data: data.subarray(3 * 160 + 20) };
    const back = decodeLz(encodeLz(part, LzType.RGBA), part).data;
    for (let y = 0; y < 4; y++) {
      expect(back.subarray(y * 28, y * 28 + 28)).toEqual(data.subarray((y + 3) * 160 + 20, (y + 3) * 160 + 48));
    }
    expect(() => encodeLz({ ...part, height: 8 }, LzType.RGBA)).toThrow(ImageError);
    expect(() => encodeLz({ ...part, stride: 20 }, LzType.RGBA)).toThrow(ImageError);
    expect(() => encodeLz(part, LzType.PLT8)).toThrow(ImageError);
  });
});

describe('GLZ encoder', () => {
  const glz = vectorsOf('glz');

  test.each([...new Set(glz.map((v) => v.series!))])('the sources of series %s come back', (name) => {
    const images = glz.filter((v) => v.series === name);
    const pixels = images[0]!.windowPixels!;
    const dictionary = new GlzDictionary({ pixels });
    const window = new GlzWindow({ pixels });
    let ours = 0;
    let theirs = 0;
    for (const vector of images) {
      expect(dictionary.nextId).toBe(vector.glzId);
      const source = sourceOf(vector);
      const bytes = dictionary.encode(source, LZ[vector.type]!);
      const { header, missing, pixels: back } = decodeGlz(window, bytes, vector);
      expect(missing).toBeUndefined();
      expect(header.winHeadDist).toBe(vector.winHeadDist);
      expectSame(back.data, carried(source, vector.type));
      ours += bytes.length;
      theirs += vector.encodedBytes;
    }
    expect(ours).toBeLessThanOrEqual(theirs * 1.01);
  });

  test('pictures come back through a window that is too small for all of them', () => {
    const dictionary = new GlzDictionary({ pixels: 30000 });
    const window = new GlzWindow({ pixels: 30000 });
    let saved = 0;
    for (const picture of pictures()) {
      if (!dictionary.fits(picture.width, picture.height)) continue;
      for (const [type, name] of [
        [LzType.RGB32, 'rgb32'],
        [LzType.RGBA, 'rgba'],
      ] as const) {
        const bytes = dictionary.encode(picture, type);
        saved += picture.data.length - bytes.length;
        expectSame(decodeGlz(window, bytes, picture).pixels.data, carried(picture, name));
        expect(window.pixels).toBeLessThanOrEqual(30000);
      }
    }
    expect(saved).toBeGreaterThan(0);
    expect(() => dictionary.encode({ width: 300, height: 100, data: new Uint8Array(120000) }, LzType.RGB32)).toThrow(
      ImageError,
    );
  });

  test('an equal picture costs next to nothing, and far places can be told', () => {
    const random = numbers(5);
    const pixels = 1 << 22;
    const dictionary = new GlzDictionary({ pixels, nextId: 2 ** 33 });
    const window = new GlzWindow({ pixels });
    const noise = new Uint32Array(500 * 500).map(() => random(0x1000000));
    const picture = { width: 500, height: 500, data: new Uint8Array(noise.buffer) };
    const first = dictionary.encode(picture, LzType.RGB32);
    decodeGlz(window, first, picture);
    const small = { width: 10, height: 10, data: new Uint8Array(noise.buffer, 0, 400) };
    for (let i = 0; i < 300; i++) decodeGlz(window, dictionary.encode(small, LzType.RGB32), small);
    for (const start of [0, 4090, 100_000, 131_000, 200_000]) {
      const part = { width: 50, height: 40, data: new Uint8Array(noise.buffer, start * 4, 8000) };
      const bytes = dictionary.encode(part, LzType.RGB32);
      expect(bytes.length).toBeLessThan(120);
      expectSame(decodeGlz(window, bytes, part).pixels.data, carried({ ...part, alpha: false }, 'rgb32'));
    }
    expect(dictionary.nextId).toBe(2 ** 33 + 306);
    dictionary.clear();
    const again = dictionary.encode(picture, LzType.RGB32);
    expect(again.length).toBe(first.length);
    expect(decodeGlz(window, again, picture).header.winHeadDist).toBe(0);
  });

  test('packed for a slow line', () => {
    const vector = glz.find((v) => v.name === 'glz-mixed-types-00')!;
    const bytes = new GlzDictionary({ pixels: 100000 }).encode(sourceOf(vector), LzType.RGB32);
    const packed = deflateGlz(bytes);
    expect(new Uint8Array(inflateSync(packed))).toEqual(bytes);
    const window = new GlzWindow({ pixels: 100000 });
    expect(decodeZlibGlz(window, packed, bytes.length, vector).pixels.data).toEqual(carried(sourceOf(vector), 'rgb32'));
  });
});

describe('LZ4 encoder', () => {
  test.each(vectorsOf('lz4'))('the source of $name comes back', (vector) => {
    const source = sourceOf(vector);
    const bytes = encodeLz4(source, FORMAT[vector.type]!);
    expectSame(decodeLz4(bytes, vector).data, carried(source, vector.type));
  });

  test('pictures come back, in every format', () => {
    for (const picture of pictures()) {
      for (const type of ['rgb24', 'rgb32', 'rgba']) {
        expectSame(decodeLz4(encodeLz4(picture, FORMAT[type]!), picture).data, carried(picture, type));
      }
      const five = picture.data.map((byte, i) => (i % 4 === 3 ? 0 : (byte & 0xf8) | (byte >> 5)));
      expectSame(decodeLz4(encodeLz4(picture, BitmapFormat['16BIT']), picture).data, five);
    }
  });
});
