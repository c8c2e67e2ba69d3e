import { expect, test } from 'vitest';
import { ImageError } from '../../src/image/error.ts';
import { decodeQuic, readQuicHeader } from '../../src/image/quic.ts';
import { asReference, describeBoth, encodedOf, faultOf, refusals, sha256, vectorsOf } from './vectors.ts';

const vectors = vectorsOf('quic');

describeBoth('QUIC decoder', () => {
  test.each(vectors)('$name is what the reference decoder gives', (vector) => {
    const pixels = decodeQuic(encodedOf(vector), vector);
    expect(pixels.alpha).toBe(vector.type === 'rgba');
    expect(sha256(asReference(vector, pixels.data))).toBe(vector.decodedSha256);
  });

  test('decodes into the caller’s buffer', () => {
    for (const name of ['quic-rgba-gradient-100x37', 'quic-rgb16-natural-100x37', 'quic-rgb32-natural-100x37']) {
      const vector = vectors.find((v) => v.name === name)!;
      const target = new Uint8Array(vector.width * vector.height * 4 + 4).fill(255);
      const pixels = decodeQuic(encodedOf(vector), vector, { target: target.subarray(4) });
      expect(pixels.data.buffer).toBe(target.buffer);
      expect(sha256(pixels.data)).toBe(vector.decodedSha256);
    }
  });
});

describeBoth('QUIC decoder, hostile input', () => {
  test('damaged vectors decode to something or end in ImageError', () => {
    const refused = refusals(vectors, (bytes, vector) => decodeQuic(bytes, vector));
    expect(refused).toBeGreaterThan(vectors.length * 20);
  });

  test('noise after a good header decodes to something or ends in ImageError', () => {
    let seed = 77;
    for (const type of [1, 2, 3, 4, 5]) {
      for (let round = 0; round < 60; round++) {
        const bytes = new Uint8Array(20 + 400);
        const view = new DataView(bytes.buffer);
        [0x43495551, 0, type, 19, 23].forEach((word, i) => {
          view.setUint32(i * 4, word, true);
        });
        for (let i = 20; i < bytes.length; i++) {
          seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
          bytes[i] = round % 3 === 0 ? 255 : round % 3 === 1 ? seed >>> 24 : (seed >>> 24) & (seed >>> 16);
        }
        try {
          decodeQuic(bytes, { width: 19, height: 23 });
        } catch (error) {
          expect(error).toBeInstanceOf(ImageError);
        }
      }
    }
  });

  test('truncations are refused', () => {
    for (const vector of vectors.filter((v) => v.encodedBytes < 400)) {
      const bytes = encodedOf(vector);
      // The reference encoder flushes one word more than the decoder must see.
      for (let length = 0; length < bytes.length - 8; length += 4) {
        expect(() => decodeQuic(bytes.subarray(0, length), vector)).toThrow(ImageError);
      }
    }
  });

  test('names the fault', () => {
    const vector = vectors.find((v) => v.name === 'quic-rgb32-natural-3x5')!;
    const fault = (change: (bytes: DataView) => void, size = { width: 3, height: 5 }) => {
      const bytes = encodedOf(vector);
      change(new DataView(bytes.buffer, bytes.byteOffset, bytes.length));
      return faultOf(() => decodeQuic(bytes, size));
    };
    expect(fault(() => {})).toBe('none');
    expect(fault(() => {}, { width: 5, height: 3 })).toBe('size');
    expect(fault((view) => view.setUint32(0, 1, true))).toBe('magic');
    expect(fault((view) => view.setUint32(4, 1, true))).toBe('magic');
    expect(fault((view) => view.setUint32(8, 0, true))).toBe('type');
    expect(fault((view) => view.setUint32(8, 6, true))).toBe('type');
    expect(fault((view) => view.setUint32(12, 0, true), { width: 0, height: 5 })).toBe('size');
    expect(readQuicHeader(encodedOf(vector))).toEqual({ type: 4, width: 3, height: 5 });
    const vast = (width: number, height: number) =>
      fault(
        (view) => {
          view.setUint32(12, width, true);
          view.setUint32(16, height, true);
        },
        { width, height },
      );
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 50; i++) expect([vast(8192, 8192), vast(0xffff, 1000)]).toEqual(['truncated', 'truncated']);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
  });
});
