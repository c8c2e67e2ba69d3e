/**
 * JPEG and JPEG_ALPHA images, and the frames of MJPEG streams, through libjpeg-turbo in WebAssembly. The library must be
 * loaded first (asynchronously, once); after that everything is synchronous. It is never shown a picture whose own header
 * does not match the declared size: its memory grows with what that header says.
 */
import type { LibJpegTurbo } from '@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs';
import { ImageError } from './error.ts';
import { decodeLzAlphaInto, readLzHeader } from './lz.ts';
import {
  checkSameSize,
  type DecodeOptions,
  type ImageSize,
  type PixelSource,
  type Pixels,
  sourceWords,
  targetWords,
  toPixels,
} from './pixels.ts';

/** A picture with more scans than this is refused: each costs the library a pass over all pixels. */
const MAX_SCANS = 32;

/** The library leaks a little whenever it fails. After so many failures a fresh copy takes over. */
const MAX_FAILURES = 1024;

export interface JpegOptions {
  /** The bytes of `libjpegturbowasm.wasm`, or where it is. Needed in a browser; Node finds the file in its package. */
  readonly wasm?: Uint8Array | ArrayBuffer | URL | string | undefined;
}

export interface JpegEncodeOptions {
  /** 1 to 100. */
  readonly quality: number;
  /** Whether the colours are halved in both directions ("420", the default), across ("422") or not at all ("444"). */
  readonly subsampling?: '420' | '422' | '444';
}

/** Loads the library. Rejects if its WebAssembly file cannot be found or started. */
export async function loadJpeg(options: JpegOptions = {}): Promise<JpegCodec> {
  return new JpegCodec(await start(options), () => start(options));
}

async function start({ wasm }: JpegOptions): Promise<LibJpegTurbo> {
  const { default: load } = await import('@cornerstonejs/codec-libjpeg-turbo-8bit/wasmjs');
  const quiet = { print: () => {}, printErr: () => {} };
  if (wasm === undefined) return load(quiet);
  if (typeof wasm === 'string' || wasm instanceof URL) return load({ ...quiet, locateFile: () => String(wasm) });
  return load({ ...quiet, wasmBinary: wasm });
}

/** Reads width and height from a JPEG file's frame header. Throws `ImageError`. */
export function readJpegSize(bytes: Uint8Array): ImageSize {
  if (bytes.length < 4 || bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new ImageError('magic', 'not a JPEG image');
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) throw new ImageError('data', 'no marker where one must be', at);
    const marker = bytes[at + 1]!;
    if (marker === 0xff) {
      at++; // fill byte
      continue;
    }
    if (marker === 0xd9 || marker === 0xda) throw new ImageError('data', 'no frame header before the picture', at);
    const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
    if (length < 2) throw new ImageError('data', 'a segment shorter than its length', at);
    // SOF0 to SOF15 but for DHT, JPG and DAC, which share their range.
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc) {
      if (length < 8 || at + 9 > bytes.length) break;
      return { height: (bytes[at + 5]! << 8) | bytes[at + 6]!, width: (bytes[at + 7]! << 8) | bytes[at + 8]! };
    }
    at += 2 + length;
  }
  throw new ImageError('truncated', 'the data ends before the frame header', bytes.length);
}

function checkScans(bytes: Uint8Array): void {
  let scans = 0;
  for (let at = bytes.indexOf(0xff); at >= 0 && at + 1 < bytes.length; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === 0xda && ++scans > MAX_SCANS) throw new ImageError('data', `more than ${MAX_SCANS} scans`, at);
  }
}

/** The loaded library. One can serve any number of channels. */
export class JpegCodec {
  #decoder;
  #encoder;
  #failures = 0;
  readonly #renew: () => Promise<LibJpegTurbo>;

  /** Use `loadJpeg`. */
  constructor(library: LibJpegTurbo, renew: () => Promise<LibJpegTurbo>) {
    this.#decoder = new library.JPEGDecoder();
    this.#encoder = new library.JPEGEncoder();
    this.#renew = renew;
  }

