/** A journal opened afterwards shows the same as the program did: hand-overs, charts, messages. */
import { afterEach, describe, expect, test } from 'vitest';
import { arrowsOf } from '../../inspector/handover-arrows.ts';
import { HandoverBook } from '../../inspector/handover-book.ts';
import { Hub } from '../../inspector/hub.ts';
import { JournalFeed } from '../../inspector/journal-feed.ts';
import { LinkReader } from '../../inspector/link-reader.ts';
import type { Scheme } from '../../machines/contract.ts';
import { charts } from '../../machines/index.ts';
import { connect } from '../../src/client/client.ts';
import { wallClock } from '../../src/engine/clock.ts';
import { frame } from '../../src/engine/deframe.ts';
import type { System } from '../../src/engine/system.ts';
import { MemoryJournal } from '../../src/journal/memory.ts';
import type { Entry } from '../../src/journal/record.ts';
import type { Channel } from '../../src/protocol/channel.ts';
import { channels as protocol } from '../../src/protocol/index.ts';
import { createServer, type Server } from '../../src/server/server.ts';
import { createTestCard } from '../../src/sources/test-card.ts';
import type { Pipe } from '../../src/transport/pipe.ts';
import { dialTcp } from '../../src/transport/tcp.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const until = async (what: () => boolean): Promise<void> => {
  const end = performance.now() + 10_000;
  while (!what()) {
    if (performance.now() > end) throw new Error('it did not happen in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

/** Two servers and a client, each with a journal; the guest moves once by each scheme. Returns what was written down. */
async function moved(
  schemes: readonly Scheme[],
  look: (name: string, system: System) => void = () => {},
): Promise<{ name: string; journal: MemoryJournal; address?: string }[]> {
  const house = async (name: string) => {
    const journal = new MemoryJournal();
    const server = await createServer({ host: '127.0.0.1', port: 0, name, journal });
    look(name, server.system);
    const card = createTestCard({ clock: wallClock, name });
    card.plug(server);
    open.push({ close: () => server.close() }, { close: () => card.stop() });
    return { name, journal, server, card, address: `127.0.0.1:${server.addresses.port}` };
  };
  const houses = [await house('one'), await house('two')] as const;
  houses[0].card.run();
  const journal = new MemoryJournal();
  const client = connect({
    destination: { host: '127.0.0.1', port: houses[0].server.addresses.port },
    journal,
    dial: (destination, _secure, signal) => dialTcp(destination, { signal }),
  });
  look('client', client.system);
  open.push({ close: () => client.close() });
  const up = new Set<string>();
  let switched = 0;
  client.events.subscribe((event) => {
    if (event.event === 'channel' && event.state === 'up') up.add(event.channel);
    if (event.event === 'handover' && event.phase === 'switched') switched++;
  });
  await until(() => up.size === 6);
  for (const [i, scheme] of schemes.entries()) {
    const [from, to] = i % 2 === 0 ? [houses[0], houses[1]] : [houses[1], houses[0]];
    await movedOnce(from, to, scheme);
    await until(() => switched === i + 1);
    await new Promise((resolve) => setTimeout(resolve, 600));
  }
  return [...houses.map(({ name, journal, address }) => ({ name, journal, address })), { name: 'client', journal }];
}

interface Moving {
  readonly server: Server;
  readonly card: ReturnType<typeof createTestCard>;
}

async function movedOnce(from: Moving, to: Moving, scheme: Scheme): Promise<void> {
  let answered = false;
  const heard = from.server.events.subscribe((event) => {
    if ((event as { event: string }).event === 'migrate_connect_complete') answered = true;
  });
  from.server.migrateConnect({ host: '127.0.0.1', port: to.server.addresses.port }, { scheme });
  await until(() => answered);
  from.server.migrateStart();
  from.card.stop();
  to.card.load(from.card.save());
  to.server.guestArrived();
  to.card.run();
  from.server.migrateEnd(true);
  heard.unsubscribe();
}

function shown(journals: readonly { name: string; journal: MemoryJournal; address?: string }[]) {
  const hub = new Hub({ charts, mode: 'journal', limits: { chunk: 1_000_000, records: 100_000, messages: 100_000 } });
  open.push(hub);
  const feeds = journals.map(({ name, address }) => {
    const side = address === undefined ? ('client' as const) : ('server' as const);
    return new JournalFeed(hub, { party: { id: name, side, name, addresses: address === undefined ? [] : [address] } });
  });
  const all = journals.flatMap(({ journal }, i) => [...journal.read()].map((record) => ({ record, feed: feeds[i]! })));
  for (const { record, feed } of all.sort((a, b) => a.record.at - b.record.at || a.record.seq - b.record.seq))
    feed.add(record);
  const hello = hub.hello();
  const book = new HandoverBook();
  for (const party of hello.parties) book.party(party);
  for (const actor of hello.actors) book.actor(actor);
  for (const record of hello.records) book.add(record);
  return { hello, list: book.list };
}

describe('journals of two servers and a client', () => {
  test('show each hand-over with its lanes and messages, and no byte is taken for something else', async () => {
    const { hello, list } = shown(await moved(['seamless', 'semi-seamless', 'switch-host']));
    expect(list.map((move) => [move.scheme, move.outcome])).toEqual([
      ['seamless', 'switched'],
      ['semi-seamless', 'switched'],
      ['switch-host', 'switched'],
    ]);
    const [seamless, semi] = list;
    expect(seamless!.lanes.client.spans.at(-1)!.label).toBe('switched');
    expect(seamless!.lanes.source.spans.map((s) => s.label)).toContain('departing');
    expect(seamless!.lanes.target.spans.map((s) => s.label)).toContain('awaiting migrate data');
    const names = arrowsOf(seamless!).map((arrow) => `${arrow.from} ${arrow.to} ${arrow.name}`);
    for (const name of [
      'source client msg.migrate_begin_seamless',
      'client target msgc.migrate_dst_do_seamless',
      'target client msg.migrate_dst_seamless_ack',
      'client source msgc.migrate_connected_seamless',
      'client source msgc.migrate_flush_mark',
      'client target msgc.migrate_data',
    ])
      expect(names).toContain(name);
    expect(arrowsOf(semi!).map((arrow) => arrow.name)).toContain('msg.migrate_end');
    const wires = hello.records.filter((record) => record.kind === 'wire');
    expect(wires.length).toBeGreaterThan(300);
    expect(wires.filter((record) => /^msgc?\.\d+$/.test(record.name))).toEqual([]);
    expect(hello.records.filter((record) => record.kind === 'log')).toEqual([]);
    // What one wrote the other read: the same messages on both ends, but for those still on their way.
    const of = (party: string, direction: string) =>
      wires.filter((r) => r.actor.startsWith(party) && r.direction === direction && r.path === 'control').length;
    expect(Math.abs(of('client', 'in') - of('one', 'out') - of('two', 'out'))).toBeLessThan(30);
  });

  test('a client alone is enough to see how it went', async () => {
    const journals = await moved(['semi-seamless']);
    const { list } = shown(journals.slice(2));
    expect(list).toHaveLength(1);
    expect(list[0]).toMatchObject({ outcome: 'switched', scheme: 'semi-seamless' });
    expect(arrowsOf(list[0]!).map((arrow) => `${arrow.from} ${arrow.to} ${arrow.name}`)).toContain(
      'client target msgc.migrate_end',
    );
  });
});

test('a session that another program took up goes on, and so does its client', async () => {
  const kept = new MemoryJournal();
  /** Writes until its program dies. */
  const life = () => {
    const one = {
      dead: false,
      append: (entry: Entry) => {
        if (!one.dead) kept.append(entry);
      },
      durable: () => kept.durable(),
      past: (root: 'server' | 'client') => kept.past(root),
    };
    return one;
  };
  const first = life();
  const begun = await createServer({ host: '127.0.0.1', port: 0, journal: first });
  const port = begun.addresses.port!;
  const journal = new MemoryJournal();
  const pipes: Pipe[] = [];
  const client = connect({
    destination: { host: '127.0.0.1', port },
    reconnect: { firstMs: 600 },
    journal,
    dial: async (destination, _secure, signal) => {
      const pipe = await dialTcp(destination, { signal });
      pipes.push(pipe);
      return pipe;
    },
  });
  open.push({ close: () => client.close() });
  await until(() => client.channels.size === 6);
  first.dead = true;
  for (const pipe of pipes) pipe.abort();
  await begun.close();
  const second = await createServer({ host: '127.0.0.1', port, journal: life(), resume: true });
  open.push({ close: () => second.close() });
  expect(second.resumed).toHaveLength(1);
  let back = false;
  client.events.subscribe((event) => {
    back ||= event.event === 'reconnect' && event.phase === 'back';
  });
  await until(() => back && client.channels.size === 6);
  const { hello, list } = shown([
    { name: 'one', journal: kept, address: `127.0.0.1:${port}` },
    { name: 'client', journal },
  ]);
  const lines = hello.records.flatMap((record) => (record.kind === 'log' ? [record.line] : []));
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) expect(line).toMatch(/had ended without a word, and another one goes on/);
  expect(list).toMatchObject([{ kind: 'loss', outcome: 'returned' }]);
  expect(list[0]!.lanes.client.spans.at(-1)).toMatchObject({ label: 'back' });
  // Read from where all charts were, it shows them too.
  const hub = new Hub({ charts, mode: 'journal' });
  open.push(hub);
  const feed = new JournalFeed(hub, { party: { id: 'one', side: 'server', name: 'one', addresses: [] } });
  const records = [...kept.read()];
  for (const record of records.slice(records.findIndex(({ kind }) => kind === 'checkpoint'))) feed.add(record);
  const { actors } = hub.hello();
  const session = actors.find(({ chart }) => chart === 'session/server');
  expect(session).toBeDefined();
  expect(session!.stoppedAt).toBeUndefined();
  expect(hub.hello().records.some((record) => record.kind === 'snapshot' && record.actor === session!.id)).toBe(true);
}, 30_000);

describe('a damaged or foreign journal', () => {
  const feedOf = () => {
    const hub = new Hub({ charts, mode: 'journal' });
    open.push(hub);
    return { hub, feed: new JournalFeed(hub, { party: { id: 'x', side: 'client', name: 'x', addresses: [] } }) };
  };

  test('is shown as far as it makes sense, with a line for what does not', () => {
    const { hub, feed } = feedOf();
    const at = 1;
    feed.add({
      kind: 'event',
      seq: 1,
      at,
      actor: 'client',
      event: { type: 'xstate.init', input: {} },
      chart: 'session/gone',
    });
    feed.add({
      kind: 'event',
      seq: 2,
      at,
      actor: 'client/main:0',
      event: { type: 'xstate.init', input: null },
      chart: 'main/client',
    });
    feed.add({ kind: 'event', seq: 3, at, actor: 'client/other', event: { type: 'msg.init' } });
    const bytes = new Uint8Array(64).fill(255);
    for (let i = 0; i < 3; i++)
      feed.add({ kind: 'wire', seq: 4 + i, at, actor: 'client/main:0', link: 'l', direction: 'in', bytes });
    feed.add({ kind: 'end', seq: 9, at, actor: 'client/never' });
    feed.add({ kind: 'nonsense', seq: 10, at, actor: 'client' } as never);
    const lines = hub.hello().records.flatMap((record) => (record.kind === 'log' ? [record.line] : []));
    expect(lines.some((line) => line.includes('there is no chart session/gone here'))).toBe(true);
    expect(lines.filter((line) => line.startsWith('client/main:0: a message of'))).toHaveLength(1);
  });
});

describe('the bytes of a link', () => {
  const read = (reader: LinkReader, owner: string) => {
    const seen: [string, number, number][] = [];
    reader.begin(owner, (direction, number, body) => seen.push([direction, number, body.length]));
    return seen;
  };

  test('are cut for whoever has the link: what one had no use for, the next one tells again', () => {
    const reader = new LinkReader();
    const [ack, init] = [frame(true, 1, 110, new Uint8Array()), frame(true, 2, 103, new Uint8Array(32))];
    const asking = read(reader, 'migration/main:0');
    reader.push('in', Uint8Array.of(...ack, ...init.subarray(0, 10)));
    expect(asking).toEqual([['in', 110, 0]]);
    const main = read(reader, 'main:0');
    reader.push('in', init.subarray(0, 10));
    reader.push('in', init.subarray(10));
    reader.push('out', frame(true, 1, 104, new Uint8Array()));
    expect(asking).toHaveLength(1);
    expect(main).toEqual([
      ['in', 103, 32],
      ['out', 104, 0],
    ]);
    expect(reader.owner).toBe('main:0');
  });

  test('full headers are known by word of the journal; bytes that are no messages are told once', () => {
    const reader = new LinkReader();
    reader.push('in', new Uint8Array(100));
    reader.mini = false;
    const seen = read(reader, 'main:0');
    reader.push('in', frame(false, 1, 103, new Uint8Array(32)));
    expect(seen).toEqual([['in', 103, 32]]);
    const nonsense = new Uint8Array(18).fill(255);
    expect(() => reader.push('in', nonsense)).toThrow(/message/);
    reader.push('in', nonsense);
    expect(seen).toHaveLength(1);
  });
});

test('the messages of a journal are those that its channels counted', async () => {
  const counted = new Map<string, number>();
  const journals = await moved(['semi-seamless', 'switch-host', 'seamless'], (name, system) => {
    system.watch({
      born() {},
      event() {},
      stepped() {},
      command() {},
      ended() {},
      channel: (actor) => ({
        message(direction, number) {
          const key = `${name} ${actor.slice(actor.indexOf('/') + 1)} ${direction} ${number}`;
          counted.set(key, (counted.get(key) ?? 0) + 1);
        },
        over() {},
      }),
    });
  });
  const { hello } = shown(journals);
  const tables = (channel: string) => (protocol as unknown as Record<string, Channel>)[channel.split(':')[0]!]!.tables;
  const told = new Map<string, number>();
  for (const { actor, channel, direction, name, count } of hello.counts) {
    const [party, ...path] = actor.split('/');
    const sender = name.startsWith('msgc.') ? 'client' : 'server';
    const entry = [...tables(channel)[sender].byNumber].find(([, one]) => one.type === name);
    told.set(`${party} ${path.join('/')} ${direction} ${entry?.[0] ?? name}`, count);
  }
  expect(counted.size).toBeGreaterThan(100);
  expect([...told].sort()).toEqual([...counted].sort());
}, 30_000);
