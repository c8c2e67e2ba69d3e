/**
 * Where scenarios are played: real hosts and clients, as programs embed them, joined by pipes in memory, in a time of their
 * own, with everything drawn by chance fixed. It breaks connections, silences hosts, says things that no honest peer says,
 * and writes all of it into the transcript. It never looks into a chart to decide how a scenario goes on.
 */
import assert from 'node:assert/strict';
import type { Scheme } from '../../machines/contract.ts';
import { type Client, type ClientEvent, type ClientOptions, connect } from '../../src/client/client.ts';
import type { ChannelHost } from '../../src/engine/channel-host.ts';
import { frame } from '../../src/engine/deframe.ts';
import type { TakenUp } from '../../src/engine/past.ts';
import { LinkError } from '../../src/errors.ts';
import { addressWord } from '../../src/protocol/address.ts';
import {
  type AnyMessage,
  channelName,
  channels,
  encodeMessage,
  fullHeaderSize,
  type Side,
} from '../../src/protocol/index.ts';
import { Server, type ServerEvent, type ServerOptions } from '../../src/server/server.ts';
import { type MemoryPair, memoryPair } from '../../src/transport/memory.ts';
import type { Pipe } from '../../src/transport/pipe.ts';
import { goodKey } from '../support/raw-server.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Transcript } from './transcript.ts';

export const everyChannel = ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'];
export const allSchemes: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless', 'switch-host'];

/** Timers that one scenario may set. */
const mostTimers = 60_000;

/** A clock of which a chart that goes round for ever cannot have enough. */
class StageClock extends VirtualClock {
  /** Whether there is any use in going on. */
  isOver: () => boolean = () => false;

  constructor() {
    super(1_000);
    const set = this.setTimeout;
    let left = mostTimers;
    Object.assign(this, {
      setTimeout: (fn: (...args: any[]) => void, ms: number) => {
        if (--left < 0) throw new Error('it has no end');
        return set(fn, ms);
      },
    });
  }

  override async settle(): Promise<void> {
    if (this.isOver()) throw new Error('it goes another way');
    return super.settle();
  }
}

export interface Connection {
  readonly name: string;
  readonly pair: MemoryPair;
  /** "display:0", once the client has said so. */
  channel: string;
}

export class Host {
  readonly name: string;
  server!: Server;
  news: ServerEvent[] = [];
  behaviour: 'serves' | 'refuses' | 'is silent' | 'takes a connection and never opens it' = 'serves';
  readonly connections: Connection[] = [];
  /** Keys that the guest here was given. */
  readonly keys: number[] = [];
  private readonly stage: Stage;
  private readonly options: ServerOptions;

  constructor(stage: Stage, name: string, options: ServerOptions) {
    this.stage = stage;
    this.name = name;
    this.options = options;
    this.start();
  }

  /** Its program goes on from a journal. */
  goOn(taken: TakenUp, options: ServerOptions): void {
    this.behaviour = 'serves';
    this.start(options, taken);
  }

  /** Its program begins. */
  start(more: ServerOptions = {}, taken?: TakenUp): void {
    const { stage, name } = this;
    const options = {
      clock: stage.clock,
      schemes: allSchemes,
      width: 16,
      height: 16,
      log: (line: string) => stage.heard(`${name}: ${line}`),
      uuid: '01234567-89ab-cdef-0123-456789abcdef',
      ...this.options,
      ...more,
    };
    this.server = new Server(options, {}, taken);
    const key = { pubKey: goodKey, decrypt: async (ticket: Uint8Array) => ticket };
    (this.server as any).door.keys = { take: async () => key };
    this.server.events.subscribe((event) => this.news.push(event));
    this.server.input.subscribe((event) => {
      if (event.type === 'key' && event.down) this.keys.push(event.code);
      stage.transcript.note(name, `the guest is given: ${stage.transcript.fields({ what: event.type, ...event })}`);
    });
    stage.transcript.watch(name, this.server.system);
  }

