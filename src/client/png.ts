/** Writes PNG files: the colours of a picture, 8 bits each, without its fourth byte. Reads nothing. */
import { zlibSync } from 'fflate';

/** A picture as `Screen.primary` gives it: rows of B, G, R and an unused byte, `stride` bytes apart. */
export interface Bgrx {
  readonly width: number;
  readonly height: number;
  readonly stride: number;
  readonly data: Uint8Array;
}

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

const crcTable = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

/** The CRC-32 of PNG and zlib. */
export function crc32(bytes: Uint8Array, seed = 0): number {
  let c = ~seed >>> 0;
  for (const byte of bytes) c = crcTable[(c ^ byte) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const made = new Uint8Array(data.length + 12);
  const view = new DataView(made.buffer);
  view.setUint32(0, data.length);
  made.set(new TextEncoder().encode(type), 4);
  made.set(data, 8);
  view.setUint32(data.length + 8, crc32(made.subarray(4, data.length + 8)));
  return made;
}

/** A PNG file of the picture. Throws RangeError if the data hold fewer rows than it says, or it has no pixel. */
export function encodePng({ width, height, stride, data }: Bgrx): Uint8Array {
  if (width < 1 || height < 1 || stride < width * 4 || data.length < stride * (height - 1) + width * 4) {
    throw new RangeError(`${data.length} bytes are no picture of ${width}x${height}`);
  }
  const rows = new Uint8Array((width * 3 + 1) * height);
  let to = 0;
  for (let y = 0; y < height; y++) {
    // Each row says how it is predicted: by the row above pays best for pictures of screens, the first has none above.
    rows[to++] = y === 0 ? 0 : 2;
    let from = y * stride;
    for (let x = 0; x < width; x++, from += 4) {
      const above = y === 0 ? -1 : from - stride;
      for (let c = 2; c >= 0; c--) rows[to++] = data[from + c]! - (above < 0 ? 0 : data[above + c]!);
    }
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, 2, 0, 0, 0], 8);
  const parts = [
    Uint8Array.from(signature),
    chunk('IHDR', header),
    chunk('IDAT', zlibSync(rows, { level: 6 })),
    chunk('IEND', new Uint8Array(0)),
  ];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}
