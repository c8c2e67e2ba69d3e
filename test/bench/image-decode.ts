/**
 * How many pixels a second the image decoders give, on a picture like a photograph and one like a desktop, 1920×1080 in
 * RGB32. The npm package spice-client decodes the same bytes in the same run, so that the ratios mean something.
 */
import { readFileSync } from 'node:fs';
import { runInThisContext } from 'node:vm';
import { BitmapFormat } from '../../src/image/bitmap.ts';
import { decodeGlz } from '../../src/image/glz.ts';
import { GlzDictionary } from '../../src/image/glz-encode.ts';
import { GlzWindow } from '../../src/image/glz-window.ts';
import { useKernel } from '../../src/image/kernel.ts';
import { decodeLz, LzType } from '../../src/image/lz.ts';
import { encodeLz } from '../../src/image/lz-encode.ts';
import { decodeLz4 } from '../../src/image/lz4.ts';
import { encodeLz4 } from '../../src/image/lz4-encode.ts';
import type { Pixels } from '../../src/image/pixels.ts';
import { decodeQuic } from '../../src/image/quic.ts';
import { encodeQuic } from '../../src/image/quic-encode.ts';
import { QuicType } from '../../src/image/quic-model.ts';
import { naturalPicture, screenPicture } from './image-pictures.ts';

export interface BenchRow {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
}

export interface ImageBenchOptions {
  readonly width?: number;
  readonly height?: number;
  /** Seconds for each measurement; 0.5 if absent. */
  readonly seconds?: number;
}

/** The decoders of the npm package spice-client, which it does not export. */
interface Peer {
  /** Decodes a whole QUIC image to BGRX; the package swaps the colours afterwards, which is not counted here. */
  quic(bytes: Uint8Array): Uint8Array;
  /** Decodes the data of an LZ image, without its header, to RGBX. */
  lz(bytes: Uint8Array, width: number, height: number): Uint8Array;
}

/** Runs all measurements. Throws if a decoder, ours or the peer's, gives other pixels than were encoded. */
export function benches(options: ImageBenchOptions = {}): BenchRow[] {
  const { width = 1920, height = 1080, seconds = 0.5 } = options;
  const peer = loadPeer();
  const rows: BenchRow[] = [];
  for (const [kind, picture] of [
    ['natural', naturalPicture(width, height)],
    ['screen', screenPicture(width, height)],
  ] as const) {
    const measure = (name: string, decode: () => Uint8Array, order: 'bgr' | 'rgb' = 'bgr'): number => {
      check(name, decode(), picture, order);
      const value = (width * height) / 1e6 / secondsPerCall(decode, seconds);
      rows.push({ name: `${name}, ${kind}`, value: round(value), unit: 'MPix/s' });
      return value;
    };
    const quic = encodeQuic(picture, QuicType.RGB32);
    const lz = encodeLz(picture, LzType.RGB32);
    const lz4 = encodeLz4(picture, BitmapFormat['32BIT']);
    const glz = encodeGlz(picture);
    // As a client does it that draws at once: to memory that was used before.
    const target = new Uint8Array(width * height * 4);
    const quicSpeed = measure('decode QUIC', () => decodeQuic(quic, picture, { target }).data);
    const lzSpeed = measure('decode LZ', () => decodeLz(lz, picture, { target }).data);
    const window = new GlzWindow({ pixels: WINDOW });
    let next = 0;
    const decodeNext = (bytes: Uint8Array, at: number) =>
      decodeGlz(window, numbered(bytes, at), picture, { lend: true }).pixels.data;
    const glzSpeed = measure('decode GLZ', () => decodeNext(glz, next++));
    // A picture, and the same scrolled to the side, which points into the first.
    const scrolled = scroll(picture, 37);
    const dictionary = new GlzDictionary({ pixels: WINDOW });
    const pair = [picture, scrolled].map((one) => dictionary.encode(one, LzType.RGB32));
    for (const [i, one] of [picture, scrolled].entries()) check('GLZ', decodeNext(pair[i]!, next++), one, 'bgr');
    const pairTime = secondsPerCall(() => {
      for (const bytes of pair) decodeNext(bytes, next++);
    }, seconds);
    const pairSpeed = round((width * height * 2) / 1e6 / pairTime);
    rows.push({ name: `decode GLZ, a picture and one that points into it, ${kind}`, value: pairSpeed, unit: 'MPix/s' });
    measure('decode LZ4', () => decodeLz4(lz4, picture, { target }).data);
    useKernel(false);
    measure('decode QUIC, without WebAssembly', () => decodeQuic(quic, picture, { target }).data);
    measure('decode LZ, without WebAssembly', () => decodeLz(lz, picture, { target }).data);
    useKernel(true);
    const peerQuic = measure('decode QUIC, spice-client', () => peer.quic(quic));
    const peerLz = measure('decode LZ, spice-client', () => peer.lz(lz.slice(28), width, height), 'rgb');
    rows.push({ name: `QUIC against spice-client, ${kind}`, value: round(quicSpeed / peerQuic), unit: '×' });
    rows.push({ name: `LZ against spice-client, ${kind}`, value: round(lzSpeed / peerLz), unit: '×' });
    rows.push({ name: `GLZ against our LZ, ${kind}`, value: round(glzSpeed / lzSpeed), unit: '×' });
  }
  return rows;
}

