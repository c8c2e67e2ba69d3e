/**
 * A SPICE server to embed: createServer() listens, hosts the charts and gives the application a console to draw on and the
 * hypervisor its calls. What a client does is the charts' business; nothing here decides what is legal.
 */
import { type Observable, Subject } from 'rxjs';
import { type Destination, type Scheme, schemes } from '../../machines/contract.ts';
import { type GuestFacts, type SupervisorNews, supervisor } from '../../machines/supervisor.ts';
import { loadOpus, type Opus } from '../audio/opus.ts';
import { ChannelHost, type ChannelLimits } from '../engine/channel-host.ts';
import { type Clock, randomNonce, randomUuid, wallClock } from '../engine/clock.ts';
import { fromTheStart } from '../engine/early.ts';
import { type TakenUp, takeUp } from '../engine/past.ts';
import { ServerLinkHost, type ServerLinkServices } from '../engine/server-link.ts';
import { type Born, type Host, System } from '../engine/system.ts';
import { UsageError } from '../errors.ts';
import { type JpegCodec, loadJpeg } from '../image/jpeg.ts';
import type { Journal } from '../journal/journal.ts';
import { addressParts, addressWord } from '../protocol/address.ts';
import { CommonCap, caps } from '../protocol/capabilities.ts';
import type { Console, Spice } from '../sources/console.ts';
import { type Listening, type ListenOptions, listen } from '../transport/listen.ts';
import type { Pipe } from '../transport/pipe.ts';
import type { ServerAgent } from './agent.ts';
import { type ConnectionEvent, Connections, type OpenConnection, type Peer, peerOf } from './connections.ts';
import { ServerDisplay } from './display.ts';
import { Door, type DoorOptions } from './door.ts';
import { Input } from './input.ts';
import { Main } from './main.ts';
import type { Part } from './part.ts';
import type { EncodingOptions } from './picture-encoder.ts';
import { Pointer } from './pointer.ts';
import { Playback, Record } from './sound.ts';

export interface ServerOptions
  extends EncodingOptions,
    Omit<ListenOptions, 'onRefused' | 'admits'>,
    DoorOptions,
    ChannelLimits {
  /** What clients show as the guest's name. */
  readonly name?: string | undefined;
  readonly uuid?: string | undefined;
  /** Hand-over schemes that may be used, best first. Default: seamless, semi-seamless, switch-host. */
  readonly schemes?: readonly Scheme[] | undefined;
  /** Size of the screen until the application resizes it, in pixels. */
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  /** Whether sound may be sent and taken as Opus. Default true. */
  readonly playbackCompression?: boolean | undefined;
  /** Sessions at one time; the next client is refused. Default 1,000. */
  readonly mostSessions?: number | undefined;
  /** Milliseconds that a link may take from its first byte to its ticket. Default 10,000. */
  readonly linkMs?: number | undefined;
  /** Milliseconds that a client which was linked ahead of its guest is kept. Default 30 minutes. */
  readonly arrivalMs?: number | undefined;
  /**
   * Milliseconds that a session waits for a client which is lost without a goodbye, and which knows how to return. Such a
   * session counts among `mostSessions`. 0: none waits. Default 60,000.
   */
  readonly returnMs?: number | undefined;
  readonly journal?: Journal | undefined;
  /**
   * Takes up the sessions of the program that wrote to this journal last, if it ended without a word: their clients may come
   * back. What cannot be taken up is told in the log, and the server serves all the same. Default false.
   */
  readonly resume?: boolean | undefined;
  readonly clock?: Clock | undefined;
  /** Takes one line for the people who run this. Default: nowhere. */
  readonly log?: ((line: string) => void) | undefined;
}

export type ServerEvent = ConnectionEvent | SupervisorNews;

/** Channels that every client is offered. */
const offered = ['display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0'] as const;

const defaultSchemes: readonly Scheme[] = ['seamless', 'semi-seamless', 'switch-host'];

export interface ServerCodecs {
  readonly opus?: Opus | undefined;
  readonly jpeg?: JpegCodec | undefined;
  /** Loads it when a client's link turns out to be slow. */
  readonly loadJpeg?: (() => Promise<JpegCodec>) | undefined;
}

