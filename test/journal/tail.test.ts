/** What was on its way to a folder when its program died is there all the same, once, and nothing that is not whole. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Chunk } from '../../src/journal/chunk.ts';
import { LmdbStore } from '../../src/journal/lmdb.ts';
import { Tail } from '../../src/journal/tail.ts';
import { all, birthAt, Chunks } from './contract.ts';

const now = () => Date.now();
const child = fileURLToPath(new URL('child.mjs', import.meta.url));
const ready = fileURLToPath(new URL('../../.ci/ready.mjs', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-tail-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const tails = () => readdirSync(folder).filter((name) => name.includes('.tail.'));
const path = () => join(folder, tails()[0]!);

/** What is in `tail` now is of a process that has died. */
function orphan(): void {
  renameSync(path(), join(folder, 'sumac-journal.tail.999999999-1-0'));
}

const pieceOf = (name: string, chunk: Chunk, finished = false) => ({ name, birth: birthAt(5), chunk, finished });

async function records(name: string): Promise<number[]> {
  const store = LmdbStore.open(folder, { now });
  const isThere = (await store.head(name)) !== undefined;
  const numbers = isThere ? (await all(store, name)).map(({ seq }) => seq) : [];
  await store.close();
  return numbers;
}

describe('what is on its way to a folder', () => {
  it('is taken in by whoever opens the folder next, when its program has died', async () => {
    const tail = new Tail(folder);
    const one = new Chunks();
    tail.keep(pieceOf('run/one', one.next(3)));
    tail.keep(pieceOf('run/two', new Chunks().next(2)));
    tail.keep(pieceOf('run/one', one.next(2), true));
    // While it lives, its own business is nobody else's.
    expect(await records('run/one')).toEqual([]);
    orphan();
    const store = LmdbStore.open(folder, { now });
    expect(await store.list()).toMatchObject([
      { name: 'run/one', born: 5, last: 5, finished: true, open: false },
      { name: 'run/two', born: 5, last: 2, finished: false, open: false },
    ]);
    const writer = await store.write('run/two', birthAt(1));
    expect(writer.head.last).toBe(2);
    await writer.close();
    await store.close();
    expect(await records('run/one')).toEqual([1, 2, 3, 4, 5]);
    expect(await records('run/two')).toEqual([1, 2]);
    expect(tails()).toEqual([]);
    tail.close();
  });

  it('is seen by who only looks, when its program has died, and left where it is', async () => {
    const before = LmdbStore.open(folder, { now });
    const one = new Chunks();
    const writer = await before.write('run/one', birthAt(1));
    await writer.append(one.next(3));
    await writer.close();
    const [second, third] = [one.next(2), one.next(2)];
    before.tail!.keep(pieceOf('run/one', second));
    before.tail!.keep(pieceOf('run/two', new Chunks().next(2)));
    before.tail!.keep(pieceOf('run/one', third, true));
    const look = async () => {
      const store = LmdbStore.open(folder, { now, readOnly: true });
      const heads = (await store.list()).map(({ name, last, finished, open }) => [name, last, finished, open]);
      const read = async (name: string, from?: number) => (await all(store, name, from)).map(({ seq }) => seq);
      const seen = { heads, one: await read('run/one'), late: await read('run/one', 5) };
      const two = heads.length > 1 ? await read('run/two') : [];
      await store.close();
      return { ...seen, two };
    };
    // While it lives, its own business is nobody else's.
    expect(await look()).toEqual({ heads: [['run/one', 3, false, false]], one: [1, 2, 3], late: [], two: [] });
    orphan();
    const whole = readFileSync(path());
    const heads = [
      ['run/one', 7, true, false],
      ['run/two', 2, false, false],
    ];
    expect(await look()).toEqual({ heads, one: [1, 2, 3, 4, 5, 6, 7], late: [5, 6, 7], two: [1, 2] });
    expect(readFileSync(path()).equals(whole)).toBe(true);
    await before.close();
    // Who takes it in comes to the same.
    expect(await records('run/one')).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(await look()).toMatchObject({ heads, one: [1, 2, 3, 4, 5, 6, 7] });
  });

  it('is there once only, if it had come there already', async () => {
    const chunks = new Chunks();
    const [first, second] = [chunks.next(2), chunks.next(2)];
    const before = LmdbStore.open(folder, { now });
    const writer = await before.write('run/one', birthAt(1));
    before.tail!.keep(pieceOf('run/one', first));
    before.tail!.keep(pieceOf('run/one', second));
    await writer.append(first);
    await writer.close();
    orphan();
    await before.close();
    expect(await records('run/one')).toEqual([1, 2, 3, 4]);
    expect(await records('run/one')).toEqual([1, 2, 3, 4]);
  });

  it('is no longer written down when it has come there', () => {
    const tail = new Tail(folder);
    const chunks = new Chunks();
    const forgets = [tail.keep(pieceOf('run/one', chunks.next(1))), tail.keep(pieceOf('run/one', chunks.next(1)))];
    const size = readFileSync(path()).length;
    forgets[0]!();
    expect(readFileSync(path()).length).toBe(size);
    forgets[1]!();
    expect(readFileSync(path()).length).toBe(0);
    tail.keep(pieceOf('run/one', chunks.next(1)));
    expect(readFileSync(path()).length).toBeGreaterThan(0);
    tail.close();
    expect(tails()).toEqual([]);
  });

  it('has to wait when there is a lot, or no room', () => {
    const tail = new Tail(folder);
    const { bytes, ...rest } = new Chunks().next(1);
    const large = { ...rest, bytes: new Uint8Array(9 * 1024 * 1024), giveBack: () => {} };
    const forget = tail.keep(pieceOf('run/one', large))!;
    expect(forget).toBeTypeOf('function');
    expect(tail.keep(pieceOf('run/one', large))).toBeUndefined();
    forget();
    expect(tail.keep(pieceOf('run/one', { ...large, bytes }))).toBeTypeOf('function');
    tail.close();
    expect(new Tail(folder, () => false).keep(pieceOf('run/one', new Chunks().next(1)))).toBeUndefined();
    expect(new Tail(join(folder, 'nowhere')).keep(pieceOf('run/one', new Chunks().next(1)))).toBeUndefined();
  });

  it('is left out from the first piece on that is not as it was written', async () => {
    const tail = new Tail(folder);
    const chunks = new Chunks();
    tail.keep(pieceOf('run/one', chunks.next(1)));
    const whole = readFileSync(path()).length;
    tail.keep(pieceOf('run/one', chunks.next(1)));
    const file = readFileSync(path());
    tail.close();
    const left = join(folder, 'sumac-journal.tail.999999999-1-0');
    for (let size = 0; size < file.length; size += 7) {
      rmSync(folder, { recursive: true });
      await LmdbStore.open(folder, { now }).close();
      writeFileSync(left, file.subarray(0, size));
      expect(await records('run/one')).toEqual(size < whole ? [] : [1]);
    }
    rmSync(folder, { recursive: true });
    await LmdbStore.open(folder, { now }).close();
    const damaged = Uint8Array.from(file);
    damaged[whole + 40]! ^= 1;
    writeFileSync(left, damaged);
    expect(await records('run/one')).toEqual([1]);
    writeFileSync(left, 'this is something else, and long enough');
    appendFileSync(left, new Uint8Array(100));
    expect(await records('run/one')).toEqual([1]);
    expect(tails()).toEqual([]);
  });
});

describe('another program', () => {
  beforeAll(() => {
    expect(spawnSync(process.execPath, [ready], { stdio: 'inherit' }).status).toBe(0);
  }, 120_000);

  it('that dies as soon as it was told that a session is kept has lost nothing of it, each of five times', async () => {
    for (let time = 1; time <= 5; time++) {
      const { stdout, signal } = spawnSync(process.execPath, [child, folder, `run-${time}`, 'die'], {
        encoding: 'utf8',
      });
      expect(signal).toBe('SIGKILL');
      const kept = Number(/^kept (\d+)$/m.exec(stdout)![1]);
      expect(kept).toBe(55);
      expect(await records(`run-${time}/session:1`)).toEqual(Array.from({ length: kept }, (_, i) => i + 1));
    }
  });
});
