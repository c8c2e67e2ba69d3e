/** Hand-overs between two servers and a client of ours, on a network in memory: every scheme, cancels, refusals. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Scheme } from '../../machines/contract.ts';
import type { Client, ClientEvent } from '../../src/client/client.ts';
import { first, Network } from '../support/network.ts';

const every: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless', 'switch-host'];
const all = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'];

let network: Network;
afterEach(async () => {
  await network.close();
});

/** Resolves when all these channels are up. */
const up = async (client: Client, channels: readonly string[] = all) => {
  const done = () => channels.every((channel) => client.channels.has(channel));
  if (!done()) await first(client.events, done);
};

async function pair(options: { schemes?: readonly Scheme[] } = {}) {
  network = new Network();
  const { schemes = every } = options;
  const source = network.server('source', { schemes });
  const target = network.server('target', { schemes });
  source.display.fill({ left: 0, top: 0, right: 640, bottom: 480 }, 0x112233);
  target.display.fill({ left: 0, top: 0, right: 640, bottom: 480 }, 0x445566);
  const client = network.client('source', { schemes });
  await up(client);
  return { source, target, client };
}

const phase = (client: Client, wanted: string) =>
  first(
    client.events,
    (event): event is Extract<ClientEvent, { event: 'handover' }> =>
      event.event === 'handover' && event.phase === wanted,
  );

const colour = async (client: Client) => {
  const screen = client.screens.get('display:0')!;
  await screen.settled();
  const { data } = screen.primary()!;
  return (data[2]! << 16) | (data[1]! << 8) | data[0]!;
};