  /** It is about to move: client_migrate_info. */
  announce(to: Host | string, scheme: Scheme = 'seamless'): void {
    const host = typeof to === 'string' ? to : to.name;
    this.stage.say(`${this.name} is told that its guest is about to move to ${host}, ${scheme} at best`);
    this.server.migrateConnect({ host, port: 1 }, { scheme });
  }

  /** The guest runs at another host now. */
  complete(to?: Host): void {
    this.stage.say(`the guest of ${this.name} has moved${to === undefined ? '' : ` to ${to.name}`}`);
    to?.server.guestArrived();
    this.server.migrateEnd(true);
  }

  giveUp(): void {
    this.stage.say(`the move of the guest of ${this.name} is given up`);
    this.server.migrateEnd(false);
  }

  become(behaviour: Host['behaviour']): void {
    this.stage.say(`from now on ${this.name} ${behaviour}`);
    this.behaviour = behaviour;
  }

  /** Its connections break; both ends notice. Of one channel, or of all. */
  cut(channel?: string): void {
    this.stage.say(
      channel === undefined ? `all connections to ${this.name} break` : `${channel} to ${this.name} breaks`,
    );
    for (const { pair } of this.live(channel)) pair.cut();
  }

  /** Clients lose their connections, and the host does not notice. */
  lose(channel?: string): void {
    this.stage.say(`the client loses ${channel ?? 'every connection'} to ${this.name}, which does not notice`);
    for (const { pair } of this.live(channel)) pair.lose('left');
  }

  /** The host loses its connections, and clients do not notice. */
  loseHere(channel?: string): void {
    this.stage.say(`${this.name} loses ${channel ?? 'every connection'}, and the client does not notice`);
    for (const { pair } of this.live(channel)) pair.lose('right');
  }

  /** Nothing arrives any more either way, and nobody is told. */
  stall(channel?: string): void {
    this.stage.say(`nothing arrives any more on ${channel ?? 'any connection'} to ${this.name}`);
    for (const { pair } of this.live(channel)) pair.stall();
  }

  flow(channel?: string): void {
    this.stage.say(`what was under way on ${channel ?? 'any connection'} to ${this.name} arrives`);
    for (const { pair } of this.live(channel)) pair.flow();
  }

  /** The program is killed and begins anew: it remembers nothing. */
  async restart(): Promise<void> {
    this.kill();
    this.behaviour = 'serves';
    this.stage.say(`${this.name} begins anew`);
    this.start();
  }

  /** The program dies without a word. */
  kill(): void {
    this.stage.say(`${this.name} dies`);
    this.behaviour = 'refuses';
    for (const { pair } of this.live()) pair.cut();
    this.server.system.stop();
  }

  /** Connections that are not over; the newest ones are last. */
  live(channel?: string): readonly Connection[] {
    return this.connections.filter((one) => !one.pair.over && (channel === undefined || one.channel === channel));
  }

  /** The newest connection of a channel. */
  connection(channel: string): Connection {
    const found = this.live(channel).at(-1);
    assert(found !== undefined, `there is no connection of ${channel} to ${this.name}`);
    return found;
  }

  heard<E extends ServerEvent['event']>(event: E): Extract<ServerEvent, { event: E }>[] {
    return this.news.filter((one) => one.event === event) as Extract<ServerEvent, { event: E }>[];
  }

  /** The application's side of a channel of its newest session. */
  channel(address: string): ChannelHost {
    return channelHost(this.server.system, address);
  }
}

export const channelHost = (system: object, address: string): ChannelHost => {
  const { hosts } = system as { hosts: Map<unknown, ChannelHost> };
  const found = [...hosts.values()].filter((host) => host.channel === address && 'plane' in host).at(-1);
  assert(found !== undefined, `there is no channel ${address}`);
  return found;
};

/** Children that have ended and are still kept, and links that a server still knows of although they have ended. */
function leftIn(name: string, root: { getSnapshot(): unknown }): string[] {
  const { children, context } = root.getSnapshot() as { children: Record<string, any>; context: any };
  const over = Object.entries(children).filter(([, child]) => child.getSnapshot().status !== 'active');
  const known = Object.keys(context.waiting ?? {}).filter((link) => children[link] === undefined);
  return [...over.map(([id]) => `${name}: ${id} has ended`), ...known.map((id) => `${name}: ${id} is not there`)];
}