/** Opens the ports and serves. Throws UsageError when an option cannot be used or a port cannot be had. */
export async function createServer(options: ServerOptions = {}): Promise<Server> {
  const log = options.log ?? (() => {});
  const opus =
    options.playbackCompression === false
      ? undefined
      : await loadOpus().catch((error: Error) => {
          log(`sound goes uncompressed: ${error.message}`);
          return undefined;
        });
  const lossy = options.jpegWanCompression === 'always' || (options.streamingVideo ?? 'off') !== 'off';
  const jpeg = lossy ? await loadJpeg() : undefined;
  const taken = options.resume ? await takeUp(options.journal, 'server', options.clock ?? wallClock) : undefined;
  const server = new Server(options, { opus, jpeg, loadJpeg }, taken);
  if (options.port !== undefined || options.tlsPort !== undefined || options.path !== undefined) {
    await server.listen(options);
  }
  return server;
}

export class Server implements Console, Spice {
  readonly display: ServerDisplay;
  readonly cursor = new Pointer();
  readonly playback: Playback;
  readonly record = new Record();
  readonly system: System;
  readonly events: Observable<ServerEvent>;
  private readonly all = new Subject<ServerEvent>();
  private readonly keyboardAndMouse = new Input();
  private readonly main: Main;
  /** Our side of each channel, by its word. */
  private readonly parts: { readonly [word: string]: Part };
  private readonly options: ServerOptions;
  private readonly schemes: readonly Scheme[];
  private readonly clock: Clock;
  private readonly door: Door;
  private readonly linkServices: ServerLinkServices;
  private readonly connections: Connections;
  private readonly accepted = new Map<string, Pipe>();
  private readonly hosts = new Set<ChannelHost>();
  private links: number;
  /** Sessions that were taken up from the journal: "session:3". */
  readonly resumed: readonly string[];
  private listening: Listening | undefined;

  /** Use `createServer`, which loads the codecs; what is not there is not used. `taken`: what the server goes on with. */
  constructor(options: ServerOptions, { opus, jpeg, loadJpeg }: ServerCodecs = {}, taken?: TakenUp) {
    this.options = options;
    this.resumed = taken?.sessions ?? [];
    this.links = taken?.counted ?? 0;
    this.clock = taken?.clock ?? options.clock ?? wallClock;
    this.schemes = options.schemes ?? defaultSchemes;
    for (const scheme of this.schemes) {
      if (!schemes.includes(scheme)) throw new UsageError(`${scheme} is no hand-over scheme: ${schemes.join(', ')}`);
    }
    this.door = new Door(options, this.clock, (line) => this.system.log(line));
    this.linkServices = this.door.services(
      (channel) => ({
        commonCaps: caps(CommonCap.authSelection, CommonCap.authSpice, CommonCap.miniHeader),
        channelCaps: this.parts[addressWord(channel)]?.caps ?? [],
      }),
      (link, channel, connectionId) => {
        const { type, id } = addressParts(channel);
        this.connections.initialized(link, { channelType: type, channelId: id, connectionId });
      },
    );
    const returnMs = options.returnMs ?? 60_000;
    if (!(returnMs >= 0 && returnMs < 2 ** 31))
      throw new UsageError('returnMs is a number of milliseconds, 0 for none');
    this.main = new Main(options.name ?? 'sumac', options.uuid ?? randomUuid(), this.clock, this.schemes, returnMs > 0);
    this.display = new ServerDisplay(options.width ?? 640, options.height ?? 480, options, {
      clock: this.clock,
      jpeg,
      loadJpeg,
      mmTime: () => this.multiMediaTime,
    });
    this.keyboardAndMouse.onActive = (session) => this.display.favour(session);
    this.playback = new Playback(() => this.multiMediaTime);
    this.playback.opus = opus;
    this.record.opus = opus;
    this.parts = {
      main: this.main,
      display: this.display,
      inputs: this.keyboardAndMouse,
      cursor: this.cursor,
      playback: this.playback,
      record: this.record,
    };
    this.connections = new Connections(
      (secure) => this.ownEnd(secure),
      (event) => this.all.next(event),
    );
    this.events = taken === undefined ? this.all.asObservable() : fromTheStart(this.all, this.clock);
    this.system = new System({
      name: 'server',
      machine: supervisor,
      input: { offered, schemes: this.schemes, mostSessions: options.mostSessions ?? 1_000, returnMs },
      revived: taken?.revived,
      clock: this.clock,
      delays: {
        'link deadline': options.linkMs,
        'arrival deadline': options.arrivalMs,
        'migrate data deadline': options.arrivalMs,
      },
      journal: options.journal,
      hostFor: (born, system) => this.hostFor(born, system),
      log: options.log ?? (() => {}),
    });
    this.system.reports.subscribe(({ actor, news }) => {
      if (actor === 'server') this.all.next(news as SupervisorNews);
    });
    const guest = taken?.revived?.snapshot.context.guest as GuestFacts | null | undefined;
    if (guest) this.main.goOn(guest);
    this.main.onChange = (facts) => this.system.root.send({ type: 'api.guest_told', guest: facts } as never);
    for (const line of taken?.refused ?? []) this.system.log(line);
    if (this.resumed.length > 0) {
      this.system.log(`resumed: ${this.resumed.length} session${this.resumed.length === 1 ? '' : 's'}`);
    }
    this.system.start();
  }

