/** A journal that outlives the program: where records go, what is left out, what waits for what, and what happens when the store fails. */
import { describe, expect, it } from 'vitest';
import { Redactor } from '../../src/engine/redact.ts';
import { replayStream } from '../../src/engine/replay.ts';
import { verify } from '../../src/engine/verify.ts';
import type { Chunk } from '../../src/journal/chunk.ts';
import { JournalError } from '../../src/journal/error.ts';
import { MemoryStore } from '../../src/journal/memory-store.ts';
import { checkpointBefore, findStream, readStream, recordBefore } from '../../src/journal/read.ts';
import { type Entry, type JournalRecord, LeftOut } from '../../src/journal/record.ts';
import type { Store, StreamWriter } from '../../src/journal/store.ts';
import { StoredJournal, type StoredJournalOptions, streamOf } from '../../src/journal/stored.ts';
import { always, type Recorded, record, stories } from '../replay/recorded.ts';

const clock: StoredJournalOptions['clock'] = {
  now: () => performance.now(),
  calendar: () => Date.now(),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (id) => clearTimeout(id),
};

const journalIn = (store: Store, options: Partial<StoredJournalOptions> = {}) =>
  new StoredJournal({ store, run: 'run', program: 'test', clock, ...options });

async function all(store: Store, name: string): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const one of readStream(store, name)) records.push(one);
  return records;
}

/** Sessions of a server are kept apart from its root. */
const proof = (name: string, records: readonly JournalRecord[]) =>
  verify(records, { elsewhere: (address) => `run/${streamOf(address)}` !== name });

const entryOf = ({ seq: _, ...entry }: JournalRecord): Entry => entry as Entry;

/** Puts the records of one journal into a store, and returns the streams. */
async function kept(records: readonly JournalRecord[], options: Partial<StoredJournalOptions> = {}) {
  const store = new MemoryStore(() => Date.now());
  const journal = journalIn(store, options);
  for (const one of records) journal.append(entryOf(one));
  await journal.close();
  return { store, streams: (await store.list()).map(({ name }) => name) };
}

