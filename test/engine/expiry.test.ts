/**
 * A password that expires while a client is handed over, which is what the hand-over was invented for (spec §3b): whoever has
 * linked to the target in time is not lost, and is asked for no password again.
 */
import { afterEach, describe, expect, it } from 'vitest';
import type { Scheme } from '../../machines/contract.ts';
import { type Client, type ClientEvent, connect } from '../../src/client/client.ts';
import { createServer, type Server } from '../../src/server/server.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { first } from '../support/network.ts';

const all = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'];
const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

interface Pair {
  readonly source: Server;
  readonly target: Server;
  readonly client: Client;
  readonly news: ClientEvent[];
  readonly to: { readonly host: string; readonly port: number };
}

async function pair(schemes: readonly Scheme[]): Promise<Pair> {
  const make = async () => {
    const server = await createServer({ port: 0, width: 32, height: 32, password: 'secret', schemes });
    ended.push(() => server.close());
    return server;
  };
  const source = await make();
  const target = await make();
  const client = connect({
    destination: { host: '127.0.0.1', port: source.addresses.port },
    dial: (to, _secure, signal) => dialTcp(to, { signal }),
    password: 'secret',
    schemes,
  });
  ended.push(() => client.close());
  const news: ClientEvent[] = [];
  client.events.subscribe((event) => news.push(event));
  await up(client);
  return { source, target, client, news, to: { host: '127.0.0.1', port: target.addresses.port! } };
}

const up = async (client: Client) => {
  const done = () => all.every((channel) => client.channels.has(channel));
  if (!done()) await first(client.events, done);
};

const phase = (client: Client, wanted: string) =>
  first(client.events, (event) => event.event === 'handover' && event.phase === wanted);

const arrives = async ({ client, source, target, to }: Pair, key: number) => {
  const there = first(target.input, (event) => event.type === 'key' && event.code === key);
  const switched = phase(client, 'switched');
  target.guestArrived();
  source.migrateEnd(true);
  expect(await switched).toMatchObject({ to: `127.0.0.1:${to.port}` });
  await up(client);
  expect(client.input.keyDown(key)).toBe(true);
  await there;
};

describe.each([
  ['seamless', ['seamless', 'semi-seamless', 'switch-host']],
  ['semi-seamless', ['semi-seamless', 'switch-host']],
  ['early-link', ['early-link', 'switch-host']],
] as const)('%s', (scheme, schemes) => {
  it('survives a password that expires right after the client has linked to the target', async () => {
    const there = await pair(schemes);
    const linked = phase(there.client, 'linked');
    there.source.migrateConnect(there.to, { scheme });
    await linked;
    there.target.expirePassword('now');
    there.source.expirePassword('now');
    // The guest takes its time.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await arrives(there, 0x21);
    expect(there.news.filter(({ event }) => event === 'closed')).toEqual([]);
  });

  it('survives one that is changed meanwhile, and stays where the move is given up', async () => {
    const there = await pair(schemes);
    const linked = phase(there.client, 'linked');
    there.source.migrateConnect(there.to, { scheme });
    await linked;
    there.target.setPassword('another');
    there.source.setPassword('another');
    const cancelled = phase(there.client, 'cancelled');
    there.source.migrateEnd(false);
    await cancelled;
    const here = first(there.source.input, (event) => event.type === 'key' && event.code === 0x22);
    expect(there.client.input.keyDown(0x22)).toBe(true);
    await here;
    expect([...there.client.channels].sort()).toEqual([...all].sort());
  });

  it('stays at the source while it can, when the password had expired before', async () => {
    const there = await pair(schemes);
    there.target.expirePassword('now');
    const failed = phase(there.client, 'failed');
    there.source.migrateConnect(there.to, { scheme });
    expect(await failed).toMatchObject({ reason: expect.stringContaining('permissionDenied') });
    there.source.migrateEnd(false);
    const here = first(there.source.input, (event) => event.type === 'key' && event.code === 0x23);
    expect(there.client.input.keyDown(0x23)).toBe(true);
    await here;
    // A new one, and the next move goes well.
    there.target.setPassword('secret');
    const linked = phase(there.client, 'linked');
    there.source.migrateConnect(there.to, { scheme });
    await linked;
    await arrives(there, 0x24);
  });
});

it('is lost only where nothing else is left: the old way, with a password that has expired', async () => {
  const there = await pair(['switch-host']);
  there.target.expirePassword('now');
  const closed = first(there.client.events, (event) => event.event === 'closed');
  there.source.migrateConnect(there.to);
  there.source.migrateEnd(true);
  expect(await closed).toMatchObject({ reason: 'permissionDenied' });
});
