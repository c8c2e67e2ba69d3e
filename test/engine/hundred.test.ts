/**
 * A hundred hand-overs in a row of one client, back and forth between two servers over real connections, with moves that are
 * given up in between: the session lives, no key is lost, doubled or late where the scheme promises that, and nothing grows.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, expect, it } from 'vitest';
import type { Scheme } from '../../machines/contract.ts';
import { type Client, type ClientEvent, connect } from '../../src/client/client.ts';
import { createServer, type Server } from '../../src/server/server.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { first } from '../support/network.ts';

const all = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'];
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

interface World {
  readonly client: Client;
  readonly servers: readonly [Server, Server];
  readonly news: ClientEvent[];
  readonly log: string[];
  /** Keys as the guest has got them, wherever it was. */
  readonly keys: number[];
  /** Which server has the guest. */
  at: 0 | 1;
}

async function world(schemes: readonly Scheme[]): Promise<World> {
  const log: string[] = [];
  const keys: number[] = [];
  const make = async (name: string) => {
    const options = { width: 32, height: 32, schemes, log: (line: string) => log.push(`${name}: ${line}`) };
    const server = await createServer({ port: 0, ...options });
    server.input.subscribe((event) => {
      if (event.type === 'key' && event.down) keys.push(event.code);
    });
    ended.push(() => server.close());
    return server;
  };
  const servers = [await make('a'), await make('b')] as const;
  const client = connect({
    destination: { host: '127.0.0.1', port: servers[0].addresses.port },
    dial: (to, _secure, signal) => dialTcp(to, { signal }),
    schemes,
    log: (line) => log.push(`client: ${line}`),
  });
  ended.push(() => client.close());
  const news: ClientEvent[] = [];
  client.events.subscribe((event) => news.push(event));
  await everyChannelUp(client);
  return { client, servers, news, log, keys, at: 0 };
}

const everyChannelUp = async (client: Client) => {
  const up = () => all.every((channel) => client.channels.has(channel));
  if (!up()) await first(client.events, up);
};

const phase = (client: Client, ...wanted: string[]) =>
  first(client.events, (event) => event.event === 'handover' && wanted.includes(event.phase));

/** Moves the guest, and the client with it, to the other server; or gives that up before or after the client is linked. */
async function move(world: World, scheme: Scheme, how: 'through' | 'cancel at once' | 'cancel when linked') {
  const { client, servers } = world;
  const source = servers[world.at];
  const target = servers[world.at === 0 ? 1 : 0];
  const to = { host: '127.0.0.1', port: target.addresses.port! };
  if (how !== 'through') {
    const off = phase(client, 'cancelled');
    const linked = how === 'cancel when linked' ? phase(client, 'linked') : undefined;
    source.migrateConnect(to, { scheme });
    await linked;
    source.migrateEnd(false);
    await off;
    return;
  }
  const switched = phase(client, 'switched');
  const left = first(source.events, (event) => event.event === 'migrate_end_complete');
  source.migrateConnect(to, { scheme });
  target.guestArrived();
  source.migrateEnd(true);
  expect(await switched).toMatchObject({ to: `127.0.0.1:${to.port}`, scheme });
  expect(await left).toMatchObject({ completed: true, overdue: 0 });
  world.at = world.at === 0 ? 1 : 0;
  await everyChannelUp(client);
}

let lastKey = 0;

/** Types without a pause until it is told to stop; each key has a code of its own. */
function typing(client: Client): () => readonly number[] {
  const typed: number[] = [];
  const type = () => {
    for (let i = 0; i < 3; i++) {
      const code = ++lastKey;
      expect(client.input.keyDown(code)).toBe(true);
      typed.push(code);
    }
  };
  type();
  const timer = setInterval(type, 1);
  return () => {
    clearInterval(timer);
    type();
    return typed;
  };
}

/** What a process holds on to. */
function holdings({ client, servers }: World) {
  collectGarbage();
  const resources = process.getActiveResourcesInfo();
  const count = (name: string) => resources.filter((resource) => resource === name).length;
  const [a, b] = servers;
  return {
    sockets: count('TCPSocketWrap'),
    timers: count('Timeout'),
    actors: client.system.population + a.system.population + b.system.population,
    links: client.system.links.size + a.system.links.size + b.system.links.size,
    waiters: client.system.waiters.size,
    connections: a.channels().length + b.channels().length,
    heap: process.memoryUsage().heapUsed,
  };
}

/** What it holds on to when everything has settled: closing takes a moment. */
async function settled(world: World, wanted?: ReturnType<typeof holdings>) {
  let now = holdings(world);
  for (let i = 0; i < 100; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const before = now;
    now = holdings(world);
    const { heap: _, ...facts } = now;
    const { heap: __, ...others } = wanted ?? before;
    if (i > 5 && JSON.stringify(facts) === JSON.stringify(others)) break;
  }
  return now;
}

/** So many hand-overs, by turns with each of the schemes, and a cancelled one after every fourth. */
async function handOver(world: World, schemes: readonly Scheme[], count: number) {
  for (let i = 0; i < count; i++) {
    const scheme = schemes[i % schemes.length]!;
    const typed = scheme === 'seamless' ? typing(world.client) : undefined;
    const before = world.keys.length;
    if (i % 4 === 3) {
      const kept = schemes[(i >> 2) % (schemes.length - 1)]!;
      await move(world, kept, i % 8 === 3 ? 'cancel when linked' : 'cancel at once');
    }
    await move(world, scheme, 'through');
    if (typed === undefined) continue;
    const wanted = typed();
    const last = wanted.at(-1);
    if (world.keys.at(-1) !== last) {
      await first(world.servers[world.at].input, (event) => event.type === 'key' && event.code === last);
    }
    expect(world.keys.slice(before)).toEqual(wanted);
  }
}

it('moves a client a hundred times: seamlessly, semi-seamlessly and by switching hosts', async () => {
  const schemes: Scheme[] = ['seamless', 'semi-seamless', 'seamless', 'switch-host'];
  const here = await world(['seamless', 'semi-seamless', 'switch-host']);
  await handOver(here, schemes, 20);
  const before = await settled(here);
  await handOver(here, schemes, 80);
  const after = await settled(here, before);
  const { heap, ...facts } = after;
  expect(facts).toEqual({ ...before, heap: undefined });
  expect(heap - before.heap).toBeLessThan(3 * 1024 * 1024);
  expect(here.news.filter(({ event }) => event === 'closed')).toEqual([]);
  expect(here.news.filter((news) => news.event === 'handover' && news.phase === 'switched')).toHaveLength(100);
  expect(here.news.filter((news) => news.event === 'handover' && news.phase === 'failed')).toEqual([]);
  expect(here.log).toEqual([]);
}, 60_000);

it('moves a client forty times by early links and the others', async () => {
  const schemes: Scheme[] = ['early-link', 'seamless', 'early-link', 'semi-seamless'];
  const here = await world(['seamless', 'early-link', 'semi-seamless', 'switch-host']);
  await handOver(here, schemes, 8);
  const before = await settled(here);
  await handOver(here, schemes, 32);
  const { heap, ...facts } = await settled(here, before);
  expect(facts).toEqual({ ...before, heap: undefined });
  expect(heap - before.heap).toBeLessThan(3 * 1024 * 1024);
  expect(here.news.filter(({ event }) => event === 'closed')).toEqual([]);
  expect(here.log).toEqual([]);
}, 60_000);