/** What a client does at the end, wherever it is. */
export class Guest {
  readonly client: Client;
  readonly name: string;
  readonly news: ClientEvent[] = [];
  /** The addresses of the channels that it links. */
  readonly wanted: readonly string[];
  /** What its program was begun with. */
  readonly options: ClientOptions;
  private readonly stage: Stage;

  /** `client`: one that goes on from a journal; otherwise it begins. */
  constructor(
    stage: Stage,
    name: string,
    options: Partial<ClientOptions> & { to: string; ticket?: string },
    client?: Client,
  ) {
    this.stage = stage;
    this.name = name;
    const { to, ticket = '', ...more } = options;
    this.wanted = more.channels === undefined ? everyChannel : ['main:0', ...more.channels.map((word) => `${word}:0`)];
    this.options = {
      destination: { host: to, port: 1 },
      clock: stage.clock,
      schemes: allSchemes,
      log: (line) => stage.heard(`${name}: ${line}`),
      dial: (destination, secure, signal) => stage.dial(name, destination.host, secure, signal),
      ...more,
    };
    this.client = client ?? connect(this.options);
    const bytes = new Uint8Array(128);
    bytes.set(new TextEncoder().encode(ticket));
    (this.client as any).linkServices.encryptTicket = async () => bytes;
    this.client.events.subscribe((event) => this.news.push(event));
    stage.transcript.watch(name, this.client.system);
  }

  phases(): string[] {
    return this.news.flatMap((one) => (one.event === 'handover' ? [`${one.phase} ${one.scheme}`] : []));
  }

  get reconnects(): string[] {
    return this.news.flatMap((one) => (one.event === 'reconnect' ? [one.phase] : []));
  }

  get closed(): string | undefined {
    const last = this.news.at(-1);
    return last?.event === 'closed' ? last.reason : undefined;
  }

  get whole(): boolean {
    return this.has(...this.wanted);
  }

  has(...channels: string[]): boolean {
    return channels.every((one) => this.client.channels.has(one));
  }

  /** 0xRRGGBB of the first pixel of its display. */
  get shown(): number | undefined {
    const data = this.client.screens.get('display:0')?.primary()?.data;
    return data === undefined ? undefined : (data[2]! << 16) | (data[1]! << 8) | data[0]!;
  }

  key(code: number): boolean {
    this.stage.say(`${this.name}: key ${code}`);
    return this.client.input.keyDown(code);
  }

  channel(address: string): ChannelHost {
    return channelHost(this.client.system, address);
  }
}

export class Stage {
  readonly clock = new StageClock();
  readonly transcript: Transcript;
  readonly hosts = new Map<string, Host>();
  readonly guests: Guest[] = [];
  readonly log: string[] = [];
  latencyMs = 1;
  /** Servers that are not ours: they do what they are told with each connection. */
  readonly strangers = new Map<string, (pipe: Pipe, connection: Connection) => void>();
  /** Their ends of connections. */
  readonly strangerPipes: Pipe[] = [];
  private connections = 0;

  /** `wanted`: the transcript that it should have; as soon as it has another one, it ends. */
  constructor(wanted?: readonly string[]) {
    this.transcript = new Transcript(() => this.clock.now(), wanted);
    this.clock.isOver = () => this.transcript.astray;
  }

  host(name: string, options: ServerOptions = {}): Host {
    const host = new Host(this, name, options);
    this.hosts.set(name, host);
    return host;
  }

  client(options: Partial<ClientOptions> & { to: string; ticket?: string; name?: string }): Guest {
    const { name = this.guests.length === 0 ? 'client' : `client ${this.guests.length + 1}`, ...more } = options;
    const guest = new Guest(this, name, more);
    this.guests.push(guest);
    return guest;
  }

  /** A client that goes on from the journal of another. */
  again(before: Guest, client: Client): Guest {
    const { destination, ...more } = before.options;
    const guest = new Guest(this, before.name, { ...more, to: destination.host }, client);
    this.guests.splice(this.guests.indexOf(before), 1, guest);
    for (const channel of client.channels) guest.client.channels.add(channel);
    return guest;
  }

