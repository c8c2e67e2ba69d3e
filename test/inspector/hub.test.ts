/** The hub: a late page is complete, history is bounded, what is left out is counted, what is personal is dots. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createActor } from 'xstate';
import { Album } from '../../inspector/album.ts';
import type { FeedRecord, SnapshotRecord } from '../../inspector/feed.ts';
import { readPicture, writePicture } from '../../inspector/feed.ts';
import { type Batch, Hub, type HubOptions } from '../../inspector/hub.ts';
import { PageLink } from '../../inspector/page-link.ts';
import { RecordStore } from '../../inspector/record-store.ts';
import { Ring } from '../../inspector/ring.ts';
import { shown } from '../../inspector/show.ts';
import { xstateTap } from '../../inspector/xstate-tap.ts';
import { handOverChart } from './sample-charts.ts';

const hubs: Hub[] = [];
const hubOf = (options: HubOptions = {}): Hub => {
  const hub = new Hub(options);
  hubs.push(hub);
  hub.party({ id: 'client-1', side: 'client', name: 'the client', addresses: [] });
  return hub;
};
afterEach(() => {
  vi.useRealTimers();
  for (const hub of hubs.splice(0)) hub.close();
});

const collect = (hub: Hub) => {
  const batches: Batch[] = [];
  const stop = hub.listen({ batch: (batch) => batches.push(batch) });
  return { batches, stop, records: () => batches.flatMap((b) => b.records ?? []) };
};

describe('ring', () => {
  test('keeps the newest, and finds by number', () => {
    const ring = new Ring<number>(4);
    expect([1, 2, 3, 4, 5, 6].map((n) => ring.push(n))).toEqual([undefined, undefined, undefined, undefined, 1, 2]);
    expect([...ring]).toEqual([3, 4, 5, 6]);
    expect([ring.at(0), ring.at(-1), ring.at(4)]).toEqual([3, 6, undefined]);
    expect(ring.firstIndex((n) => n >= 5)).toBe(2);
    expect(ring.firstIndex((n) => n >= 9)).toBe(4);
    expect([ring.shift(), ring.length, ring.push(7), [...ring]]).toEqual([3, 3, undefined, [4, 5, 6, 7]]);
  });
});

describe('record store', () => {
  const wire = (seq: number, path: 'control' | 'data'): FeedRecord => ({
    ...{
      kind: 'wire',
      seq,
      at: seq,
      actor: 'a',
      direction: 'in',
      channel: 'display:0',
      name: 'msg.x',
      size: 1,
      peer: '',
      path,
    },
  });

  test('busy messages never push out the others', () => {
    const store = new RecordStore({ records: 10, messages: 5, bytes: 100, body: 8 });
    store.add(wire(1, 'control'));
    for (let seq = 2; seq < 100; seq++) store.add(wire(seq, 'data'));
    expect(store.before(Number.POSITIVE_INFINITY, 100).map((r) => r.seq)).toEqual([1, 95, 96, 97, 98, 99]);
    expect(store.before(97, 2).map((r) => r.seq)).toEqual([95, 96]);
    expect(store.forgotten).toBe(93);
    expect(store.find(96)?.seq).toBe(96);
    expect(store.find(50)).toBeUndefined();
  });

  test('bodies are cut, and bounded together', () => {
    const store = new RecordStore({ records: 100, messages: 100, bytes: 40, body: 8 });
    for (let seq = 1; seq <= 10; seq++) {
      store.add(wire(seq, 'data'));
      store.addBody(seq, new Uint8Array(20).fill(seq));
    }
    expect([5, 6, 10].map((seq) => store.body(seq)?.length)).toEqual([undefined, 8, 8]);
  });
});

describe('a page that opens late', () => {
  test('knows every actor, where it is, and what happened', () => {
    const hub = hubOf();
    const actor = createActor(handOverChart, { inspect: xstateTap(hub, 'client-1'), id: 'migration' });
    actor.start();
    actor.send({ type: 'msg.migrate_begin_seamless' });
    actor.send({ type: 'migration.main_linked' });
    const hello = hub.hello();
    expect(hello.actors.map((a) => [a.id, a.chart])).toEqual([['client-1/migration', 'client-1: migration client']]);
    expect(hello.charts['client-1: migration client']).toEqual(JSON.parse(JSON.stringify(handOverChart.config)));
    const last = hello.records.findLast((r) => r.kind === 'snapshot') as SnapshotRecord;
    expect(last.value).toEqual({ attempt: { linking: { seamless: 'asking' } }, watch: 'busy' });
    expect(hello.records.flatMap((r) => (r.kind === 'event' ? [r.type] : []))).toEqual([
      ...['xstate.init', 'msg.migrate_begin_seamless', 'migration.main_linked'],
    ]);
    expect(JSON.parse(JSON.stringify(hello))).toEqual(hello);
    actor.stop();
  });

  test('has the newest snapshot of an actor whose records are long gone', () => {
    const hub = hubOf({ limits: { records: 10 } });
    hub.actor('client-1/quiet');
    hub.snapshot('client-1/quiet', { status: 'active', value: 'waiting' }, 'begin');
    for (let i = 0; i < 50; i++) hub.record({ kind: 'log', actor: 'client-1', line: `line ${i}` });
    const { records } = hub.hello();
    expect(records).toHaveLength(11);
    expect(records[0]).toMatchObject({ kind: 'snapshot', actor: 'client-1/quiet', value: 'waiting' });
    expect(hub.hello().skipped.forgotten).toBe(41);
  });

  test('gets older records piece by piece', () => {
    const hub = hubOf({ limits: { chunk: 100 } });
    for (let i = 0; i < 250; i++) hub.record({ kind: 'log', actor: 'client-1', line: String(i) });
    const sent: any[] = [];
    const link = new PageLink(hub, { send: (data) => sent.push(JSON.parse(data as string)), buffered: () => 0 });
    const lines = [...sent[0].records];
    for (let end = false; !end; ) {
      link.take(JSON.stringify({ t: 'older', before: lines[0].seq }));
      lines.unshift(...sent.at(-1).records);
      end = sent.at(-1).end;
    }
    expect(lines.map((r) => r.line)).toEqual(Array.from({ length: 250 }, (_, i) => String(i)));
    link.close();
  });
});

describe('coalescing', () => {
  test('snapshots: a burst is shown, a flood is thinned, the newest always wins, the rest is counted', () => {
    vi.useFakeTimers();
    const hub = hubOf({ now: () => Date.now() });
    hub.actor('client-1/busy');
    const heard = collect(hub);
    const until = Date.now() + 2_000;
    let n = 0;
    while (Date.now() < until) {
      for (let i = 0; i < 10; i++) hub.snapshot('client-1/busy', { status: 'active', value: `s${++n}` }, 'tick');
      vi.advanceTimersByTime(10);
    }
    vi.advanceTimersByTime(200);
    const seen = heard.records();
    expect(n).toBe(2_000);
    expect(seen.length).toBeGreaterThanOrEqual(40 + 38);
    expect(seen.length).toBeLessThanOrEqual(40 + 44);
    expect(seen.at(-1)).toMatchObject({ value: 's2000' });
    expect(heard.batches.at(-1)!.skipped.snapshots).toBe(n - seen.length);
    expect(heard.batches.length).toBeLessThanOrEqual(2_300 / 100);
  });

  test('data messages: counted all, recorded some; control messages recorded all', () => {
    vi.useFakeTimers();
    const hub = hubOf({ now: () => Date.now() });
    const heard = collect(hub);
    const tap = hub.tap({ actor: 'client-1/display:0', channel: 'display:0', side: 'client', peer: '127.0.0.1:5900' });
    const body = new Uint8Array(100);
    for (let i = 0; i < 1_000; i++) {
      for (let k = 0; k < 10; k++) tap.message('in', 304, body);
      if (i % 100 === 0) tap.message('in', 1, new Uint8Array(4));
      vi.advanceTimersByTime(1);
    }
    vi.advanceTimersByTime(100);
    const records = heard.records() as (FeedRecord & { kind: 'wire' })[];
    const names = records.map((r) => r.name);
    expect(names.filter((name) => name === 'msg.migrate')).toHaveLength(10);
    const copies = names.filter((name) => name === 'msg.draw_copy').length;
    expect(copies).toBeGreaterThanOrEqual(18);
    expect(copies).toBeLessThanOrEqual(30);
    const { skipped } = heard.batches.at(-1)!;
    expect(skipped.messages).toBe(10_000 - copies);
    const counts = new Map(heard.batches.flatMap((b) => b.counts ?? []).map((c) => [c.name, c]));
    expect(counts.get('msg.draw_copy')).toMatchObject({
      count: 10_000,
      bytes: 1_000_000,
      direction: 'in',
      channel: 'display:0',
    });
  });

  test('costs next to nothing for a message that is only counted', () => {
    const hub = hubOf();
    const tap = hub.tap({ actor: 'client-1/display:0', channel: 'display:0', side: 'client', peer: '' });
    const body = new Uint8Array(64);
    for (let i = 0; i < 200_000; i++) tap.message('in', 304, body);
    const started = performance.now();
    for (let i = 0; i < 1_000_000; i++) tap.message('in', 304, body);
    const nanoseconds = performance.now() - started;
    // A million messages: milliseconds here are nanoseconds a message. A draw costs some thousand to decode.
    expect(nanoseconds).toBeLessThan(150);
  });
});

describe('bounds', () => {
  test('stopped actors and gone parties are forgotten, the oldest first', () => {
    const hub = hubOf({ limits: { stopped: 5, gone: 2 } });
    const heard = collect(hub);
    for (let i = 0; i < 20; i++) {
      hub.actor(`client-1/session:${i}`);
      hub.actorStopped(`client-1/session:${i}`);
    }
    expect(hub.hello().actors.map((a) => a.name)).toEqual([15, 16, 17, 18, 19].map((i) => `session:${i}`));
    for (let i = 0; i < 6; i++) {
      hub.party({ id: `program-${i}`, side: 'program', name: '', addresses: [] });
      hub.actor(`program-${i}/machine`, { id: 'x', states: {} });
      hub.partyGone(`program-${i}`);
    }
    hub.flush();
    const hello = hub.hello();
    expect(hello.parties.filter((p) => p.gone).map((p) => p.id)).toEqual(['program-4', 'program-5']);
    expect(Object.keys(hello.charts)).toEqual(['program-4: x', 'program-5: x']);
    expect(heard.batches.flatMap((b) => b.lost ?? [])).toContain('program-0');
  });

  test('an hour of everything leaves the hub no larger', () => {
    vi.useFakeTimers();
    const hub = hubOf({ now: () => Date.now(), limits: { records: 500, messages: 200, bytes: 10_000 } });
    const tap = hub.tap({ actor: 'client-1/display:0', channel: 'display:0', side: 'client', peer: '' });
    for (let second = 0; second < 3_600; second++) {
      hub.actor(`client-1/session:${second}`);
      hub.snapshot(`client-1/session:${second}`, { status: 'active', value: 'up' }, 'go');
      for (let k = 0; k < 20; k++) tap.message('in', 304, new Uint8Array(100));
      hub.snapshot(`client-1/session:${second}`, { status: 'done', value: 'down' }, 'end');
      vi.advanceTimersByTime(1_000);
    }
    const hello = hub.hello();
    expect(hello.records.length).toBeLessThanOrEqual(1_500 + 400);
    expect(hello.actors).toHaveLength(400);
    expect(JSON.stringify(hello).length).toBeLessThan(1_000_000);
  });

  test('a page that does not read is left out, and told everything when it reads again', () => {
    vi.useFakeTimers();
    const hub = hubOf({ now: () => Date.now() });
    const sent: any[] = [];
    let buffered = 0;
    const link = new PageLink(hub, { send: (data) => sent.push(JSON.parse(data as string)), buffered: () => buffered });
    const log = (line: string) => {
      hub.record({ kind: 'log', actor: 'client-1', line });
      vi.advanceTimersByTime(110);
    };
    log('one');
    buffered = 20 * 1024 * 1024;
    log('two');
    log('three');
    buffered = 0;
    log('four');
    log('five');
    expect(sent.map((m) => m.t)).toEqual(['hello', 'batch', 'hello', 'batch']);
    expect(sent[2].records.map((r: any) => r.line)).toEqual(['one', 'two', 'three', 'four']);
    expect(sent[3].skipped.slow).toBe(2);
    link.close();
  });
});

describe('personal', () => {
  test('fields with passwords, tickets and clipboards are dots; everything is bounded', () => {
    expect(
      shown({
        password: 'abc',
        ticket: new Uint8Array(3),
        agentTokens: 10,
        deep: { clipboard: 'x', tlsPassword: 'y' },
      }),
    ).toEqual({
      ...{ password: '•••', ticket: '•••', agentTokens: 10, deep: { clipboard: '•••', tlsPassword: '•••' } },
    });
    expect(shown({ password: 'abc' }, true)).toEqual({ password: 'abc' });
    expect(shown(new Uint8Array(5))).toBe('5 bytes');
    expect(shown(10n)).toBe('10');
    expect(String(shown('x'.repeat(1_000)))).toMatch(/^x{400}… \(1000 characters\)$/);
    expect(
      JSON.stringify(shown(Array.from({ length: 10_000 }, (_, i) => ({ i, list: new Array(100).fill(i) })))).length,
    ).toBeLessThan(20_000);
    const loop: Record<string, unknown> = {};
    loop.loop = loop;
    expect(JSON.stringify(shown(loop))).toContain('…');
  });

  test('keystrokes, agent data and migration data keep no bytes and no details', async () => {
    const hub = hubOf();
    const tap = hub.tap({ actor: 'client-1/inputs:0', channel: 'inputs:0', side: 'client', peer: '' });
    tap.allowance = 10;
    tap.message('out', 101, Uint8Array.of(0x1e, 0, 0, 0));
    tap.message('out', 103, Uint8Array.of(1, 0));
    hub.record({
      kind: 'event',
      actor: 'client-1/main:0',
      type: 'msg.agent_data',
      detail: { body: { data: 'secret' } },
    });
    const [key, modifiers, agent] = hub.hello().records as any[];
    expect(key).toMatchObject({ name: 'msgc.key_down', size: 4 });
    expect(key.held).toBeUndefined();
    expect(await hub.detail(key.seq)).toMatchObject({ bytes: '', error: expect.stringContaining('personal') });
    expect(modifiers).toMatchObject({ name: 'msgc.key_modifiers', held: true });
    expect(agent.detail).toBe('•••');
  });
});

describe('details', () => {
  test('every byte of a kept message is named', async () => {
    const hub = hubOf();
    const tap = hub.tap({ actor: 'client-1/main:0', channel: 'main:0', side: 'client', peer: '' });
    tap.message(
      'in',
      103,
      Uint8Array.from({ length: 32 }, (_, i) => i),
    );
    const sent: any[] = [];
    const link = new PageLink(hub, { send: (data) => sent.push(JSON.parse(data as string)), buffered: () => 0 });
    expect(link.take('{"t":"detail","seq":1}')).toBe(true);
    await vi.waitFor(() => expect(sent).toHaveLength(2));
    expect(sent[1].fields[0]).toMatchObject({ path: 'sessionId', offset: 0, size: 4, value: String(0x03020100) });
    expect(sent[1].fields).toHaveLength(8);
    expect(atob(sent[1].bytes)).toHaveLength(32);
    link.take('{"t":"detail","seq":99}');
    await vi.waitFor(() => expect(sent).toHaveLength(3));
    expect(sent[2]).toMatchObject({ seq: 99, fields: [], error: 'this record is no longer kept' });
    link.close();
  });

  test.each([
    '',
    'x',
    '[]',
    '{"t":"detail"}',
    '{"t":"control","id":1,"name":"x"}',
    '{"t":"nothing"}',
    'null',
    '{"t":"older","before":"1"}',
  ])('a page that says %s is no page', (text) => {
    const link = new PageLink(hubOf(), { send: () => {}, buffered: () => 0 });
    expect(link.take(text)).toBe(false);
    link.close();
  });
});

describe('controls and pictures', () => {
  test('a control runs only if it is allowed, and its failure is told', async () => {
    const done: unknown[] = [];
    const hub = hubOf({
      controls: [{ name: 'cancel', title: 'Cancel' }],
      onControl: async (name, fields) => {
        if (fields.fail) throw new Error('cannot');
        done.push([name, fields]);
      },
    });
    const sent: any[] = [];
    const link = new PageLink(hub, { send: (data) => sent.push(JSON.parse(data as string)), buffered: () => 0 });
    for (const [id, name, fields] of [
      [1, 'cancel', { scheme: 'seamless' }],
      [2, 'cancel', { fail: 'yes' }],
      [3, 'kill', {}],
    ]) {
      link.take(JSON.stringify({ t: 'control', id, name, fields }));
    }
    await vi.waitFor(() => expect(sent).toHaveLength(4));
    expect(done).toEqual([['cancel', { scheme: 'seamless' }]]);
    expect(sent.slice(1).sort((a, b) => a.id - b.id)).toEqual([
      { t: 'done', id: 1 },
      { t: 'done', id: 2, error: 'cannot' },
      { t: 'done', id: 3, error: 'the program does not allow "kill"' },
    ]);
    link.close();
  });

  test('pictures are painted while somebody looks; else seldom, and at each step of a hand-over', async () => {
    vi.useFakeTimers();
    const hub = hubOf({ now: () => Date.now() });
    let painted = 0;
    hub.painter('client-1', () => ({ width: 2, height: 1, pixels: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, ++painted) }));
    const sent: Uint8Array[] = [];
    const link = new PageLink(hub, { send: (data) => typeof data !== 'string' && sent.push(data), buffered: () => 0 });
    vi.advanceTimersByTime(2_000);
    expect(painted).toBe(1);
    link.take('{"t":"pictures","on":true}');
    vi.advanceTimersByTime(1_000);
    link.take('{"t":"pictures","on":false}');
    vi.advanceTimersByTime(5_000);
    expect(painted).toBe(1 + 3 + 1);
    expect(readPicture(sent[0]!)).toMatchObject({ party: 'client-1', width: 2, height: 1 });
    link.close();
    const begun = { kind: 'handover', phase: 'begun', scheme: 'seamless', attempt: 1, from: 'a', to: 'b' } as const;
    hub.record({ ...begun, actor: 'client-1', channels: [] });
    vi.advanceTimersByTime(1_000);
    expect(painted).toBe(6);
    // One that was not there then has nothing to show; the others show what they showed.
    const now = Date.now();
    expect((await hub.look(now)).pictures.map((picture) => [picture.at, picture.pixels[7]])).toEqual([[now, 6]]);
    expect((await hub.look(now - 1_500)).pictures.map((picture) => picture.pixels[7])).toEqual([4]);
    expect(await hub.look(now - 3_600_000)).toEqual({ pictures: [], rough: false });
    hub.partyGone('client-1');
    expect((await hub.look(now)).pictures.map((picture) => picture.pixels[7])).toEqual([6]);
  });

  test('pictures of a day are bounded, the last minutes are there more closely, and what stands still costs nothing', () => {
    const album = new Album({ bytes: 40_000, each: 100 });
    const picture = (party: string, at: number, shade: number) => ({
      ...{ party, at, width: 10, height: 10, pixels: new Uint8Array(400).fill(shade) },
    });
    for (let s = 0; s < 20_000; s++) album.add(picture('p', s * 1_000, s % 251));
    expect(album.size.pictures).toBeLessThanOrEqual(100);
    const gapAt = (at: number) => at - album.at('p', at)!.at;
    expect(gapAt(19_995_000)).toBeLessThan(5_000);
    expect(gapAt(19_000_000)).toBeLessThan(400_000);
    expect(album.at('p', 500)?.at).toBe(0);
    expect(album.at('p', -1)).toBeUndefined();
    for (let n = 0; n < 30; n++) for (let s = 0; s < 50; s++) album.add(picture(`q${n}`, s, s));
    expect(album.size.bytes).toBeLessThanOrEqual(40_000 + 31 * 4 * 400);
    for (let s = 0; s < 50; s++) album.add(picture('still', s, 7));
    expect(album.at('still', 49)?.at).toBe(0);
    album.forget('p');
    expect(album.at('p', 1e9)).toBeUndefined();
  });

  test('a picture survives its bytes; others are refused', () => {
    const picture = { party: 'server-é', width: 3, height: 2, at: 1.5, pixels: new Uint8Array(24).fill(7) };
    expect(readPicture(writePicture(picture))).toEqual(picture);
    for (const bytes of [new Uint8Array(3), new Uint8Array(20).fill(255), writePicture(picture).slice(0, -1)]) {
      expect(readPicture(bytes)).toBeUndefined();
    }
  });
});
