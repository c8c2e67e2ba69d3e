/** The page without a browser: what it remembers, how it looks back, where it puts things. */
import { describe, expect, test } from 'vitest';
import type { FeedRecord, ToPage } from '../../inspector/feed.ts';
import { Hub } from '../../inspector/hub.ts';
import { beginning, centre, inSight, whole, zoom } from '../../inspector/page/charts/pan-zoom.ts';
import { FeedStore } from '../../inspector/page/feed-store.ts';
import { bytes, count, duration, since } from '../../inspector/page/format.ts';
import { gathered, placeLabels } from '../../inspector/page/handover/place-labels.ts';
import { timeAxis } from '../../inspector/page/handover/time-axis.ts';
import { nameOf, passes } from '../../inspector/page/messages/message-filter.ts';
import { PageLink } from '../../inspector/page-link.ts';
import { charts } from '../../machines/index.ts';
import { kinds, Synthetic } from './synthetic.ts';

const start = 1_700_000_000_000;

/** A page that is connected to a hub, without a socket between. */
function pageOf(hub: Hub): { store: FeedStore; link: PageLink } {
  const store = new FeedStore();
  const queue: ToPage[] = [];
  const link = new PageLink(hub, { send: (data) => queue.push(JSON.parse(data as string)), buffered: () => 0 });
  const drain = () => {
    for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
      const before = store.take(message);
      if (before !== undefined) link.take(JSON.stringify({ t: 'older', before }));
    }
  };
  drain();
  return { store, link };
}

