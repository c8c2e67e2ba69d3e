/**
 * Who is there: parties, their actors, and the charts that these follow. Those that ended stay for a while and are then
 * forgotten, the oldest first. It notes what changed, for the next batch; it keeps no history.
 */
import { type ChartDefinition, definitionOf, type MachineLike } from './chart-definition.ts';
import { type ActorInfo, type Party, partyOf, type SnapshotRecord, type ToPage } from './feed.ts';

/** An XState snapshot, or what another program sent in its place. */
export interface RawSnapshot {
  readonly status?: string;
  readonly value?: unknown;
  readonly context?: unknown;
  readonly tags?: unknown;
  readonly error?: unknown;
}

export interface Actor {
  info: ActorInfo;
  /** The newest snapshot that was recorded, without what takes time to show. */
  latest: SnapshotRecord | undefined;
  latestRaw: RawSnapshot | undefined;
  /** A snapshot that waits for its turn. */
  pending: { readonly raw: RawSnapshot; readonly on: string; readonly at: number } | undefined;
  /** Snapshots that may be recorded before the next refill. */
  tokens: number;
}

export interface RosterOptions {
  /** Actors that have stopped, and parties that are gone, that are still shown. */
  readonly stopped: number;
  readonly gone: number;
  readonly tokens: number;
  readonly machines: Readonly<Record<string, MachineLike>>;
  readonly onForget: (actor: Actor) => void;
  readonly onForgetParty: (party: string) => void;
}

export class Roster {
  readonly actors = new Map<string, Actor>();
  private readonly parties = new Map<string, Party>();
  private readonly charts = new Map<string, ChartDefinition>();
  private readonly options: RosterOptions;
  private readonly news = {
    parties: new Set<string>(),
    actors: new Set<string>(),
    lost: new Set<string>(),
    charts: new Set<string>(),
  };

  constructor(options: RosterOptions) {
    this.options = options;
  }

  setParty(party: Party): void {
    this.parties.set(party.id, party);
    this.news.parties.add(party.id);
  }

  partyIds(): string[] {
    return [...this.parties.keys()];
  }

  hasParty(id: string): boolean {
    const party = this.parties.get(id);
    return party !== undefined && !party.gone;
  }

  partyGone(id: string, at: number): void {
    const party = this.parties.get(id);
    if (party === undefined || party.gone) return;
    // Put last, so that the one that went first is forgotten first.
    this.parties.delete(id);
    this.setParty({ ...party, gone: true });
    for (const actor of [...this.actors.keys()]) if (partyOf(actor) === id) this.stop(actor, at);
    const gone = [...this.parties.values()].filter((p) => p.gone);
    for (const old of gone.slice(0, Math.max(0, gone.length - this.options.gone))) this.forgetParty(old.id);
  }

  start(id: string, chart: string | ChartDefinition | undefined, at: number): void {
    const key = typeof chart === 'object' ? this.keep(partyOf(id), chart) : chart;
    const parent = id.slice(0, Math.max(0, id.lastIndexOf('/')));
    const info: ActorInfo = {
      id,
      name: id.slice(id.lastIndexOf('/') + 1),
      startedAt: at,
      ...(this.actors.has(parent) ? { parent } : {}),
      ...(key !== undefined && this.chart(key) !== undefined ? { chart: key } : {}),
    };
    this.actors.delete(id);
    const { tokens } = this.options;
    this.actors.set(id, { info, latest: undefined, latestRaw: undefined, pending: undefined, tokens });
    this.news.actors.add(id);
    this.news.lost.delete(id);
  }

  stop(id: string, at: number): void {
    const actor = this.actors.get(id);
    if (actor === undefined || actor.info.stoppedAt !== undefined) return;
    actor.info = { ...actor.info, stoppedAt: at };
    this.news.actors.add(id);
    // Put last, so that the one that stopped first is forgotten first.
    this.actors.delete(id);
    this.actors.set(id, actor);
    const stopped = [...this.actors.values()].filter((a) => a.info.stoppedAt !== undefined);
    for (const old of stopped.slice(0, Math.max(0, stopped.length - this.options.stopped))) this.forget(old.info.id);
  }

  /** A chart by its key. Our own are turned into definitions when first asked for. */
  chart(key: string): ChartDefinition | undefined {
    const known = this.charts.get(key);
    if (known !== undefined || !Object.hasOwn(this.options.machines, key)) return known;
    const definition = definitionOf(this.options.machines[key]!);
    this.charts.set(key, definition);
    return definition;
  }

  /** Everybody, for a page that begins. */
  everything(): Pick<ToPage & { t: 'hello' }, 'parties' | 'actors' | 'charts'> {
    const actors = [...this.actors.values()].map((a) => a.info);
    return { parties: [...this.parties.values()], actors, charts: this.chartsOf(actors) };
  }

  /** What changed since the last call; undefined if nothing did. */
  takeNews(): Pick<ToPage & { t: 'batch' }, 'parties' | 'actors' | 'lost' | 'charts'> | undefined {
    const { news } = this;
    const parties = [...news.parties].flatMap((id) => this.parties.get(id) ?? []);
    const actors = [...news.actors].flatMap((id) => this.actors.get(id)?.info ?? []);
    const lost = [...news.lost];
    for (const set of Object.values(news)) set.clear();
    if (parties.length + actors.length + lost.length === 0) return undefined;
    return {
      ...(parties.length > 0 ? { parties } : {}),
      ...(actors.length > 0 ? { actors, charts: this.chartsOf(actors) } : {}),
      ...(lost.length > 0 ? { lost } : {}),
    };
  }

  private chartsOf(actors: readonly ActorInfo[]): Record<string, ChartDefinition> {
    const keys = new Set(actors.flatMap((actor) => actor.chart ?? []));
    return Object.fromEntries([...keys].flatMap((key) => [[key, this.chart(key)!] as const]));
  }

  /** Keeps a party's own chart. Charts of the same party with the same text are one. */
  private keep(party: string, definition: ChartDefinition): string {
    for (let n = 1; ; n++) {
      const key = `${party}: ${definition.id}${n === 1 ? '' : ` (${n})`}`;
      const known = this.charts.get(key);
      if (known === undefined) this.charts.set(key, definition);
      else if (known !== definition && JSON.stringify(known) !== JSON.stringify(definition)) continue;
      return key;
    }
  }

  private forget(id: string): void {
    const actor = this.actors.get(id);
    if (actor === undefined) return;
    this.actors.delete(id);
    this.news.lost.add(id);
    this.news.actors.delete(id);
    this.options.onForget(actor);
  }

  private forgetParty(id: string): void {
    this.parties.delete(id);
    this.news.parties.delete(id);
    for (const actor of [...this.actors.keys()]) if (partyOf(actor) === id) this.forget(actor);
    for (const key of this.charts.keys()) if (key.startsWith(`${id}: `)) this.charts.delete(key);
    this.news.lost.add(id);
    this.options.onForgetParty(id);
  }
}