  /** Opens further ports. Throws UsageError when one cannot be had. */
  async listen(options: ListenOptions): Promise<void> {
    this.door.open();
    this.listening = await listen(
      {
        ...options,
        maxConnections: this.options.maxConnections,
        maxConnectionsPerAddress: this.options.maxConnectionsPerAddress,
        admits: (address) => this.door.welcomes(address),
        onRefused: (why, address) => this.door.refused(address, `a connection came to nothing: ${why.message}`),
      },
      (pipe) => this.accept(pipe),
    );
    const { host, port, tlsPort } = this.addresses;
    const addresses = [port, tlsPort].flatMap((one) => (one === undefined ? [] : [`${host}:${one}`]));
    this.system.root.send({ type: 'api.listening', addresses } as never);
  }

  /** Takes a connection in, of whatever transport. */
  accept(pipe: Pipe): void {
    const link = `link:${++this.links}`;
    if (!this.door.enter(link, pipe.peer)) {
      pipe.take({ onChunk: () => {}, onClosed: () => {} });
      pipe.abort();
      return;
    }
    this.accepted.set(link, this.connections.watch(link, pipe));
    this.door.inTurn(link, 'accept', () => {
      this.system.root.send({ type: 'link.accepted', link, nonce: randomNonce() } as never);
    });
  }

  /** Where it listens. */
  get addresses(): { host: string; port?: number; tlsPort?: number; path?: string } {
    const { port, tlsPort, path } = this.listening ?? {};
    return {
      host: this.options.host ?? '127.0.0.1',
      ...(port === undefined ? {} : { port }),
      ...(tlsPort === undefined ? {} : { tlsPort }),
      ...(path === undefined ? {} : { path }),
    };
  }

  private ownEnd(secure: boolean): Peer {
    const { host, port, tlsPort, path } = this.addresses;
    return peerOf(path !== undefined && port === undefined ? path : `${host}:${(secure ? tlsPort : port) ?? 0}`);
  }

  // -------------------------------------------------------------------------------------------- the guest's console

  get input() {
    return this.keyboardAndMouse.events;
  }

  setModifiers(modifiers: number): void {
    this.keyboardAndMouse.setModifiers(modifiers);
  }

  setMouseModes(modes: { supported: number; current: number }): void {
    this.main.setMouseModes(modes);
  }

  get mouseMode(): number {
    return this.main.mouseMode;
  }

  /** The guest's agent: the clipboard and what else clients say to a program in the guest. */
  get agent(): ServerAgent {
    return this.main.agent;
  }

  /** The clock that sound and video follow, in milliseconds; wraps at 2³². Set when a guest arrives with its own. */
  get multiMediaTime(): number {
    return this.main.multiMediaTime;
  }

  set multiMediaTime(time: number) {
    this.main.multiMediaTime = time;
  }