  /** Two hosts, and a client that is up at the first; from here on everything is written down. */
  async pair(
    options: { client?: Partial<ClientOptions>; a?: ServerOptions; b?: ServerOptions } = {},
  ): Promise<{ a: Host; b: Host; client: Guest }> {
    const a = this.host('a', options.a);
    const b = this.host('b', options.b);
    a.server.display.fill({ left: 0, top: 0, right: 16, bottom: 16 }, 0xaaaaaa);
    b.server.display.fill({ left: 0, top: 0, right: 16, bottom: 16 }, 0xbbbbbb);
    const client = this.client({ to: 'a', ...options.client });
    await this.up(client);
    await this.for(1_000);
    this.begin();
    return { a, b, client };
  }

  begin(): void {
    this.transcript.begin();
  }

  /** What follows is asked about, but not written down. */
  curtain(what: string): void {
    this.say(`${what} (not written down)`);
    this.transcript.open = false;
  }

  say(what: string): void {
    this.transcript.say(what);
  }

  heard(line: string): void {
    this.log.push(line);
    this.transcript.note('log', line.replaceAll(/ client#\d+/g, ' the client'));
  }

  /** What a client that has closed was told last, and that nothing of it is left at any host. */
  endsClosed(client: Guest, reason: string | RegExp): void {
    const { closed } = client;
    assert(closed !== undefined, `${client.name} is closed`);
    if (typeof reason === 'string') assert.equal(closed, reason);
    else assert.match(closed, reason);
    assert.equal(client.client.system.population, 0, 'no chart of it is left');
    if (this.guests.length > 1) return;
    for (const host of this.hosts.values()) {
      assert.deepEqual(
        host.live().map(({ name }) => name),
        [],
        `${host.name} has nothing open`,
      );
    }
  }

  /** A client that is not ours has a connection to `name`: what it writes goes there. */
  async stranger(name: string): Promise<{ pipe: Pipe; got: Uint8Array[]; closed: () => boolean }> {
    const pipe = await this.dial('stranger', name, false);
    const got: Uint8Array[] = [];
    let closed = false;
    pipe.take({ onChunk: (chunk) => got.push(chunk.slice()), onClosed: () => (closed = true) });
    return { pipe, got, closed: () => closed };
  }

  /** Lets milliseconds go by. */
  for(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  async until(done: () => boolean, what: string, limitMs = 60_000): Promise<void> {
    try {
      await this.clock.until(done, limitMs);
    } catch (error) {
      if (/it has no end/.test((error as Error).message)) throw error;
      throw new Error(`not so within ${limitMs} ms: ${what}`);
    }
  }

  async up(client: Guest, channels: readonly string[] = client.wanted): Promise<void> {
    await this.until(() => channels.every((one) => client.client.channels.has(one)), `${client.name} is up`);
  }

  /**
   * How it ended: the client is here with these channels, all others are rid of it, it shows what is drawn here, and a key
   * arrives once.
   */
  async endsAt(client: Guest, at: Host, channelsThere: readonly string[] = client.wanted): Promise<void> {
    this.say(`${client.name} is at ${at.name}`);
    const sorted = (list: Iterable<string>) => [...list].sort();
    assert.deepEqual(sorted(client.client.channels), sorted(channelsThere), `the channels of ${client.name}`);
    for (const host of this.hosts.values()) {
      const open = host.live().map(({ channel }) => channel);
      if (host === at) for (const one of channelsThere) assert(open.includes(one), `${one} is open at ${at.name}`);
      else if (this.guests.length === 1) assert.deepEqual(open, [], `${host.name} has nothing open`);
    }
    if (channelsThere.includes('display:0')) {
      at.server.display.fill({ left: 0, top: 0, right: 16, bottom: 16 }, 0x123456);
      await this.for(100);
      assert.equal(client.shown, 0x123456, `${client.name} shows what ${at.name} draws`);
    }
    if (channelsThere.includes('inputs:0')) {
      assert(client.key(0x39), 'a key can be sent');
      await this.for(100);
      const heard = [...this.hosts.values()].map(({ name, keys }) => [name, keys.filter((key) => key === 0x39).length]);
      const once = [...this.hosts.values()].map((host) => [host.name, host === at ? 1 : 0]);
      assert.deepEqual(heard, once, 'the key arrives once, where the guest is');
    }
  }

  /** Says something on a connection that the charts there have no part in. */
  inject(connection: Connection, from: Side, message: AnyMessage): void {
    this.say(`somebody at the ${from}'s end of ${connection.name} says ${message.type} on ${connection.channel}`);
    const protocol = channels[addressWord(connection.channel) as keyof typeof channels];
    const { number, body } = encodeMessage(protocol, from, message, fullHeaderSize);
    const { left, right } = connection.pair;
    (from === 'client' ? left : right).write(frame(true, 0, number, body, fullHeaderSize));
  }

  async dial(client: string, name: string, secure: boolean, signal?: AbortSignal): Promise<Pipe> {
    const host = this.hosts.get(name);
    const stranger = this.strangers.get(name);
    this.transcript.note(client, `dials ${name}${secure ? ', secured' : ''}`);
    if (host?.behaviour === 'takes a connection and never opens it') {
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('given up'))));
    }
    if ((host === undefined && stranger === undefined) || host?.behaviour === 'refuses')
      throw new LinkError(`${name} refuses`);
    const number = ++this.connections;
    const pair = memoryPair({
      clock: this.clock,
      latencyMs: this.latencyMs,
      names: [`client#${number}`, `${name}#${number}`],
      secure,
    });
    const connection: Connection = { name: `${name}#${number}`, pair, channel: '' };
    this.listen(pair.left, client, connection);
    this.listen(pair.right, name, connection);
    host?.connections.push(connection);
    if (stranger !== undefined) {
      this.strangerPipes.push(pair.right);
      stranger(pair.right, connection);
    } else if (host!.behaviour === 'is silent') pair.right.take({ onChunk: () => {}, onClosed: () => {} });
    else host!.server.accept(pair.right);
    return pair.left;
  }

