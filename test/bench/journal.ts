/**
 * What a journal costs: a session that draws a lot, and hand-overs, each with a journal and without in turns; appends against
 * a plain file; replay; a store of many sessions. The journal is in a folder, on a disk, and is waited for.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { filter, firstValueFrom, timeout } from 'rxjs';
import type { Scheme } from '../../machines/contract.ts';
import { addressOf, Stage } from '../../src/cli/demo-stage.ts';
import { runSumac } from '../../src/cli/run.ts';
import { type Client, type ClientEvent, connect } from '../../src/client/client.ts';
import { frame } from '../../src/engine/deframe.ts';
import { Replayer } from '../../src/engine/replay.ts';
import { Reviver } from '../../src/engine/resume.ts';
import { verify } from '../../src/engine/verify.ts';
import { ChunkWriter } from '../../src/journal/chunk.ts';
import { LmdbStore } from '../../src/journal/lmdb.ts';
import type { Entry, JournalRecord } from '../../src/journal/record.ts';
import { type Journals, openJournal } from '../../src/open-journal.ts';
import { encodeMessage } from '../../src/protocol/channel.ts';
import { DisplayChannel } from '../../src/protocol/display.ts';
import { createServer } from '../../src/server/server.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { Captured } from '../cli/captured.ts';
import { record, stories } from '../replay/recorded.ts';
import type { BenchRow } from './main.ts';

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
};

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'sumac-bench-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export async function benches(): Promise<BenchRow[]> {
  return [
    ...(await drawing('photographs, which hardly become smaller', photographs)),
    ...(await drawing('windows, which do', windows)),
    ...(await handovers()),
    ...(await appends()),
    ...(await replays()),
    ...(await manySessions()),
    ...(await jumps()),
  ];
}

// ----------------------------------------------------------------------------------------------------------- drawing

const size = { width: 1280, height: 720 };
const area = { left: 64, top: 64, right: 64 + 512, bottom: 64 + 384 };
const areaPixels = 512 * 384;

type Paint = (words: Uint32Array, n: number) => void;

/** Smooth light with a grain, as a camera has it: every pixel is another. */
const photographs: Paint = (words, n) => {
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
const windows: Paint = (words, n) => {
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

async function drawing(name: string, paint: Paint): Promise<BenchRow[]> {
  const frames = 60;
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

// --------------------------------------------------------------------------------------------------------- hand-overs

type Handover = Extract<ClientEvent, { event: 'handover' }>;

async function handovers(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  // A seamless hand-over between two servers of ours has no gap that could be measured.
  for (const scheme of ['early-link', 'semi-seamless', 'switch-host'] as const) {
    const off: number[] = [];
    const on: number[] = [];
    for (let round = 0; round < 8; round++) {
      off.push(...(await gaps(scheme, 8, undefined)));
      on.push(...(await withFolder(async (place) => gaps(scheme, 8, await openJournal({ place })))));
    }
    rows.push(
      {
        name: `${scheme}: gap with a journal, against without`,
        value: rounded(median(on) / median(off), 2),
        unit: '×',
      },
      { name: `${scheme}: gap without`, value: rounded(median(off), 2), unit: 'ms' },
    );
  }
  return rows;
}

async function gaps(scheme: Scheme, runs: number, journals: Journals | undefined): Promise<number[]> {
  const stage = await Stage.open(() => {}, journals);
  const client = stage.client([scheme, 'switch-host']);
  const measured: number[] = [];
  try {
    for (let run = -2; run < runs; run++) {
      while (client.channels.size < 6) await pause(2);
      await pause(60);
      const { home: from, away: to } = stage;
      const answered = firstValueFrom(from.server.events.pipe(filter((e) => e.event === 'migrate_connect_complete')));
      const linked = scheme === 'switch-host' ? undefined : phase(client, 'linked');
      from.server.migrateConnect(addressOf(to), { scheme });
      await answered;
      await linked;
      from.server.migrateStart();
      stage.moveGuest();
      const switched = phase(client, 'switched');
      from.server.migrateEnd(true);
      const { gapMs } = await switched;
      if (run >= 0) measured.push(gapMs ?? 0);
    }
  } finally {
    client.close();
    await stage.close();
    await journals?.close();
  }
  return measured;
}

const phase = (client: Client, wanted: Handover['phase']): Promise<Handover> =>
  firstValueFrom(
    client.events.pipe(
      filter((event): event is Handover => event.event === 'handover' && event.phase === wanted),
      timeout(20_000),
    ),
  );

// ------------------------------------------------------------------------------------------------------------ appends

const batch = 256;

/** Records a second when each batch is waited for, in a store and in a file that is synchronised as often. */
async function appends(): Promise<BenchRow[]> {
  const batches = 200;
  const chunks = (writer: ChunkWriter) => {
    const bytes = new Uint8Array(100);
    for (let i = 0; i < batch; i++) {
      writer.add({ kind: 'wire', at: i, actor: 'client/display:0', link: 'link:display:0@1', direction: 'in', bytes });
    }
    return writer.cut()!;
  };
  const toStore = () =>
    withFolder(async (place) => {
      const store = LmdbStore.open(place, { now: () => Date.now() });
      const birth = { born: 1, epoch: 0, program: 'bench', secrets: true };
      const stream = await store.write('run/client', birth);
      const records = new ChunkWriter();
      const began = performance.now();
      for (let i = 0; i < batches; i++) await stream.append(chunks(records));
      const spent = performance.now() - began;
      await stream.close();
      await store.close();
      return spent;
    });
  const toFile = () =>
    withFolder(async (place) => {
      const records = new ChunkWriter();
      const file = openSync(join(place, 'plain'), 'w');
      const began = performance.now();
      for (let i = 0; i < batches; i++) {
        writeSync(file, chunks(records).bytes);
        fdatasyncSync(file);
      }
      const spent = performance.now() - began;
      closeSync(file);
      return spent;
    });
  const stored: number[] = [];
  const plain: number[] = [];
  for (let run = -1; run < 5; run++) {
    const [one, other] = [await toStore(), await toFile()];
    if (run < 0) continue;
    stored.push(one);
    plain.push(other);
  }
  const rate = (spent: number) => Math.round((batch * batches) / (spent / 1e3));
  return [
    { name: `durable appends, ${batch} a batch, each waited for`, value: rate(median(stored)), unit: 'records/s' },
    { name: 'the same bytes to a plain file, fdatasync each', value: rate(median(plain)), unit: 'records/s' },
    { name: 'appends against a plain file', value: rounded(median(plain) / median(stored), 2), unit: '×' },
  ];
}

// ------------------------------------------------------------------------------------------------------------- replay

async function replays(): Promise<BenchRow[]> {
  const { happen, ...options } = stories.seamless!;
  const { client, source } = await record(happen, options);
  const rate = (one: (records: readonly JournalRecord[]) => number) => {
    const rates: number[] = [];
    for (let run = -3; run < 9; run++) {
      const began = performance.now();
      let events = 0;
      for (let i = 0; i < 20; i++) for (const records of [client, source]) events += one(records);
      if (run >= 0) rates.push(events / ((performance.now() - began) / 1e3));
    }
    return Math.round(median(rates));
  };
  const replayed = rate((records) => {
    const replayer = new Replayer();
    let events = 0;
    for (const one of records) if (replayer.take(one) !== undefined) events++;
    return events;
  });
  const verified = rate((records) => verify(records).events);
  return [
    { name: 'replay', value: replayed, unit: 'chart events/s' },
    { name: 'verify', value: verified, unit: 'chart events/s' },
  ];
}

// ------------------------------------------------------------------------------------------------------ many sessions

async function manySessions(): Promise<BenchRow[]> {
  const sessions = 10_000;
  return withFolder(async (place) => {
    const now = () => Date.now();
    const store = LmdbStore.open(place, { now });
    for (let n = 0; n < sessions; n += 500) {
      await Promise.all(
        Array.from({ length: 500 }, async (_, i) => {
          const name = `20261123-101500-abcd/session:${n + i}`;
          const stream = await store.write(name, { born: n + i, epoch: 0, program: 'bench', secrets: false });
          const records = new ChunkWriter();
          const actor = `server/session:${n + i}`;
          for (let k = 0; k < 20; k++) records.add({ kind: 'event', at: k, actor, event: { type: 'some.event', k } });
          await stream.append(records.cut()!, { finished: true });
          await stream.close();
        }),
      );
    }
    await store.close();
    const opened: number[] = [];
    const listed: number[] = [];
    for (let run = 0; run < 7; run++) {
      let began = performance.now();
      const again = LmdbStore.open(place, { now, readOnly: true });
      await again.head('20261123-101500-abcd/session:5000');
      opened.push(performance.now() - began);
      began = performance.now();
      if ((await again.list()).length !== sessions) throw new Error('some sessions are missing');
      listed.push(performance.now() - began);
      await again.close();
    }
    return [
      { name: `open a store of ${sessions} sessions and find one`, value: rounded(median(opened), 2), unit: 'ms' },
      { name: 'list them', value: rounded(median(listed), 1), unit: 'ms' },
    ];
  });
}

// -------------------------------------------------------------------------------------------------------------- jumps

/** Pictures a second, and of how many pixels, in the hour that is made up. */
const hour = { seconds: 3_600, pictures: 8, width: 64, height: 48 } as const;

/** A session of an hour in a folder: a real one, drawn on for long. Returns the number of its last record. */
async function anHour(place: string): Promise<number> {
  const { happen, ...options } = stories.seamless!;
  const { client } = await record(happen, options);
  const until = client.findIndex((one) => one.kind === 'event' && one.event.type === 'api.close');
  const own = client.slice(0, until);
  const link = own.filter((one) => one.kind === 'link' && one.actor === 'client/display:0').at(-1)!;
  if (link.kind !== 'link') throw new Error('the display has no link');
  const journals = await openJournal({ place, secrets: true });
  const journal = journals.journal();
  const reviver = new Reviver();
  let records = 0;
  const put = (entry: Entry) => {
    journal.append(entry);
    reviver.take(entry);
    records++;
  };
  for (const { seq: _, ...entry } of own) put(entry as Entry);
  const from = own.at(-1)!.at;
  const pixels = new Uint8Array(hour.width * hour.height * 4);
  for (let second = 0; second < hour.seconds; second++) {
    const at = from + second * 1_000;
    const { root, snapshot, timers } = reviver.revived()!;
    if (second % 60 === 0) put({ kind: 'checkpoint', at, actor: root, snapshot, timers });
    for (let n = 0; n < hour.pictures; n++) {
      pixels.fill((second * 7 + n * 31) & 0xff);
      pixels[second % pixels.length] = n;
      const { number, body } = encodeMessage(DisplayChannel, 'server', {
        type: 'msg.draw_copy',
        body: {
          base: {
            surfaceId: 0,
            box: { left: 0, top: 0, right: hour.width, bottom: hour.height },
            clip: { type: 'none' },
          },
          srcBitmap: {
            ...{ type: 'bitmap', id: 0n, flags: 0, width: hour.width, height: hour.height },
            ...{ format: 8, bitmapFlags: 4, x: hour.width, y: hour.height, stride: hour.width * 4 },
            ...{ palette: null, data: pixels },
          },
          srcArea: { left: 0, top: 0, right: hour.width, bottom: hour.height },
          ropDescriptor: 8,
          scaleMode: 0,
          mask: { flags: 0, pos: { x: 0, y: 0 }, bitmap: null },
        },
      });
      put({
        ...{ kind: 'wire', at: at + n * 100, actor: 'client/display:0', link: link.link, direction: 'in' },
        bytes: frame(link.mini ?? true, 1, number, body),
      });
    }
    if (second % 50 === 0) await journal.durable();
  }
  await journals.close();
  return records;
}

/** Milliseconds of `sumac replay` at moments of an hour, in a process that runs already. */
async function jumps(): Promise<BenchRow[]> {
  return withFolder(async (place) => {
    const last = await anHour(place);
    const jump = async (at: number, screenshot: boolean) => {
      const began = performance.now();
      const terminal = new Captured();
      const picture = screenshot ? ['--screenshot', join(place, 'then.png')] : [];
      const code = await runSumac(['replay', place, 'client', '--at', String(at), ...picture], terminal);
      if (code !== 0) throw new Error(terminal.errors.join());
      return rounded(performance.now() - began, 0);
    };
    await jump(500, true);
    const near = { charts: await jump(last - 100, false), start: await jump(500, true) };
    const first = await jump(last - 100, true);
    const again = await jump(last - 100, true);
    const middle = await jump(Math.floor(last / 2), true);
    return [
      { name: 'an hour: charts near its end', value: near.charts, unit: 'ms' },
      { name: 'an hour: picture near its start', value: near.start, unit: 'ms' },
      { name: 'an hour: picture near its end, the first look', value: first, unit: 'ms' },
      { name: 'an hour: picture near its end, from then on', value: again, unit: 'ms' },
      { name: 'an hour: picture in the middle, from then on', value: middle, unit: 'ms' },
    ];
  });
}
