/** Journals in a folder: the promises of every store, other programs, and files and folders that are not as they should be. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
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
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { open as openEnvironment } from 'lmdb';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JournalError } from '../../src/journal/error.ts';
import { LmdbStore } from '../../src/journal/lmdb.ts';
import { readStream } from '../../src/journal/read.ts';
import { Room } from '../../src/journal/room.ts';
import { all, birthAt, Chunks, storeContract } from './contract.ts';

const now = () => Date.now();
const child = fileURLToPath(new URL('child.mjs', import.meta.url));
const ready = fileURLToPath(new URL('../../.ci/ready.mjs', import.meta.url));

let folder: string;
const children: ChildProcessWithoutNullStreams[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-lmdb-'));
});
afterEach(async () => {
  for (const one of children.splice(0)) {
    if (one.exitCode !== null || one.signalCode !== null) continue;
    one.kill('SIGKILL');
    await once(one, 'exit');
  }
  rmSync(folder, { recursive: true, force: true });
});

describe('in a folder', () => {
  storeContract(async () => {
    const path = join(folder, 'journal');
    const store = LmdbStore.open(path, { now });
    return {
      store,
      again: async () => LmdbStore.open(path, { now, readOnly: true }),
      dispose: () => store.close(),
    };
  });
});

/** What opening throws. */
function refusal(path: string, readOnly = true): JournalError {
  try {
    void LmdbStore.open(path, { now, readOnly }).close();
  } catch (error) {
    return error as JournalError;
  }
  throw new Error(`${path} was opened`);
}

async function filled(records = 200): Promise<string> {
  const store = LmdbStore.open(folder, { now });
  const writer = await store.write('run/client', birthAt(1));
  const chunks = new Chunks();
  for (let i = 0; i < records / 10; i++) await writer.append(chunks.next(10, 500));
  await writer.close();
  await store.close();
  return join(folder, 'sumac-journal.mdb');
}

