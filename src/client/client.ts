/**
 * A SPICE client to embed: connect() links a session, keeps its picture, plays and listens, and follows the guest when it
 * moves. Runs in a browser: how connections are dialled is handed in.
 */
import { type Observable, Subject } from 'rxjs';
import type { Destination, HandoverReport, Scheme, SessionNews } from '../../machines/contract.ts';
import {
  type ClientChannel,
  clientChannels,
  type ReconnectPolicy,
  sessionClient,
} from '../../machines/session/client.ts';
import type { Opus } from '../audio/opus.ts';
import { ChannelHost } from '../engine/channel-host.ts';
import { ClientLinkHost, type ClientLinkServices } from '../engine/client-link.ts';
import { type Clock, randomFraction, wallClock } from '../engine/clock.ts';
import { fromTheStart } from '../engine/early.ts';
import { type TakenUp, takeUp } from '../engine/past.ts';
import { type Born, type Host, System } from '../engine/system.ts';
import { LinkError } from '../errors.ts';
import type { Journal } from '../journal/journal.ts';
import { addressWord } from '../protocol/address.ts';
import { CommonCap, caps, InputsCap, MainCap, PlaybackCap, RecordCap } from '../protocol/capabilities.ts';
import type { Pipe } from '../transport/pipe.ts';
import { ClientAgent } from './agent.ts';
import { type DisplayOptions, Displays, displayCaps } from './displays.ts';
import { type Gap, GapWatch } from './gap.ts';
import { ClientInput } from './input.ts';
import { ClientPointer } from './pointer.ts';
import { type ReconnectOptions, reconnectPolicy } from './reconnect.ts';
import type { Screen } from './screen.ts';
import { ClientPlayback, ClientRecord, SoundCodec } from './sound.ts';
import { encryptTicket } from './ticket.ts';

export interface ClientOptions extends DisplayOptions {
  readonly destination: Destination;
  /** Opens a connection; `secure` asks for the TLS port. Rejects with one clear sentence. */
  readonly dial: (destination: Destination, secure: boolean, signal: AbortSignal) => Promise<Pipe>;
  /** At most 60 bytes. It is used at every server that the guest moves to. */
  readonly password?: string | undefined;
  /** Channels to link when they are offered. Default: all. */
  readonly channels?: readonly ClientChannel[] | undefined;
  /** Hand-over schemes that this client admits to. Default: seamless, semi-seamless, switch-host. */
  readonly schemes?: readonly Scheme[] | undefined;
  /**
   * Decides where a hand-over goes: a deployment may put tickets or proxies into the host. Called instead of taking the
   * announced host; rejecting refuses the hand-over.
   */
  readonly resolveDestination?: ((announced: Destination) => Promise<Destination> | Destination) | undefined;
  /** How a server that is lost is looked for; false: not at all, the session ends. Default: ten tries within two minutes. */
  readonly reconnect?: ReconnectOptions | false | undefined;
  /** Loads the Opus codec when sound is first linked. Without it, sound comes and goes as samples: larger, and exact. */
  readonly loadOpus?: (() => Promise<Opus>) | undefined;
  readonly journal?: Journal | undefined;
  readonly clock?: Clock | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

export type ClientEvent =
  | Exclude<SessionNews, { event: 'handover' }>
  | ({ readonly event: 'handover' } & HandoverReport & Partial<Gap>)
  /** The first whole picture of a display is there. */
  | { readonly event: 'frame'; readonly channel: string; readonly width: number; readonly height: number };

/** Milliseconds after a switch that a quiet target is given to say something, before its gap is told without it. */
const gapPatience = 1_000;

export const connect = (options: ClientOptions): Client => new Client(options);

/**
 * Takes up the session of the program that wrote to `journal` last, if it ended without a word: the client proves the
 * password again, and asks for its session back. Begins anew where there is nothing to take up; that is told in the log.
 */
export async function resume(options: ClientOptions): Promise<Client> {
  return new Client(options, await takeUp(options.journal, 'client', options.clock ?? wallClock));
}

export class Client {
  readonly events: Observable<ClientEvent>;
  readonly input = new ClientInput();
  readonly pointer = new ClientPointer();
  /** The guest's agent: the clipboard, and what else is said to a program in the guest. */
  readonly agent: ClientAgent;
  readonly playback: ClientPlayback;
  readonly record: ClientRecord;
  readonly system: System;
  /** What each display shows, by its address: "display:0". */
  readonly screens: ReadonlyMap<string, Screen>;
  /** Channels that are up, by their addresses. */
  readonly channels = new Set<string>();
  name = '';
  mouseMode = { supported: 0, current: 0 };
  private readonly all = new Subject<ClientEvent>();
  private readonly options: ClientOptions;
  private readonly schemes: readonly Scheme[];
  private readonly reconnect: ReconnectPolicy | null;
  private readonly clock: Clock;
  private readonly displays: Displays;
  private readonly soundCodec: SoundCodec;
  private readonly gap = new GapWatch();
  private closed = false;
  private main: ChannelHost | undefined;
  private mmTimeAtZero = 0;
  private switched: { report: HandoverReport; timer: unknown } | undefined;

