/** What a journal costs a session that draws a lot: processor time with one on both ends, and without, in turns. */
import { filter, firstValueFrom, timeout } from 'rxjs';
import { connect } from '../../../src/client/client.ts';
import { LmdbStore } from '../../../src/journal/lmdb.ts';
import { type Journals, openJournal } from '../../../src/open-journal.ts';
import { createServer } from '../../../src/server/server.ts';
import { dialTcp } from '../../../src/transport/tcp.ts';
import type { BenchRow } from '../main.ts';
import { median, pause, rounded } from '../measure.ts';
import { withFolder } from './folder.ts';

const size = { width: 1280, height: 720 };
const area = { left: 64, top: 64, right: 64 + 512, bottom: 64 + 384 };
const areaPixels = 512 * 384;

type Paint = (words: Uint32Array, n: number) => void;

/** Smooth light with a grain, as a camera has it: every pixel is another. */
export const photographs: Paint = (words, n) => {
  let state = (n * 2654435761) >>> 0 || 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const light = ((i & 511) >> 2) + ((i >> 9) >> 2);
    words[i] = ((light << 16) | (light << 8) | light) + (state & 0x1f1f1f);
  }
};

/** Lines of letters on a ground, another page each time. */
export const windows: Paint = (words, n) => {
  let state = (n * 2654435761) >>> 0 || 1;
  words.fill(0xf4f4f4);
  for (let row = 4; row + 10 < 384; row += 14) {
    for (let column = 8; column + 6 < 504; column += 8) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      for (let y = 0; y < 8; y++) {
        for (let x = 0; x < 5; x++)
          if ((state >>> ((y * 5 + x) & 31)) & 1) words[(row + y) * 512 + column + x] = 0x202020;
      }
    }
  }
};

/** Seconds of all processors' time for a session in which each picture is waited for. */
async function draws(paint: Paint, frames: number, journals: Journals | undefined): Promise<number> {
  const server = await createServer({ host: '127.0.0.1', port: 0, ...size, journal: journals?.journal('server') });
  const client = connect({
    destination: { host: '127.0.0.1', port: server.addresses.port! },
    dial: (destination, _secure, signal) => dialTcp(destination, { signal }),
    journal: journals?.journal('client'),
  });
  try {
    await firstValueFrom(client.events.pipe(filter(({ event }) => event === 'frame')));
    while (client.channels.size < 6) await pause(5);
    const screen = client.screens.get('display:0')!;
    // What is painted is no part of it.
    const pictures = Array.from({ length: 8 }, (_, n) => {
      const words = new Uint32Array(areaPixels);
      paint(words, n + 1);
      return words;
    });
    // Nor is what the server makes ready for the next client.
    await idle();
    const began = process.cpuUsage();
    for (let n = 0; n < frames; n++) {
      const words = pictures[n % pictures.length]!;
      // No two are alike, so that none is found in a cache.
      for (let i = 0; i < areaPixels; i += 97) words[i] = (words[i]! ^ (n * 2654435761)) & 0xffffff;
      const last = (words[areaPixels - 1] = (n * 7919 + 1) & 0xffffff);
      server.display.draw(area, new Uint8Array(words.buffer));
      const at = (area.bottom - 1) * size.width + area.right - 1;
      const shows = () => (screen.raster(0)!.px[at]! & 0xffffff) === last;
      while (!shows()) await firstValueFrom(screen.dirty.pipe(timeout(10_000)));
    }
    client.close();
    await server.close();
    await journals?.close();
    const { user, system } = process.cpuUsage(began);
    return (user + system) / 1e6;
  } finally {
    client.close();
    await server.close();
  }
}

/** Resolves when this program has nothing to do. */
async function idle(): Promise<void> {
  for (let calm = 0; calm < 3; ) {
    const began = process.cpuUsage();
    await pause(40);
    const { user, system } = process.cpuUsage(began);
    calm = user + system < 4_000 ? calm + 1 : 0;
  }
}

export async function drawing(name: string, paint: Paint): Promise<BenchRow[]> {
  const frames = 120;
  const runs = 7;
  const off: number[] = [];
  const on: number[] = [];
  let bytes = 0;
  for (let run = -1; run < runs; run++) {
    const without = await draws(paint, frames, undefined);
    const withIt = await withFolder(async (place) => {
      const spent = await draws(paint, frames, await openJournal({ place }));
      const store = LmdbStore.open(place, { now: () => Date.now(), readOnly: true });
      bytes = (await store.list()).reduce((sum, head) => sum + head.bytes, 0);
      await store.close();
      return spent;
    });
    if (run < 0) continue;
    off.push(without);
    on.push(withIt);
  }
  const ratios = on.map((spent, i) => spent / off[i]!);
  return [
    { name: `${name}: processor time with a journal, against without`, value: rounded(median(ratios), 2), unit: '×' },
    { name: `${name}: without`, value: rounded((median(off) / frames) * 1e3, 2), unit: 'ms a picture' },
    { name: `${name}: in the journals`, value: Math.round(bytes / frames / 1024), unit: 'KiB a picture' },
  ];
}