describe('a stored journal', () => {
  it('has a stream for each session, and one for the root and the links that belong to none', () => {
    expect(['server', 'server/link:4', 'server/session:3', 'server/session:3/display:0'].map(streamOf)).toEqual([
      'server',
      'server',
      'session:3',
      'session:3',
    ]);
    expect(['client', 'client/migration/link:main:0@2', 'client/display:0'].map(streamOf)).toEqual([
      'client',
      'client',
      'client',
    ]);
  });

  it('loses nothing, and each stream proves itself', async () => {
    const recorded = await record(stories.seamless!.happen);
    for (const side of ['source', 'target', 'client'] as const) {
      const { store, streams } = await kept(recorded[side]);
      expect(streams).toEqual(side === 'client' ? ['run/client'] : ['run/server', 'run/session:1']);
      let count = 0;
      for (const name of streams) {
        const records = await all(store, name);
        count += records.length;
        expect(proof(name, records)).toMatchObject({ unfinished: [], owed: [] });
        expect(proof(name, records).mismatch).toBeUndefined();
        expect(await store.head(name)).toMatchObject({ finished: true, open: false, secrets: true });
      }
      expect(count).toBe(recorded[side].length);
    }
  });

  it('is written to by a session that runs, and closed when it is over', async () => {
    const store = new MemoryStore(() => Date.now());
    const journal = journalIn(store);
    let open: readonly string[] = [];
    const { happen } = stories['semi-seamless']!;
    await record(
      async (stage) => {
        await happen(stage);
        await journal.durable();
        open = (await store.list()).filter((head) => head.open).map(({ name }) => name);
      },
      { journals: { target: journal } },
    );
    expect(open).toEqual(['run/server', 'run/session:1']);
    await journal.close();
    const heads = await store.list();
    expect(heads).toMatchObject([
      { open: false, finished: true },
      { open: false, finished: true },
    ]);
    for (const { name } of heads) expect(proof(name, await all(store, name)).mismatch).toBeUndefined();
    expect(await findStream(store, 'session:1')).toMatchObject({ name: 'run/session:1' });
    expect(await findStream(store, 'run/server')).toMatchObject({ name: 'run/server' });
    await expect(findStream(store, 'session:2')).rejects.toThrow('there is no session session:2 in memory');
    await expect(findStream(store, 'run')).rejects.toThrow(/there are 2 sessions run in memory: run\/s/);
  });

  it('names the checkpoint before any record, and a record before any time', async () => {
    const { happen } = stories.seamless!;
    const { client } = await record(happen, { checkpoints: always });
    const { store, streams } = await kept(client);
    const checkpoints = client.filter(({ kind }) => kind === 'checkpoint').map(({ seq }) => seq);
    expect(checkpoints.length).toBeGreaterThan(10);
    const [name] = streams as [string];
    const head = (await store.head(name))!;
    for (const { seq, at } of client) {
      const before = checkpoints.filter((one) => one <= seq).at(-1) ?? 1;
      expect([seq, await checkpointBefore(store, name, seq)]).toEqual([seq, before]);
      const near = await recordBefore(store, head, at);
      expect(client[near - 1]!.at).toBeLessThanOrEqual(at);
    }
    expect(await recordBefore(store, head, -1)).toBe(1);
    const end = await recordBefore(store, head, Number.POSITIVE_INFINITY);
    expect(end).toBeGreaterThanOrEqual(checkpoints.at(-1)!);
    const told: number[] = [];
    const from = checkpoints[5]! + 2;
    for await (const { seq } of replayStream(store, name, { from })) told.push(seq);
    expect(told).toEqual(client.filter(({ seq, kind }) => kind === 'event' && seq >= from).map(({ seq }) => seq));
  });

  it('has kept everything when `durable` resolves', async () => {
    const store = new MemoryStore(() => Date.now());
    const journal = journalIn(store);
    for (let i = 1; i <= 5; i++) {
      journal.append(event(`e${i}`, i === 1 ? 'session/client' : undefined));
      await journal.durable();
      expect((await all(store, 'run/client')).length).toBe(i);
    }
    await journal.close();
  });

  it('gathers what nobody waits for', async () => {
    const store = new MemoryStore(() => Date.now());
    const sizes: number[] = [];
    const journal = journalIn(watching(store, (chunk) => void sizes.push(chunk.last - chunk.first + 1)));
    for (let i = 0; i < 50; i++) journal.append(event(`e${i}`, i === 0 ? 'session/client' : undefined));
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(sizes).toEqual([50]);
    await journal.close();
  });
});

describe('a store that fails', () => {
  const failing = (after: number): Store => {
    let left = after;
    return watching(new MemoryStore(() => Date.now()), () => {
      if (left-- === 0) throw new JournalError('unwritable', 'the disk is full');
    });
  };
  const fill = async (journal: StoredJournal) => {
    journal.append(event('a', 'session/client'));
    await journal.durable();
    journal.append(event('b'));
    await journal.durable();
  };

  it('is told once, and the session goes on without a journal', async () => {
    const told: string[] = [];
    const journal = journalIn(failing(1), { onFailure: ({ message }) => told.push(message) });
    await fill(journal);
    journal.append(event('c'));
    await journal.durable();
    await journal.close();
    expect(told).toEqual(['the disk is full']);
    expect(journal.failure).toMatchObject({ fault: 'unwritable' });
  });

  it('ends a session that may not go on without one: whoever waits is told', async () => {
    const told: string[] = [];
    const journal = journalIn(failing(1), { required: true, onFailure: ({ message }) => told.push(message) });
    await expect(fill(journal)).rejects.toThrow('the disk is full');
    await expect(journal.durable()).rejects.toThrow('the disk is full');
    await expect(journal.close()).rejects.toThrow('the disk is full');
    expect(told).toEqual(['the disk is full']);
  });

  it('is one that cannot be had', async () => {
    const store = new MemoryStore(() => Date.now());
    const writer = await store.write('run/client', { born: 1, epoch: 1, program: 'other', secrets: true });
    const journal = journalIn(store, { required: true });
    journal.append(event('a', 'session/client'));
    await expect(journal.durable()).rejects.toMatchObject({ fault: 'locked' });
    await writer.close();
  });

  it('is one that stands still: what waits for it is bounded', async () => {
    const never = new Promise<never>(() => {});
    const told: JournalError[] = [];
    const journal = journalIn(
      watching(new MemoryStore(() => Date.now()), () => never),
      {
        onFailure: (error) => told.push(error),
      },
    );
    journal.append(event('a', 'session/client'));
    const bytes = new Uint8Array(1 << 20);
    const wire = { kind: 'wire', at: 1, actor: 'client/display:0', link: 'l', direction: 'in', bytes } as const;
    for (let i = 0; i < 100 && told.length === 0; i++) journal.append(wire);
    expect(told).toMatchObject([{ fault: 'behind' }]);
  });
});

