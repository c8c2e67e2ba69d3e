import { expect, test } from 'vitest';
import { ImageError } from '../../src/image/error.ts';
import { decodeLz, decodeLzAlphaInto } from '../../src/image/lz.ts';
import {
  asReference,
  describeBoth,
  encodedOf,
  faultOf,
  paletteOf,
  rawOf,
  refusals,
  sha256,
  vectorsOf,
} from './vectors.ts';

const vectors = vectorsOf('lz');

describeBoth('LZ decoder', () => {
  test.each(vectors)('$name is what the reference decoder gives', (vector) => {
    const pixels = decodeLz(encodedOf(vector), vector, { palette: paletteOf(vector) });
    expect([pixels.width, pixels.height, pixels.data.length]).toEqual([
      vector.width,
      vector.height,
      vector.width * vector.height * 4,
    ]);
    expect(pixels.alpha).toBe(['rgba', 'xxxa', 'a8'].includes(vector.type));
    expect(sha256(asReference(vector, pixels.data))).toBe(vector.decodedSha256);
  });

  test('decodes into a part of the caller’s buffer and leaves the rest alone', () => {
    const vector = vectors.find((v) => v.name === 'lz-rgba-natural-100x37')!;
    const buffer = new Uint8Array(vector.width * vector.height * 4 + 16).fill(7);
    const pixels = decodeLz(encodedOf(vector), vector, { target: buffer.subarray(8) });
    expect(pixels.data.buffer).toBe(buffer.buffer);
    expect(sha256(pixels.data)).toBe(vector.decodedSha256);
    expect([...buffer.subarray(0, 8), ...buffer.subarray(buffer.length - 8)]).toEqual(new Array(16).fill(7));
    expect(() => decodeLz(encodedOf(vector), vector, { target: buffer.subarray(2) })).toThrow(ImageError);
    expect(() => decodeLz(encodedOf(vector), vector, { target: buffer.subarray(0, 64) })).toThrow(ImageError);
  });

  test('an XXXA image sets the alpha of a picture and keeps its colours, from the bottom too', () => {
    for (const vector of vectors.filter((v) => v.type === 'xxxa')) {
      const alpha = decodeLz(encodedOf(vector), vector).data;
      const colors = new Uint8Array(alpha.length).map((_, i) => (i * 7) & 255);
      const both = colors.slice();
      decodeLzAlphaInto(encodedOf(vector), vector, both);
      expect(both).toEqual(colors.map((byte, i) => (i % 4 === 3 ? alpha[i]! : byte)));
    }
    expect(vectors.some((v) => v.type === 'xxxa' && !v.topDown)).toBe(true);
  });

  test('the alpha of an XXXA vector is the fourth byte of what was encoded', () => {
    const vector = vectors.find((v) => v.type === 'xxxa' && v.topDown && v.width === 100)!;
    const raw = rawOf(vector);
    const alpha = decodeLz(encodedOf(vector), vector).data;
    expect(alpha.filter((_, i) => i % 4 === 3)).toEqual(raw.filter((_, i) => i % 4 === 3));
  });
});

describeBoth('LZ decoder, hostile input', () => {
  test('damaged vectors decode to something or end in ImageError', () => {
    const refused = refusals(vectors, (bytes, vector) => decodeLz(bytes, vector, { palette: paletteOf(vector) }));
    expect(refused).toBeGreaterThan(vectors.length * 20);
  });

  test('every truncation is refused', () => {
    for (const vector of vectors.filter((v) => v.encodedBytes < 400)) {
      const bytes = encodedOf(vector);
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodeLz(bytes.subarray(0, length), vector, { palette: paletteOf(vector) })).toThrow(ImageError);
      }
      expect(() => decodeLz(Uint8Array.of(...bytes, 0), vector, { palette: paletteOf(vector) })).toThrow(
        /after the last/,
      );
    }
  });

  const header = (type: number, width: number, height: number, stride: number, ...data: number[]) => {
    const bytes = new Uint8Array(28 + data.length);
    const view = new DataView(bytes.buffer);
    [0x20205a4c, 0x10001, type, width, height, stride, 1].forEach((word, i) => {
      view.setUint32(i * 4, word);
    });
    bytes.set(data, 28);
    return bytes;
  };
  const decode = (bytes: Uint8Array, palette?: number[]) => {
    const view = new DataView(bytes.buffer);
    const size = { width: view.getUint32(12), height: view.getUint32(16) };
    return faultOf(() => decodeLz(bytes, size, { palette }));
  };

  test('names the fault', () => {
    const literal = [0, 1, 2, 3];
    expect(decode(header(8, 4, 1, 16, ...literal, 0x60, 0))).toBe('none');
    expect(faultOf(() => decodeLz(header(8, 4, 1, 16, ...literal, 0x60, 0), { width: 5, height: 1 }))).toBe('size');
    expect(decode(header(8, 4, 1, 12, ...literal, 0x60, 0))).toBe('size');
    expect(decode(header(8, 0, 1, 0, ...literal))).toBe('size');
    expect(decode(header(8, 0xffffffff, 0xffffffff, 16, ...literal))).toBe('size');
    expect(decode(header(0, 4, 1, 16, ...literal))).toBe('type');
    expect(decode(header(12, 4, 1, 16, ...literal))).toBe('type');
    expect(decode(header(8, 4, 1, 16, ...literal, 0x80, 0))).toBe('overrun');
    expect(decode(header(8, 4, 1, 16, 4, ...literal))).toBe('overrun');
    expect(decode(header(8, 4, 1, 16, ...literal, 0x60, 1))).toBe('reference');
    expect(decode(header(8, 4, 1, 16, 0x60, 0))).toBe('reference');
    expect(decode(header(8, 4, 1, 16, ...literal, 0x60))).toBe('truncated');
    expect(decode(header(8, 4, 1, 16, ...literal, 0xe0, 255, 255))).toBe('truncated');
    expect(decode(header(8, 4, 1, 16, ...literal, 0x7f, 255, 0))).toBe('truncated');
    expect(decode(header(8, 4, 1, 16, 3, 1, 2, 3, 4, 5, 6))).toBe('truncated');
    expect(decode(header(8, 4, 1, 16, ...literal, 0x60, 0, 0))).toBe('trailing');
    expect(decode(header(5, 2, 1, 2, 1, 0, 3))).toBe('palette');
    expect(decode(header(5, 2, 1, 2, 1, 0, 3), [1, 2, 3])).toBe('palette');
    expect(decode(header(5, 2, 1, 2, 1, 0, 2), [1, 2, 3])).toBe('none');
    expect(decode(header(1, 2, 1, 1, 0, 0), [1])).toBe('palette');
    const other = header(8, 4, 1, 16, ...literal, 0x60, 0);
    other[3] = 0;
    expect(decode(other)).toBe('magic');
  });

  test('a few bytes that claim a vast picture are refused before memory is taken', () => {
    const before = process.memoryUsage().arrayBuffers;
    const bomb = header(8, 8192, 8192, 32768, 0, 1, 2, 3, 0xff, 255, 255, 255, 255, 0, 0);
    for (let i = 0; i < 50; i++) expect(decode(bomb)).toBe('truncated');
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });
});
