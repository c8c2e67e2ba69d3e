/** The inspector's server: who may come in, what is served, and the protocol of @statelyai/inspect from both ends. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createWebSocketInspector, createWebSocketReceiver } from '@statelyai/inspect';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createActor } from 'xstate';
import { type InspectOptions, type Inspector, inspect } from '../../inspector/serve.ts';
import { programLimits } from '../../inspector/stately.ts';
import { xstateTap } from '../../inspector/xstate-tap.ts';
import { handOverChart } from './sample-charts.ts';

let page: string;
const running: { close(): unknown }[] = [];
const started = async (options: InspectOptions = {}): Promise<Inspector> => {
  const inspector = await inspect({ page, ...options });
  running.push(inspector);
  return inspector;
};

beforeAll(() => {
  page = mkdtempSync(join(tmpdir(), 'sumac-page-'));
  mkdirSync(join(page, 'assets'));
  writeFileSync(join(page, 'index.html'), '<!doctype html><title>page</title>');
  writeFileSync(join(page, 'assets', 'main.js'), 'export {};');
});
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.close();
});
afterAll(() => rmSync(page, { recursive: true }));

const get = (inspector: Inspector, path: string, headers: Record<string, string> = {}, method = 'GET') =>
  new Promise<{ status: number; headers: Record<string, unknown>; text: string }>((resolve, reject) => {
    const ask = request({ host: '127.0.0.1', port: inspector.port, path, headers, method }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
    });
    ask.on('error', reject).end();
  });

/** The status with which a WebSocket is refused, or 101. */
const knock = (url: string, headers: Record<string, string> = {}) =>
  new Promise<number>((resolve) => {
    const ws = new WebSocket(url, { headers });
    ws.on('unexpected-response', (_, response) => {
      resolve(response.statusCode!);
      ws.terminate();
    });
    ws.on('open', () => {
      resolve(101);
      ws.close();
    });
    ws.on('error', () => {});
  });

const open = (url: string, heard: any[] = []) =>
  new Promise<WebSocket>((resolve, reject) => {
    const ws = new WebSocket(url);
    running.push({ close: () => ws.terminate() });
    ws.on('message', (data) => heard.push(JSON.parse(String(data))));
    ws.on('open', () => resolve(ws)).on('error', reject);
  });

describe('files', () => {
  test('the page and its assets, and nothing else', async () => {
    const inspector = await started();
    const index = await get(inspector, '/');
    expect([index.status, index.text]).toEqual([200, '<!doctype html><title>page</title>']);
    expect(index.headers['content-security-policy']).toMatch(/default-src 'none'.*connect-src 'self'/);
    expect((await get(inspector, '/assets/main.js')).headers['content-type']).toMatch('text/javascript');
    const paths = ['/nothing', '/../serve.ts', '/..%2f..%2fetc/passwd', '/assets', '/assets/../../x', '//etc/passwd'];
    for (const path of paths) expect((await get(inspector, path)).status, path).toBe(404);
    expect((await get(inspector, '/', {}, 'POST')).status).toBe(405);
  });

  test('a request line that is no address ends nothing', async () => {
    const inspector = await started();
    for (const line of ['GET http://[::: HTTP/1.1', 'GET * HTTP/1.1', 'GET //[ HTTP/1.1', 'nonsense']) {
      await new Promise<void>((resolve) => {
        const socket = connect(inspector.port, '127.0.0.1', () => socket.end(`${line}\r\nHost: localhost\r\n\r\n`));
        socket
          .on('close', () => resolve())
          .on('error', () => {})
          .resume();
      });
      const upgrade =
        'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n';
      await new Promise<void>((resolve) => {
        const socket = connect(inspector.port, '127.0.0.1', () =>
          socket.end(`${line}\r\nHost: localhost\r\n${upgrade}\r\n`),
        );
        socket
          .on('close', () => resolve())
          .on('error', () => {})
          .resume();
      });
    }
    expect((await get(inspector, '/')).status).toBe(200);
  });

  test('a page that was not built is said to be so', async () => {
    const inspector = await started({ page: join(page, 'assets') });
    expect(await get(inspector, '/')).toMatchObject({ status: 503, text: expect.stringContaining('npm run build') });
  });

  test('a port that is taken is a clear error', async () => {
    const { port } = await started();
    await expect(inspect({ page, port })).rejects.toThrow(/cannot listen on 127.0.0.1:\d+: .*EADDRINUSE/);
  });
});

