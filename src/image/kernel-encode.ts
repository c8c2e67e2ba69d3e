/**
 * The encoders' side of the kernel: pixels go into its memory, and the encoded picture stays there until the next one. INVARIANT:
 * what the kernel writes lies inside the rooms laid out here, whatever the pixels are.
 */
import { align, codesAt, familyAt, GAP, type Kernel, ROOMS_AT, STATE_AT, TABLES_AT } from './kernel.ts';
import type { PixelSource } from './pixels.ts';
import type { QuicType } from './quic-model.ts';

/** What the encoders of LZ and LZ4 need to find repetitions. */
const PLACES = 4 << 14;
/** Room before what is encoded, for the header. */
const HEADER = 64;
/** Pixels of a QUIC image are handed over in portions of so many bytes. */
const QUIC_PORTION = 1 << 16;

/**
 * Encodes the colours of a picture of up to `KERNEL_MAX_HELD` pixels as LZ of three bytes a pixel, or as one block of LZ4 of
 * its four bytes, the fourth 0. `header`, of up to 64 bytes, comes before them in what is given, which is a view of the
 * kernel's memory: it holds until the kernel is used for anything else.
 */
export function writeColors(kernel: Kernel, coding: 'lz' | 'lz4', source: PixelSource, header: Uint8Array): Uint8Array {
  const { exports } = kernel;
  const count = source.width * source.height;
  const pixels = align(ROOMS_AT + PLACES + GAP);
  const out = align(pixels + count * 4 + GAP + HEADER);
  const bytes = kernel.room(out + count * 4 + (count >> 4) + 32 + GAP);
  putRows(source, bytes, pixels);
  if (source.isBlank !== true) exports.clearFourth(pixels, count);
  const end =
    coding === 'lz'
      ? exports.lzWrite(pixels, count, ROOMS_AT, out)
      : exports.lz4Write(pixels, pixels + count * 4, ROOMS_AT, out);
  bytes.set(header, out - header.length);
  return bytes.subarray(out - header.length, end);
}

/**
 * Encodes the colours of a picture as the rows of a QUIC image of the given type, not gray. Row `y` of the picture begins
 * at `y * stride` of `data`. `header` and what is given are as those of `writeColors`.
 */
export function writeQuic(
  kernel: Kernel,
  { width, height, data, stride = width * 4 }: PixelSource,
  type: QuicType,
  header: Uint8Array,
): Uint8Array {
  const { exports } = kernel;
  const rowBytes = width * 4;
  const portion = Math.max(1, Math.min(Math.floor(QUIC_PORTION / rowBytes), height));
  const scratch = ROOMS_AT;
  const rows = align(scratch + exports.quicScratch(width) + GAP);
  const out = align(rows + (portion + 1) * rowBytes + GAP + HEADER);
  // Three words of up to 26 bits a pixel, or a run of 32 bits and then a pixel.
  const most = portion * width * 16 + GAP;
  let bytes = kernel.room(out + ((width * height) >> 1) * 3 + most);
  exports.quicWriteStart(familyAt(type), TABLES_AT, codesAt(type), STATE_AT, scratch, type, width);
  let end = out;
  for (let y = 0; y < height; y += portion) {
    const many = Math.min(portion, height - y);
    // Seldom more than what was made room for above: then for as much again.
    if (end + most > bytes.length) bytes = kernel.room(end + (end - out) + most);
    if (y > 0) bytes.copyWithin(rows, rows + portion * rowBytes, rows + (portion + 1) * rowBytes);
    putRows({ width, height: many, data: data.subarray(y * stride), stride }, bytes, rows + rowBytes);
    end = exports.quicWriteRows(rows + rowBytes, many, end);
  }
  end = exports.quicWriteEnd(end);
  bytes.set(header, out - header.length);
  return bytes.subarray(out - header.length, end);
}

/** Copies the rows of a picture, without gaps, to `at`. */
export function putRows({ width, height, data, stride = width * 4 }: PixelSource, bytes: Uint8Array, at: number): void {
  const rowBytes = width * 4;
  if (stride === rowBytes) bytes.set(data.subarray(0, height * rowBytes), at);
  else {
    for (let y = 0; y < height; y++) {
      bytes.set(data.subarray(y * stride, y * stride + rowBytes), at + y * rowBytes);
    }
  }
}