describe('a folder that is not as it should be', () => {
  it('has no journal: then there is nothing to read, and nothing is made', () => {
    expect(refusal(folder)).toMatchObject({ fault: 'absent', message: `there is no journal in ${folder}` });
    expect(refusal(join(folder, 'none'))).toMatchObject({ fault: 'absent' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is on a disk with no room: nothing is begun, and what there is can be read', async () => {
    const fresh = join(folder, 'fresh');
    const more = Number.MAX_SAFE_INTEGER;
    expect(() => LmdbStore.open(fresh, { now, reserve: more })).toThrow(/fresh cannot be written: the disk is full$/);
    expect(readdirSync(fresh)).toEqual([]);
    await filled();
    expect(() => LmdbStore.open(folder, { now, reserve: more })).toThrow(/the disk is full$/);
    const reading = LmdbStore.open(folder, { now, readOnly: true, reserve: more });
    expect(await all(reading, 'run/client')).toHaveLength(200);
    await reading.close();
  });

  it('is on a disk that has no more room: what is kept stays, and LMDB is not asked for more', async () => {
    const store = LmdbStore.open(folder, { now });
    const writer = await store.write('run/client', birthAt(1));
    const chunks = new Chunks();
    await writer.append(chunks.next(10));
    (store as unknown as { room: Room }).room = new Room(folder, Number.MAX_SAFE_INTEGER);
    await expect(writer.append(chunks.next(10))).rejects.toMatchObject({
      fault: 'unwritable',
      message: `the journal in ${folder} cannot be written: the disk is full`,
    });
    await writer.close();
    await store.close();
    const reading = LmdbStore.open(folder, { now, readOnly: true });
    expect(await all(reading, 'run/client')).toHaveLength(10);
    await reading.close();
  });

  it('is a file', () => {
    const file = join(folder, 'file');
    writeFileSync(file, 'text');
    expect(refusal(file)).toMatchObject({ fault: 'absent', message: `${file} is no folder` });
    expect(refusal(file, false)).toMatchObject({ fault: 'unwritable' });
  });

  it.each([
    ['text', (path: string) => writeFileSync(path, 'This is no database.\n'.repeat(1000))],
    ['a few bytes', (path: string) => writeFileSync(path, 'SuJ')],
    ['zeros', (path: string) => writeFileSync(path, new Uint8Array(65_536))],
  ])('holds a file of that name that is %s: it is refused and left as it is', (_what, write) => {
    const path = join(folder, 'sumac-journal.mdb');
    write(path);
    const before = readFileSync(path);
    for (const readOnly of [true, false]) expect(refusal(folder, readOnly)).toMatchObject({ fault: 'foreign' });
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  it("holds another program's LMDB", async () => {
    const path = join(folder, 'sumac-journal.mdb');
    const other = openEnvironment({ path, noSubdir: true });
    await other.put('a', 1);
    await other.close();
    for (const readOnly of [true, false]) {
      expect(refusal(folder, readOnly)).toMatchObject({ fault: 'foreign', message: `${path} is no journal of ours` });
    }
  });

  it('holds a journal of a newer version', async () => {
    const path = await filled();
    const newer = openEnvironment({ path, noSubdir: true, maxDbs: 4, encoding: 'json' });
    await newer.put('sumac journal', 7);
    await newer.close();
    expect(refusal(folder)).toMatchObject({
      fault: 'foreign',
      message: `${folder}: a journal of format 7, newer than this program`,
    });
  });

  it.each([0.99, 0.6, 0.2])('holds a journal of which only a part is left: %f', async (part) => {
    const path = await filled();
    const { length } = readFileSync(path);
    truncateSync(path, Math.floor(length * part));
    for (const readOnly of [true, false]) {
      expect(refusal(folder, readOnly)).toMatchObject({
        fault: 'damaged',
        message: expect.stringContaining('breaks off'),
      });
    }
  });

  it('holds a journal whose newer head tells of pages as large as it likes', async () => {
    const path = await filled();
    const bytes = readFileSync(path);
    const newer = [0, 4096].toSorted((a, b) =>
      Number(bytes.readBigUInt64LE(b + 152) - bytes.readBigUInt64LE(a + 152)),
    )[0];
    bytes.writeUInt32LE(0x7fff_f000, 4096 + 48);
    bytes.writeBigUInt64LE(bytes.readBigUInt64LE(newer! + 152) + 1n, 4096 + 152);
    writeFileSync(path, bytes);
    for (const readOnly of [true, false]) {
      expect(refusal(folder, readOnly)).toMatchObject({
        fault: 'damaged',
        message: expect.stringContaining('two sizes of pages'),
      });
    }
  });

  it('holds a journal in which any bytes were changed: it is refused, or read up to there, and nobody is taken down', async () => {
    spawnSync(process.execPath, [ready], { stdio: 'ignore' });
    const path = join(folder, 'whole');
    const store = LmdbStore.open(path, { now });
    for (let n = 0; n < 40; n++) {
      const writer = await store.write(`run/session:${n}`, birthAt(n));
      const chunks = new Chunks();
      for (let i = 0; i < 4; i++) await writer.append(chunks.next(15), { finished: i === 3 });
      await writer.close();
    }
    await store.close();
    const [file] = readdirSync(path) as [string];
    const whole = readFileSync(join(path, file));
    // The pages of its trees, by which LMDB finds its way, and the two heads; what is in values is looked at elsewhere.
    const trees: number[] = [0, 1];
    for (let page = 2; page < whole.length / 4096; page++) {
      const isIts = whole.readBigUInt64LE(page * 4096) === BigInt(page);
      if (isIts && [1, 2].includes(whole.readUInt16LE(page * 4096 + 18))) trees.push(page);
    }
    expect(trees.length).toBeGreaterThan(20);
    let seed = 12_345;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const places = join(folder, 'changed');
    for (let n = 0; n < 120; n++) {
      const changed = Buffer.from(whole);
      const page = trees[random(trees.length)]! * 4096;
      for (let i = random(3); i >= 0; i--) {
        // The head of a page and the offsets behind it, more often than the rest.
        changed[page + random(n % 3 === 0 ? 4096 : 80)] = random(256);
      }
      mkdirSync(join(places, String(n)), { recursive: true });
      writeFileSync(join(places, String(n), file), changed);
    }
    const looked = spawnSync(process.execPath, [child, places, '-', 'look'], { encoding: 'utf8' });
    expect([looked.signal, looked.status, looked.stderr]).toEqual([null, 0, '']);
    const found = looked.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(found.length).toBe(120);
    const faults = new Set(found.map(({ fault }) => fault));
    expect([...faults].filter((fault) => ![undefined, 'damaged', 'foreign'].includes(fault))).toEqual([]);
    // What was refused says so in one line; what was read is whole.
    for (const { fault, message, records } of found) {
      if (fault === undefined) expect(records % 60).toBe(0);
      else expect(message).toMatch(/^[^\n]{10,200}$/);
    }
    expect(found.filter(({ fault }) => fault === 'damaged').length).toBeGreaterThan(20);
  }, 60_000);

  it('holds a journal with a byte changed: it is read up to there', async () => {
    const path = await filled();
    const bytes = readFileSync(path);
    // Somewhere in the middle of record 105: its bytes are all 105.
    const at = bytes.indexOf(new Uint8Array(500).fill(105)) + 250;
    bytes[at]! ^= 4;
    writeFileSync(path, bytes);
    const store = LmdbStore.open(folder, { now, readOnly: true });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { seq } of readStream(store, 'run/client')) seen.push(seq);
    })();
    await expect(reading).rejects.toMatchObject({ fault: 'damaged', message: 'record 105 is not as it was written' });
    expect(seen).toEqual(Array.from({ length: 104 }, (_, i) => i + 1));
    expect((await all(store, 'run/client', 111)).length).toBe(90);
    await store.close();
    expect(readFileSync(path).equals(bytes)).toBe(true);
  });
});

describe('another program', () => {
  beforeAll(() => {
    const made = spawnSync(process.execPath, [ready], { encoding: 'utf8' });
    expect(made.status, made.stderr).toBe(0);
  }, 120_000);

  const start = (what: string, command: readonly string[] = [process.execPath, child], uid?: number) => {
    const [program, ...words] = [...command, folder, 'run/client', what];
    const one = spawn(program!, words, uid === undefined ? {} : { uid, gid: uid });
    children.push(one);
    one.stderr.resume();
    return { one, lines: createInterface({ input: one.stdout })[Symbol.asyncIterator]() };
  };
  const next = async (lines: AsyncIterator<string>): Promise<string> => (await lines.next()).value as string;

  it('that writes to a session is the only one, as long as it lives', async () => {
    const { one, lines } = start('hold');
    expect(await next(lines)).toBe('open');
    const store = LmdbStore.open(folder, { now });
    await expect(store.write('run/client', birthAt(1))).rejects.toMatchObject({
      fault: 'locked',
      message: `run/client in ${folder} is being written to by process ${one.pid}`,
    });
    const other = await store.write('run/other', birthAt(1));
    await other.append(new Chunks().next(1));
    await other.close();
    expect(await store.head('run/client')).toMatchObject({ open: true });
    one.kill('SIGKILL');
    await once(one, 'exit');
    expect(await store.head('run/client')).toMatchObject({ open: false });
    const writer = await store.write('run/client', birthAt(1));
    await writer.append(new Chunks().next(1));
    await writer.close();
    await store.close();
  });

  it('that is shut out while this one writes', async () => {
    const store = LmdbStore.open(folder, { now });
    const writer = await store.write('run/client', birthAt(1));
    const { lines } = start('hold');
    expect(JSON.parse(await next(lines))).toMatchObject({ fault: 'locked' });
    await writer.close();
    await store.close();
  });

  it('that is killed in the middle of writing loses nothing that was kept, each of five times', async () => {
    let kept = 0;
    for (let time = 0; time < 5; time++) {
      const { one, lines } = start('flood');
      expect(await next(lines)).toBe('open');
      const until = Date.now() + 150 + time * 40;
      while (Date.now() < until) kept = Number(/^kept (\d+)$/.exec(await next(lines))![1]);
      one.kill('SIGKILL');
      for (let line = await next(lines); line !== undefined; line = await next(lines)) {
        kept = Number(/^kept (\d+)$/.exec(line)![1]);
      }
      const store = LmdbStore.open(folder, { now, readOnly: true });
      const records = await all(store, 'run/client');
      expect(records.length).toBeGreaterThanOrEqual(kept);
      expect(records.length % 64).toBe(0);
      expect(records.every(({ seq, at }, i) => seq === i + 1 && at === seq)).toBe(true);
      await store.close();
    }
    expect(kept).toBeGreaterThan(640);
  });

  it('that has no more room says so, and what was kept stays', async () => {
    const { one, lines } = start('flood', [
      '/bin/sh',
      '-c',
      `ulimit -f 2000; exec "$@"`,
      'sh',
      process.execPath,
      child,
    ]);
    let kept = 0;
    let last = '';
    for (let line = await next(lines); line !== undefined; line = await next(lines)) {
      last = line;
      kept = Number(/^kept (\d+)$/.exec(line)?.[1] ?? kept);
    }
    expect(JSON.parse(last)).toMatchObject({
      fault: 'unwritable',
      message: `the journal in ${folder} cannot be written: the disk is full`,
    });
    if (one.exitCode === null) await once(one, 'exit');
    expect(one.exitCode).toBe(0);
    const store = LmdbStore.open(folder, { now, readOnly: true });
    expect((await all(store, 'run/client')).length).toBeGreaterThanOrEqual(kept);
    expect(kept).toBeGreaterThan(64);
    await store.close();
  });

  it('that may only read reads, and is told that it may not write', async () => {
    const path = await filled();
    const place = join(folder, 'read-only');
    mkdirSync(place);
    copyFileSync(path, join(place, 'sumac-journal.mdb'));
    chmodSync(join(place, 'sumac-journal.mdb'), 0o444);
    chmodSync(folder, 0o755);
    chmodSync(place, 0o555);
    const was = folder;
    folder = place;
    // Root may write everywhere, so it is not root that tries.
    const nobody = process.getuid?.() === 0 ? 65_534 : undefined;
    const reader = start('read', undefined, nobody);
    expect(await next(reader.lines)).toBe('200');
    const writer = start('hold', undefined, nobody);
    expect(JSON.parse(await next(writer.lines))).toMatchObject({
      fault: 'unwritable',
      message: `the journal in ${place} cannot be written: it may not be written to`,
    });
    folder = was;
    chmodSync(place, 0o755);
  });
});
