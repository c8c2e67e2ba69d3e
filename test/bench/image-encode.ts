/**
 * What the image encoders cost: milliseconds of processor time for a picture of 1024×768 in RGB32, one like a photograph and one
 * like a desktop, from pixels to bytes that can be written out. liblz4, which libspice-server sends LZ4 with, does the same in the
 * same run where it and a C compiler are installed; what libspice-server's other encoders cost cannot be told apart from its
 * sending (see server-speed.ts).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BitmapFormat } from '../../src/image/bitmap.ts';
import { decodeGlz } from '../../src/image/glz.ts';
import { GlzDictionary } from '../../src/image/glz-encode.ts';
import { GlzWindow } from '../../src/image/glz-window.ts';
import { decodeLz, LzType } from '../../src/image/lz.ts';
import { encodeLz } from '../../src/image/lz-encode.ts';
import { decodeLz4 } from '../../src/image/lz4.ts';
import { encodeLz4 } from '../../src/image/lz4-encode.ts';
import type { PixelSource, Pixels } from '../../src/image/pixels.ts';
import { decodeQuic } from '../../src/image/quic.ts';
import { encodeQuic } from '../../src/image/quic-encode.ts';
import { QuicType } from '../../src/image/quic-model.ts';
import { naturalPicture, screenPicture } from './image-pictures.ts';
import type { BenchRow } from './main.ts';
import { median, rounded } from './measure.ts';

const [width, height] = [1024, 768];
const WINDOW = 1 << 22;
/** Measurements, and the milliseconds of each. */
const [rounds, duration] = [15, 60];

/** Throws if an encoder's output is decoded to other pixels. */
export function benches(): BenchRow[] {
  const rows: BenchRow[] = [];
  for (const [kind, draw] of [
    ['natural', naturalPicture],
    ['screen', screenPicture],
  ] as const) {
    const pictures = several(draw);
    const dictionary = new GlzDictionary({ pixels: WINDOW, trueColor: true });
    const lend = { lend: true };
    const codecs = [
      {
        name: 'QUIC',
        encode: (source: PixelSource) => encodeQuic(source, QuicType.RGB32, lend),
        decode: (bytes: Uint8Array, size: Pixels) => decodeQuic(bytes, size),
      },
      {
        name: 'LZ',
        encode: (source: PixelSource) => encodeLz(source, LzType.RGB32, lend),
        decode: (bytes: Uint8Array, size: Pixels) => decodeLz(bytes, size),
      },
      {
        name: 'GLZ',
        encode: (source: PixelSource) => dictionary.encode(source, LzType.RGB32, lend),
        decode: (bytes: Uint8Array, size: Pixels) => decodeGlz(new GlzWindow({ pixels: WINDOW }), bytes, size).pixels,
      },
      {
        name: 'LZ4',
        encode: (source: PixelSource) => encodeLz4(source, BitmapFormat['32BIT'], lend),
        decode: (bytes: Uint8Array, size: Pixels) => decodeLz4(bytes, size),
      },
    ];
    const times = codecs.map(() => [] as number[]);
    for (const { name, encode, decode } of codecs) {
      // The first picture of all, so that a GLZ picture points into none.
      const back = decode(encode({ ...pictures[0]!, isBlank: true }).slice(), pictures[0]!);
      if (Buffer.compare(back.data, pictures[0]!.data) !== 0) throw new Error(`${name}: not what was encoded`);
    }
    // In turn, so that whatever else the machine does falls on all alike. The first rounds are for warming up.
    for (let round = -3; round < rounds; round++) {
      for (const [i, { encode }] of codecs.entries()) {
        const time = cpuPerCall((turn) => encode({ ...pictures[turn % pictures.length]!, isBlank: true }));
        if (round >= 0) times[i]!.push(time);
      }
    }
    for (const [i, { name, encode }] of codecs.entries()) {
      rows.push({ name: `encode ${name}, ${kind}`, value: rounded(median(times[i]!), 2), unit: 'ms of CPU' });
      const sizes = pictures.map((picture) => encode({ ...picture, isBlank: true }).length);
      rows.push({ name: `${name} size, ${kind}`, value: rounded(bitsPerPixel(median(sizes)), 2), unit: 'bit/pixel' });
    }
    const theirs = liblz4(pictures[0]!.data);
    if (theirs === undefined) continue;
    const ours = median(times.at(-1)!);
    rows.push({ name: `encode LZ4, ${kind}, liblz4`, value: rounded(theirs.milliseconds, 2), unit: 'ms of CPU' });
    rows.push({ name: `LZ4 size, ${kind}, liblz4`, value: rounded(bitsPerPixel(theirs.bytes), 2), unit: 'bit/pixel' });
    rows.push({ name: `LZ4 against liblz4, ${kind}`, value: rounded(theirs.milliseconds / ours, 2), unit: '×' });
  }
  return rows;
}

