import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type JpegCodec, loadJpeg, readJpegSize } from '../../src/image/jpeg.ts';
import { decodeLz } from '../../src/image/lz.ts';
import { damaged, encodedOf, faultOf, vectorsOf } from './vectors.ts';

interface JpegVector {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly rawAt: number;
  readonly rawBytes: number;
  readonly encodedAt: number;
  readonly encodedBytes: number;
}
const folder = new URL('./vectors/', import.meta.url);
const { vectors } = JSON.parse(readFileSync(new URL('jpeg.json', folder), 'utf8')) as { vectors: JpegVector[] };
const pack = new Uint8Array(readFileSync(new URL('jpeg.bin', folder)));
const jpegOf = (v: JpegVector) => pack.slice(v.encodedAt, v.encodedAt + v.encodedBytes);
const rgbOf = (v: JpegVector) => pack.slice(v.rawAt, v.rawAt + v.rawBytes);

const codec: JpegCodec = await loadJpeg();

describe('JPEG', () => {
  test.each(vectors)('$name is within 2 of what libjpeg-turbo decodes', (vector) => {
    expect(readJpegSize(jpegOf(vector))).toEqual({ width: vector.width, height: vector.height });
    const { data, alpha } = codec.decode(jpegOf(vector), vector);
    const rgb = rgbOf(vector);
    let worst = 0;
    for (let i = 0; i < vector.width * vector.height; i++) {
      for (let c = 0; c < 3; c++) worst = Math.max(worst, Math.abs(data[i * 4 + 2 - c]! - rgb[i * 3 + c]!));
      expect(data[i * 4 + 3]).toBe(0);
    }
    expect(worst).toBeLessThanOrEqual(2);
    expect(alpha).toBe(false);
  });

  test('decodes into the caller’s buffer', () => {
    const vector = vectors[0]!;
    const target = new Uint8Array(vector.width * vector.height * 4 + 4);
    const { data } = codec.decode(jpegOf(vector), vector, { target: target.subarray(4) });
    expect(data.buffer).toBe(target.buffer);
    expect(data).toEqual(codec.decode(jpegOf(vector), vector).data);
  });

  test('JPEG_ALPHA: colours from the JPEG, alpha from the LZ image, in either order of rows', () => {
    const vector = vectors.find((v) => v.width === 64 && v.height === 64)!;
    const jpeg = jpegOf(vector);
    const colors = codec.decode(jpeg, vector).data;
    const planes = vectorsOf('lz').filter((v) => v.type === 'xxxa' && v.width === 64 && v.height === 64);
    expect(new Set(planes.map((v) => v.topDown)).size).toBe(2);
    for (const plane of planes) {
      const bytes = Uint8Array.of(...jpeg, ...encodedOf(plane));
      const pixels = codec.decodeAlpha(bytes, jpeg.length, plane.topDown, vector);
      const alpha = decodeLz(encodedOf(plane), plane).data;
      expect(pixels.alpha).toBe(true);
      expect(pixels.data).toEqual(colors.map((byte, i) => (i % 4 === 3 ? alpha[i]! : byte)));
      expect(faultOf(() => codec.decodeAlpha(bytes, jpeg.length, !plane.topDown, vector))).toBe('data');
      expect(faultOf(() => codec.decodeAlpha(bytes, bytes.length + 1, plane.topDown, vector))).toBe('truncated');
      expect(faultOf(() => codec.decodeAlpha(bytes, bytes.length, plane.topDown, vector))).toBe('truncated');
    }
  });

  test('what it encodes it decodes to nearly the same picture', () => {
    const width = 90;
    const height = 50;
    const stride = width * 4 + 12;
    const data = new Uint8Array(stride * height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) data.set([x * 2, y * 4, 255 - x - y, 77], y * stride + x * 4);
    }
    let sizes: number[] = [];
    for (const subsampling of ['444', '422', '420'] as const) {
      const jpeg = codec.encode({ width, height, data, stride }, { quality: 95, subsampling });
      sizes = [...sizes, jpeg.length];
      const back = codec.decode(jpeg, { width, height }).data;
      let worst = 0;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          for (let c = 0; c < 3; c++) {
            worst = Math.max(worst, Math.abs(back[(y * width + x) * 4 + c]! - data[y * stride + x * 4 + c]!));
          }
        }
      }
      expect(worst).toBeLessThanOrEqual(8);
    }
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(codec.encode({ width, height, data, stride }, { quality: 20 }).length).toBeLessThan(sizes[2]!);
  });
});

describe('JPEG, hostile input', () => {
  test('damaged files decode to something or end in ImageError, and the library survives it', () => {
    let refused = 0;
    let seed = 1;
    for (const vector of vectors) {
      for (const bytes of damaged(jpegOf(vector), seed++, 40, 300)) {
        if (faultOf(() => codec.decode(bytes, vector)) !== 'none') refused++;
      }
    }
    expect(refused).toBeGreaterThan(200);
    const vector = vectors[0]!;
    expect(codec.decode(jpegOf(vector), vector).data.length).toBe(vector.width * vector.height * 4);
  });

  test('names the fault', () => {
    const vector = vectors[0]!;
    const jpeg = jpegOf(vector);
    expect(faultOf(() => codec.decode(jpeg, { width: 64, height: 63 }))).toBe('size');
    expect(faultOf(() => codec.decode(jpeg.subarray(1), vector))).toBe('magic');
    expect(faultOf(() => codec.decode(new Uint8Array(0), vector))).toBe('magic');
    expect(faultOf(() => codec.decode(jpeg.subarray(0, 20), vector))).toBe('truncated');
    const scans = new Uint8Array(jpeg.length + 200);
    scans.set(jpeg);
    for (let i = jpeg.length; i < scans.length; i += 4) scans.set([0xff, 0xda, 0, 0], i);
    expect(faultOf(() => codec.decode(scans, vector))).toBe('data');
  });
});
