/** Every decoder of pictures, fed with the golden vectors after they were spoiled. */
import { existsSync, readFileSync } from 'node:fs';
import { Caches } from '../../src/client/caches.ts';
import { Screen } from '../../src/client/screen.ts';
import { SumacError } from '../../src/errors.ts';
import { decodeBitmap } from '../../src/image/bitmap.ts';
import { decodeGlz } from '../../src/image/glz.ts';
import { GlzWindow } from '../../src/image/glz-window.ts';
import { type JpegCodec, loadJpeg } from '../../src/image/jpeg.ts';
import { useKernel } from '../../src/image/kernel.ts';
import { decodeLz, decodeLzAlphaInto } from '../../src/image/lz.ts';
import { decodeLz4 } from '../../src/image/lz4.ts';
import { MAX_PIXELS } from '../../src/image/pixels.ts';
import { decodeQuic } from '../../src/image/quic.ts';
import { decodeZlibGlz, deflateGlz } from '../../src/image/zlib-glz.ts';
import { decodeMessage, encodeMessage } from '../../src/protocol/channel.ts';
import { SurfaceFmt } from '../../src/protocol/constants.ts';
import { DisplayChannel } from '../../src/protocol/display.ts';
import { glue, mutate } from './mutate.ts';
import type { Random } from './random.ts';
import { framed, sampleOf } from './samples.ts';
import { demand, type Target } from './target.ts';

interface Sample {
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly bytes: Uint8Array;
}

// The sources lie elsewhere when this runs compiled.
const folder = ['../image/vectors/', '../../../test/image/vectors/']
  .map((path) => new URL(path, import.meta.url))
  .find((url) => existsSync(url))!;
const pack = (name: string) => new Uint8Array(readFileSync(new URL(`${name}.bin`, folder)));
const json = (name: string) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')).vectors as any[];

const samples: Record<string, Sample[]> = {};
for (const vector of [...json('index.json'), ...json('jpeg.json').map((v) => ({ ...v, codec: 'jpeg' }))]) {
  const bytes = pack(vector.codec).slice(vector.encodedAt, vector.encodedAt + vector.encodedBytes);
  samples[vector.codec] ??= [];
  samples[vector.codec]!.push({ ...vector, bytes });
}

const palette = Uint32Array.from({ length: 256 }, (_, i) => i * 0x010203);

/** Width and height stand in front of the bytes, and may be others than the bytes say. */
function sized({ width, height, bytes }: Sample, random: Random, others: readonly Uint8Array[]): Uint8Array {
  const wrong = random.once(8);
  const [w, h] = wrong ? [random.size(5_000), random.size(5_000)] : [width, height];
  const spoiled = random.once(20) ? random.bytes(random.size(2_000)) : mutate(bytes, random, others);
  return glue(Uint8Array.of(w, w >> 8, h, h >> 8, random.below(256)), spoiled);
}

type Decode = (bytes: Uint8Array, size: { width: number; height: number }, extra: number) => unknown;

function codec(name: string, from: readonly Sample[], decode: Decode): Target {
  const others = from.map(({ bytes }) => bytes);
  return {
    name,
    // What a picture of the size that was declared takes, twice.
    memory: MAX_PIXELS * 4,
    generate: (random) => sized(random.pick(from), random, others),
    run(input) {
      const [a = 0, b = 0, c = 0, d = 0, extra = 0] = input;
      decode(input.subarray(5), { width: a | (b << 8), height: c | (d << 8) }, extra);
    },
  };
}

/** Runs a decoder with the kernel and without: both give the same, or refuse. */
const both =
  (decode: Decode): Decode =>
  (bytes, size, extra) => {
    const run = (kernel: boolean) => {
      useKernel(kernel);
      try {
        return { data: (decode(bytes.slice(), size, extra) as { data?: Uint8Array } | undefined)?.data };
      } catch (error) {
        if (!(error instanceof SumacError)) throw error;
        return { error };
      }
    };
    const [plain, fast] = [run(false), run(true)];
    useKernel(true);
    demand((plain.error === undefined) === (fast.error === undefined), 'the kernel takes what the loops refuse');
    if (plain.error !== undefined) throw plain.error;
    if (plain.data !== undefined)
      demand(Buffer.compare(plain.data, fast.data!) === 0, 'the kernel draws another picture');
  };

/** Several pictures into one window, in front of which stand their sizes. */
const glzSeries: Target = {
  name: 'glz-series',
  memory: MAX_PIXELS * 4,
  generate(random) {
    const parts: Uint8Array[] = [];
    for (let left = 1 + random.below(5); left > 0; left--) {
      const { width, height, bytes } = random.pick(samples.glz!);
      const spoiled = random.once(3) ? mutate(bytes, random) : bytes.slice();
      // The id that a picture has, and how far back it points.
      if (spoiled.length > 33 && random.once(2)) spoiled[24] = random.below(6);
      const size = spoiled.length;
      parts.push(Uint8Array.of(width, width >> 8, height, height >> 8, size, size >> 8), spoiled);
    }
    return glue(...parts);
  },
  run(input) {
    const window = new GlzWindow({ pixels: 50_000 });
    let at = 0;
    while (at + 6 <= input.length) {
      const [a, b, c, d, e, f] = input.subarray(at, at + 6);
      const size = e! | (f! << 8);
      try {
        decodeGlz(window, input.subarray(at + 6, at + 6 + size), { width: a! | (b! << 8), height: c! | (d! << 8) });
      } catch (error) {
        if (!(error instanceof SumacError)) throw error;
      }
      at += 6 + size;
    }
  },
};