  // ------------------------------------------------------------------------------------------ the hypervisor's calls

  /** Throws UsageError when it is too long, or when a client is connected and `ifConnected` is "fail". */
  setPassword(password: string, how: { ifConnected?: 'keep' | 'disconnect' | 'fail' } = {}): void {
    const connected = this.connections.open.length > 0;
    if (connected && how.ifConnected === 'fail') throw new UsageError('a client is connected');
    if (connected && how.ifConnected === 'disconnect') this.disconnectAll('the password was changed');
    this.door.password.set(password);
  }

  /** `at`: milliseconds since the epoch. Links that are up stay up. */
  expirePassword(at: number | 'now' | 'never'): void {
    this.door.password.expire(at === 'now' ? 0 : at === 'never' ? Number.POSITIVE_INFINITY : at);
  }

  /** client_migrate_info: the guest is about to move there; clients link to it while it runs here. */
  migrateConnect(to: Destination, how: { scheme?: Scheme | undefined } = {}): void {
    if (to.port === undefined && to.tlsPort === undefined) throw new UsageError('a target has a port or a TLS port');
    this.system.root.send({
      type: 'api.migrate_connect',
      destination: to,
      scheme: how.scheme ?? this.schemes[0] ?? 'switch-host',
    } as never);
  }

  /** The move begins. */
  migrateStart(): void {
    this.system.root.send({ type: 'api.migrate_start' } as never);
  }

  /** The move has ended: the guest runs at the target, or still here. */
  migrateEnd(completed: boolean): void {
    this.system.root.send({ type: 'api.migrate_end', completed } as never);
  }

  /** The guest runs here now. */
  guestArrived(): void {
    this.system.root.send({ type: 'api.guest_arrived' } as never);
  }

  /** The guest that was to move here will not come: clients that are linked ahead of it are let go. */
  guestLost(): void {
    this.system.root.send({ type: 'api.guest_lost' } as never);
  }

  /** Channels that clients have open. */
  channels(): readonly OpenConnection[] {
    return this.connections.open;
  }

  get passwordRequired(): boolean {
    return this.door.password.required;
  }

  /** Hangs up one channel ("display:0") of every client; clients link it again as they please. */
  dropChannel(channel: string, reason: string): void {
    for (const host of this.hosts) if (host.channel === channel) host.tell({ type: 'api.close', reason });
  }

  disconnectAll(reason: string): void {
    this.system.root.send({ type: 'api.disconnect', reason } as never);
  }

  /** Closes the ports and every connection; clients that might return hear that they need not. */
  async close(): Promise<void> {
    this.disconnectAll('the server is closed');
    this.door.close();
    this.system.stop();
    for (const pipe of this.accepted.values()) pipe.close();
    this.accepted.clear();
    this.display.close();
    await this.listening?.close();
    this.all.complete();
  }

  // ----------------------------------------------------------------------------------------------------------- hosts

  private hostFor(born: Born, system: System): Host | undefined {
    const { chart } = born;
    if (chart === 'link/server') {
      const pipe = this.accepted.get(born.input.link);
      this.accepted.delete(born.input.link);
      return new ServerLinkHost(system, born, this.linkServices, pipe);
    }
    const part = chart.endsWith('/server') ? this.parts[chart.slice(0, chart.indexOf('/'))] : undefined;
    if (part === undefined) return undefined;
    const host = new ChannelHost(system, born, 'server', {
      limits: this.options,
      perform: async (channel, question, input) => this.answer(channel, question, input),
    });
    this.hosts.add(host);
    host.states.subscribe({ complete: () => this.hosts.delete(host) });
    part.attach(host);
    return host;
  }

  /** What a channel's chart asks. */
  private answer(host: ChannelHost, question: string, input: any): unknown {
    const part = this.parts[addressWord(host.channel)]!;
    switch (question) {
      case 'ask the guest':
        return part.ask!(host);
      case 'collect migrate data':
        return part.collect!(host);
      case 'load migrate data':
        return part.load!(host, input.data);
      default:
        throw new UsageError(`nobody answers "${question}"`);
    }
  }
}
