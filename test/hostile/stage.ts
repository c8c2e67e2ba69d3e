/**
 * A server on a real port, a healthy client that is on it all the while, and what both must still do after a stranger has
 * said his worst: the picture goes on, a key arrives, and nothing but the stranger's own session is gone.
 */
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { type Client, type ClientEvent, connect } from '../../src/client/client.ts';
import { createServer, type Server, type ServerEvent, type ServerOptions } from '../../src/server/server.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { first } from '../support/network.ts';
import type { RawChannel } from '../support/raw-wire.ts';

export const everyChannel = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'] as const;

/** A file of the test certificates, which are for 127.0.0.1. */
export const pem = (name: string): string => readFileSync(new URL(`../support/certs/${name}`, import.meta.url), 'utf8');

export class Stage {
  readonly server: Server;
  readonly port: number;
  readonly healthy: Client;
  /** What the server's people were told. */
  readonly log: string[];
  readonly events: ServerEvent[] = [];
  readonly news: ClientEvent[] = [];
  private colour = 0x102030;
  private key = 0x10;

  private constructor(server: Server, healthy: Client, log: string[]) {
    this.server = server;
    this.port = server.addresses.port!;
    this.healthy = healthy;
    this.log = log;
    server.events.subscribe((event) => this.events.push(event));
    healthy.events.subscribe((event) => this.news.push(event));
  }

  static async open(options: ServerOptions = {}): Promise<Stage> {
    const log: string[] = [];
    const server = await createServer({ port: 0, width: 64, height: 48, ...options, log: (line) => log.push(line) });
    const { port, tlsPort } = server.addresses;
    const healthy = connect({
      destination: { host: '127.0.0.1', port, tlsPort },
      dial: (to, secure, signal) => dialTcp(to, { signal, ...(secure ? { tls: { ca: pem('ca.pem') } } : {}) }),
      ...(options.password === undefined ? {} : { password: options.password }),
    });
    const stage = new Stage(server, healthy, log);
    await first(healthy.events, () => everyChannel.every((channel) => healthy.channels.has(channel)));
    await stage.goesOn();
    return stage;
  }

  /** The healthy client sees what is drawn now, and a key of it arrives. */
  async goesOn(): Promise<void> {
    this.colour = (this.colour + 0x010305) & 0xffffff;
    this.key = this.key === 0x30 ? 0x10 : this.key + 1;
    const { colour, key } = this;
    const arrived = first(this.server.input, (event) => event.type === 'key' && event.down && event.code === key);
    expect(this.healthy.input.keyDown(key)).toBe(true);
    await arrived;
    this.server.display.fill({ left: 0, top: 0, right: 64, bottom: 48 }, colour);
    await until(() => this.shown() === colour, `the healthy client shows ${colour.toString(16)}`);
  }

  /** What the healthy client shows: 0xRRGGBB of its first pixel. */
  shown(): number | undefined {
    const picture = this.healthy.screens.get('display:0')?.primary();
    if (picture === undefined) return undefined;
    const { data } = picture;
    return (data[2]! << 16) | (data[1]! << 8) | data[0]!;
  }

  /** The stranger is shut out with one line in the log, which it returns; everybody else goes on. */
  async shutsOut(stranger: RawChannel, act: () => void): Promise<string> {
    const before = this.log.length;
    act();
    await stranger.hungUp();
    await this.goesOn();
    const lines = this.log.slice(before);
    expect(lines).toHaveLength(1);
    return lines[0]!;
  }

  async close(): Promise<void> {
    expect(this.news.filter(({ event }) => event === 'closed' || event === 'handover')).toEqual([]);
    expect(this.news.filter((news) => news.event === 'channel' && news.state === 'down')).toEqual([]);
    this.healthy.close();
    await this.server.close();
  }
}

/** Looks again and again, for at most `ms` real milliseconds. */
export async function until(done: () => boolean, what: string, ms = 5_000): Promise<void> {
  const end = Date.now() + ms;
  while (!done()) {
    if (Date.now() > end) throw new Error(`not in ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
