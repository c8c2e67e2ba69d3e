/** Hand-overs put together from a feed: each kind comes out as what it was, with its lanes, arrows, deadlines and gap. */
import { afterEach, describe, expect, test } from 'vitest';
import type { FeedRecord } from '../../inspector/feed.ts';
import type { HandOver } from '../../inspector/handover.ts';
import { arrowsOf, gapOf } from '../../inspector/handover-arrows.ts';
import { HandoverBook } from '../../inspector/handover-book.ts';
import { Hub } from '../../inspector/hub.ts';
import { charts } from '../../machines/index.ts';
import { addresses, channels, type Kind, kinds, Synthetic } from './synthetic.ts';

const hubs: Hub[] = [];
afterEach(() => {
  for (const hub of hubs.splice(0)) hub.close();
});

const start = 1_700_000_000_000;
const played = (list: readonly Kind[], keep: (record: FeedRecord) => boolean = () => true): HandOver[] => {
  const hub = new Hub({ charts, limits: { chunk: 100_000 } });
  hubs.push(hub);
  const synthetic = new Synthetic(hub, start);
  let at = start + 1_000;
  for (const kind of list) at = synthetic.handover(kind, at) + 1_000;
  synthetic.run();
  const book = new HandoverBook();
  const { parties, actors, records } = hub.hello();
  for (const party of parties) book.party(party);
  for (const actor of actors) book.actor(actor);
  for (const record of records.filter(keep)) book.add(record);
  return book.list;
};

const outcomes: Record<Kind, [scheme: string, outcome: string]> = {
  seamless: ['seamless', 'switched'],
  'semi-seamless': ['semi-seamless', 'switched'],
  'early-link': ['early-link', 'switched'],
  'switch-host': ['switch-host', 'switched'],
  'cancel before': ['semi-seamless', 'cancelled'],
  'cancel after': ['semi-seamless', 'cancelled'],
  refused: ['semi-seamless', 'failed'],
  silent: ['semi-seamless', 'failed'],
};

