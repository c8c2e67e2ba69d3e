/**
 * Hosts and a client on a network in memory, in a time of their own: latency and jitter on every connection, hosts that
 * refuse, stay silent, restart or lose their connections. What costs real time, keys and tickets, is free here.
 */
import type { Scheme } from '../../machines/contract.ts';
import { type Client, type ClientEvent, connect } from '../../src/client/client.ts';
import { LinkError } from '../../src/errors.ts';
import { Server, type ServerEvent } from '../../src/server/server.ts';
import { type MemoryPair, memoryPair } from '../../src/transport/memory.ts';
import type { Pipe } from '../../src/transport/pipe.ts';
import type { Random } from '../fuzz/random.ts';
import { goodKey } from '../support/raw-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

export const everyChannel = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'];

export type Behaviour = 'serves' | 'refuses' | 'is silent';

export class Host {
  readonly name: string;
  server: Server;
  behaviour: Behaviour = 'serves';
  readonly pairs = new Set<MemoryPair>();
  private readonly make: () => Server;

  constructor(name: string, make: () => Server) {
    this.name = name;
    this.make = make;
    this.server = make();
  }

  /** The program dies and is started again: its connections break, it remembers nothing. */
  async restart(): Promise<void> {
    this.cut();
    const old = this.server;
    this.server = this.make();
    await old.close();
  }

  cut(): void {
    for (const pair of this.pairs) pair.cut();
    this.pairs.clear();
  }

  /** Clients lose their connections, and the host does not notice. */
  lose(): void {
    for (const pair of this.pairs) pair.lose('left');
  }

  /** Connections that are not over. INVARIANT: what is over is forgotten here, or the soak itself would grow. */
  get live(): readonly MemoryPair[] {
    for (const pair of this.pairs) if (pair.over) this.pairs.delete(pair);
    return [...this.pairs];
  }
}

/** Who listens to something of rxjs. */
const listeners = (...subjects: readonly unknown[]): number =>
  subjects.reduce<number>((sum, one) => {
    const { observers, source } = one as { observers?: unknown[]; source?: { observers?: unknown[] } };
    return sum + (observers ?? source?.observers ?? []).length;
  }, 0);

/** A client, and everything that it tells. */
export class Follower {
  readonly client: Client;
  readonly schemes: readonly Scheme[];
  readonly news: ClientEvent[] = [];
  closed: string | undefined;
  /** Keys that it has sent since typing began, none twice. */
  typed: number[] = [];
  private typing = false;
  private readonly world: World;

  constructor(world: World, name: string, schemes: readonly Scheme[]) {
    this.world = world;
    this.schemes = schemes;
    this.client = connect({
      destination: { host: 'a', port: 1 },
      clock: world.clock,
      schemes,
      log: (line) => world.log.push(`${name}: ${line}`),
      dial: async ({ host }) => world.dial(host),
    });
    const services = (this.client as unknown as { linkServices: { encryptTicket: unknown } }).linkServices;
    services.encryptTicket = async () => new Uint8Array(128);
    this.client.events.subscribe((event) => {
      this.news.push(event);
      if (event.event === 'closed') this.closed = event.reason;
    });
  }

  heard(phase: string): boolean {
    return this.news.some((news) => news.event === 'handover' && news.phase === phase);
  }

  /** The last of its tries to find its server again, counted from when it had them all; 0 if there was none of late. */
  get tries(): number {
    const news = this.news.findLast((one) => one.event === 'reconnect' && 'try' in one);
    return news?.event === 'reconnect' && 'try' in news ? (news.try ?? 0) : 0;
  }

  /** How it went over last. */
  get switched(): Scheme | undefined {
    const news = this.news.findLast((one) => one.event === 'handover' && one.phase === 'switched');
    return news?.event === 'handover' ? news.scheme : undefined;
  }

  /** What it shows: 0xRRGGBB of the first pixel of its display. */
  get shown(): number | undefined {
    const data = this.client.screens.get('display:0')?.primary()?.data;
    return data === undefined ? undefined : (data[2]! << 16) | (data[1]! << 8) | data[0]!;
  }

