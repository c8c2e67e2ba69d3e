/** What a folder of journals takes: appends against a plain file that is synchronised as often, and opening it when it is full. */
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ChunkWriter } from '../../../src/journal/chunk.ts';
import { LmdbStore } from '../../../src/journal/lmdb.ts';
import type { BenchRow } from '../main.ts';
import { median, rounded } from '../measure.ts';
import { withFolder } from './folder.ts';

const batch = 256;

/** Records a second when each batch is waited for, in a store and in a file that is synchronised as often. */
export async function appends(): Promise<BenchRow[]> {
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

export async function manySessions(): Promise<BenchRow[]> {
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
