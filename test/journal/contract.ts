/** What every store of journals promises, held against each of them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Chunk, ChunkWriter, readHead } from '../../src/journal/chunk.ts';
import { JournalError } from '../../src/journal/error.ts';
import { readStream } from '../../src/journal/read.ts';
import type { Entry, JournalRecord } from '../../src/journal/record.ts';
import { prune } from '../../src/journal/retention.ts';
import type { Birth, Store } from '../../src/journal/store.ts';

export interface StoreUnderTest {
  readonly store: Store;
  /** Another look at the same streams, as another program would have it. */
  again(): Promise<Store>;
  dispose(): Promise<void>;
}

export const birthAt = (born: number): Birth => ({ born, epoch: born - 5, program: 'test', secrets: true });

export const entry = (n: number, size = 20): Entry => ({
  kind: 'wire',
  at: n / 2,
  actor: 'client/display:0',
  link: 'link:display:0@1',
  direction: 'in',
  bytes: new Uint8Array(size).fill(n),
});

/** Makes chunks of so many records each, one behind the other. */
export class Chunks {
  private writer: ChunkWriter;
  private n: number;

  constructor(last = 0, checksum = 0) {
    this.writer = new ChunkWriter(last, checksum);
    this.n = last;
  }

  next(records: number, size?: number): Chunk {
    for (let i = 0; i < records; i++) this.writer.add(entry(++this.n, size));
    return this.writer.cut()!;
  }
}

export async function all(store: Store, name: string, from?: number): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of readStream(store, name, from)) records.push(record);
  return records;
}

const expected = (from: number, to: number, size?: number): JournalRecord[] =>
  Array.from({ length: to - from + 1 }, (_, i) => ({ ...entry(from + i, size), seq: from + i }));

const numbers = (records: readonly JournalRecord[]): number[] => records.map(({ seq }) => seq);

