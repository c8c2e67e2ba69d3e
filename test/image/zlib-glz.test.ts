import { deflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { GlzWindow } from '../../src/image/glz-window.ts';
import { decodeZlibGlz, inflateGlz } from '../../src/image/zlib-glz.ts';
import { asReference, damaged, encodedOf, faultOf, sha256, vectorsOf } from './vectors.ts';

const vectors = vectorsOf('glz');
describe('zlib-GLZ', () => {
  test('the GLZ series, each picture in zlib’s own stream', () => {
    let window = new GlzWindow({ pixels: 1 << 20 });
    for (const vector of vectors) {
      if (vector.glzId === 0) window = new GlzWindow({ pixels: vector.windowPixels! });
      const bytes = deflateSync(encodedOf(vector));
      const decoding = decodeZlibGlz(window, bytes, vector.encodedBytes, vector);
      expect(decoding.missing).toBeUndefined();
      expect(sha256(asReference(vector, decoding.pixels.data))).toBe(vector.decodedSha256);
    }
  });

  test('a stream longer than a slice, stored and packed', () => {
    const glz = encodedOf(vectors.find((v) => v.name === 'glz-mixed-types-05')!);
    const size = { width: 96, height: 50 };
    for (const level of [0, 1, 9]) expect(inflateGlz(deflateSync(glz, { level }), glz.length, size)).toEqual(glz);
  });

  test('the stated length is a budget and a promise', () => {
    const glz = encodedOf(vectors.find((v) => v.name === 'glz-mixed-types-05')!);
    const size = { width: 96, height: 50 };
    const bytes = deflateSync(glz);
    expect(faultOf(() => inflateGlz(bytes, glz.length - 1, size))).toBe('overrun');
    expect(faultOf(() => inflateGlz(bytes, glz.length + 1, size))).toBe('truncated');
    expect(faultOf(() => inflateGlz(bytes, 0xffffffff, size))).toBe('size');
    expect(faultOf(() => inflateGlz(bytes.subarray(0, 9), 20000, size))).toBe('truncated');
    expect(faultOf(() => inflateGlz(glz, glz.length, size))).toBe('data');
    expect(faultOf(() => inflateGlz(new Uint8Array(0), 0, size))).not.toBe('none');
  });

  test('a bomb stops at the budget', () => {
    const bomb = deflateSync(new Uint8Array(200 << 20), { level: 9 });
    const start = performance.now();
    expect(faultOf(() => inflateGlz(bomb, 20000, { width: 100, height: 100 }))).toBe('overrun');
    expect(performance.now() - start).toBeLessThan(1000);
  });

  test('damaged streams end in ImageError or in a picture', () => {
    let refused = 0;
    let seed = 1;
    for (const vector of vectors.filter((v) => v.glzId === 0)) {
      for (const bytes of damaged(deflateSync(encodedOf(vector)), seed++)) {
        const window = new GlzWindow({ pixels: 1 << 20 });
        if (faultOf(() => decodeZlibGlz(window, bytes, vector.encodedBytes, vector)) !== 'none') refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});