  /** Types a key every few milliseconds from now on. */
  type(): void {
    this.typed = [];
    this.typing = true;
    const next = () => {
      if (!this.typing) return;
      this.press();
      this.world.clock.setTimeout(next, 1 + this.world.random.below(30));
    };
    next();
  }

  rest(): void {
    this.typing = false;
  }

  /** Sends a key that was never sent before, and returns it. */
  press(): number {
    const key = ++this.world.lastKey;
    if (this.client.input.keyDown(key)) this.typed.push(key);
    return key;
  }
}

export class World {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly hosts: readonly Host[];
  readonly followers: readonly Follower[];
  readonly log: string[] = [];
  readonly told: ServerEvent[] = [];
  /** Keys that hosts were given, in their order. */
  readonly keys: { readonly host: string; readonly key: number }[] = [];
  lastKey = 0;
  latency = 0;
  jitter = 0;

  /** One client for each list of schemes that a client may admit to. */
  constructor(random: Random, schemes: readonly Scheme[], clients: readonly (readonly Scheme[])[]) {
    this.random = random;
    const { clock } = this;
    this.hosts = ['a', 'b', 'c'].map(
      (name) =>
        new Host(name, () => {
          const log = (line: string) => this.log.push(`${name}: ${line}`);
          const server = new Server({ clock, schemes, width: 16, height: 16, log });
          const key = { pubKey: goodKey, decrypt: async (ticket: Uint8Array) => ticket };
          (server as unknown as { door: { keys: unknown } }).door.keys = { take: async () => key };
          server.events.subscribe((event) => this.told.push(event));
          server.input.subscribe((event) => {
            if (event.type === 'key' && event.down) this.keys.push({ host: name, key: event.code });
          });
          return server;
        }),
    );
    this.followers = clients.map((admitted, i) => new Follower(this, `client ${i}`, admitted));
  }

  async dial(name: string): Promise<Pipe> {
    const host = this.hosts.find((one) => one.name === name);
    if (host === undefined || host.behaviour === 'refuses') throw new LinkError(`${name} refuses`);
    const { latency, jitter, random, clock } = this;
    const pair = memoryPair({
      clock,
      latencyMs: latency,
      names: ['client', name],
      chunkBytes: 16 * 1024,
      ...(jitter === 0 ? {} : { jitter: () => random.below(jitter) }),
    });
    // Looks through them, so that those that are over go.
    if (host.live.length > 200) throw new Error(`${host.live.length} connections to ${name} are open`);
    host.pairs.add(pair);
    if (host.behaviour === 'is silent') pair.right.take({ onChunk: () => {}, onClosed: () => host.pairs.delete(pair) });
    else host.server.accept(pair.right);
    return pair.left;
  }

  /** Charts, links, channels that wait, sockets, timers, listeners: what a program holds on to. */
  get holdings() {
    const systems = [...this.followers.map(({ client }) => client), ...this.hosts.map(({ server }) => server)].map(
      ({ system }) => system,
    );
    return {
      charts: systems.reduce((sum, { population }) => sum + population, 0),
      links: systems.reduce((sum, { links }) => sum + links.size, 0),
      waiters: systems.reduce((sum, { waiters }) => sum + waiters.size, 0),
      connections: this.hosts.reduce((sum, { server }) => sum + server.channels().length, 0),
      sockets: this.hosts.reduce((sum, { live }) => sum + live.length, 0),
      timers: this.clock.waiting,
      listeners:
        listeners(...systems.flatMap(({ reports, handled }) => [reports, handled])) +
        listeners(...this.followers.map(({ client }) => client.events)) +
        listeners(...this.hosts.flatMap(({ server }) => [server.events, server.input, server.record.heard])),
    };
  }

  async close(): Promise<void> {
    for (const { client } of this.followers) client.close();
    for (const { server } of this.hosts) await server.close();
  }
}
