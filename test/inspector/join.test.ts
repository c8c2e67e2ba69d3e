/** Several processes, one inspector: what one of them knows is shown by the other, bytes, pictures and all. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { feedVersion } from '../../inspector/feed.ts';
import { HandoverBook } from '../../inspector/handover-book.ts';
import { Hub, type HubOptions } from '../../inspector/hub.ts';
import { type Join, joinInspector } from '../../inspector/join.ts';
import { Joined } from '../../inspector/joined.ts';
import { type Inspector, inspect } from '../../inspector/serve.ts';
import { charts } from '../../machines/index.ts';
import { UsageError } from '../../src/errors.ts';
import { kinds, Synthetic } from './synthetic.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});
const kept = <T extends { close(): unknown }>(one: T): T => {
  open.push(one);
  return one;
};
const hubOf = (options: HubOptions = {}): Hub => kept(new Hub({ charts, limits: { chunk: 5_000 }, ...options }));
const served = async (options: Parameters<typeof inspect>[0] = {}): Promise<Inspector> => kept(await inspect(options));
const joined = (hub: Hub, inspector: Inspector): Join => kept(joinInspector(hub, `ws://127.0.0.1:${inspector.port}`));

describe('a process that joins', () => {
  test('is shown with its actors, charts, records and hand-overs; and so is what happens afterwards', async () => {
    const here = hubOf();
    const inspector = await served({ hub: here });
    const there = hubOf();
    const synthetic = new Synthetic(there, Date.now() - 60_000);
    let at = Date.now() - 50_000;
    for (const kind of kinds.slice(0, 3)) at = synthetic.handover(kind, at) + 1_000;
    synthetic.run();
    joined(there, inspector);
    await vi.waitFor(() => expect(here.hello().parties).toHaveLength(3));
    synthetic.handover('refused', at);
    synthetic.run();
    await vi.waitFor(() =>
      expect(here.hello().records.filter((r) => r.kind === 'handover' && r.phase === 'failed')).toHaveLength(1),
    );
    const hello = here.hello();
    expect(hello.parties.map((p) => p.id)).toEqual(['server-a', 'server-b', 'client-1']);
    expect(hello.actors.find((a) => a.id === 'client-1')).toMatchObject({ chart: 'session/client', name: 'client-1' });
    const book = new HandoverBook();
    for (const party of hello.parties) book.party(party);
    for (const actor of hello.actors) book.actor(actor);
    for (const record of hello.records) book.add(record);
    expect(book.list.map((m) => [m.scheme, m.outcome])).toEqual([
      ...[
        ['seamless', 'switched'],
        ['semi-seamless', 'switched'],
        ['early-link', 'switched'],
        ['semi-seamless', 'failed'],
      ],
    ]);
  });

  test('tells the last of it before it goes', async () => {
    const here = hubOf();
    const inspector = await served({ hub: here });
    const there = hubOf();
    there.party({ id: 'server-1', side: 'server', name: 's', addresses: [] });
    const join = joined(there, inspector);
    await vi.waitFor(() => expect(here.hello().parties).toHaveLength(1));
    there.actor('server-1/source', 'migration/source', 1_000);
    there.record({ kind: 'event', actor: 'server-1/source', at: 1_001, type: 'migration.end' });
    await join.close();
    const last = () =>
      here
        .hello()
        .records.filter((r) => r.kind === 'event')
        .map((r) => r.actor);
    await vi.waitFor(() => expect(last()).toEqual(['server-1/source']));
  });

  test('an actor that begins and ends between two batches is there with all that happened to it', async () => {
    const here = hubOf();
    const inspector = await served({ hub: here });
    const there = hubOf();
    there.party({ id: 'server-1', side: 'server', name: 's', addresses: [] });
    joined(there, inspector);
    await vi.waitFor(() => expect(here.hello().parties).toHaveLength(1));
    for (const at of [1_000, 2_000]) {
      there.actor('server-1/source', 'migration/source', at);
      there.snapshot('server-1/source', { value: 'awaiting the answer' }, 'xstate.init', at);
      there.snapshot('server-1/source', { value: 'stayed', status: 'done' }, 'migration.end', at + 1);
      await vi.waitFor(() => {
        const { actors, records } = here.hello();
        expect(actors).toMatchObject([{ id: 'server-1/source', startedAt: at, stoppedAt: at + 1 }]);
        expect(records.filter((r) => r.kind === 'snapshot' && r.at >= at)).toMatchObject([
          { value: 'awaiting the answer' },
          { value: 'stayed', status: 'done' },
        ]);
      });
    }
  });

  test('answers for its bytes, its counts and its pictures', async () => {
    const here = hubOf();
    const inspector = await served({ hub: here });
    const there = hubOf();
    there.party({ id: 'client-1', side: 'client', name: 'c', addresses: [] });
    there.actor('client-1/main:0', 'main/client');
    let painted = 0;
    there.painter('client-1', () => ({ width: 1, height: 1, pixels: Uint8Array.of(1, 2, 3, ++painted) }));
    const tap = there.tap({ actor: 'client-1/main:0', channel: 'main:0', side: 'client', peer: 'x' });
    tap.message(
      'in',
      103,
      Uint8Array.from({ length: 32 }, (_, i) => i),
    );
    joined(there, inspector);
    await vi.waitFor(() => expect(here.hello().records).toHaveLength(1));
    const [record] = here.hello().records;
    const detail = await here.detail(record!.seq);
    expect(detail).toMatchObject({
      seq: record!.seq,
      fields: expect.arrayContaining([expect.objectContaining({ path: 'sessionId' })]),
    });
    expect(here.hello().counts).toMatchObject([{ actor: 'client-1/main:0', name: 'msg.init', count: 1 }]);
    tap.message('in', 103, new Uint8Array(32));
    await vi.waitFor(() => expect(here.hello().counts).toMatchObject([{ count: 2 }]));
    // The other process keeps one now and then by itself.
    expect(painted).toBeLessThan(2);
    await vi.waitFor(() => expect(here.pictures()).toHaveLength(1));
    expect(here.pictures()[0]).toMatchObject({ party: 'client-1', width: 1 });
    // What it showed then is known there, and asked for in one question.
    const now = there.now();
    expect(await here.look(now)).toMatchObject({
      pictures: [{ party: 'client-1', at: now, pixels: Uint8Array.of(1, 2, 3, painted) }],
    });
    expect(await here.look(now - 3_600_000)).toEqual({ pictures: [], rough: false });
  });

  test('two with the same names are told apart, and each goes when its process goes', async () => {
    const here = hubOf();
    const inspector = await served({ hub: here });
    const joins = [1, 2].map(() => {
      const there = hubOf();
      there.party({ id: 'server-1', side: 'server', name: 's', addresses: [] });
      there.actor('server-1', 'supervisor');
      return joined(there, inspector);
    });
    await vi.waitFor(() =>
      expect(
        here
          .hello()
          .actors.map((a) => a.id)
          .sort(),
      ).toEqual(['server-1', 'server-1~2']),
    );
    joins[0]!.close();
    await vi.waitFor(() => expect(here.hello().parties.filter((p) => p.gone)).toHaveLength(1));
  });

  test('comes back when the inspector has restarted, and leaves no timer when it is closed', async () => {
    const first = await inspect({ hub: hubOf() });
    const there = hubOf();
    there.party({ id: 'server-1', side: 'server', name: 's', addresses: [] });
    const join = joined(there, first);
    await vi.waitFor(() => expect(first.hub.hello().parties).toHaveLength(1));
    await first.close();
    const here = hubOf();
    await served({ hub: here, port: first.port });
    await vi.waitFor(() => expect(here.hello().parties).toHaveLength(1), { timeout: 5_000 });
    join.close();
    await vi.waitFor(() => expect(here.hello().parties[0]!.gone).toBe(true));
  });

  test('needs the token where there is one, and a ws:// address', async () => {
    const inspector = await served({ host: '0.0.0.0', hub: hubOf() });
    const there = hubOf();
    there.party({ id: 'server-1', side: 'server', name: 's', addresses: [] });
    const lines: string[] = [];
    kept(joinInspector(there, `ws://127.0.0.1:${inspector.port}`, { log: (line) => lines.push(line) }));
    await vi.waitFor(() => expect(lines[0]).toMatch(/cannot be reached: .*401/));
    expect(inspector.hub.hello().parties).toEqual([]);
    const token = /token=(.+)/.exec(inspector.url)![1];
    kept(joinInspector(there, `ws://127.0.0.1:${inspector.port}/?token=${token}`));
    await vi.waitFor(() => expect(inspector.hub.hello().parties).toHaveLength(1));
    for (const address of ['', 'nonsense', 'http://x:1'])
      expect(() => joinInspector(there, address)).toThrow(UsageError);
  });
});

describe('a broken process', () => {
  const base = { t: 'hello', version: feedVersion, parties: [{ id: 'p', side: 'x', name: 5, addresses: 'none' }] };
  const take = (message: unknown) => {
    const hub = hubOf();
    const join = new Joined(hub, 'join-1', () => {});
    const taken = join.take(typeof message === 'string' ? message : JSON.stringify(message));
    return { hub, taken };
  };

  test.each(['', 'x', '[]', 'null', '{"t":"nothing"}', '{"t":"hello","version":99}'])(
    'that says %j is sent away',
    (text) => {
      expect(take(text).taken).toBe(false);
    },
  );

  test.each([
    [{ parties: 7, actors: {}, records: 'x', counts: null, charts: [] }],
    [
      {
        actors: [{ id: 'p/a' }, { id: 5 }, null, { id: 'q/a' }, { id: 'p/b', chart: 'x', startedAt: 'y' }],
        charts: { x: 5 },
      },
    ],
    [
      {
        records: [
          { seq: 'a' },
          { seq: 1, actor: 'p' },
          { seq: 2, actor: 'p', kind: 'wire' },
          { seq: 3, actor: 'p/x', kind: 'handover', phase: '?' },
        ],
      },
    ],
    [
      {
        records: [{ seq: 1, actor: 'p', kind: 'snapshot', value: [1], on: {}, context: { __proto__: null }, tags: 5 }],
      },
    ],
    [{ records: [{ seq: 1, actor: 'p', kind: 'log', line: 'x'.repeat(1_000_000) }] }],
    [{ counts: [{ actor: 'p', channel: 1 }, 5] }],
    [{ parties: [{ id: 'a/b' }, {}, null] }],
  ])('that tells nonsense harms nothing: %j', (more) => {
    const { hub, taken } = take({ ...base, ...more });
    expect(taken).toBe(true);
    const hello = hub.hello();
    expect(JSON.stringify(hello).length).toBeLessThan(10_000);
    for (const party of hello.parties)
      expect([typeof party.id, typeof party.name, Array.isArray(party.addresses)]).toEqual(['string', 'string', true]);
    for (const record of hello.records) expect(Number.isFinite(record.at)).toBe(true);
  });

  test('bytes that are no picture close its connection', async () => {
    const inspector = await served({ hub: hubOf() });
    const ws = new WebSocket(`ws://127.0.0.1:${inspector.port}/join`);
    const closed = new Promise((resolve) => ws.on('close', resolve));
    ws.on('open', () => ws.send(new Uint8Array(3)));
    expect(await closed).toBe(1008);
  });
});
