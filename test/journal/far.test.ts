/** Large bytes beside the chunks of a folder: where they lie, that they are whole, and that they go with what names them. */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Redactor } from '../../src/engine/redact.ts';
import { ChunkWriter } from '../../src/journal/chunk.ts';
import { FarWriter } from '../../src/journal/far.ts';
import { LmdbStore } from '../../src/journal/lmdb.ts';
import type { JournalRecord } from '../../src/journal/record.ts';
import { prune } from '../../src/journal/retention.ts';
import { StoredJournal } from '../../src/journal/stored.ts';
import { Tail } from '../../src/journal/tail.ts';
import { all, birthAt } from './contract.ts';

const now = () => 1_000_000;
const actor = 'server/session:1/display:0';
const stream = 'run/session:1';
const large = (n: number, size = 40_000) => new Uint8Array(size).fill(n);

let folder: string;
const beside = () => join(folder, 'sumac-journal.bytes');
const files = () => (existsSync(beside()) ? readdirSync(beside()).sort() : []);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-far-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const journalIn = (store: LmdbStore, redact?: ConstructorParameters<typeof StoredJournal>[0]['redact']) =>
  new StoredJournal({
    ...{ store, run: 'run', program: 'test', redact },
    clock: {
      now: () => 5,
      calendar: now,
      setTimeout: (fn, ms) => setTimeout(fn, ms),
      clearTimeout: (id) => clearTimeout(id),
    },
  });

/** An event, and wire records 2 to 9: each third of 40,000 bytes, the others of 40. */
async function filled(): Promise<void> {
  const store = LmdbStore.open(folder, { now });
  const journal = journalIn(store);
  journal.append({ kind: 'event', at: 0, actor, chart: 'display/server', event: { type: 'xstate.init' } });
  await journal.durable();
  for (let n = 2; n <= 9; n++) {
    const bytes = large(n, n % 3 === 0 ? 40_000 : 40);
    journal.append({ kind: 'wire', at: n, actor, link: 'l', direction: 'in', bytes });
    // They are the caller's again.
    bytes.fill(255);
  }
  await journal.close();
  await store.close();
}

async function look(): Promise<{ records: JournalRecord[]; error?: unknown }> {
  const store = LmdbStore.open(folder, { now, readOnly: true });
  try {
    return { records: await all(store, stream) };
  } catch (error) {
    return { records: [], error };
  } finally {
    await store.close();
  }
}

const bytesOf = (records: readonly JournalRecord[]) =>
  records.map((one) => (one.kind === 'wire' ? [one.seq, one.bytes.length, new Set(one.bytes)] : one.kind));
const asFilled = ['event', ...[2, 3, 4, 5, 6, 7, 8, 9].map((n) => [n, n % 3 === 0 ? 40_000 : 40, new Set([n])])];