  /** Decodes a JPEG image of the declared `size`; the fourth byte is 0. Throws `ImageError`. */
  decode(bytes: Uint8Array, size: ImageSize, options: DecodeOptions = {}): Pixels {
    const { width, height } = readJpegSize(bytes);
    checkSameSize(width, height, size);
    checkScans(bytes);
    const out = targetWords(width * height, options.target);
    let components: number;
    let samples: Uint8Array;
    try {
      this.#decoder.getEncodedBuffer(bytes.length).set(bytes);
      this.#decoder.decode();
      const frame = this.#decoder.getFrameInfo();
      components = frame.componentCount;
      samples = this.#decoder.getDecodedBuffer();
      if (frame.width !== width || frame.height !== height) throw new Error('another size than the header’s');
    } catch (error) {
      this.#failed();
      throw new ImageError('data', 'libjpeg-turbo cannot decode this', 0, { cause: error });
    }
    if ((components !== 1 && components !== 3) || samples.length < width * height * components) {
      throw new ImageError('type', `a JPEG image with ${components} components`);
    }
    const count = width * height;
    if (components === 1) for (let i = 0; i < count; i++) out[i] = samples[i]! * 0x010101;
    else {
      for (let i = 0, at = 0; i < count; i++, at += 3) {
        out[i] = (samples[at]! << 16) | (samples[at + 1]! << 8) | samples[at + 2]!;
      }
    }
    return toPixels(width, height, out, false);
  }

  /**
   * Decodes a JPEG_ALPHA image: `jpegSize` bytes of JPEG for the colours, then an LZ image (XXXA) for the alpha, whose
   * order of rows must be what the message's flag says. Throws `ImageError`.
   */
  decodeAlpha(
    bytes: Uint8Array,
    jpegSize: number,
    topDown: boolean,
    size: ImageSize,
    options: DecodeOptions = {},
  ): Pixels {
    if (!(jpegSize <= bytes.length)) throw new ImageError('truncated', `${jpegSize} bytes of JPEG`, bytes.length);
    const alpha = bytes.subarray(jpegSize);
    if (readLzHeader(alpha).topDown !== topDown) throw new ImageError('data', 'colours and alpha in different order');
    const { width, height, data } = this.decode(bytes.subarray(0, jpegSize), size, options);
    decodeLzAlphaInto(alpha, size, data);
    return { width, height, data, alpha: true };
  }

  /** Encodes the colours of a picture as a baseline JPEG file. Throws `ImageError` "input". */
  encode(source: PixelSource, options: JpegEncodeOptions): Uint8Array {
    const { width, height } = source;
    const words = sourceWords(source);
    if (width > 65535 || height > 65535) throw new ImageError('input', `${width}x${height} is too large for JPEG`);
    try {
      const frame = { width, height, bitsPerSample: 8, componentCount: 3, isSigned: false };
      const samples = this.#encoder.getDecodedBuffer(frame);
      for (let i = 0, at = 0; i < words.length; i++, at += 3) {
        const word = words[i]!;
        samples[at] = (word >> 16) & 255;
        samples[at + 1] = (word >> 8) & 255;
        samples[at + 2] = word & 255;
      }
      this.#encoder.setProgressive(false);
      this.#encoder.setQuality(Math.max(1, Math.min(100, Math.round(options.quality))));
      this.#encoder.setSubSampling({ '444': 0, '422': 1, '420': 2 }[options.subsampling ?? '420']);
      this.#encoder.encode();
      return Uint8Array.from(this.#encoder.getEncodedBuffer());
    } catch (error) {
      this.#failed();
      throw new ImageError('input', 'libjpeg-turbo cannot encode this', 0, { cause: error });
    }
  }

  #failed(): void {
    if (++this.#failures % MAX_FAILURES !== 0) return;
    this.#renew().then(
      (library) => {
        this.#decoder = new library.JPEGDecoder();
        this.#encoder = new library.JPEGEncoder();
      },
      () => {}, // then the old copy goes on serving
    );
  }
}