describe('what is personal', () => {
  const redacted = (records: readonly JournalRecord[]) => {
    const redactor = new Redactor();
    return kept(records, { redact: (entry) => redactor.redact(entry) });
  };
  let recorded: Recorded;

  it.each(['source', 'target', 'client'] as const)(
    'is left out, and the journal proves itself all the same: %s',
    async (side) => {
      recorded ??= await record(stories['with a password, over a slow line']!.happen, {
        password: 'swordfish',
        checkpoints: always,
      });
      const { store, streams } = await redacted(recorded[side]);
      let leftOut = 0;
      const whats = new Set<string>();
      for (const name of streams) {
        expect(await store.head(name)).toMatchObject({ secrets: false });
        const records = await all(store, name);
        const report = proof(name, records);
        expect(report).toMatchObject({ unfinished: [], owed: [] });
        expect(report.mismatch).toBeUndefined();
        leftOut += report.leftOut;
        for (const one of records) if (one.kind === 'wire') for (const { what } of one.left ?? []) whats.add(what);
      }
      expect(leftOut).toBeGreaterThan(0);
      expect(whats).toContain('ticket');
      if (side !== 'target') expect(whats).toContain('msgc.key_down');
      expect([...whats].some((what) => what.endsWith('migrate_data'))).toBe(true);
    },
  );

  it.each(['source', 'client'] as const)('is nowhere in what is kept: tickets of %s', async (side) => {
    recorded ??= await record(stories['with a password, over a slow line']!.happen, {
      password: 'swordfish',
      checkpoints: always,
    });
    const secrets: Uint8Array[] = [];
    for (const one of recorded[side]) {
      if (one.kind === 'event' && one.event.ticket instanceof Uint8Array) secrets.push(one.event.ticket);
      if (one.kind === 'command' && one.command.ticket instanceof Uint8Array) secrets.push(one.command.ticket);
    }
    expect(secrets.length).toBeGreaterThanOrEqual(6);
    const found = async (store: Store, names: readonly string[]) => {
      const hay: Buffer[] = [];
      for (const name of names) for await (const chunk of store.read(name)) hay.push(Buffer.from(chunk));
      return secrets.filter((secret) => Buffer.concat(hay).includes(Buffer.from(secret))).length;
    };
    const open = await kept(recorded[side]);
    expect(await found(open.store, open.streams)).toBe(secrets.length);
    const shut = await redacted(recorded[side]);
    expect(await found(shut.store, shut.streams)).toBe(0);
  });

  it('says what stood there, and how long it was', async () => {
    recorded ??= await record(stories['with a password, over a slow line']!.happen, {
      password: 'swordfish',
      checkpoints: always,
    });
    const { store } = await redacted(recorded.source);
    const root = await all(store, 'run/server');
    const ticket = root.find((one) => one.kind === 'event' && one.event.type === 'link.ticket');
    expect(ticket).toMatchObject({ event: { ticket: new LeftOut('ticket', 128) } });
    const session = await all(store, 'run/session:1');
    const key = session.find((one) => one.kind === 'wire' && one.left?.some(({ what }) => what === 'msgc.key_down'));
    // key_down is message 101; its four bytes are gone.
    expect(key).toMatchObject({
      bytes: Uint8Array.of(101, 0, 4, 0, 0, 0, 0, 0, 0, 0),
      left: [{ at: 6, size: 4, what: 'msgc.key_down' }],
    });
  });

  it('is found however bytes are cut, with both kinds of header', () => {
    for (const mini of [true, false]) {
      const frame = (number: number, body: readonly number[]) =>
        mini
          ? [number, 0, body.length, 0, 0, 0, ...body]
          : [...new Array(8).fill(0), number, 0, body.length, 0, 0, 0, 0, 0, 0, 0, ...body];
      // key_down, mouse_press, key_scancode, key_up
      const bytes = Uint8Array.from([
        ...frame(101, [7, 7, 7, 7]),
        ...frame(113, [1, 2, 3]),
        ...frame(104, [7, 7, 7, 7, 7, 7, 7]),
        ...frame(102, [7, 7, 7, 7]),
      ]);
      for (let size = 1; size <= bytes.length; size++) {
        const redactor = new Redactor();
        const actor = 'server/session:1/inputs:0';
        const input = { channel: 'inputs:0' };
        redactor.redact({ kind: 'event', at: 0, actor, event: { type: 'xstate.init', input }, chart: 'inputs/server' });
        redactor.redact({ kind: 'link', at: 0, actor, link: 'l', found: true, mini });
        const out = bytes.slice();
        for (let at = 0; at < bytes.length; at += size) {
          const piece = bytes.subarray(at, at + size);
          const one = redactor.redact({ kind: 'wire', at: 0, actor, link: 'l', direction: 'in', bytes: piece });
          if (one.kind !== 'wire') throw new Error('it is of another kind');
          for (const left of one.left ?? []) out.fill(0, at + left.at, at + left.at + left.size);
        }
        // The size of key_scancode is 7, and stays.
        expect([...out].filter((byte) => byte === 7)).toEqual([7]);
        expect([...out].filter((byte) => byte !== 0 && byte !== 7).length).toBe(10);
      }
    }
  });

  it.each(['client', 'server/session:1'])('is what the microphone hears: %s', (root) => {
    const redactor = new Redactor();
    const actor = `${root}/record:0`;
    const init = { type: 'xstate.init', input: { channel: 'record:0' } };
    const chart = root === 'client' ? 'record/client' : 'record/server';
    redactor.redact({ kind: 'event', at: 0, actor, event: init, chart });
    redactor.redact({ kind: 'link', at: 0, actor, link: 'l', found: true, mini: true });
    const said = (direction: 'in' | 'out', number: number) =>
      redactor.redact({
        ...{ kind: 'wire', at: 0, actor, link: 'l', direction },
        bytes: Uint8Array.of(number, 0, 6, 0, 0, 0, 1, 2, 3, 4, 5, 6),
      });
    const [mine, its] = root === 'client' ? (['out', 'in'] as const) : (['in', 'out'] as const);
    expect(said(mine, 101)).toMatchObject({ left: [{ at: 6, size: 6, what: 'msgc.data' }] });
    expect(said(mine, 103)).not.toHaveProperty('left');
    // What a server says here is no sound.
    expect(said(its, 101)).not.toHaveProperty('left');
  });

  it('is what is said to the agent, in both directions', () => {
    const redactor = new Redactor();
    const actor = 'client/main:0';
    const init = { type: 'xstate.init', input: { channel: 'main:0' } };
    redactor.redact({ kind: 'event', at: 0, actor, event: init, chart: 'main/client' });
    redactor.redact({ kind: 'link', at: 0, actor, link: 'l', found: true, mini: true });
    const wire = (direction: 'in' | 'out', number: number) =>
      redactor.redact({
        ...{ kind: 'wire', at: 0, actor, link: 'l', direction },
        bytes: Uint8Array.of(number, 0, 2, 0, 0, 0, 5, 5),
      });
    expect(wire('in', 109)).toMatchObject({ left: [{ at: 6, size: 2, what: 'msg.agent_data' }] });
    expect(wire('out', 107)).toMatchObject({ left: [{ at: 6, size: 2, what: 'msgc.agent_data' }] });
    expect(wire('in', 113)).not.toHaveProperty('left');
  });
});

function event(type: string, chart?: string): Entry {
  return { kind: 'event', at: 1, actor: 'client', event: { type }, ...(chart === undefined ? {} : { chart }) };
}

/** A store that asks before it takes a chunk. */
function watching(store: Store, before: (chunk: Chunk) => void | Promise<void>): Store {
  return {
    place: store.place,
    list: () => store.list(),
    head: (name) => store.head(name),
    read: (name, from) => store.read(name, from),
    remove: (name) => store.remove(name),
    close: () => store.close(),
    write: async (name, birth) => {
      const writer = await store.write(name, birth);
      const watched: StreamWriter = {
        head: writer.head,
        append: async (chunk, how) => {
          await before(chunk);
          await writer.append(chunk, how);
        },
        cut: (first, bytes) => writer.cut(first, bytes),
        close: () => writer.close(),
      };
      return watched;
    },
  };
}