describe('large bytes', () => {
  it('lie in a file of their stream, once, and come back with their records', async () => {
    await filled();
    expect(files()).toEqual(['run%2Fsession%3A1.3']);
    const whole = Buffer.concat([large(3), large(6), large(9)]);
    expect(readFileSync(join(beside(), files()[0]!)).equals(whole)).toBe(true);
    expect(bytesOf((await look()).records)).toEqual(asFilled);
    const store = LmdbStore.open(folder, { now, readOnly: true });
    let inChunks = 0;
    for await (const chunk of store.read(stream)) inChunks += chunk.length;
    expect(inChunks).toBeLessThan(2_000);
    expect((await store.head(stream))!.bytes).toBe(inChunks + whole.length);
    expect(bytesOf(await all(store, stream, 6))).toEqual(asFilled.slice(5));
    await store.close();
  });

  it('that are not as they were written are found, and where', async () => {
    await filled();
    const path = join(beside(), files()[0]!);
    const bytes = readFileSync(path);
    bytes[40_000 + 17]! ^= 1;
    writeFileSync(path, bytes);
    expect((await look()).error).toMatchObject({ fault: 'damaged', message: 'record 6 is not as it was written' });
    truncateSync(path, 40_000 + 100);
    expect((await look()).error).toMatchObject({ fault: 'damaged', message: 'the bytes of record 6 are missing' });
    rmSync(path);
    expect((await look()).error).toMatchObject({ fault: 'damaged', message: 'the bytes of record 3 are missing' });
  });

  it('of which something is left out lie in the chunk, without it', async () => {
    const store = LmdbStore.open(folder, { now });
    const redactor = new Redactor();
    const journal = journalIn(store, (entry) => redactor.redact(entry));
    const main = 'server/session:1/main:0';
    journal.append({
      kind: 'event',
      at: 0,
      actor: main,
      chart: 'main/server',
      event: { type: 'xstate.init', input: {} },
    });
    await journal.durable();
    const message = new Uint8Array(30_006).fill(0x5e);
    new DataView(message.buffer).setUint16(0, 107, true);
    new DataView(message.buffer).setUint32(2, 30_000, true);
    journal.append({ kind: 'link', at: 1, actor: main, link: 'l', found: true, mini: true });
    journal.append({ kind: 'wire', at: 2, actor: main, link: 'l', direction: 'in', bytes: message });
    await journal.close();
    const wire = (await all(store, stream)).find(({ kind }) => kind === 'wire')!;
    expect(wire).toMatchObject({ left: [{ at: 6, size: 30_000, what: 'msgc.agent_data' }] });
    expect(files()).toEqual([]);
    await store.close();
    expect(readFileSync(join(folder, 'sumac-journal.mdb')).includes(Buffer.alloc(32, 0x5e))).toBe(false);
  });

  it('go with their stream, and with what is cut off', async () => {
    const store = LmdbStore.open(folder, { now });
    const writer = await store.write(stream, birthAt(1));
    const records = new ChunkWriter();
    const sizes: number[] = [];
    const bytes = new Uint8Array(9 * 1024 * 1024);
    for (let n = 1; n <= 5; n++) {
      const entry = { kind: 'wire', at: n, actor, link: 'l', direction: 'in', bytes: bytes.fill(n) } as const;
      records.add(entry, writer.attach!(n, bytes));
      const chunk = records.cut()!;
      sizes.push(chunk.bytes.length + chunk.far!);
      await writer.append(chunk);
    }
    // A file is not gone on with when it is large; it is named after its first record.
    expect(files()).toEqual(['run%2Fsession%3A1.1', 'run%2Fsession%3A1.3', 'run%2Fsession%3A1.5']);
    await writer.cut(2, sizes[0]!);
    expect(files()).toHaveLength(3);
    await writer.cut(4, sizes[1]! + sizes[2]!);
    expect(files()).toEqual(['run%2Fsession%3A1.3', 'run%2Fsession%3A1.5']);
    expect(bytesOf(await all(store, stream))).toEqual([4, 5].map((n) => [n, bytes.length, new Set([n])]));
    expect((await store.head(stream))!.bytes).toBe(sizes[3]! + sizes[4]!);
    await writer.close();
    mkdirSync(beside(), { recursive: true });
    writeFileSync(join(beside(), 'run%2Fgone.1'), 'left by one that died while it removed a stream');
    await prune(store, {}, now());
    expect(files()).toEqual(['run%2Fsession%3A1.3', 'run%2Fsession%3A1.5']);
    await store.remove(stream);
    expect(files()).toEqual([]);
    await store.close();
  });

  it('that find no room, or no file, belong into the chunk', async () => {
    const full = new FarWriter(beside(), stream, () => false);
    expect(full.add(1, large(1))).toBeUndefined();
    const long = new FarWriter(beside(), 'n'.repeat(300), () => true);
    expect(long.add(1, large(1))).toBeUndefined();
    writeFileSync(beside(), 'a file where a folder should be');
    expect(new FarWriter(beside(), stream, () => true).add(1, large(1))).toBeUndefined();
    const store = LmdbStore.open(folder, { now });
    const journal = journalIn(store);
    journal.append({ kind: 'event', at: 0, actor, chart: 'display/server', event: { type: 'xstate.init' } });
    await journal.durable();
    journal.append({ kind: 'wire', at: 1, actor, link: 'l', direction: 'in', bytes: large(7) });
    await journal.close();
    expect(bytesOf(await all(store, stream))).toEqual(['event', [2, 40_000, new Set([7])]]);
    await store.close();
  });

  it('that went with the machine take along what names them and is only written down', async () => {
    const store = LmdbStore.open(folder, { now });
    await store.close();
    const far = new FarWriter(beside(), stream, () => true);
    const records = new ChunkWriter();
    const tail = new Tail(folder);
    for (let n = 1; n <= 3; n++) {
      const bytes = large(n);
      const place = far.add(n, bytes)!;
      records.add({ kind: 'wire', at: n, actor, link: 'l', direction: 'in', bytes }, place);
      tail.keep({ name: stream, birth: birthAt(1), chunk: records.cut()!, finished: false });
    }
    await far.sync();
    far.close();
    const [written] = readdirSync(folder).filter((name) => name.startsWith('sumac-journal.tail'));
    copyFileSync(join(folder, written!), join(folder, 'sumac-journal.tail.999999999-1-0'));
    tail.close();
    truncateSync(join(beside(), files()[0]!), 100_000);
    await LmdbStore.open(folder, { now }).close();
    expect(bytesOf((await look()).records)).toEqual([1, 2].map((n) => [n, 40_000, new Set([n])]));
  });
});

it('a folder in which all bytes are in the chunks, as programs before wrote it, is read and gone on with', async () => {
  const packed = readFileSync(new URL('without-far.mdb.gz', import.meta.url));
  writeFileSync(join(folder, 'sumac-journal.mdb'), gunzipSync(packed));
  expect(bytesOf((await look()).records)).toEqual(asFilled);
  const store = LmdbStore.open(folder, { now });
  const writer = await store.write(stream, birthAt(1));
  const records = new ChunkWriter(writer.head.last, writer.head.checksum);
  records.add(
    { kind: 'wire', at: 10, actor, link: 'l', direction: 'in', bytes: large(10) },
    writer.attach!(10, large(10)),
  );
  await writer.append(records.cut()!);
  await writer.close();
  expect(bytesOf(await all(store, stream))).toEqual([...asFilled, [10, 40_000, new Set([10])]]);
  await store.close();
});
