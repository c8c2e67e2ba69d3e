/**
 * Tells a hub what an engine does: its actors, what goes into their charts and comes out, where they are, their deadlines,
 * their messages. It is handed to one server or client, and only looks on: it never throws into an engine, and keeps none of
 * the bytes that it is shown.
 */
import { charts } from '../machines/index.ts';
import type { Side } from '../src/protocol/channel.ts';
import { definitionOf, type MachineLike } from './chart-definition.ts';
import { type ChartGraph, chartGraph } from './chart-graph.ts';
import { activeStates, readValue } from './chart-state.ts';
import type { HandoverRecord, Party, ReconnectRecord } from './feed.ts';
import type { Hub } from './hub.ts';
import type { MessageTap } from './message-tap.ts';
import type { RawSnapshot } from './roster.ts';
import { type Bgrx, thumbnail } from './thumbnail.ts';

interface TypedEvent {
  readonly type: string;
  readonly [key: string]: unknown;
}

/** An event as a chart reports it: the news of a hand-over, and the client's measurements with them. */
export type HandoverNews = Omit<HandoverRecord, 'seq' | 'at' | 'actor' | 'kind'>;

/** News of a client that looks for its server. */
type ReconnectNews = Omit<ReconnectRecord, 'seq' | 'at' | 'actor' | 'kind'>;

export class EngineWatch {
  readonly party: string;
  private readonly hub: Hub;
  /** Milliseconds since 1970 of what is told next; undefined takes the present. */
  private readonly at: () => number | undefined;
  private readonly charts = new Map<string, string>();
  private readonly links = new Map<string, string>();
  private readonly active = new Map<string, ReadonlySet<string>>();
  /** The event that each chart took in last: a chart that ends by a deadline says so only by that. */
  private readonly last = new Map<string, string>();
  private readonly taps = new Map<string, MessageTap>();
  private info: Party;

  /** `at` is for telling what happened long ago. */
  constructor(hub: Hub, party: Omit<Party, 'gone'>, at: () => number | undefined = () => undefined) {
    this.hub = hub;
    this.party = party.id;
    this.at = at;
    this.info = party;
    hub.party(party);
  }

  // --------------------------------------------------------------------------------------------- what the engine tells

  /** A chart begins. `actor` is its address, "server/session:3"; `chart` its name in machines/index.ts. */
  born(actor: string, chart: string, input?: unknown): void {
    const path = this.path(actor);
    this.charts.set(path, chart);
    if (chart === 'link/client') this.noteLink(input);
    this.hub.actor(path, chart, this.at());
  }

  /** A chart is about to take an event in. */
  event(actor: string, event: TypedEvent): void {
    const { type, ...detail } = event;
    const path = this.path(actor);
    const rest = Object.keys(detail).length === 0 ? {} : { detail };
    this.last.set(path, type);
    this.hub.record({ kind: 'event', actor: path, type, at: this.at(), ...rest });
  }

  /** A chart has taken an event in; this is where it is now. */
  stepped(actor: string, event: TypedEvent, snapshot: unknown): void {
    const path = this.path(actor);
    const raw = snapshot as RawSnapshot;
    this.hub.snapshot(path, raw, event.type, this.at());
    this.deadlines(path, raw, event.type);
  }

  /** A chart asks for something. */
  command(actor: string, command: TypedEvent): void {
    const { type, ...detail } = command;
    const path = this.path(actor);
    this.hub.record({ kind: 'command', actor: path, type, at: this.at(), detail });
    const { news } = command as { news?: { event?: string } };
    if (type === 'report' && news?.event === 'handover') this.handover(path, news as unknown as HandoverNews);
    if (type === 'report' && news?.event === 'reconnect') this.reconnect(path, news as unknown as ReconnectNews);
  }

  /** A chart has ended. Where it ended may be told before or after. */
  ended(actor: string): void {
    const path = this.path(actor);
    this.deadlines(path, { status: 'stopped' }, this.last.get(path) ?? '');
    this.charts.delete(path);
    this.active.delete(path);
    this.last.delete(path);
    const tap = this.taps.get(path);
    if (tap !== undefined) this.hub.untap(tap);
    this.taps.delete(path);
    this.hub.actorStopped(path, this.at());
  }

  /** What a channel's messages are told to. `side` is ours. */
  channel(actor: string, channel: string, side: Side): MessageTap {
    const tap = this.hub.tap({ actor: this.path(actor), channel, side, peer: '' }, this.at);
    tap.nameOf = (link) => this.links.get(link);
    this.taps.set(this.path(actor), tap);
    return tap;
  }

  // ------------------------------------------------------------------------------------------ what the program may add

  /** The client has measured the gap of a hand-over. */
  measured(news: HandoverNews): void {
    if (news.gapMs !== undefined) this.handover(this.party, news);
  }

