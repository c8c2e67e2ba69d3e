/** A peer that takes nothing of what it is sent is let go before it costs much memory, and only its channel. */
import { afterEach, expect, it } from 'vitest';
import type { MemoryPair } from '../../src/transport/memory.ts';
import { first, Network } from '../support/network.ts';

let network: Network;
afterEach(async () => {
  await network.close();
});

it('lets a channel go whose peer does not take what it is sent', async () => {
  network = new Network();
  const pairs: MemoryPair[] = [];
  network.onDial = (_host, pair) => pairs.push(pair);
  const server = network.server('server');
  const client = network.client('server', { channels: ['playback'] });
  await first(client.events, () => client.channels.has('playback:0'));
  for (const pair of pairs) pair.stall();
  const news = Array.from({ length: 255 }, () => 1);
  const most = () => Math.max(...pairs.map((pair) => pair.right.pending));
  for (let i = 0; i < 100_000; i++) server.playback.volume(news);
  expect(most()).toBeLessThan(20 * 1024 * 1024);
  expect(network.log).toEqual([
    expect.stringMatching(/^server: server\/session:1\/playback:0: closed: the peer does not take what it is sent/),
  ]);
  expect(server.system.population).toBeGreaterThan(2);
});
