import { expect, test } from 'vitest';
import { BitmapFormat, decodeBitmap } from '../../src/image/bitmap.ts';
import { ImageError } from '../../src/image/error.ts';
import { decodeLz4 } from '../../src/image/lz4.ts';
import { describeBoth, encodedOf, faultOf, rawOf, refusals, sha256, type Vector, vectorsOf } from './vectors.ts';

const vectors = vectorsOf('lz4');
const FORMAT: Record<string, number> = {
  rgb16: BitmapFormat['16BIT'],
  rgb24: BitmapFormat['24BIT'],
  rgb32: BitmapFormat['32BIT'],
  rgba: BitmapFormat.RGBA,
};
/** The reference decoder gives the raw bytes back; so what they show as a raw bitmap is what must come out. */
const shown = (vector: Vector) => {
  const { width, height, topDown, rawStride: stride } = vector;
  return decodeBitmap({ width, height, topDown, stride, format: FORMAT[vector.type]!, data: rawOf(vector) });
};

describeBoth('LZ4 decoder', () => {
  test.each(vectors)('$name is what the reference decoder gives', (vector) => {
    expect(sha256(rawOf(vector))).toBe(vector.decodedSha256);
    expect(decodeLz4(encodedOf(vector), vector)).toEqual(shown(vector));
  });

  test('decodes into the caller’s buffer', () => {
    const vector = vectors.find((v) => v.name === 'lz4-rgb24-screen-100x37')!;
    const target = new Uint8Array(vector.width * vector.height * 4 + 8);
    expect(decodeLz4(encodedOf(vector), vector, { target: target.subarray(4) }).data.buffer).toBe(target.buffer);
    expect(target.subarray(4, target.length - 4)).toEqual(shown(vector).data);
  });
});

describeBoth('LZ4 decoder, hostile input', () => {
  test('damaged vectors decode to something or end in ImageError', () => {
    const refused = refusals(vectors, (bytes, vector) => decodeLz4(bytes, vector));
    expect(refused).toBeGreaterThan(vectors.length * 15);
  });

  test('every truncation is refused', () => {
    for (const vector of vectors.filter((v) => v.encodedBytes < 300)) {
      const bytes = encodedOf(vector);
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodeLz4(bytes.subarray(0, length), vector)).toThrow(ImageError);
      }
    }
  });

  test('names the fault', () => {
    const fault = (...bytes: number[]) => faultOf(() => decodeLz4(Uint8Array.from(bytes), { width: 4, height: 1 }));
    const block = (...bytes: number[]) => [0, 0, 0, bytes.length, ...bytes];
    expect(fault(1, 8, ...block(0x48, 1, 2, 3, 4, 4, 0, 0x00))).toBe('none');
    expect(fault(1, 8, ...block(0x40, 1, 2, 3, 4), ...block(0x08, 4, 0, 0x00))).toBe('none');
    expect(fault(1, 8, ...block(0x48, 1, 2, 3, 4, 5, 0, 0x00))).toBe('reference');
    expect(fault(1, 8, ...block(0x48, 1, 2, 3, 4, 0, 0, 0x00))).toBe('reference');
    expect(fault(1, 8, ...block(0x49, 1, 2, 3, 4, 4, 0, 0x00))).toBe('overrun');
    expect(fault(1, 8, ...block(0x48, 1, 2, 3, 4, 4, 0, 0x10, 9))).toBe('overrun');
    expect(fault(1, 8, ...block(0x48, 1, 2, 3, 4, 4, 0))).toBe('truncated');
    expect(fault(1, 8, ...block(0x40, 1, 2, 3, 4))).toBe('truncated');
    expect(fault(1, 8, ...block(0xf0, 255, 255))).toBe('truncated');
    expect(fault(1, 8, 255, 255, 255, 255, 0)).toBe('truncated');
    expect(fault(1, 8, ...block(0x40, 1, 2, 3, 4), 0, 0, 0, 0)).toBe('data');
    expect(fault(1, 8, ...block(0x48, 1, 2, 3, 4, 4, 0, 0x00), 1)).toBe('truncated');
    expect(fault(1, 5, ...block(0x40, 1, 2, 3, 4))).toBe('type');
    expect(fault(1, 10, ...block(0x40, 1, 2, 3, 4))).toBe('type');
    expect(fault(1)).toBe('truncated');
  });

  test('a few bytes for a vast picture are refused before memory is taken', () => {
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 50; i++) {
      expect(() => decodeLz4(Uint8Array.of(1, 8, 0, 0, 0, 1, 0), { width: 8192, height: 8192 })).toThrow(ImageError);
    }
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });
});