const bitsPerPixel = (bytes: number): number => (bytes * 8) / (width * height);

/** Pictures that differ in most of their pixels, and more of them than the GLZ window has room for. */
function several(draw: typeof naturalPicture): Pixels[] {
  const wide = draw(width + 160, height);
  return Array.from({ length: 12 }, (_, i) => {
    const data = new Uint8Array(width * height * 4);
    for (let y = 0; y < height; y++) {
      const at = (y * (width + 160) + ((i * 61) % 160)) * 4;
      data.set(wide.data.subarray(at, at + width * 4), y * width * 4);
    }
    return { width, height, data, alpha: false };
  });
}

let turns = 0;

/** Milliseconds of this process's time, also of its threads that compile and collect. */
function cpuPerCall(call: (turn: number) => unknown): number {
  const before = process.cpuUsage();
  const end = performance.now() + duration;
  let calls = 0;
  for (; performance.now() < end; calls++) call(turns++);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / calls;
}

const library = '/usr/lib/x86_64-linux-gnu/liblz4.so.1';

/** A program that compresses a file as libspice-server does a picture, and says how long that takes and what comes of it. */
const program = `
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
void *LZ4_createStream(void);
int LZ4_freeStream(void *stream);
int LZ4_compress_fast_continue(void *stream, const char *from, char *to, int size, int room, int acceleration);
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}
static int byValue(const void *one, const void *other) {
  double difference = *(const double *)one - *(const double *)other;
  return (difference > 0) - (difference < 0);
}
int main(int count, char **arguments) {
  int size = atoi(arguments[2]), room = size + size / 255 + 16, bytes = 0;
  char *from = malloc(size), *to = malloc(room);
  static double times[301];
  FILE *file = fopen(arguments[1], "rb");
  if (count != 3 || !file || fread(from, 1, size, file) != (size_t)size) return 1;
  for (int i = 0; i < 301; i++) {
    double start = now();
    void *stream = LZ4_createStream();
    bytes = LZ4_compress_fast_continue(stream, from, to, size, room, 1);
    LZ4_freeStream(stream);
    times[i] = now() - start;
  }
  qsort(times, 301, sizeof *times, byValue);
  printf("%f %d\\n", times[150], bytes);
  return 0;
}
`;

function liblz4(pixels: Uint8Array): { readonly milliseconds: number; readonly bytes: number } | undefined {
  if (!existsSync('/usr/bin/gcc') || !existsSync(library)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'sumac-lz4-'));
  try {
    const [built, file] = [join(folder, 'lz4'), join(folder, 'pixels')];
    execFileSync('gcc', ['-O2', '-x', 'c', '-', '-x', 'none', '-o', built, library], { input: program });
    writeFileSync(file, pixels);
    const [milliseconds, bytes] = execFileSync(built, [file, `${pixels.length}`], { encoding: 'utf8' }).split(' ');
    return { milliseconds: Number(milliseconds), bytes: Number(bytes) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