  /** Where a server can be reached, "127.0.0.1:5900". */
  reachable(addresses: readonly string[]): void {
    this.info = { ...this.info, addresses };
    this.hub.party(this.info);
  }

  /** What the party shows; asked for only while somebody looks. */
  shows(picture: () => Bgrx | undefined): void {
    this.hub.painter(this.party, () => {
      const shown = picture();
      return shown === undefined ? undefined : thumbnail(shown, 192);
    });
  }

  /** The party has closed. */
  gone(): void {
    this.hub.partyGone(this.party, this.at());
  }

  // ------------------------------------------------------------------------------------------------------------ inside

  /** The root's place is taken by the party: "server/session:3" becomes "server-2/session:3". */
  private path(actor: string): string {
    const slash = actor.indexOf('/');
    return slash < 0 ? this.party : this.party + actor.slice(slash);
  }

  /** Which server a client's link leads to, by the name that hand-overs use for it. */
  private noteLink(input: unknown): void {
    const { link, destination } = (input ?? {}) as {
      link?: string;
      destination?: { host: string; port?: number; tlsPort?: number };
    };
    if (link === undefined || destination === undefined) return;
    this.links.set(link, `${destination.host}:${destination.port ?? destination.tlsPort ?? '-'}`);
    if (this.links.size > 500) this.links.delete(this.links.keys().next().value!);
  }

  private handover(actor: string, news: HandoverNews): void {
    const { phase, scheme, attempt, from, to, channels, reason, gapMs, gaps } = news;
    this.hub.record({
      ...{ kind: 'handover', actor, at: this.at(), phase, scheme, attempt, from, to, channels },
      ...(reason === undefined ? {} : { reason }),
      ...(gapMs === undefined ? {} : { gapMs }),
      ...(gaps === undefined ? {} : { gaps }),
    });
  }

  private reconnect(actor: string, news: ReconnectNews): void {
    const { phase, try: n, tries, inMs, reason, returned } = news;
    this.hub.record({
      ...{ kind: 'reconnect', actor, at: this.at(), phase },
      ...(n === undefined ? {} : { try: n }),
      ...(tries === undefined ? {} : { tries }),
      ...(inMs === undefined ? {} : { inMs }),
      ...(reason === undefined ? {} : { reason }),
      ...(returned === undefined ? {} : { returned }),
    });
  }

  /** Entering a state sets its deadlines, leaving it stops them: charts have no other timers. */
  private deadlines(actor: string, raw: RawSnapshot, on: string): void {
    const timed = timedChart(this.charts.get(actor));
    if (timed === undefined) return;
    const before = this.active.get(actor);
    const now = raw.status === 'active' ? activeStates(timed.graph, readValue(raw.value)) : new Set<string>();
    this.active.set(actor, now);
    const at = this.at() ?? this.hub.now();
    for (const { state, name, event, delay } of timed.deadlines) {
      const was = before?.has(state) ?? false;
      const timer = { kind: 'timer', actor, name, at } as const;
      if (was && !now.has(state)) this.hub.record({ ...timer, state: on === event ? 'fired' : 'stopped' });
      else if (!was && now.has(state)) {
        const ms = delayIn(delay, raw.context);
        if (ms !== undefined) this.hub.record({ ...timer, state: 'set', dueAt: at + ms });
      }
    }
  }
}

interface Timed {
  readonly graph: ChartGraph;
  readonly deadlines: readonly { state: string; name: string; event: string; delay: Delay }[];
}
/** Milliseconds; or worked out from a chart's context. */
type Delay = number | ((args: { context: unknown }) => unknown);

/** Undefined where it cannot be worked out. */
function delayIn(delay: Delay, context: unknown): number | undefined {
  try {
    const ms = Number(typeof delay === 'function' ? delay({ context }) : delay);
    return Number.isFinite(ms) ? ms : undefined;
  } catch {
    return undefined;
  }
}

const timedCharts = new Map<string, Timed | undefined>();

/** The deadlines of a chart: states with `after`, whose delay is a number or names one. */
function timedChart(chart: string | undefined): Timed | undefined {
  if (chart === undefined || !Object.hasOwn(charts, chart)) return undefined;
  if (timedCharts.has(chart)) return timedCharts.get(chart);
  const machine = (charts as Record<string, unknown>)[chart] as MachineLike & {
    readonly implementations: { readonly delays: Readonly<Record<string, unknown>> };
  };
  const graph = chartGraph(definitionOf(machine));
  const deadlines = graph.transitions.flatMap((t) => {
    if (t.trigger.on !== 'after') return [];
    const { delay: name } = t.trigger;
    const known = machine.implementations.delays[name] ?? name;
    const delay = typeof known === 'function' ? (known as Delay) : Number(known);
    return Number.isNaN(delay) ? [] : [{ state: t.source, name, event: t.event, delay }];
  });
  const timed = deadlines.length === 0 ? undefined : { graph, deadlines };
  timedCharts.set(chart, timed);
  return timed;
}