  /** Use `connect` or `resume`. `taken`: what the client goes on with. */
  constructor(options: ClientOptions, taken?: TakenUp) {
    this.options = options;
    this.schemes = options.schemes ?? ['seamless', 'semi-seamless', 'switch-host'];
    this.reconnect = reconnectPolicy(options.reconnect);
    this.clock = taken?.clock ?? options.clock ?? wallClock;
    this.agent = new ClientAgent(this.clock, (line) => this.system.log(line));
    this.soundCodec = new SoundCodec(options.loadOpus);
    this.playback = new ClientPlayback(this.soundCodec);
    this.record = new ClientRecord(() => this.multiMediaTime, this.soundCodec);
    this.displays = new Displays({
      ...options,
      clock: this.clock,
      mmTime: () => this.multiMediaTime,
      marked: (channel, width, height) => this.all.next({ event: 'frame', channel, width, height }),
    });
    this.screens = this.displays.screens;
    this.events = taken === undefined ? this.all.asObservable() : fromTheStart(this.all, this.clock);
    this.system = new System({
      name: 'client',
      machine: sessionClient,
      input: {
        destination: options.destination,
        wanted: options.channels ?? clientChannels,
        schemes: this.schemes,
        reconnect: this.reconnect,
      },
      revived: taken?.revived,
      resumed: { type: 'api.resumed', reconnect: this.reconnect },
      clock: this.clock,
      journal: options.journal,
      hostFor: (born, system) => this.hostFor(born, system),
      log: options.log ?? (() => {}),
    });
    this.system.reports.subscribe(({ news }) => this.report(news as SessionNews));
    this.system.handled.subscribe((handled) => {
      this.gap.note(handled);
      if (this.switched !== undefined) this.tellSwitched(false);
    });
    for (const line of taken?.refused ?? []) this.system.log(line);
    this.system.start();
  }

  /** The clock that sound and video follow, in milliseconds. */
  get multiMediaTime(): number {
    return Math.round(this.clock.now() + this.mmTimeAtZero) >>> 0;
  }

  /** 1 is server mode (motion), 2 client mode (positions). */
  requestMouseMode(mode: number): void {
    this.main?.send({ type: 'msgc.mouse_mode_request', body: { mode } });
  }

  /** Ends the session. The last event is `closed`. */
  close(reason = 'closed by this program'): void {
    if (!this.closed) this.system.root.send({ type: 'api.close', reason } as never);
  }

  // ---------------------------------------------------------------------------------------------------------- events

  private report(news: SessionNews): void {
    if (news.event === 'channel') {
      if (news.state === 'up') this.channels.add(news.channel);
      else this.channels.delete(news.channel);
    }
    // The old way, every channel is left behind without a word.
    if (news.event === 'handover' && news.scheme === 'switch-host' && news.phase !== 'switched') this.channels.clear();
    if (news.event === 'reconnect' && news.phase === 'waiting') this.channels.clear();
    // Whoever goes on after a crash has to know the session that was told here.
    if (news.event === 'session') this.system.journal?.kept?.().catch(() => {});
    if (news.event !== 'handover') {
      if (news.event === 'closed') this.tellSwitched(true);
      this.all.next(news);
      if (news.event === 'closed') {
        this.closed = true;
        this.system.stop();
        this.displays.close();
        this.all.complete();
      }
      return;
    }
    if (news.phase === 'begun') this.gap.begin();
    if (news.phase !== 'switched') {
      this.all.next(news);
      return;
    }
    this.tellSwitched(true);
    this.switched = { report: news, timer: this.clock.setTimeout(() => this.tellSwitched(true), gapPatience) };
    this.tellSwitched(false);
  }