describe('a hand-over', () => {
  it.each(['seamless', 'early-link', 'semi-seamless'] as const)('moves every channel: %s', async (scheme) => {
    const { source, target, client } = await pair();
    const asked = first(source.events, (event) => event.event === 'migrate_connect_complete');
    const linked = phase(client, 'linked');
    source.migrateConnect({ host: 'target', port: 1 }, { scheme });
    expect(await asked).toMatchObject({ linked: 1, clients: 1 });
    expect(await linked).toMatchObject({ scheme, channels: expect.arrayContaining(all) });
    const switched = phase(client, 'switched');
    const left = first(source.events, (event) => event.event === 'migrate_end_complete');
    target.guestArrived();
    source.migrateEnd(true);
    expect(await switched).toMatchObject({
      scheme,
      from: 'source:1',
      to: 'target:1',
      channels: expect.arrayContaining(all),
    });
    expect(await left).toMatchObject({ completed: true, overdue: 0 });
    expect(await colour(client)).toBe(0x445566);
    expect(network.log).toEqual([]);
  });

  it('sends a client without capabilities the old way', async () => {
    const { source, client } = await pair({ schemes: ['switch-host'] });
    source.migrateConnect({ host: 'target', port: 1 });
    const switched = phase(client, 'switched');
    source.migrateEnd(true);
    expect(await switched).toMatchObject({ scheme: 'switch-host', to: 'target:1' });
    await up(client, ['display:0']);
    expect(await colour(client)).toBe(0x445566);
  });

  it.each(['seamless', 'early-link', 'semi-seamless'] as const)(
    'goes back when it is cancelled: %s',
    async (scheme) => {
      const { source, target, client } = await pair();
      const linked = phase(client, 'linked');
      source.migrateConnect({ host: 'target', port: 1 }, { scheme });
      await linked;
      const cancelled = phase(client, 'cancelled');
      const over = first(target.events, (event) => event.event === 'session' && event.state === 'over');
      source.migrateEnd(false);
      await cancelled;
      await over;
      source.display.fill({ left: 0, top: 0, right: 640, bottom: 480 }, 0xabcdef);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await colour(client)).toBe(0xabcdef);
      expect(target.channels()).toEqual([]);
    },
  );

  it('holds the end back until the client is linked', async () => {
    const { source, target, client } = await pair();
    network.latencyMs = 5;
    const switched = phase(client, 'switched');
    source.migrateConnect({ host: 'target', port: 1 });
    target.guestArrived();
    source.migrateEnd(true);
    expect(await switched).toMatchObject({ scheme: 'seamless', to: 'target:1' });
  });

  it('stays when the target refuses, and is sent there at the end', async () => {
    const { source, client } = await pair({ schemes: ['seamless', 'semi-seamless', 'switch-host'] });
    network.make('target', 'refuses');
    const failed = phase(client, 'failed');
    source.migrateConnect({ host: 'target', port: 1 });
    expect(await failed).toMatchObject({ reason: expect.stringContaining('refuses') });
    network.make('target', 'serves');
    const switched = phase(client, 'switched');
    source.migrateEnd(true);
    expect(await switched).toMatchObject({ scheme: 'switch-host' });
  });

  it('links early and late when the target refused at first', async () => {
    const { source, client } = await pair({ schemes: ['early-link', 'switch-host'] });
    network.make('target', 'refuses');
    const failed = phase(client, 'failed');
    source.migrateConnect({ host: 'target', port: 1 });
    await failed;
    network.make('target', 'serves');
    const switched = phase(client, 'switched');
    source.migrateEnd(true);
    expect(await switched).toMatchObject({ to: 'target:1' });
  });

  it('goes where the embedding program says, whatever host was announced', async () => {
    network = new Network();
    const source = network.server('source');
    network.server('target');
    const announced: string[] = [];
    const client = network.client('source', {
      resolveDestination: async ({ host, port }) => {
        announced.push(`${host}:${port}`);
        return { host: 'target', port: 1 };
      },
    });
    await up(client);
    const switched = phase(client, 'switched');
    source.migrateConnect({ host: 'ticket-4711', port: 443 });
    source.migrateEnd(true);
    expect(await switched).toMatchObject({ scheme: 'seamless', to: 'target:1' });
    expect(announced).toEqual(['ticket-4711:443']);
  });

  it('is refused where the embedding program knows no destination', async () => {
    network = new Network();
    const source = network.server('source');
    const client = network.client('source', {
      resolveDestination: () => {
        throw new Error('this ticket is not known');
      },
    });
    await up(client);
    const failed = phase(client, 'failed');
    const asked = first(source.events, (event) => event.event === 'migrate_connect_complete');
    source.migrateConnect({ host: 'ticket-0815', port: 443 });
    expect(await failed).toMatchObject({ reason: 'no destination' });
    expect(await asked).toMatchObject({ linked: 0, clients: 1 });
    expect(client.channels.size).toBe(all.length);
  });

  it('goes to the second target when that is announced before the first was answered', async () => {
    const { source, target, client } = await pair({ schemes: ['seamless', 'semi-seamless', 'switch-host'] });
    const other = network.server('other');
    network.latencyMs = 3;
    const switched = phase(client, 'switched');
    source.migrateConnect({ host: 'target', port: 1 });
    source.migrateConnect({ host: 'other', port: 1 });
    source.migrateEnd(true);
    expect(await switched).toMatchObject({ scheme: 'seamless', to: 'other:1' });
    await vi.waitFor(() => expect(target.channels()).toEqual([]));
    expect(other.channels()).toHaveLength(all.length);
  });

  it('is told to every client of a server, each by its own capabilities', async () => {
    const { source, client } = await pair({ schemes: ['seamless', 'semi-seamless', 'switch-host'] });
    const second = network.client('source', { schemes: ['semi-seamless', 'switch-host'] });
    const third = network.client('source', { schemes: ['switch-host'] });
    await Promise.all([up(second), up(third)]);
    const asked = first(source.events, (event) => event.event === 'migrate_connect_complete');
    source.migrateConnect({ host: 'target', port: 1 });
    expect(await asked).toMatchObject({ linked: 2, clients: 3 });
    const switched = Promise.all([client, second, third].map((one) => phase(one, 'switched')));
    const left = first(source.events, (event) => event.event === 'migrate_end_complete');
    source.migrateEnd(true);
    expect((await switched).map(({ scheme }) => scheme)).toEqual(['seamless', 'semi-seamless', 'switch-host']);
    expect(await left).toMatchObject({ completed: true, overdue: 0 });
  });
});