describe('what the page remembers', () => {
  test('a page that opens late has everything that the hub has, in order, and the same hand-overs', () => {
    const hub = new Hub({ charts, limits: { chunk: 50 } });
    const synthetic = new Synthetic(hub, start);
    let at = start + 1_000;
    for (const kind of kinds) at = synthetic.handover(kind, at) + 1_000;
    synthetic.run();
    const { store, link } = pageOf(hub);
    const all = hub.older(Number.POSITIVE_INFINITY);
    expect(store.complete).toBe(true);
    expect(store.records.length).toBeGreaterThan(all.length * 3);
    expect(store.records.map((r) => r.seq)).toEqual(
      [...new Set(store.records.map((r) => r.seq))].sort((a, b) => a - b),
    );
    expect(store.handovers.list).toHaveLength(kinds.length);
    expect(store.actors.size).toBe(hub.hello().actors.length);
    link.close();
    hub.close();
  });

  test('looking back shows where an actor was', () => {
    const hub = new Hub();
    const { store, link } = pageOf(hub);
    hub.actor('p/a');
    ['one', 'two', 'three'].forEach((value, i) => {
      hub.snapshot('p/a', { status: 'active', value }, 'go', start + i * 10);
    });
    store.take(hub.hello());
    const [one, two, three] = store.records;
    expect(store.snapshotsAt('p/a', two!.seq)).toMatchObject({ now: { value: 'two' }, before: { value: 'one' } });
    expect(store.snapshotsAt('p/a', Number.POSITIVE_INFINITY).now).toMatchObject({ value: 'three' });
    expect(store.snapshotsAt('p/a', 0).now).toBeUndefined();
    expect([store.indexAt(start - 1), store.indexAt(start + 15), store.indexAt(start + 99)]).toEqual([-1, 1, 2]);
    expect(store.record(three!.seq)).toBe(three);
    expect(store.record(one!.seq + 0.5)).toBeUndefined();
    link.close();
    hub.close();
  });

  test('a night of records leaves it no larger, and still knows where everybody is', () => {
    const store = new FeedStore();
    const party = { id: 'p', side: 'client', name: 'p', addresses: [] } as const;
    const skipped = { messages: 0, snapshots: 0, slow: 0, forgotten: 0 };
    store.take({
      t: 'batch',
      now: start,
      skipped,
      parties: [party],
      actors: [{ id: 'p/quiet', name: 'quiet', startedAt: start }],
    });
    let seq = 0;
    const first: FeedRecord = {
      kind: 'snapshot',
      seq: ++seq,
      at: start,
      actor: 'p/quiet',
      status: 'active',
      on: 'x',
      value: 'still here',
    };
    store.take({ t: 'batch', now: start, skipped, records: [first] });
    for (let i = 0; i < 300; i++) {
      const records = Array.from(
        { length: 400 },
        (): FeedRecord => ({ kind: 'log', seq: ++seq, at: start + seq, actor: 'p', line: 'x' }),
      );
      store.take({ t: 'batch', now: start + seq, skipped, records });
    }
    expect(store.records.length).toBeLessThanOrEqual(30_000);
    expect(store.snapshotsAt('p/quiet', Number.POSITIVE_INFINITY).now).toMatchObject({ value: 'still here' });
    for (let i = 0; i < 500; i++)
      store.pictures.add({ party: 'p', width: 1, height: 1, at: start + i, pixels: Uint8Array.of(i, i >> 8, 0, 0) });
    expect(store.pictures.size.pictures).toBeLessThanOrEqual(120);
    expect(store.pictures.at('p', start + 499)?.at).toBe(start + 499);
    store.take({ t: 'batch', now: start, skipped, lost: ['p', 'p/quiet'] });
    expect([store.actors.size, store.parties.size, store.pictures.size]).toEqual([0, 0, { pictures: 0, bytes: 0 }]);
  });

  test('two million events leave it within its bounds', () => {
    const store = new FeedStore();
    const skipped = { messages: 0, snapshots: 0, slow: 0, forgotten: 0 };
    const server = { id: 's', side: 'server', name: 's', addresses: ['h:1'] } as const;
    store.take({ t: 'batch', now: start, skipped, parties: [server] });
    let seq = 0;
    const sizes: (typeof store.size)[] = [];
    for (let batch = 0; batch < 4_000; batch++) {
      const at = start + batch * 100;
      const client = `c${batch % 50}-${Math.floor(batch / 50)}`;
      const actors = [client, `${client}/display:0`].map((id) => ({
        id,
        name: id,
        chart: 'session/client',
        startedAt: at,
      }));
      const program = { definition: { id: 'x', initial: 'a', states: { a: {} } } };
      const base = { actor: `${client}/display:0`, at };
      const records: FeedRecord[] = [];
      for (let i = 0; i < 480; i++) {
        const direction = i % 2 === 0 ? 'in' : 'out';
        const wire = { ...base, kind: 'wire', direction, channel: 'display:0', size: 9, peer: 'h:1' } as const;
        records.push({ ...wire, seq: ++seq, name: 'msg.draw_copy', path: i % 40 === 0 ? 'control' : 'data' });
      }
      const move = {
        ...base,
        kind: 'handover',
        scheme: 'seamless',
        attempt: 1,
        from: 'h:1',
        to: 'h:2',
        channels: [],
      } as const;
      records.unshift({ ...move, seq: ++seq - 481, phase: 'begun' });
      for (let i = 0; i < 18; i++)
        records.push({ ...base, kind: 'snapshot', seq: ++seq, status: 'active', on: 'x', value: `v${i}` });
      records.push({ ...move, seq: ++seq, phase: 'switched' });
      const lost = batch < 50 ? [] : [`c${batch % 50}-${Math.floor(batch / 50) - 1}`];
      store.take({
        ...{ t: 'batch', now: at, skipped, records, actors, lost: [...lost, ...lost.map((id) => `${id}/display:0`)] },
        parties: [{ id: client, side: 'client', name: client, addresses: [] }],
        charts: { [`${client}: x`]: program.definition as never },
        counts: [
          { actor: base.actor, channel: 'display:0', direction: 'in', name: 'msg.draw_copy', count: 9, bytes: 9 },
        ],
      });
      store.graph(`${client}: x`);
      if (batch % 1_000 === 999) sizes.push(store.size);
    }
    expect(seq).toBeGreaterThanOrEqual(2_000_000);
    expect(sizes[3]!.records).toBeLessThanOrEqual(30_000);
    expect(sizes[3]!.wires).toBeLessThanOrEqual(60 * 500 + 340 * 300);
    expect(store.handovers.list).toHaveLength(400);
    for (const key of ['records', 'actors', 'counts', 'snapshots', 'charts', 'wires'] as const) {
      expect(sizes[3]![key], key).toBeLessThanOrEqual(1.2 * sizes[1]![key]);
    }
  }, 60_000);

  test('a definition that cannot be drawn says why', () => {
    const store = new FeedStore();
    const states = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`s${i}`, {}]));
    const skipped = { messages: 0, snapshots: 0, slow: 0, forgotten: 0 };
    store.take({ t: 'batch', now: start, skipped, charts: { huge: { id: 'huge', states } } });
    expect(store.graph('huge')).toMatch(/too many states/);
    expect(store.graph('nothing')).toBeUndefined();
  });
});