  /** A switch is told when the target was heard on the channels that always speak, or when its patience is over. */
  private tellSwitched(now: boolean): void {
    if (this.switched === undefined) return;
    const { report, timer } = this.switched;
    const speaking = report.channels.filter((channel) => /^(main|display):/.test(channel));
    if (!now && !this.gap.complete(speaking)) return;
    this.switched = undefined;
    this.clock.clearTimeout(timer);
    this.all.next({ ...report, event: 'handover', ...this.gap.measured });
  }

  // ----------------------------------------------------------------------------------------------------------- hosts

  private hostFor(born: Born, system: System): Host | undefined {
    const { chart } = born;
    if (chart === 'link/client') return new ClientLinkHost(system, born, this.linkServices);
    if (chart === 'migration/client' || chart === 'session/client') return this.followingHost(born, system);
    if (chart === 'migration/handshake') return new ChannelHost(system, born, 'client', {});
    const attach = this.attachments[chart];
    if (attach === undefined) return undefined;
    const host = new ChannelHost(system, born, 'client', {});
    attach(host, system);
    return host;
  }

  /** The host of charts that follow the guest: they report, ask where a hand-over really goes, and for a number by chance. */
  private followingHost({ address }: Born, system: System): Host {
    return {
      obey: (command) => {
        if (command.type === 'report') system.reports.next({ actor: address, news: command.news });
        else if (command.type === 'log') system.log(`${address}: ${command.line}`);
      },
      perform: async (question, input) =>
        question === 'draw a number' ? { chance: randomFraction() } : this.resolve(input.destination),
      end: () => {},
    };
  }

  /** Throws LinkError when nothing can be dialled there. */
  private async resolve(announced: Destination): Promise<Destination> {
    const { resolveDestination } = this.options;
    if (resolveDestination !== undefined) return resolveDestination(announced);
    if (announced.host === '' || (announced.port === undefined && announced.tlsPort === undefined)) {
      throw new LinkError('the guest is said to go where nothing can be dialled');
    }
    return announced;
  }

  private readonly attachments: { readonly [chart: string]: (host: ChannelHost, system: System) => void } = {
    'main/client': (host) => this.attachMain(host),
    'display/client': (host, system) => this.displays.attach(host, system),
    'inputs/client': (host) => this.input.attach(host),
    'cursor/client': (host) => this.pointer.attach(host),
    'playback/client': (host) => this.playback.attach(host),
    'record/client': (host) => this.record.attach(host),
  };

  private attachMain(host: ChannelHost): void {
    this.main = host;
    this.agent.attach(host);
    host.messages.subscribe(({ type, body }) => {
      if (type === 'msg.init') {
        this.mouseMode = { supported: body.supportedMouseModes, current: body.currentMouseMode };
        this.mmTimeAtZero = body.multiMediaTime - this.clock.now();
      } else if (type === 'msg.mouse_mode') {
        this.mouseMode = { supported: body.supportedModes, current: body.currentMode };
      } else if (type === 'msg.multi_media_time') this.mmTimeAtZero = body.time - this.clock.now();
      else if (type === 'msg.name') this.name = body.name;
    });
  }

  private readonly linkServices: ClientLinkServices = {
    dial: (destination, secure, signal) => this.options.dial(destination, secure, signal),
    encryptTicket: (pubKey) => encryptTicket(pubKey, this.options.password ?? ''),
    caps: (channel) => ({
      commonCaps: caps(CommonCap.authSelection, CommonCap.miniHeader),
      channelCaps: this.channelCaps(addressWord(channel)),
    }),
  };

  private channelCaps(word: string): readonly number[] {
    const { schemes } = this;
    switch (word) {
      case 'main':
        return caps(
          MainCap.nameAndUuid,
          MainCap.agentConnectedTokens,
          ...(schemes.includes('semi-seamless') ? [MainCap.semiSeamlessMigrate] : []),
          ...(schemes.includes('seamless') ? [MainCap.seamlessMigrate] : []),
          ...(schemes.includes('early-link') ? [MainCap.earlyLink] : []),
          ...(this.reconnect === null ? [] : [MainCap.mayReturn]),
        );
      case 'display':
        return displayCaps(this.options);
      case 'inputs':
        return caps(InputsCap.keyScancode);
      case 'playback':
        return caps(PlaybackCap.volume, PlaybackCap.latency, ...(this.soundCodec.offered ? [PlaybackCap.opus] : []));
      case 'record':
        return caps(RecordCap.volume, ...(this.soundCodec.offered ? [RecordCap.opus] : []));
      default:
        return [];
    }
  }
}
