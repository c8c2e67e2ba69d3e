/**
 * Servers and a client in a time of their own whose connections break, servers that are killed, and a client that comes
 * back. What costs real time, keys and tickets, is free here; passwords count all the same.
 */
import { type Client, type ClientEvent, type ClientOptions, connect } from '../../src/client/client.ts';
import { LinkError } from '../../src/errors.ts';
import { Server, type ServerEvent, type ServerOptions } from '../../src/server/server.ts';
import type { GuestInput } from '../../src/sources/console.ts';
import { type MemoryPair, memoryPair } from '../../src/transport/memory.ts';
import { goodKey } from '../support/raw-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

export const everyChannel = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'];

export interface Host {
  server: Server;
  readonly news: ServerEvent[];
  readonly input: GuestInput[];
  pairs: MemoryPair[];
  /** Nobody reaches it. */
  down: boolean;
}

export class ReturnWorld {
  readonly clock = new VirtualClock(1_000);
  readonly log: string[] = [];
  private readonly hosts = new Map<string, Host>();
  private readonly clients: Client[] = [];

  host(name: string, options: ServerOptions = {}): Host {
    const known = this.hosts.get(name);
    const host: Host = known ?? { server: undefined as never, news: [], input: [], pairs: [], down: false };
    const { clock } = this;
    const log = (line: string) => this.log.push(`${name}: ${line}`);
    host.server = new Server({ clock, width: 16, height: 16, log, ...options });
    const key = { pubKey: goodKey, decrypt: async (ticket: Uint8Array) => ticket };
    (host.server as unknown as { door: { keys: unknown } }).door.keys = { take: async () => key };
    host.server.events.subscribe((event) => host.news.push(event));
    host.server.input.subscribe((event) => host.input.push(event));
    this.hosts.set(name, host);
    return host;
  }

  /** The program is killed: its connections break, and nobody hears a word of it. What it was is over. */
  kill(host: Host): void {
    host.down = true;
    this.cut(host);
    host.server.system.stop();
  }

  /** Every connection to a host breaks; both ends notice. */
  cut(host: Host): void {
    for (const pair of host.pairs.splice(0)) pair.cut();
  }

  /** Every connection to a host breaks, and the host does not notice. */
  lose(host: Host): void {
    for (const pair of host.pairs.splice(0)) pair.lose('left');
  }

  client(to: string, options: Partial<ClientOptions> = {}): { client: Client; news: ClientEvent[] } {
    const { clock } = this;
    const client = connect({
      destination: { host: to, port: 1 },
      clock,
      log: (line) => this.log.push(`client: ${line}`),
      dial: async ({ host: name }) => {
        const host = this.hosts.get(name);
        if (host === undefined || host.down) throw new LinkError(`${name} refuses`);
        const pair = memoryPair({ clock, latencyMs: 1, names: ['client', name] });
        host.pairs.push(pair);
        host.server.accept(pair.right);
        return pair.left;
      },
      ...options,
    });
    const ticket = new Uint8Array(128);
    ticket.set(new TextEncoder().encode(options.password ?? ''));
    const services = (client as unknown as { linkServices: { encryptTicket: unknown } }).linkServices;
    services.encryptTicket = async () => ticket;
    const news: ClientEvent[] = [];
    client.events.subscribe((event) => news.push(event));
    this.clients.push(client);
    return { client, news };
  }

  async close(): Promise<void> {
    for (const client of this.clients) client.close();
    for (const { server } of this.hosts.values()) await server.close();
    await this.clock.advance(60_000);
  }
}

export const isWhole = (client: Client, channels = everyChannel): boolean =>
  channels.every((channel) => client.channels.has(channel));

export const sessionIds = (news: readonly ClientEvent[]): number[] =>
  news.flatMap((event) => (event.event === 'session' ? [event.connectionId] : []));

export const reconnects = (news: readonly ClientEvent[]) =>
  news.flatMap((event) => (event.event === 'reconnect' ? [event] : []));

/** 0xRRGGBB of the first pixel of what a client shows. */
export const shown = (client: Client, display = 'display:0'): number | undefined => {
  const data = client.screens.get(display)?.shown()?.data;
  return data === undefined ? undefined : (data[2]! << 16) | (data[1]! << 8) | data[0]!;
};