describe('filter', () => {
  const wire = (more: object): FeedRecord =>
    ({
      ...{ kind: 'wire', seq: 1, at: 1, actor: 'server-1/session:1/display:0', direction: 'in', channel: 'display:0' },
      ...{ name: 'msg.draw_copy', size: 1, peer: '', path: 'data', ...more },
    }) as FeedRecord;
  const all = {
    text: '',
    channel: '',
    direction: '',
    actor: '',
    kinds: new Set(['wire', 'event'] as const),
    data: true,
  } as const;

  test.each([
    [{}, true],
    [{ text: 'DRAW' }, true],
    [{ text: 'session:1' }, true],
    [{ text: 'fill' }, false],
    [{ channel: 'main:0' }, false],
    [{ direction: 'out' }, false],
    [{ actor: 'server-1' }, true],
    [{ actor: 'server-1/session:1' }, true],
    [{ actor: 'server-1/session' }, false],
    [{ data: false }, false],
    [{ kinds: new Set() }, false],
  ])('%j lets a draw_copy through: %s', (change, expected) => {
    expect(passes(wire({}), { ...all, ...(change as object) })).toBe(expected);
  });

  test('an event passes by its actor where a channel is wanted', () => {
    const event: FeedRecord = { kind: 'event', seq: 1, at: 1, actor: 'c/display:0', type: 'link.attach' };
    expect(passes(event, { ...all, channel: 'display:0' })).toBe(true);
    expect(passes(event, { ...all, channel: 'main:0' })).toBe(false);
    expect(nameOf(event)).toBe('link.attach');
  });
});

