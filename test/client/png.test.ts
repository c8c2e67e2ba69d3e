/** PNG files: read back by taking them apart, chunk by chunk. */
import { inflateSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { crc32, encodePng } from '../../src/client/png.ts';

/** The rows of colours of an 8-bit RGB file, as 0xRRGGBB. Checks signature, checksums and sizes. */
function read(file: Uint8Array): number[][] {
  expect([...file.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
  const view = new DataView(file.buffer, file.byteOffset);
  const chunks = new Map<string, Uint8Array>();
  for (let at = 8; at < file.length; ) {
    const length = view.getUint32(at);
    const body = file.subarray(at + 4, at + 8 + length);
    expect(view.getUint32(at + 8 + length)).toBe(crc32(body));
    chunks.set(new TextDecoder().decode(body.subarray(0, 4)), body.subarray(4));
    at += length + 12;
  }
  expect([...chunks.keys()]).toEqual(['IHDR', 'IDAT', 'IEND']);
  const header = chunks.get('IHDR')!;
  const [width, height] = [0, 4].map((at) => new DataView(header.buffer, header.byteOffset).getUint32(at)) as [
    number,
    number,
  ];
  expect([...header.subarray(8)]).toEqual([8, 2, 0, 0, 0]);
  const raw = inflateSync(chunks.get('IDAT')!);
  expect(raw.length).toBe((width * 3 + 1) * height);
  const rows: number[][] = [];
  let above = new Uint8Array(width * 3);
  for (let y = 0; y < height; y++) {
    const line = raw.subarray(y * (width * 3 + 1), (y + 1) * (width * 3 + 1));
    expect([0, 2]).toContain(line[0]);
    const now = Uint8Array.from(line.subarray(1), (v, i) => (line[0] === 2 ? v + above[i]! : v));
    rows.push(Array.from({ length: width }, (_, x) => (now[x * 3]! << 16) | (now[x * 3 + 1]! << 8) | now[x * 3 + 2]!));
    above = now;
  }
  return rows;
}

describe('encodePng', () => {
  it('holds the colours of every pixel, whatever the fourth byte and the stride', () => {
    const data = new Uint8Array(2 * 12 + 12).fill(0xee);
    const pixels = [
      [0x010203, 0xfffefd],
      [0x102030, 0],
      [0xffffff, 0x808080],
    ];
    pixels.forEach((row, y) => {
      row.forEach((color, x) => {
        data.set([color & 255, (color >> 8) & 255, color >> 16], y * 12 + x * 4);
      });
    });
    expect(read(encodePng({ width: 2, height: 3, stride: 12, data }))).toEqual(pixels);
  });

  it('refuses what is no picture', () => {
    const data = new Uint8Array(16);
    expect(() => encodePng({ width: 0, height: 1, stride: 0, data })).toThrow(RangeError);
    expect(() => encodePng({ width: 2, height: 3, stride: 8, data })).toThrow(RangeError);
    expect(() => encodePng({ width: 2, height: 1, stride: 4, data })).toThrow(RangeError);
  });

  it('has the checksum of the standard', () => {
    expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
    expect(crc32(new TextEncoder().encode('IEND'))).toBe(0xae426082);
  });
});