describe('who may come in', () => {
  test('on loopback: any local program and the page itself, no name that was led here, no other origin', async () => {
    const inspector = await started({ origins: ['http://app.test:5173'] });
    const url = `ws://127.0.0.1:${inspector.port}/feed`;
    expect(inspector.url).toBe(`http://127.0.0.1:${inspector.port}/`);
    expect(await knock(url)).toBe(101);
    expect(await knock(url, { origin: `http://127.0.0.1:${inspector.port}` })).toBe(101);
    expect(await knock(url, { host: 'localhost:9999', origin: 'http://localhost:9999' })).toBe(101);
    expect(await knock(url, { origin: 'http://app.test:5173' })).toBe(101);
    expect(await knock(url, { origin: 'http://evil.test' })).toBe(403);
    expect(await knock(url, { origin: 'http://localhost:1' })).toBe(403);
    expect(await knock(url, { origin: 'null' })).toBe(403);
    expect(
      await knock(url, { host: `evil.test:${inspector.port}`, origin: `http://evil.test:${inspector.port}` }),
    ).toBe(421);
    expect((await get(inspector, '/', { host: 'evil.test' })).status).toBe(421);
    expect(await knock(inspector.inspectUrl, { origin: 'http://evil.test' })).toBe(403);
  });

  test('on another address: only who has the token', async () => {
    const inspector = await started({ host: '0.0.0.0' });
    const [, token] = /#token=(.+)$/.exec(inspector.url) ?? [];
    expect(token?.length).toBeGreaterThanOrEqual(20);
    const url = `ws://127.0.0.1:${inspector.port}`;
    expect(await knock(`${url}/feed`)).toBe(401);
    expect(await knock(`${url}/feed?token=x`)).toBe(401);
    expect(await knock(`${url}/?token=${token}x`)).toBe(401);
    expect(await knock(`${url}/feed?token=${token}`)).toBe(101);
    expect(await knock(`${url}/feed?token=${token}`, { origin: 'http://evil.test' })).toBe(403);
    expect(inspector.inspectUrl).toContain(`?token=${token}`);
    expect((await get(inspector, '/', { host: 'machine.lan' })).status).toBe(200);
  });

  test('so many connections and no more', async () => {
    const inspector = await started();
    const all = await Promise.all(Array.from({ length: 64 }, () => open(inspector.inspectUrl)));
    expect(await knock(inspector.inspectUrl)).toBe(503);
    all[0]!.close();
    await vi.waitFor(async () => expect(await knock(inspector.inspectUrl)).toBe(101));
  });
});