test('each kind, one after the other, is one hand-over with its own outcome', () => {
  const list = played(kinds);
  expect(list.map((m) => [m.scheme, m.outcome])).toEqual(kinds.map((kind) => outcomes[kind]));
  expect(list.map((m) => m.number)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  for (const move of list) {
    expect(move.lanes.client.party).toBe('client-1');
    expect([move.lanes.source.party, move.lanes.target.party].sort()).toEqual(['server-a', 'server-b']);
    expect(move.endedAt).toBeGreaterThan(move.beganAt);
  }
  expect(list.map((m) => m.lanes.source.address)).toEqual([
    ...[addresses.a, addresses.b, addresses.a, addresses.b, addresses.a, addresses.a, addresses.a, addresses.a],
  ]);
  expect(list.slice(-2).map((m) => m.reason)).toEqual([
    'main:0: the server refused the ticket',
    'the target does not answer in time',
  ]);
});

describe('a seamless hand-over', () => {
  const move = () => played(['seamless'])[0]!;

  test('what each supervisor did', () => {
    const { lanes } = move();
    expect(lanes.source.spans.map((s) => s.label)).toEqual(['awaiting the answer', 'linked', 'departing', 'departed']);
    expect(lanes.client.spans.map((s) => s.label)).toEqual([
      ...['resolving', 'linking main', 'channels: linking, handshake: asking', 'linked', 'switching', 'switched'],
    ]);
    expect(lanes.target.spans.map((s) => s.label)).toEqual(['parked', 'arrived']);
    expect(lanes.target.session).toBe('server-b/session:1');
    for (const lane of Object.values(lanes)) {
      for (const [i, span] of lane.spans.entries()) expect(span.to).toBe(lane.spans[i + 1]?.from);
    }
  });

  test('messages are arrows between the lanes, each once', () => {
    const arrows = arrowsOf(move()).filter((a) => a.path === 'control');
    const lines = arrows.map((a) => `${a.from} → ${a.to} ${a.channel} ${a.name}`);
    expect(lines.slice(0, 4)).toEqual([
      'source → client main:0 msg.migrate_begin_seamless',
      'client → target main:0 msgc.migrate_dst_do_seamless',
      'target → client main:0 msg.migrate_dst_seamless_ack',
      'client → source main:0 msgc.migrate_connected_seamless',
    ]);
    expect(lines.filter((line) => line.endsWith('msg.migrate'))).toHaveLength(6);
    expect(lines.filter((line) => line.endsWith('msg.migrate_data'))).toHaveLength(3);
    expect(
      lines.filter((line) => line.startsWith('client → target') && line.endsWith('msgc.migrate_data')),
    ).toHaveLength(3);
    for (const arrow of arrows) {
      expect(arrow.receivedAt - arrow.sentAt, arrow.name).toBeCloseTo(0.4, 1);
      expect(arrow.seqs).toHaveLength(2);
    }
  });

  test('deadlines, channels and the gap', () => {
    const one = move();
    expect(one.deadlines.map((d) => [d.lane, d.name, d.ran, d.to !== undefined])).toEqual([
      ['source', 'answer deadline', false, true],
      ['client', 'link deadline', false, true],
      ['source', 'departure deadline', false, true],
    ]);
    expect([...one.channels.keys()].sort()).toEqual([...channels].sort());
    for (const channel of one.channels.values()) expect(channel.switchedAt).toBeGreaterThan(channel.leftAt!);
    expect(gapOf(one)?.ms).toBeCloseTo(5.7, 1);
    expect(gapOf(one)!.from).toBeGreaterThan(one.linkedAt!);
    expect(one.linkedAt).toBeCloseTo(one.beganAt + 40 + 1, 1);
  });
});

test('a deadline that ran out says so', () => {
  expect(played(['silent'])[0]!.deadlines.find((d) => d.name === 'link deadline')).toMatchObject({
    ran: true,
    lane: 'client',
  });
});

test('a client alone: its lane is full, arrows have one end', () => {
  const [move] = played(['semi-seamless'], (record) => record.actor.startsWith('client-1'));
  expect(move).toMatchObject({ outcome: 'switched', scheme: 'semi-seamless' });
  expect(move!.lanes.source.spans).toEqual([]);
  const arrows = arrowsOf(move!);
  expect(arrows.map((a) => `${a.from} → ${a.to} ${a.name}`)).toContain('client → target msgc.migrate_end');
  expect(arrows.map((a) => `${a.from} → ${a.to} ${a.name}`)).toContain('source → client msg.migrate_end');
  expect(arrows.every((a) => a.sentAt === a.receivedAt && a.seqs.length === 1)).toBe(true);
});

test('servers alone: the charts of the source tell how it went', () => {
  const list = played(['seamless', 'cancel after', 'refused'], (record) => !record.actor.startsWith('client-1'));
  expect(list.map((m) => [m.outcome, m.scheme, m.fellBack])).toEqual([
    ['switched', 'seamless', false],
    ['cancelled', 'semi-seamless', false],
    ['cancelled', 'semi-seamless', true],
  ]);
  expect(list[0]!.lanes.target.spans.map((s) => s.label)).toEqual(['parked', 'arrived']);
});

test('a client that loses its server: its tries, the session that waits, and its return', () => {
  const hub = new Hub({ charts });
  hub.party({ id: 'server-1', side: 'server', name: 's', addresses: ['127.0.0.1:5900'] });
  hub.party({ id: 'client-1', side: 'client', name: 'c', addresses: [] });
  const session = 'server-1/session:1';
  hub.actor(session, 'session/server', 0);
  hub.actor('client-1', 'session/client', 0);
  const at = (ms: number) => 1_000 + ms;
  const context = { connectionId: 7 };
  hub.snapshot(session, { value: { serving: { up: 'staying' } }, context }, 'x', at(0));
  hub.snapshot('client-1', { value: { up: { staying: 'settled' } }, context }, 'x', at(0));
  const news = (ms: number, phase: 'waiting' | 'back' | 'given up', more: object) =>
    hub.record({ kind: 'reconnect', actor: 'client-1', at: at(ms), phase, ...more });
  hub.snapshot(session, { value: 'awaiting return', context }, 'channel.down', at(5));
  hub.record({ kind: 'timer', actor: session, at: at(5), name: 'return deadline', state: 'set', dueAt: at(60_005) });
  hub.snapshot('client-1', { value: { reconnecting: 'drawing' }, context }, 'channel.down', at(10));
  news(11, 'waiting', { try: 1, tries: 10, inMs: 700, reason: 'the network failed' });
  hub.snapshot('client-1', { value: { reconnecting: 'waiting' }, context }, 'x', at(11));
  const bookOf = () => {
    const { parties, actors, records } = hub.hello();
    const book = new HandoverBook();
    for (const party of parties) book.party(party);
    for (const actor of actors) book.actor(actor);
    for (const record of records) book.add(record);
    return book.list;
  };
  expect(bookOf()).toMatchObject([
    {
      kind: 'loss',
      outcome: 'under way',
      reason: 'the network failed',
      tries: { count: 1, most: 10, nextAt: at(711) },
    },
  ]);
  hub.snapshot('client-1', { value: { reconnecting: 'linking main' }, context }, 'x', at(711));
  hub.record({ kind: 'timer', actor: session, at: at(730), name: 'return deadline', state: 'stopped' });
  hub.snapshot(session, { value: { serving: { up: 'staying' } }, context }, 'session.linked', at(730));
  news(740, 'back', { try: 1, returned: true });
  hub.snapshot('client-1', { value: { up: { staying: 'settled' } }, context }, 'msg.init', at(741));
  // What it does later is none of it; another loss is another entry.
  hub.snapshot('client-1', { value: { up: { staying: 'settling' } }, context }, 'x', at(800));
  hub.snapshot('client-1', { value: { reconnecting: 'waiting' }, context }, 'channel.down', at(9_000));
  news(9_500, 'given up', { try: 10, reason: 'nobody there' });
  hub.snapshot('client-1', { value: 'closed', context }, 'x', at(9_501));
  const [first, second, ...more] = bookOf();
  expect(more).toEqual([]);
  expect(first).toMatchObject({ outcome: 'returned', endedAt: at(740), tries: { count: 1, returned: true } });
  expect(first!.lanes.client.spans.map((span) => span.label)).toEqual(['drawing', 'waiting', 'linking main', 'back']);
  expect(first!.lanes.source).toMatchObject({ session, address: '127.0.0.1:5900' });
  expect(first!.lanes.source.spans.map((span) => span.label)).toEqual(['awaiting return', 'back']);
  expect(first!.deadlines).toMatchObject([{ lane: 'source', name: 'return deadline', to: at(730), ran: false }]);
  expect(second).toMatchObject({ outcome: 'failed', reason: 'nobody there', tries: { count: 10 } });
  hub.close();
});

test('a second announcement replaces the first', () => {
  const book = new HandoverBook();
  book.party({ id: 'client-1', side: 'client', name: 'c', addresses: [] });
  const news = (seq: number, phase: 'begun' | 'linked' | 'switched', attempt: number) =>
    book.add({
      ...{ kind: 'handover', seq, at: start + seq, actor: 'client-1', phase, scheme: 'seamless', attempt },
      ...{ from: 'a:1', to: 'b:2', channels: [] },
    });
  news(1, 'begun', 1);
  news(2, 'begun', 2);
  news(3, 'linked', 2);
  news(4, 'switched', 2);
  expect(book.list.map((m) => m.outcome)).toEqual(['replaced', 'switched']);
});

test('two sessions that move at once are kept apart by their connection ids', () => {
  const book = new HandoverBook();
  const two = [1, 2] as const;
  book.party({ id: 'server-a', side: 'server', name: 'a', addresses: ['a:1'] });
  for (const n of two) {
    book.party({ id: `client-${n}`, side: 'client', name: 'c', addresses: [] });
    book.actor({ id: `server-a/session:${n}/source`, name: 'source', chart: 'migration/source', startedAt: 0 });
  }
  let seq = 0;
  const base = (actor: string) => ({ seq: ++seq, at: start + seq, actor });
  for (const n of two) {
    const known = { kind: 'snapshot', status: 'active', on: 'x', context: { connectionId: 100 + n } } as const;
    book.add({ ...base(`client-${n}`), ...known });
    book.add({ ...base(`server-a/session:${n}`), ...known });
  }
  for (const n of two)
    book.add({
      ...base(`server-a/session:${n}/source`),
      kind: 'snapshot',
      status: 'active',
      on: 'x',
      value: 'awaiting the answer',
    });
  for (const n of [2, 1]) {
    book.add({
      ...{ ...base(`client-${n}`), kind: 'handover', phase: 'begun', scheme: 'seamless', attempt: 1 },
      ...{ from: 'a:1', to: 'b:2', channels: [] },
    });
  }
  expect(book.list.map((m) => [m.lanes.source.session, m.lanes.client.party])).toEqual([
    ['server-a/session:1', 'client-1'],
    ['server-a/session:2', 'client-2'],
  ]);
});
