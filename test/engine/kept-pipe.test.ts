/** What a peer relies on leaves when the journal holds what caused it, and nothing overtakes it. */
import { describe, expect, it } from 'vitest';
import { keptPipe, writeRelied } from '../../src/engine/kept-pipe.ts';
import type { Journal } from '../../src/journal/journal.ts';
import type { Entry } from '../../src/journal/record.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import type { Pipe } from '../../src/transport/pipe.ts';
import { pause, record, stories } from '../replay/recorded.ts';

/** A journal whose records are kept when the test says so. */
class SlowJournal implements Journal {
  readonly outlives = true;
  readonly entries: Entry[] = [];
  private waiting: { resolve(): void; reject(error: Error): void }[] = [];

  append(entry: Entry): void {
    this.entries.push(entry);
  }

  durable(): Promise<void> {
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  get asked(): number {
    return this.waiting.length;
  }

  async keep(times = this.waiting.length): Promise<void> {
    for (const { resolve } of this.waiting.splice(0, times)) resolve();
    await pause(5);
  }

  async lose(): Promise<void> {
    for (const { reject } of this.waiting.splice(0)) reject(new Error('the disk is full'));
    await pause(5);
  }
}

function joined(journal: Journal | undefined) {
  const { left, right } = memoryPair();
  const pipe = keptPipe(left, journal);
  const heard: number[] = [];
  const told: string[] = [];
  right.take({
    onChunk: (chunk) => heard.push(...chunk),
    onClosed: (error) => told.push(error === undefined ? 'closed' : 'broken'),
  });
  return { pipe, heard, told, other: right };
}

const bytes = (...values: number[]) => Uint8Array.from(values);

describe('a pipe with a journal that outlives the program', () => {
  it('holds back what is relied on, and all behind it, and lets the rest go', async () => {
    const journal = new SlowJournal();
    const { pipe, heard } = joined(journal);
    pipe.write(bytes(1));
    writeRelied(pipe, bytes(2));
    pipe.write(bytes(3));
    writeRelied(pipe, bytes(4));
    pipe.write(bytes(5));
    await pause(5);
    expect(heard).toEqual([1]);
    expect(pipe.pending).toBe(4);
    await journal.keep(1);
    expect(heard).toEqual([1, 2, 3]);
    await journal.keep(1);
    expect(heard).toEqual([1, 2, 3, 4, 5]);
    expect(pipe.pending).toBe(0);
    pipe.write(bytes(6));
    await pause(5);
    expect(heard.at(-1)).toBe(6);
  });

  it('closes behind what it holds, and hears nothing meanwhile', async () => {
    const journal = new SlowJournal();
    const { pipe, heard, told, other } = joined(journal);
    const chunks: number[] = [];
    let closed = 0;
    pipe.take({ onChunk: (chunk) => chunks.push(...chunk), onClosed: () => closed++ });
    writeRelied(pipe, bytes(1));
    pipe.close();
    pipe.write(bytes(2));
    other.write(bytes(9));
    await pause(5);
    expect([heard, chunks, told]).toEqual([[], [], []]);
    await journal.keep();
    expect([heard, chunks, told, closed]).toEqual([[1], [], ['closed'], 1]);
  });

  it('breaks when there must be a journal and there is none any more', async () => {
    const journal = new SlowJournal();
    const { pipe, heard, told } = joined(journal);
    writeRelied(pipe, bytes(1));
    await journal.lose();
    expect([heard, told]).toEqual([[], ['broken']]);
  });

  it('tells that there is room again when it has held a lot', async () => {
    const journal = new SlowJournal();
    const { pipe } = joined(journal);
    let drained = 0;
    pipe.take({ onChunk: () => {}, onClosed: () => {}, onDrained: () => drained++ });
    writeRelied(pipe, bytes(1));
    for (let i = 0; i < 20; i++) pipe.write(new Uint8Array(100_000));
    expect(pipe.pending).toBe(2_000_001);
    await journal.keep();
    await pause(20);
    expect(pipe.pending).toBe(0);
    expect(drained).toBeGreaterThanOrEqual(1);
  });
});

describe('a pipe without one', () => {
  it('is the pipe itself', () => {
    const { left } = memoryPair();
    expect(keptPipe(left, undefined)).toBe(left);
    expect(keptPipe(left, { append: () => {}, durable: async () => {} })).toBe(left);
    const written: Uint8Array[] = [];
    writeRelied({ write: (one: Uint8Array) => written.push(one) } as unknown as Pipe, bytes(7));
    expect(written).toEqual([bytes(7)]);
  });
});

describe('a session', () => {
  it('tells nobody a connection id, a good ticket or a target before its journal holds what caused it', async () => {
    const journal = new SlowJournal();
    let releasing = true;
    const waits: number[] = [];
    const release = (async () => {
      while (releasing) {
        if (journal.asked > 0) waits.push(journal.asked);
        await journal.keep();
      }
    })();
    await record(stories.seamless!.happen, { journals: { source: journal } });
    releasing = false;
    await release;
    // Six links, the session's id, and the target that was announced.
    expect(waits.reduce((sum, one) => sum + one, 0)).toBeGreaterThanOrEqual(8);
  });

  it('is not begun while its journal holds nothing', async () => {
    const journal = new SlowJournal();
    let linked: readonly string[] = ['?'];
    const all = record(
      async ({ client }) => {
        linked = [...client.channels];
      },
      { journals: { source: journal } },
    ).catch((error: Error) => error);
    await pause(200);
    // The first link has been found good, and a session has an id: nobody was told of either.
    expect(journal.asked).toBe(2);
    expect(linked).toEqual(['?']);
    const results = journal.entries.filter((one) => one.kind === 'command' && one.command.type === 'link.send_result');
    expect(results.length).toBe(1);
    const until = Date.now() + 5_000;
    while (linked[0] === '?' && Date.now() < until) await journal.keep();
    expect(linked.length).toBe(6);
    await all;
  });
});