describe("@statelyai/inspect's protocol", () => {
  test('a program with createWebSocketInspector is shown, chart and all', async () => {
    const inspector = await started();
    const foreign = createWebSocketInspector({ url: inspector.inspectUrl });
    const actor = createActor(handOverChart, { inspect: foreign.inspect });
    actor.start();
    actor.send({ type: 'msg.migrate_begin' });
    await vi.waitFor(() => {
      const hello = inspector.hub.hello();
      expect(hello.parties).toMatchObject([{ id: 'program-1', side: 'program' }]);
      expect(hello.actors).toMatchObject([{ id: 'program-1/migration client', chart: 'program-1: migration client' }]);
      expect(hello.records.findLast((r) => r.kind === 'snapshot')).toMatchObject({
        value: { attempt: { linking: 'semi-seamless' }, watch: 'quiet' },
        on: 'msg.migrate_begin',
      });
      expect(hello.records.filter((r) => r.kind === 'event').map((r) => r.type)).toContain('msg.migrate_begin');
    });
    actor.stop();
    foreign.stop();
    await vi.waitFor(() => {
      const { parties, actors } = inspector.hub.hello();
      expect(parties[0]!.gone).toBe(true);
      expect(actors[0]!.stoppedAt).toBeGreaterThan(0);
    });
  });

  test('an inspector with createWebSocketReceiver is told of our charts, whole and in order', async () => {
    const inspector = await started();
    inspector.hub.party({ id: 'client-1', side: 'client', name: 'client', addresses: [] });
    const actor = createActor(handOverChart, { inspect: xstateTap(inspector.hub, 'client-1'), id: 'migration' });
    actor.start();
    actor.send({ type: 'msg.migrate_begin' });
    const heard: any[] = [];
    createWebSocketReceiver({ server: inspector.inspectUrl }).subscribe((event) => heard.push(event));
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(0));
    actor.send({ type: 'msg.migrate_cancel' });
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(2));
    actor.stop();
    expect(heard[0]).toMatchObject({
      type: '@xstate.actor',
      sessionId: 'client-1/migration',
      rootId: 'client-1/migration',
      name: 'migration',
      snapshot: { status: 'active', value: { attempt: { linking: 'semi-seamless' }, watch: 'quiet' } },
      _version: expect.any(String),
      createdAt: expect.any(String),
    });
    expect(heard[0].definition).toBe(JSON.stringify(handOverChart.config));
    expect(heard.find((e) => e.type === '@xstate.event')).toMatchObject({ event: { type: 'msg.migrate_cancel' } });
    expect(heard.find((e) => e.type === '@xstate.snapshot')).toMatchObject({
      ...{ sessionId: 'client-1/migration', event: { type: 'msg.migrate_cancel' } },
      snapshot: { status: 'active', value: { attempt: 'idle' } },
    });
  });

  test("one program's charts reach another one's inspector", async () => {
    const inspector = await started();
    const heard: any[] = [];
    await open(inspector.inspectUrl, heard);
    const foreign = createWebSocketInspector({ url: inspector.inspectUrl });
    running.push({ close: () => foreign.stop() });
    const actor = createActor(handOverChart, { inspect: foreign.inspect });
    actor.start();
    await vi.waitFor(() =>
      expect(heard.find((e) => e.type === '@xstate.actor')?.sessionId).toMatch(/^program-\d\/migration client$/),
    );
    actor.stop();
  });

  test.each([
    'hello',
    '{}',
    '[]',
    'null',
    '{"type":"@xstate.actor"}',
    '{"type":"@xstate.other","sessionId":"x"}',
    `{"type":"@xstate.event","sessionId":${'['.repeat(50_000)}`,
  ])('a stranger who says %.40s is sent away', async (text) => {
    const inspector = await started();
    const ws = await open(inspector.inspectUrl);
    const closed = new Promise((resolve) => ws.on('close', resolve));
    ws.send(text);
    expect(await closed).toBe(1008);
    expect(inspector.hub.hello().parties).toEqual([]);
  });

  test('odd values are taken as far as they make sense, and bounded', async () => {
    const inspector = await started();
    const ws = await open(inspector.inspectUrl);
    const say = (event: object) => ws.send(JSON.stringify(event));
    say({
      type: '@xstate.actor',
      sessionId: 'a',
      name: 'x/../y',
      definition: '{"id":5,"states":[]}',
      snapshot: 7,
      createdAt: '9e99',
    });
    say({
      type: '@xstate.snapshot',
      sessionId: 'a',
      snapshot: { value: { s: [1, { t: 2 }], __proto__: null }, status: 9 },
      event: 3,
    });
    say({
      type: '@xstate.event',
      sessionId: 'never announced',
      event: { type: 'y'.repeat(5_000), big: 'z'.repeat(100_000) },
    });
    say({ type: '@xstate.actor', sessionId: 'a', name: 'x', definition: 'no json' });
    await vi.waitFor(() => expect(inspector.hub.hello().records).toHaveLength(4));
    const { actors, records, now } = inspector.hub.hello();
    expect(actors.map((a) => a.id)).toEqual(['program-1/never announced', 'program-1/x∕..∕y']);
    expect(JSON.stringify(records).length).toBeLessThan(3_000);
    for (const record of records) expect(Math.abs(record.at - now)).toBeLessThan(10_000);
    expect(ws.readyState).toBe(WebSocket.OPEN);
  });

  test('a program with too many actors is sent away', async () => {
    const inspector = await started();
    const ws = await open(inspector.inspectUrl);
    const closed = new Promise((resolve) => ws.on('close', resolve));
    for (let i = 0; i <= programLimits.actors; i++)
      ws.send(JSON.stringify({ type: '@xstate.actor', sessionId: `s${i}` }));
    expect(await closed).toBe(1008);
  });

  test('a message that is too large closes its connection', async () => {
    const inspector = await started();
    const ws = await open(inspector.inspectUrl);
    const closed = new Promise((resolve) => ws.on('close', resolve).on('error', () => {}));
    ws.send('x'.repeat(programLimits.message + 1));
    expect(await closed).toBe(1008);
    const other = await open(inspector.inspectUrl);
    const ended = new Promise((resolve) => other.on('close', resolve).on('error', () => {}));
    other.send('x'.repeat(20 * 1024 * 1024));
    expect(await ended).toBe(1009);
  });
});
