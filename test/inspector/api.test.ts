/** The inspector of an embedding program: its own servers and clients on one page, and nothing personal on it. */
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { connect } from '../../src/connect.ts';
import { inspect } from '../../src/inspect.ts';
import { createServer } from '../../src/server/server.ts';

const open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

test('servers and clients of one process share a page, with their charts, addresses and pictures', async () => {
  const inspector = await inspect();
  open.push(() => inspector.close());
  const servers = [];
  for (const name of ['one', 'two']) {
    const server = await createServer({ host: '127.0.0.1', port: 0, name });
    open.push(() => server.close());
    inspector.server(name, server);
    servers.push(server);
  }
  const port = servers[0]!.addresses.port!;
  const client = connect({ uri: `spice://127.0.0.1:${port}` });
  open.push(() => client.close());
  inspector.client('viewer', client);
  await vi.waitFor(() => expect(client.channels.size).toBe(6), 10_000);
  const { parties, actors, charts } = inspector.hub.hello();
  expect(parties.map(({ name, side, addresses }) => [name, side, addresses.length])).toEqual([
    ['one', 'server', 1],
    ['two', 'server', 1],
    ['viewer', 'client', 0],
  ]);
  expect(parties[0]!.addresses).toEqual([`127.0.0.1:${port}`]);
  const drawn = actors.filter((actor) => actor.chart !== undefined && charts[actor.chart] !== undefined);
  expect(drawn.length).toBeGreaterThan(13);
  expect(inspector.hub.pictures().map((picture) => picture.party)).toEqual(parties.map((party) => party.id));
  client.close();
  await vi.waitFor(() => expect(inspector.hub.hello().parties[2]).toMatchObject({ gone: true }));
});

test('what is typed, and given as a password, is nowhere in what a page is told', async () => {
  const inspector = await inspect();
  open.push(() => inspector.close());
  const secret = 'Tr0ub4dor&3';
  const server = await createServer({ host: '127.0.0.1', port: 0, password: secret });
  open.push(() => server.close());
  inspector.server('server', server);
  const page = new WebSocket(`ws://127.0.0.1:${inspector.port}/feed`);
  open.push(() => page.terminate());
  const told: any[] = [];
  page.on('message', (data, binary) => !binary && told.push(JSON.parse(String(data))));
  await new Promise((resolve) => page.on('open', resolve));
  const client = connect({ uri: `spice://127.0.0.1:${server.addresses.port}`, password: secret });
  open.push(() => client.close());
  inspector.client('viewer', client);
  await vi.waitFor(() => expect(client.channels.size).toBe(6), 10_000);
  const records = () => told.flatMap((message) => message.records ?? []);
  const typed = () => records().filter((record) => /key_(down|up)$/.test(record.name ?? ''));
  await vi.waitFor(
    () => {
      client.input.keyDown(0x14);
      client.input.keyUp(0x14);
      inspector.hub.flush();
      expect(typed().length).toBeGreaterThanOrEqual(10);
    },
    { timeout: 10_000, interval: 100 },
  );
  // Every record is asked for in detail, as a curious page would.
  const known = records();
  for (const record of known) page.send(JSON.stringify({ t: 'detail', seq: record.seq }));
  await vi.waitFor(
    () => expect(told.filter((message) => message.t === 'detail').length).toBeGreaterThanOrEqual(known.length),
    10_000,
  );
  const everything = JSON.stringify(told);
  expect(everything).not.toContain(secret);
  const bytes = told.flatMap((message) => (message.t === 'detail' ? [Buffer.from(message.bytes, 'base64')] : []));
  expect(bytes.some((body) => body.length > 0)).toBe(true);
  expect(bytes.some((body) => body.includes(secret))).toBe(false);
  for (const record of known) {
    if (/key_(down|up)$/.test(record.name ?? '')) expect(record.held, record.name).toBeUndefined();
    if (record.kind === 'event' || record.kind === 'command') {
      expect(JSON.stringify(record.detail ?? '')).not.toMatch(/"(ticket|password)":(?!"•••"|null|true|false|\{)/);
    }
  }
});