async function jpegTarget(): Promise<Target> {
  let jpeg: JpegCodec = await loadJpeg();
  let runs = 0;
  return {
    ...codec('jpeg', samples.jpeg!, (bytes, size) => jpeg.decode(bytes, size)),
    async run(input) {
      const [a = 0, b = 0, c = 0, d = 0] = input;
      if (++runs % 5_000 === 0) jpeg = await loadJpeg();
      jpeg.decode(input.subarray(5), { width: a | (b << 8), height: c | (d << 8) });
    },
  };
}

/** In front of each stands the size that it has when it is inflated. */
const zlib = samples.glz!.map((sample) => ({
  ...sample,
  bytes: glue(new Uint8Array(Uint32Array.of(sample.bytes.length).buffer), deflateGlz(sample.bytes)),
}));

/** Everything that a display channel may say, drawn on a screen. */
async function screenTarget(): Promise<Target> {
  const caches = new Caches();
  await caches.jpeg();
  const entries = [...DisplayChannel.tables.server.byNumber.values()].filter(({ number }) => number > 100);
  return {
    name: 'screen',
    memory: 256 * 1024 * 1024,
    generate(random) {
      const parts: Uint8Array[] = [];
      for (let left = random.size(10); left >= 0; left--) {
        const entry = random.pick(entries);
        const value = sampleOf(entry.codec, random);
        if (value.base?.surfaceId !== undefined && !random.once(5)) value.base.surfaceId = random.below(3);
        try {
          const { body } = encodeMessage(DisplayChannel, 'server', { type: entry.type, body: value });
          parts.push(framed(entry.number, random.once(5) ? mutate(body, random) : body, true));
        } catch (error) {
          if (!(error instanceof SumacError)) throw error;
        }
      }
      return glue(...parts);
    },
    run(input) {
      const screen = new Screen({ caches });
      const create = (surfaceId: number, format: number, flags: number) =>
        screen.apply({ type: 'msg.surface_create', body: { surfaceId, width: 40, height: 30, format, flags } });
      create(0, SurfaceFmt['32_xrgb'], 1);
      create(1, SurfaceFmt['32_argb'], 0);
      create(2, SurfaceFmt['16_555'], 0);
      let at = 0;
      try {
        while (at + 6 <= input.length) {
          const size = input[at + 2]! | (input[at + 3]! << 8);
          const number = input[at]! | (input[at + 1]! << 8);
          screen.apply(decodeMessage(DisplayChannel, 'server', number, input.subarray(at + 6, at + 6 + size)));
          at += 6 + size;
        }
      } finally {
        screen.close();
      }
    },
  };
}

export async function images(): Promise<Target[]> {
  return [
    codec(
      'lz',
      samples.lz!,
      both((bytes, size) => decodeLz(bytes, size, { palette })),
    ),
    codec(
      'lz-alpha',
      samples.lz!,
      both((bytes, size) => {
        if (size.width * size.height > 1 << 20) return undefined;
        const data = new Uint8Array(size.width * size.height * 4);
        decodeLzAlphaInto(bytes, size, data);
        return { data };
      }),
    ),
    codec(
      'quic',
      samples.quic!,
      both((bytes, size) => decodeQuic(bytes, size)),
    ),
    codec(
      'lz4',
      samples.lz4!,
      both((bytes, size) => decodeLz4(bytes, size)),
    ),
    codec(
      'glz',
      samples.glz!,
      both((bytes, size) => {
        const decoding = decodeGlz(new GlzWindow({ pixels: 1 << 20 }), bytes, size);
        return decoding.missing === undefined ? decoding.pixels : undefined;
      }),
    ),
    glzSeries,
    codec('zlib-glz', zlib, (bytes, size) => {
      const [e = 0, f = 0, g = 0, h = 0] = bytes;
      const inflated = (e | (f << 8) | (g << 16) | (h << 24)) >>> 0;
      decodeZlibGlz(new GlzWindow({ pixels: 1 << 20 }), bytes.subarray(4), inflated, size);
    }),
    codec('bitmap', samples.lz4!, (data, size, extra) =>
      decodeBitmap({
        ...size,
        format: (extra & 15) as never,
        stride: size.width * (1 + (extra >> 6)),
        topDown: extra > 99,
        data,
        palette,
      }),
    ),
    await jpegTarget(),
    await screenTarget(),
  ];
}
