/** The servers and clients that the tests of the reference's faults are made of: hand-written ones at either end. */
import { type Client, type ClientEvent, type ClientOptions, connect } from '../../src/client/client.ts';
import { createServer, type Server, type ServerEvent, type ServerOptions } from '../../src/server/server.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { first } from '../support/network.ts';
import { type ChannelWord, link } from '../support/raw-client.ts';
import { init, type RawServed, RawServer } from '../support/raw-server.ts';
import { join, type RawChannel, readU32, u32, u64 } from '../support/raw-wire.ts';

/** Closes in the reverse order what tests have opened. */
export class Closing {
  private readonly all: (() => unknown)[] = [];

  add<T extends { close(): unknown }>(one: T): T {
    this.all.push(() => one.close());
    return one;
  }

  async close(): Promise<void> {
    for (const close of this.all.splice(0).reverse()) await close();
  }
}

export const words: ChannelWord[] = ['display', 'inputs', 'cursor', 'playback', 'record'];
export const everyChannel = ['main:0', ...words.map((word) => `${word}:0`)];

export interface Watched {
  readonly client: Client;
  readonly news: ClientEvent[];
  readonly log: string[];
  close(): void;
}

/** A client of ours, and everything that it tells. */
export function watch(port: number, options: Partial<ClientOptions> = {}): Watched {
  const log: string[] = [];
  const news: ClientEvent[] = [];
  const client = connect({
    destination: { host: '127.0.0.1', port },
    dial: (to, _secure, signal) => dialTcp(to, { signal }),
    log: (line) => log.push(line),
    ...options,
  });
  client.events.subscribe((event) => news.push(event));
  return { client, news, log, close: () => client.close() };
}

export const isUp = async (client: Client, channels: readonly string[] = everyChannel) => {
  const up = () => channels.every((channel) => client.channels.has(channel));
  if (!up()) await first(client.events, up);
};

export const phase = (client: Client, wanted: string) =>
  first(
    client.events,
    (event): event is Extract<ClientEvent, { event: 'handover' }> =>
      event.event === 'handover' && event.phase === wanted,
  );

export interface Listened {
  readonly server: Server;
  readonly port: number;
  readonly events: ServerEvent[];
  readonly log: string[];
  close(): Promise<void>;
}

/** A server of ours, and everything that it tells. */
export async function serve(options: ServerOptions = {}): Promise<Listened> {
  const log: string[] = [];
  const events: ServerEvent[] = [];
  const server = await createServer({ port: 0, width: 32, height: 32, ...options, log: (line) => log.push(line) });
  server.events.subscribe((event) => events.push(event));
  return { server, port: server.addresses.port!, events, log, close: () => server.close() };
}

/** The client answers a ping on this channel. What it says before is dropped. */
export async function answers(channel: RawChannel, id = 77, ms?: number): Promise<void> {
  channel.send(4, join(u32(id), u64(0n)));
  let answered: number;
  do answered = readU32((await channel.until(3, ms)).body);
  while (answered !== id);
}

/** True when the client does not answer a ping on this channel for a while. */
export async function isSilent(channel: RawChannel, id: number, ms = 150): Promise<boolean> {
  try {
    await answers(channel, id, ms);
    return false;
  } catch {
    return true;
  }
}

/** A hand-written target that links whatever comes, with the id that the source gave out. */
export async function links(target: RawServer, count: number, caps?: number): Promise<Record<ChannelWord, RawServed>> {
  const served: Partial<Record<ChannelWord, RawServed>> = {};
  for (let i = 0; i < count; i++) {
    const own = await target.link(caps);
    served[own.word] = own;
  }
  return served as Record<ChannelWord, RawServed>;
}

/** A hand-written target takes a client in semi-seamlessly, as far as the greeting. */
export async function greets(main: RawServed): Promise<void> {
  await main.until(109);
  main.send(103, init(main.connectionId));
}

/** A hand-written client at a target: main and others, linked with the id that they have at a source. */
export async function arrives(port: number, connectionId: number, others: readonly ChannelWord[] = []) {
  const main = await link(port, { connectionId });
  const channels: Partial<Record<ChannelWord, RawChannel>> = { main };
  for (const channel of others) channels[channel] = await link(port, { channel, connectionId });
  return channels as Record<ChannelWord, RawChannel>;
}

export { RawServer };
