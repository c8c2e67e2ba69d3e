import { describe, expect, test } from 'vitest';
import { type Bitmap, BitmapFormat, decodeBitmap, decodeMask } from '../../src/image/bitmap.ts';
import { ImageError } from '../../src/image/error.ts';
import { expand555, pack555 } from '../../src/image/pixels.ts';
import { paletteOf, rawOf, sha256, vectorsOf } from './vectors.ts';

const FORMAT_OF: Record<string, number> = {
  plt1le: BitmapFormat['1BIT_LE'],
  plt1be: BitmapFormat['1BIT_BE'],
  plt4le: BitmapFormat['4BIT_LE'],
  plt4be: BitmapFormat['4BIT_BE'],
  plt8: BitmapFormat['8BIT'],
  rgb16: BitmapFormat['16BIT'],
  rgb24: BitmapFormat['24BIT'],
  rgb32: BitmapFormat['32BIT'],
  rgba: BitmapFormat.RGBA,
  a8: BitmapFormat['8BIT_A'],
};

const words = (data: Uint8Array) => [...new Uint32Array(data.buffer, data.byteOffset, data.length / 4)];
const decode = (
  format: number,
  width: number,
  height: number,
  stride: number,
  data: number[],
  more: Partial<Bitmap> = {},
) => words(decodeBitmap({ format, width, height, stride, topDown: true, data: Uint8Array.from(data), ...more }).data);

describe('raw bitmaps', () => {
  // What the reference LZ decoder makes of a picture is what the raw picture shows: the same colours by another road.
  test.each(vectorsOf('lz').filter((vector) => vector.type in FORMAT_OF))('the source of $name', (vector) => {
    const pixels = decodeBitmap({
      format: FORMAT_OF[vector.type]!,
      width: vector.width,
      height: vector.height,
      stride: vector.rawStride,
      topDown: true,
      data: rawOf(vector),
      palette: paletteOf(vector),
    });
    const data = pixels.data.slice();
    if (vector.type !== 'rgba' && vector.type !== 'a8') for (let i = 3; i < data.length; i += 4) data[i] = 0;
    expect(pixels.alpha).toBe(vector.type === 'rgba' || vector.type === 'a8');
    expect(sha256(vector.type === 'a8' ? data.filter((_, i) => i % 4 === 3) : data)).toBe(vector.decodedSha256);
  });

  test('rows with padding, from the top and from the bottom', () => {
    const rows = [1, 2, 3, 0, 99, 4, 5, 6, 0];
    expect(decode(BitmapFormat['32BIT'], 1, 2, 5, rows)).toEqual([0x030201, 0x060504]);
    expect(decode(BitmapFormat['32BIT'], 1, 2, 5, rows, { topDown: false })).toEqual([0x060504, 0x030201]);
    expect(decode(BitmapFormat['24BIT'], 1, 2, 5, rows)).toEqual([0x030201, 0x060504]);
    expect(decode(BitmapFormat['8BIT_A'], 2, 2, 3, [1, 2, 9, 3, 4], { topDown: false })).toEqual(
      [3, 4, 1, 2].map((alpha) => alpha * 2 ** 24),
    );
    const palette = [0x111111, 0x222222, 0x333333];
    expect(decode(BitmapFormat['4BIT_BE'], 3, 2, 2, [0x01, 0x2f, 0x21, 0x0f], { palette, topDown: false })).toEqual(
      [2, 1, 0, 0, 1, 2].map((i) => palette[i]),
    );
    expect(decode(BitmapFormat['4BIT_LE'], 3, 1, 2, [0x10, 0xf2], { palette })).toEqual(palette);
    expect(decode(BitmapFormat['1BIT_BE'], 3, 1, 1, [0b01011111], { palette })).toEqual(
      [0, 1, 0].map((i) => palette[i]),
    );
    expect(decode(BitmapFormat['1BIT_LE'], 3, 1, 1, [0b11111010], { palette })).toEqual(
      [0, 1, 0].map((i) => palette[i]),
    );
    expect(decode(BitmapFormat['4BIT_LE'], 2, 1, 1, [0x43], { palette })).toEqual([0x111111, 0x222222]);
  });

  test('masks', () => {
    const mask = (format: number, topDown: boolean) => [
      ...decodeMask({ format, width: 9, height: 2, stride: 2, topDown, data: Uint8Array.of(0x81, 0x80, 0x01, 0x01) }),
    ];
    expect(mask(BitmapFormat['1BIT_BE'], true)).toEqual([255, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 255, 0]);
    expect(mask(BitmapFormat['1BIT_LE'], false)).toEqual([
      255, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 255, 0,
    ]);
    expect(() => mask(BitmapFormat['8BIT_A'], true)).toThrow(ImageError);
  });

  test('all 5-5-5 colours survive the way there and back', () => {
    for (let color = 0; color < 0x8000; color++) expect(pack555(expand555(color))).toBe(color);
    expect(expand555(0x7fff)).toBe(0xffffff);
  });

  test('refuses what does not fit', () => {
    const fault = (bitmap: Partial<Bitmap>) => {
      try {
        decodeBitmap({ format: 8, width: 2, height: 2, stride: 8, topDown: true, data: new Uint8Array(16), ...bitmap });
      } catch (error) {
        if (error instanceof ImageError) return error.fault;
        throw error;
      }
      return 'none';
    };
    expect(fault({})).toBe('none');
    expect(fault({ data: new Uint8Array(15) })).toBe('truncated');
    expect(fault({ stride: 7 })).toBe('size');
    expect(fault({ stride: Number.NaN })).toBe('size');
    expect(fault({ stride: 0xffffffff })).toBe('truncated');
    expect(fault({ width: 0 })).toBe('size');
    expect(fault({ width: 0xffffffff, height: 0xffffffff })).toBe('size');
    expect(fault({ format: 0 })).toBe('type');
    expect(fault({ format: 11 })).toBe('type');
    expect(fault({ format: 5 })).toBe('palette');
    expect(fault({ format: 5, palette: [] })).toBe('palette');
    expect(fault({ format: 5, palette: [1], data: new Uint8Array(16).fill(1) })).toBe('palette');
    expect(fault({ format: 1, palette: [1] })).toBe('palette');
    expect(fault({ format: 3, palette: [1] })).toBe('none');
  });
});
