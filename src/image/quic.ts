/**
 * Decoder of QUIC images: each colour of a pixel is predicted from the pixels to the left and above, and the difference
 * is written with an adaptive Golomb-Rice code; runs of equal pixels are counted. The rows are decoded by the WebAssembly
 * kernel or, where there is none, by quic-rows.ts and quic-plane.ts. INVARIANT: no pixel outside the declared picture is touched.
 */
import { ImageError } from './error.ts';
import { KERNEL_MAX_INPUT, kernel } from './kernel.ts';
import { quicRows } from './kernel-decode.ts';
import { checkSameSize, type DecodeOptions, type ImageSize, type Pixels, targetWords, toPixels } from './pixels.ts';
import { BitReader } from './quic-bits.ts';
import { Model, QUIC_HEADER_BYTES, QUIC_MAGIC, QuicType, quicParams } from './quic-model.ts';
import { PlaneRows } from './quic-plane.ts';
import { RgbRows } from './quic-rows.ts';

export interface QuicHeader {
  /** One of `QuicType`. */
  readonly type: number;
  readonly width: number;
  readonly height: number;
}

/** Reads the 20 bytes before the data; all numbers are little-endian. Throws `ImageError` "truncated", "magic", "type". */
export function readQuicHeader(bytes: Uint8Array): QuicHeader {
  if (bytes.length < QUIC_HEADER_BYTES) throw new ImageError('truncated', 'no complete QUIC header', bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== QUIC_MAGIC || view.getUint32(4, true) !== 0) {
    throw new ImageError('magic', 'not a QUIC image of version 0.0');
  }
  const type = view.getUint32(8, true);
  quicParams(type);
  return { type, width: view.getUint32(12, true), height: view.getUint32(16, true) };
}

/**
 * Decodes a QUIC image of any type. `size` is what the message's image descriptor declared. The fourth byte is alpha for
 * RGBA and 0 for the others; GRAY gives equal colours. Throws `ImageError`, after which a target's content is undefined.
 */
export function decodeQuic(bytes: Uint8Array, size: ImageSize, options: DecodeOptions = {}): Pixels {
  const { type, width, height } = readQuicHeader(bytes);
  checkSameSize(width, height, size);
  const { channels } = quicParams(type);
  const bits = (bytes.length - QUIC_HEADER_BYTES) * 8;
  // The first three pixels of a row cost a bit for each colour at least, and a bit of a run counts 2^15 pixels at most.
  if (height * Math.min(width, 3) * channels > bits || width * height > bits * 0x8000) {
    throw new ImageError('truncated', `${bytes.length} bytes cannot hold ${width}x${height} pixels`, bytes.length);
  }
  const out = targetWords(width * height, options.target);
  const fast = bytes.length <= KERNEL_MAX_INPUT ? kernel() : undefined;
  if (fast !== undefined) quicRows(fast, bytes, QUIC_HEADER_BYTES, type as QuicType, width, out);
  else decodeRows(bytes, type, width, height, out);
  return toPixels(width, height, out, type === QuicType.RGBA);
}

function decodeRows(bytes: Uint8Array, type: number, width: number, height: number, out: Uint32Array): void {
  const { channels, family } = quicParams(type);
  // Signed words: the engine keeps them in integer registers, which it does not for unsigned ones that are compared.
  const signed = new Int32Array(out.buffer, out.byteOffset, out.length);
  const input = new BitReader(bytes);
  const rgb =
    channels >= 3 ? new RgbRows(input, [new Model(family), new Model(family), new Model(family)], width) : undefined;
  const plane = channels !== 3 ? new PlaneRows(input, new Model(family), width) : undefined;
  for (let y = 0, at = 0; y < height; y++, at += width) {
    rgb?.row(signed, at, y);
    if (plane === undefined) continue;
    plane.row(y);
    if (rgb === undefined) {
      const row = plane.current;
      for (let x = 0; x < width; x++) out[at + x] = row[x]! * 0x010101;
    } else if (y > 0) mergeAlpha(out, at - width, plane.previous);
  }
  if (type === QuicType.RGBA) mergeAlpha(out, (height - 1) * width, plane!.current);
  if (type === QuicType.RGB16) {
    for (let i = 0; i < out.length; i++) {
      const word = out[i]!;
      out[i] = (word << 3) | ((word >>> 2) & 0x070707);
    }
  }
}

/** A row's alpha joins its colours only when the row below was decoded: the colours are predicted without it. */
function mergeAlpha(out: Uint32Array, at: number, alpha: Uint8Array): void {
  for (let x = 0; x < alpha.length; x++) out[at + x] = out[at + x]! | (alpha[x]! << 24);
}