describe('places', () => {
  test('the time axis is monotonous, true at its ends, and there and back is the same', () => {
    const times = [0, 0.3, 0.7, 5, 40, 41, 41.5, 150, 8_000];
    for (const spread of [true, false]) {
      const axis = timeAxis(times, 900, spread);
      expect([axis.x(0), axis.x(8_000)].map(Math.round)).toEqual([0, 900]);
      let before = -1;
      for (const time of times) {
        expect(axis.x(time)).toBeGreaterThan(before);
        before = axis.x(time);
        expect(axis.at(axis.x(time))).toBeCloseTo(time, 6);
      }
      for (const [i, tick] of axis.ticks.entries()) {
        if (i > 0) expect(tick.x - axis.ticks[i - 1]!.x).toBeGreaterThanOrEqual(73.9);
      }
    }
    // Spread: the first millisecond gets room, and so does the long wait.
    const axis = timeAxis(times, 900, true);
    expect(axis.x(0.7)).toBeGreaterThan(50);
    expect(axis.x(8_000) - axis.x(150)).toBeGreaterThan(100);
    expect(timeAxis([5], 100, true).x(5)).toBe(0);
  });

  test('names of arrows never lie on each other, and the weightier are placed first', () => {
    const wishes = Array.from({ length: 60 }, (_, i) => ({
      text: `message_${i % 7}`,
      x: 20 + i * 9,
      from: 40,
      to: 90,
      weight: i % 3,
    }));
    const placed = placeLabels(wishes, 700);
    const boxes = placed.map((p) => {
      const length = p.text.length * 6.02;
      return { y: p.y, x1: p.anchor === 'start' ? p.x : p.x - length, x2: p.anchor === 'start' ? p.x + length : p.x };
    });
    expect(placed.length).toBeGreaterThan(10);
    boxes.forEach((a, i) => {
      expect(a.x1).toBeGreaterThanOrEqual(0);
      expect(a.x2).toBeLessThanOrEqual(700);
      for (const b of boxes.slice(i + 1)) expect(a.y !== b.y || a.x2 < b.x1 || b.x2 < a.x1).toBe(true);
    });
    const one = { text: 'migrate', x: 10, from: 1, to: 2, weight: 0 };
    expect(gathered([one, { ...one, x: 20 }, { ...one, x: 400 }]).map((w) => w.text)).toEqual([
      'migrate ×2',
      'migrate',
    ]);
  });

  test('zoom keeps the point under the pointer; a large chart begins readable, at what matters', () => {
    const place = { x: 10, y: 20, scale: 1 };
    const larger = zoom(place, 2, 110, 120);
    expect((110 - larger.x) / larger.scale).toBeCloseTo(100);
    expect((120 - larger.y) / larger.scale).toBeCloseTo(100);
    expect(zoom(place, 1e9, 0, 0).scale).toBe(4);
    const window = { width: 800, height: 600 };
    expect(whole(window, { width: 1_600, height: 400 }).scale).toBeCloseTo(0.485);
    const box = { x: 3_000, y: 2_000, width: 100, height: 40 };
    const begun = beginning(window, { width: 4_000, height: 3_000 }, box);
    expect(begun.scale).toBeGreaterThan(0.6);
    expect(inSight(begun, window, box)).toBe(true);
    expect(inSight(centre({ x: 0, y: 0, scale: 1 }, window, box), window, box)).toBe(true);
    expect(beginning(window, { width: 400, height: 300 }, undefined).scale).toBe(1);
  });
});

test('figures read well', () => {
  expect([0, 0.001, 0.42, 5.66, 340.4, 12_400, 200_000, 7_300_000].map(duration)).toEqual([
    ...['0 ms', '0 ms', '0.42 ms', '5.7 ms', '340 ms', '12.4 s', '3 min 20 s', '2 h 2 min'],
  ]);
  expect([-0.5, 41, 146.4, 8_000.2].map(since)).toEqual(['−0.5 ms', '+41.0 ms', '+146 ms', '+8.000 s']);
  expect([0, 999, 34_200, 10_400_000].map(bytes)).toEqual(['0 B', '999 B', '34.2 kB', '10.4 MB']);
  expect(count(1_234_567)).toBe('1\u202f234\u202f567');
});

test('a journal of a long session is there as a whole, and quickly', () => {
  const hub = new Hub({ mode: 'journal' });
  hub.party({ id: 'p', side: 'client', name: 'p', addresses: [] });
  hub.actor('p/a', undefined, start);
  hub.snapshot('p/a', { status: 'active', value: 'first' }, 'x', start);
  const tap = hub.tap({ actor: 'p/display:0', channel: 'display:0', side: 'client', peer: '' }, () => start + 1);
  for (let i = 0; i < 120_000; i++) tap.message('in', 304, new Uint8Array(8));
  const begun = performance.now();
  const { store, link } = pageOf(hub);
  expect(performance.now() - begun).toBeLessThan(5_000);
  expect(store.complete).toBe(true);
  expect(store.records).toHaveLength(120_001);
  expect(store.records.every((record, i) => i === 0 || record.seq > store.records[i - 1]!.seq)).toBe(true);
  expect(store.snapshotsAt('p/a', Number.POSITIVE_INFINITY).now).toMatchObject({ value: 'first' });
  expect(store.skipped.messages).toBe(0);
  link.close();
  hub.close();
});
