/** How fast a journal is folded again: replay and verify, and jumps to moments of an hour. */
import { join } from 'node:path';
import { runSumac } from '../../../src/cli/run.ts';
import { frame } from '../../../src/engine/deframe.ts';
import { Replayer } from '../../../src/engine/replay.ts';
import { Reviver } from '../../../src/engine/resume.ts';
import { verify } from '../../../src/engine/verify.ts';
import type { Entry, JournalRecord } from '../../../src/journal/record.ts';
import { openJournal } from '../../../src/open-journal.ts';
import { encodeMessage } from '../../../src/protocol/channel.ts';
import { DisplayChannel } from '../../../src/protocol/display.ts';
import { Captured } from '../../cli/captured.ts';
import { record, stories } from '../../replay/recorded.ts';
import type { BenchRow } from '../main.ts';
import { median, rounded } from '../measure.ts';
import { withFolder } from './folder.ts';

export async function replays(): Promise<BenchRow[]> {
  const { happen, ...options } = stories.seamless!;
  const { client, source } = await record(happen, options);
  // Of processor time: nothing else is waited for, and others may be busy here.
  const rate = (one: (records: readonly JournalRecord[]) => number) => {
    const rates: number[] = [];
    for (let run = -3; run < 9; run++) {
      const began = process.cpuUsage();
      let events = 0;
      for (let i = 0; i < 20; i++) for (const records of [client, source]) events += one(records);
      const { user, system } = process.cpuUsage(began);
      if (run >= 0) rates.push(events / ((user + system) / 1e6));
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
    { name: 'replay', value: replayed, unit: 'chart events a second of processor time' },
    { name: 'verify', value: verified, unit: 'chart events a second of processor time' },
  ];
}

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
export async function jumps(): Promise<BenchRow[]> {
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