  /** Writes down who hangs up, and finds out which channel it is. */
  private listen(pipe: Pipe, who: string, connection: Connection): void {
    const { close, abort, write } = pipe;
    let over = false;
    const note = (how: string) => {
      if (!over && !connection.pair.over)
        this.transcript.note(who, `${how} ${connection.name} (${connection.channel})`);
      over = true;
    };
    pipe.close = () => {
      note('hangs up');
      close.call(pipe);
    };
    pipe.abort = () => {
      note('breaks off');
      abort.call(pipe);
    };
    pipe.write = (bytes, taken) => {
      if (connection.channel === '' && bytes.length > 22 && bytes[0] === 0x52 && pipe === connection.pair.left) {
        connection.channel = channelName(bytes[20]!, bytes[21]!);
      }
      write.call(pipe, bytes, taken);
    };
  }

  /** Everything ends; what is left then is a fault. */
  async close(): Promise<void> {
    this.transcript.open = false;
    if (this.transcript.astray) {
      for (const { client } of this.guests) client.system.stop();
      for (const { server } of this.hosts.values()) server.system.stop();
      return;
    }
    const left = [...this.hosts.values()].flatMap((host) => leftIn(host.name, host.server.system.root));
    for (const { name, client } of this.guests)
      if (client.system.population > 0) left.push(...leftIn(name, client.system.root));
    assert.deepEqual(left, [], 'nothing is kept of what is over');
    for (const { client } of this.guests) client.close();
    for (const { server } of this.hosts.values()) await server.close();
    for (const { connections } of this.hosts.values()) for (const { pair } of connections) if (!pair.over) pair.cut();
    await this.clock.advance(60_000);
    const faults = this.log.filter((line) => /fault of ours|chart failed| failed: /.test(line));
    assert.deepEqual(faults, [], 'nothing is at fault');
    assert.equal(this.clock.waiting, 0, 'no timer is left');
  }
}