const WINDOW = 1 << 24;

function encodeGlz(picture: Pixels): Uint8Array {
  return new GlzDictionary({ pixels: WINDOW }).encode(picture, LzType.RGB32);
}

/** The same image, with another number. */
function numbered(bytes: Uint8Array, id: number): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(25, id);
  return bytes;
}

/** Rows that begin so many pixels later, and end with what they began with. */
function scroll({ width, height, data, alpha }: Pixels, by: number): Pixels {
  const scrolled = new Uint8Array(data.length);
  for (let y = 0; y < height; y++) {
    const row = data.subarray(y * width * 4, (y + 1) * width * 4);
    scrolled.set(row.subarray(by * 4), y * width * 4);
    scrolled.set(row.subarray(0, by * 4), ((y + 1) * width - by) * 4);
  }
  return { width, height, data: scrolled, alpha };
}

/** The median time of a call, in seconds, after a quarter of the time for warming up. */
export function secondsPerCall(call: () => unknown, seconds: number): number {
  const start = performance.now();
  const times: number[] = [];
  for (;;) {
    const before = performance.now();
    call();
    const after = performance.now();
    if (before - start >= seconds * 250) times.push(after - before);
    if (after - start >= seconds * 1000 && times.length >= 3) break;
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1]! / 1000;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function check(name: string, data: Uint8Array, picture: Pixels, order: 'bgr' | 'rgb'): void {
  for (let i = 0; i < picture.data.length; i++) {
    const channel = i & 3;
    if (channel === 3) continue;
    const at = order === 'bgr' || channel === 1 ? i : i - channel + (2 - channel);
    if (data[at] !== picture.data[i]) throw new Error(`${name}: pixel ${i >> 2} is not what was encoded`);
  }
}

/** Loads the package's bundle with its internal decoders exported; their minified names are found by what they do. */
function loadPeer(): Peer {
  const url = new URL(import.meta.resolve('spice-client'));
  const source = readFileSync(url, 'utf8');
  const quic = /(\w+)\.simple_quic_decode\(/.exec(source)?.[1];
  const lz = /function (\w+)\((\w+), (\w+)\) \{[^{}]*if \(\3\.type >= \w+\.LZ_IMAGE_TYPE_LZ4_RGB32/.exec(source)?.[1];
  if (quic === undefined || lz === undefined) throw new Error('spice-client is not the version that this bench knows');
  // The bundle touches the page when it is loaded; something that takes any call is enough for that.
  const page: object = new Proxy(() => {}, {
    get: (_, key) => (key === Symbol.toPrimitive ? () => '' : page),
    apply: () => page,
    construct: () => page,
  });
  const body = source.slice(0, source.lastIndexOf('export {'));
  const code = `(function (window, document, navigator) { ${body}\nreturn { quic: ${quic}, lz: ${lz} }; })`;
  const module = (runInThisContext(code) as (...globals: object[]) => unknown)(page, page, page) as {
    quic: { simple_quic_decode(bytes: Uint8Array): Uint8Array };
    lz(context: unknown, image: unknown): { data: Uint8ClampedArray };
  };
  const context = {
    createImageData: (width: number, height: number) => {
      return { width, height, data: new Uint8ClampedArray(width * height * 4) };
    },
  };
  return {
    quic: (bytes) => module.quic.simple_quic_decode(bytes),
    lz: (bytes, width, height) => {
      const image = { type: LzType.RGB32, width, height, top_down: 1, data: bytes };
      return new Uint8Array(module.lz(context, image).data.buffer);
    },
  };
}
