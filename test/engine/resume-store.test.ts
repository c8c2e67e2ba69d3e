/** Sessions in a store, each with a journal of its own: what of them can be taken up, and what when some cannot be read. */
import { afterEach, describe, expect, it } from 'vitest';
import { wallClock } from '../../src/engine/clock.ts';
import { takeUp } from '../../src/engine/past.ts';
import { Redactor } from '../../src/engine/redact.ts';
import { replayStream } from '../../src/engine/replay.ts';
import { verifyStream } from '../../src/engine/verify-stream.ts';
import { MemoryStore } from '../../src/journal/memory-store.ts';
import { StoredJournal } from '../../src/journal/stored.ts';
import { Server } from '../../src/server/server.ts';
import { all } from '../journal/contract.ts';
import { always, pause, up } from '../replay/recorded.ts';
import { first, Network } from '../support/network.ts';

describe('sessions with journals of their own', () => {
  let network: Network;
  afterEach(() => network.close());

  /** Two clients at a server that ends without a word: what is in the store then. */
  async function crashed(then: (journal: StoredJournal) => Promise<void> = async () => {}): Promise<MemoryStore> {
    const store = new MemoryStore(() => Date.now());
    network = new Network();
    const journal = journalIn(store, 'first');
    const server = network.server('source', { width: 16, height: 16, journal });
    const clients = [network.client('source'), network.client('source')];
    for (const client of clients) await up(client);
    const typed = first(server.input, (event) => event.type === 'key');
    await pause(50);
    clients[0]!.input.keyDown(30);
    await typed;
    await journal.durable();
    await then(journal);
    const after = new MemoryStore(() => Date.now());
    const streams = (one: MemoryStore) => (one as any).streams as Map<string, any>;
    for (const [name, { head, chunks }] of streams(store)) {
      const copies = chunks.map((chunk: any) => ({ ...chunk, bytes: chunk.bytes.slice() }));
      streams(after).set(name, { head: { ...head }, chunks: copies, writer: undefined });
    }
    return after;
  }

  const journalled = (journal: StoredJournal): MemoryStore => (journal as any).options.store;

  function journalIn(store: MemoryStore, word: string): StoredJournal {
    const redactor = new Redactor();
    return new StoredJournal({
      ...{ store, run: `20260101-000000-${word.slice(0, 4)}`, program: 'test' },
      clock: {
        now: () => wallClock.now(),
        calendar: () => Date.now(),
        setTimeout: (fn, ms) => setTimeout(fn, ms),
        clearTimeout: (id) => clearTimeout(id),
      },
      redact: (entry) => redactor.redact(entry),
      checkpoints: always,
    });
  }

  it('go on behind what there is, and prove themselves', async () => {
    const store = await crashed();
    const journal = journalIn(store, 'next');
    const taken = await takeUp(journal, 'server', wallClock);
    expect(taken).toMatchObject({ sessions: ['session:1', 'session:2'], refused: [] });
    const server = new Server({ journal }, {}, taken);
    expect(server.system.snapshots().get('server/session:2')?.value).toBe('awaiting return');
    await server.close();
    await journal.close();
    const heads = await store.list();
    expect(heads.map(({ name, finished }) => `${name.slice(16)} ${finished}`).sort()).toEqual([
      'firs/server true',
      'firs/session:1 true',
      'firs/session:2 true',
    ]);
    for (const { name } of heads) {
      const report = await verifyStream(store, name);
      expect([name, report.damage, report.mismatch, report.unfinished]).toEqual([name, undefined, undefined, []]);
    }
  });

  it('go on from a server whose own journal was cut at a checkpoint, and all of it proves itself', async () => {
    const lengths: number[] = [];
    const store = await crashed(async (journal) => {
      const root = async () => (await all(journalled(journal), '20260101-000000-firs/server')).length;
      lengths.push(await root());
      const sessions = (await journalled(journal).list()).filter(({ name }) => journal.isSession(name));
      // How the oldest session was linked is told as long as that is kept.
      await journal.trim(Math.min(...sessions.map(({ born }) => born)));
      lengths.push(await root());
      await journal.trim(Date.now() + 1);
      await pause(60);
      lengths.push(await root());
    });
    const [whole, kept, cut] = lengths as [number, number, number];
    expect(kept).toBeGreaterThan(whole * 0.6);
    expect(cut).toBeLessThan(whole / 3);
    const name = '20260101-000000-firs/server';
    const [first] = await all(store, name);
    expect(first).toMatchObject({ kind: 'checkpoint', actor: 'server' });
    expect((await store.head(name))!.first).toBe(first!.seq);
    const journal = journalIn(store, 'next');
    const taken = await takeUp(journal, 'server', wallClock);
    expect(taken).toMatchObject({ sessions: ['session:1', 'session:2'], refused: [] });
    const server = new Server({ journal }, {}, taken);
    expect(server.system.snapshots().get('server/session:2')?.value).toBe('awaiting return');
    await server.close();
    await journal.close();
    for (const { name } of await store.list()) {
      const report = await verifyStream(store, name);
      expect([name, report.damage, report.mismatch, report.unfinished]).toEqual([name, undefined, undefined, []]);
      const steps: number[] = [];
      for await (const { seq } of replayStream(store, name)) steps.push(seq);
      expect(steps.length).toBeGreaterThan(3);
    }
  });

  it('are left out where they are damaged, and the others go on', async () => {
    const store = await crashed();
    const chunk = (store as any).streams.get('20260101-000000-firs/session:1').chunks.at(-1);
    chunk.bytes[chunk.bytes.length - 3] ^= 1;
    const journal = journalIn(store, 'next');
    const taken = await takeUp(journal, 'server', wallClock);
    expect(taken.sessions).toEqual(['session:2']);
    expect(taken.refused).toEqual([
      expect.stringMatching(/^session:1 of .* is not resumed: record \d+ is not as it was/),
    ]);
    const server = new Server({ journal }, {}, taken);
    expect([...server.system.snapshots().keys()].filter((actor) => actor.includes('session:1'))).toEqual([]);
    await server.close();
    await journal.close();
  });

  it('are left alone when the journal of their server is damaged', async () => {
    const store = await crashed();
    const chunk = (store as any).streams.get('20260101-000000-firs/server').chunks.at(-1);
    chunk.bytes[chunk.bytes.length - 3] ^= 1;
    const before = await store.list();
    const taken = await takeUp(journalIn(store, 'next'), 'server', wallClock);
    expect(taken).toMatchObject({ revived: undefined, sessions: [] });
    expect(taken.refused).toEqual([expect.stringMatching(/^nothing of .* is resumed: record \d+ is not as it was/)]);
    expect(await store.list()).toEqual(before);
  });
});