/** `make` is called for each test; `maxRecord` is the size of a large record, in bytes. */
export function storeContract(make: () => Promise<StoreUnderTest>, largeRecord = 3_000_000): void {
  let under: StoreUnderTest;
  let store: Store;
  beforeEach(async () => {
    under = await make();
    store = under.store;
  });
  afterEach(async () => {
    await under.dispose();
  });

  describe('a stream', () => {
    it('gives back what it was given, in order, from any record on', async () => {
      const writer = await store.write('run/client', birthAt(1));
      const chunks = new Chunks();
      for (const size of [1, 7, 3, 20]) await writer.append(chunks.next(size));
      expect(await all(store, 'run/client')).toEqual(expected(1, 31));
      for (const from of [2, 8, 9, 11, 12, 31]) {
        expect(await all(store, 'run/client', from)).toEqual(expected(from, 31));
      }
      expect(await all(store, 'run/client', 32)).toEqual([]);
      await writer.close();
    });

    it('takes chunks without waiting for those before', async () => {
      const writer = await store.write('run/client', birthAt(1));
      const chunks = new Chunks();
      await Promise.all(Array.from({ length: 40 }, () => writer.append(chunks.next(5))));
      expect(numbers(await all(store, 'run/client'))).toEqual(numbers(expected(1, 200)));
      await writer.close();
    });

    it('is there for others once it is written, and when it is closed', async () => {
      const writer = await store.write('run/client', birthAt(1));
      const chunks = new Chunks();
      await writer.append(chunks.next(5));
      const other = await under.again();
      expect(await all(other, 'run/client')).toEqual(expected(1, 5));
      await writer.append(chunks.next(5));
      expect(await all(other, 'run/client')).toEqual(expected(1, 10));
      await writer.close();
      expect(await all(other, 'run/client')).toEqual(expected(1, 10));
      if (other !== store) await other.close();
    });

    it('takes records of any size', async () => {
      const writer = await store.write('run/client', birthAt(1));
      const chunks = new Chunks();
      await writer.append(chunks.next(1, largeRecord));
      await writer.append(chunks.next(2, 10));
      await writer.append(chunks.next(1, largeRecord));
      const records = await all(store, 'run/client');
      expect(numbers(records)).toEqual([1, 2, 3, 4]);
      expect(records.map((one) => (one.kind === 'wire' ? one.bytes.length : 0))).toEqual([
        largeRecord,
        10,
        10,
        largeRecord,
      ]);
      expect(numbers(await all(store, 'run/client', 4))).toEqual([4]);
      await writer.close();
    });

    it('tells what it is', async () => {
      const writer = await store.write('run/client', birthAt(70));
      expect(writer.head).toMatchObject({ name: 'run/client', last: 0, checksum: 0, bytes: 0, finished: false });
      const chunks = new Chunks();
      const chunk = chunks.next(9);
      await writer.append(chunk);
      const head = { ...birthAt(70), name: 'run/client', last: 9, checksum: chunk.checksum, bytes: chunk.bytes.length };
      expect(await store.head('run/client')).toMatchObject({ ...head, finished: false, open: true });
      await writer.append(chunks.next(1), { finished: true });
      await writer.close();
      expect(await store.head('run/client')).toMatchObject({ last: 10, finished: true, open: false });
      expect(await store.head('run/other')).toBeUndefined();
    });

    it('that is not there has nothing in it', async () => {
      await expect(all(store, 'run/none')).rejects.toMatchObject({ fault: 'absent' });
    });

    it('may have a name with any letters, and never shows what is in another', async () => {
      const names = ['run/session:1', 'run/session:11', 'run/sess', 'Lauf/Sitzung:ß'];
      for (const [i, name] of names.entries()) {
        const writer = await store.write(name, birthAt(i));
        await writer.append(new Chunks().next(i + 1));
        await writer.close();
      }
      for (const [i, name] of names.entries()) expect(await all(store, name)).toEqual(expected(1, i + 1));
    });
  });

  describe('a writer', () => {
    it('is the only one', async () => {
      const writer = await store.write('run/client', birthAt(1));
      await expect(store.write('run/client', birthAt(1))).rejects.toMatchObject({
        fault: 'locked',
        message: expect.stringContaining('run/client'),
      });
      const chunks = new Chunks();
      await writer.append(chunks.next(1));
      await writer.close();
      const next = await store.write('run/client', birthAt(1));
      expect(next.head.last).toBe(1);
      await next.append(chunks.next(1));
      await expect(writer.append(chunks.next(1))).rejects.toBeInstanceOf(JournalError);
      await next.close();
      expect(await all(store, 'run/client')).toEqual(expected(1, 2));
    });

    it('goes on where the last one left off', async () => {
      const first = await store.write('run/client', birthAt(1));
      await first.append(new Chunks().next(3));
      await first.close();
      const second = await store.write('run/client', birthAt(99));
      expect(second.head).toMatchObject({ last: 3, born: 1 });
      await second.append(new Chunks(second.head.last, second.head.checksum).next(2));
      await second.close();
      expect(numbers(await all(store, 'run/client'))).toEqual([1, 2, 3, 4, 5]);
    });

    it('cuts off what stands before a chunk, and goes on', async () => {
      const writer = await store.write('run/server', birthAt(1));
      const chunks = new Chunks();
      const made = [4, 5, 6, 7].map((size) => chunks.next(size));
      const sizes = made.map(({ bytes }) => bytes.length);
      for (const chunk of made) await writer.append(chunk);
      const reading = all(store, 'run/server').catch((error: JournalError) => error);
      await writer.cut(10, sizes[0]! + sizes[1]!);
      const last = chunks.next(3);
      sizes.push(last.bytes.length);
      await writer.append(last);
      // Whoever reads meanwhile finds nothing damaged.
      const found = await reading;
      if (found instanceof JournalError) expect(found).toMatchObject({ fault: 'absent' });
      else expect([1, 10]).toContain(found[0]!.seq);
      for (const one of [store, await under.again()]) {
        const head = { first: 10, last: 25, bytes: sizes[2]! + sizes[3]! + sizes[4]! };
        expect(await one.head('run/server')).toMatchObject(head);
        expect(await all(one, 'run/server')).toEqual(expected(10, 25));
        expect(await all(one, 'run/server', 3)).toEqual(expected(10, 25));
        expect(await all(one, 'run/server', 17)).toEqual(expected(17, 25));
        const there: number[] = [];
        for await (const chunk of one.read('run/server')) there.push(readHead(chunk).first);
        expect(there).toEqual([10, 16, 23]);
        if (one !== store) await one.close();
      }
      await writer.close();
      const next = await store.write('run/server', birthAt(1));
      expect(next.head).toMatchObject({ first: 10, last: 25 });
      await next.close();
    });

    it('adds nothing that does not come next', async () => {
      const writer = await store.write('run/client', birthAt(1));
      await writer.append(new Chunks().next(3));
      await expect(writer.append(new Chunks().next(1))).rejects.toMatchObject({ fault: 'locked' });
      await writer.close();
      expect(await all(store, 'run/client')).toEqual(expected(1, 3));
    });
  });

  describe('all streams', () => {
    const fill = async (name: string, born: number, records: number, finished = true) => {
      const writer = await store.write(name, birthAt(born));
      await writer.append(new Chunks().next(records), { finished });
      return writer;
    };

    it('are listed, oldest first', async () => {
      for (const [name, born] of [
        ['b', 30],
        ['c', 10],
        ['a', 20],
      ] as const)
        await (await fill(name, born, 1)).close();
      expect((await store.list()).map(({ name, born }) => [name, born])).toEqual([
        ['c', 10],
        ['a', 20],
        ['b', 30],
      ]);
    });

    it('are removed one by one, but not while they are written to', async () => {
      await (await fill('a', 1, 5)).close();
      await (await fill('a2', 2, 5)).close();
      const writer = await fill('b', 3, 5);
      for (const name of ['a', 'b', 'none']) await store.remove(name);
      expect((await store.list()).map(({ name }) => name)).toEqual(['a2', 'b']);
      expect(await all(store, 'a2')).toEqual(expected(1, 5));
      await writer.close();
      const anew = await store.write('a', birthAt(4));
      expect(anew.head.last).toBe(0);
      await anew.append(new Chunks().next(1));
      await anew.close();
      expect(await all(store, 'a')).toEqual(expected(1, 1));
    });

    it('are kept until they are too old, or too much', async () => {
      for (const name of ['a', 'b', 'c', 'd']) await (await fill(name, name.charCodeAt(0), 10)).close();
      const open = await fill('open', 1, 10);
      const heads = await store.list();
      const { bytes, touched } = heads[0]!;
      expect(await prune(store, {}, touched)).toEqual([]);
      expect(await prune(store, { keepMs: 60_000 }, touched)).toEqual([]);
      expect(await prune(store, { mostBytes: bytes * 5 }, touched)).toEqual([]);
      expect(await prune(store, { mostBytes: bytes * 3 + 1 }, touched)).toEqual(['a', 'b']);
      expect(await prune(store, { keepMs: 60_000 }, touched + 120_000)).toEqual(['c', 'd']);
      expect((await store.list()).map(({ name }) => name)).toEqual(['open']);
      await open.close();
    });
  });
}
