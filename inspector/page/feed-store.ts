/**
 * What the page knows: everything the hub has told, bounded, indexed for looking back in time. It holds no choice of the
 * user's (see view-state.ts) and draws nothing.
 */

import { Album } from '../album.ts';
import type { ChartDefinition } from '../chart-definition.ts';
import { type ChartGraph, chartGraph } from '../chart-graph.ts';
import type { ActorInfo, Control, Count, FeedRecord, Party, Skipped, SnapshotRecord, ToPage } from '../feed.ts';
import { partyOf } from '../feed.ts';
import { HandoverBook } from '../handover-book.ts';

/** Records that are kept: of a live program, and of a journal. When there are more, the oldest `spare` go at once. */
const most = { live: 30_000, journal: 800_000 } as const;
const spare = 5_000;

export class FeedStore {
  name = 'Sumac';
  mode: 'live' | 'journal' = 'live';
  controls: readonly Control[] = [];
  records: FeedRecord[] = [];
  readonly parties = new Map<string, Party>();
  readonly actors = new Map<string, ActorInfo>();
  readonly counts = new Map<string, Count>();
  readonly pictures = new Album({ bytes: 32 * 1024 * 1024, each: 120 });
  skipped: Skipped = { messages: 0, snapshots: 0, slow: 0, forgotten: 0 };
  handovers = new HandoverBook();
  /** The hub's clock minus ours, in milliseconds. */
  offset = 0;
  /** Everything that the hub still has is here. */
  complete = false;
  /** Goes up whenever records come or go. */
  revision = 0;
  /** Older records that have come while there are more to come. */
  private older: FeedRecord[][] = [];
  private snapshots = new Map<string, SnapshotRecord[]>();
  private readonly charts = new Map<string, ChartDefinition>();
  private readonly graphs = new Map<string, ChartGraph | string>();

  /** Takes what the hub says. Returns the number before which older records may be asked for, if there may be any. */
  take(message: ToPage): number | undefined {
    switch (message.t) {
      case 'hello':
        this.begin(message);
        return message.since;
      case 'batch':
        this.offset = message.now - Date.now();
        this.skipped = message.skipped;
        this.learn(message);
        for (const record of message.records ?? []) this.add(record);
        this.trim();
        return undefined;
      case 'older':
        return this.prepend(message.records, message.before, message.end);
      default:
        return undefined;
    }
  }

  /** The hub's present time. */
  now(): number {
    return Date.now() + this.offset;
  }

  /** How much is kept, for tests. */
  get size(): Readonly<Record<'records' | 'actors' | 'counts' | 'snapshots' | 'charts' | 'wires', number>> {
    const sum = (lists: Iterable<{ readonly length: number }>) =>
      [...lists].reduce((all, list) => all + list.length, 0);
    return {
      records: this.records.length,
      actors: this.actors.size,
      counts: this.counts.size,
      snapshots: sum(this.snapshots.values()),
      charts: this.charts.size + this.graphs.size,
      wires: sum(this.handovers.list.map((move) => move.wires)),
    };
  }

  // ------------------------------------------------------------------------------------------------- looking back

  /** The newest record up to a time; -1 if there is none. */
  indexAt(at: number): number {
    return lastIndex(this.records, (record) => record.at <= at);
  }

  indexOf(seq: number): number {
    return lastIndex(this.records, (record) => record.seq <= seq);
  }

  record(seq: number): FeedRecord | undefined {
    const record = this.records[this.indexOf(seq)];
    return record?.seq === seq ? record : undefined;
  }

  /** Where an actor was just after record `seq`, and before that. */
  snapshotsAt(actor: string, seq: number): { now: SnapshotRecord | undefined; before: SnapshotRecord | undefined } {
    const list = this.snapshots.get(actor) ?? [];
    const index = lastIndex(list, (record) => record.seq <= seq);
    return { now: list[index], before: list[index - 1] };
  }

  /** A chart's graph, or why there is none. */
  graph(key: string | undefined): ChartGraph | string | undefined {
    if (key === undefined) return undefined;
    let graph = this.graphs.get(key);
    const definition = this.charts.get(key);
    if (graph === undefined && definition !== undefined) {
      try {
        graph = chartGraph(definition);
      } catch (error) {
        graph = error instanceof Error ? error.message : String(error);
      }
      this.graphs.set(key, graph);
    }
    return graph;
  }

  // ------------------------------------------------------------------------------------------------------- inside

  private begin(hello: ToPage & { t: 'hello' }): void {
    this.name = hello.name;
    this.mode = hello.mode;
    this.controls = hello.controls;
    this.offset = hello.now - Date.now();
    this.skipped = hello.skipped;
    for (const party of this.parties.keys()) this.pictures.forget(party);
    this.parties.clear();
    this.actors.clear();
    this.counts.clear();
    this.charts.clear();
    this.graphs.clear();
    this.complete = false;
    this.older = [];
    this.learn(hello);
    this.records = [...hello.records];
    this.index();
  }

  private learn(
    news: Partial<Pick<ToPage & { t: 'batch' }, 'parties' | 'actors' | 'lost' | 'counts' | 'charts'>>,
  ): void {
    for (const [key, definition] of Object.entries(news.charts ?? {})) this.charts.set(key, definition);
    for (const party of news.parties ?? []) {
      this.parties.set(party.id, party);
      this.handovers.party(party);
    }
    for (const actor of news.actors ?? []) {
      this.actors.set(actor.id, actor);
      this.handovers.actor(actor);
    }
    for (const count of news.counts ?? []) this.counts.set(countKey(count), count);
    for (const id of news.lost ?? []) this.forget(id);
  }

  private forget(id: string): void {
    this.actors.delete(id);
    this.snapshots.delete(id);
    this.handovers.forget(id);
    if (this.parties.delete(id)) {
      this.pictures.forget(id);
      // Charts of a program of somebody else bear its name.
      for (const key of this.charts.keys()) {
        if (!key.startsWith(`${id}: `)) continue;
        this.charts.delete(key);
        this.graphs.delete(key);
      }
    }
    for (const [key, count] of this.counts)
      if (count.actor === id || partyOf(count.actor) === id) this.counts.delete(key);
  }

  private add(record: FeedRecord): void {
    // What a hello brought may come once more in the batch after it.
    if (record.seq <= (this.records.at(-1)?.seq ?? 0)) return;
    this.revision++;
    this.records.push(record);
    this.note(record);
  }

  private note(record: FeedRecord): void {
    this.handovers.add(record);
    if (record.kind !== 'snapshot') return;
    const list = this.snapshots.get(record.actor);
    if (list === undefined) this.snapshots.set(record.actor, [record]);
    else list.push(record);
  }

  private prepend(older: readonly FeedRecord[], before: number, end: boolean): number | undefined {
    this.older.push([...older]);
    const count = this.older.reduce((sum, part) => sum + part.length, this.records.length);
    this.complete = end || older.length === 0 || count >= most[this.mode] - spare;
    if (!this.complete) return older[0]?.seq;
    this.joinOlder(before);
    return undefined;
  }

  /** Puts what came piece by piece, newest first, before what is here. */
  private joinOlder(before: number): void {
    const parts = this.older.reverse().flat();
    this.older = [];
    // The present snapshots of a hello may be among what has come since.
    const known = new Set(parts.map((record) => record.seq));
    const present = this.records.filter((record) => !known.has(record.seq));
    const last = parts.at(-1)?.seq ?? before;
    const early = present.filter((record) => record.seq <= last);
    const rest = early.length === 0 ? present : present.filter((record) => record.seq > last);
    this.records = [...(early.length === 0 ? parts : [...early, ...parts].sort((a, b) => a.seq - b.seq)), ...rest];
    this.index();
  }

  private trim(): void {
    if (this.records.length <= most[this.mode]) return;
    this.revision++;
    const gone = this.records.splice(0, this.records.length - most[this.mode] + spare);
    const last = gone.at(-1)?.seq ?? 0;
    for (const list of this.snapshots.values()) {
      // The newest one that is gone still says where the actor was when what is left begins.
      const cut = lastIndex(list, (record) => record.seq <= last);
      if (cut > 0) list.splice(0, cut);
    }
  }

  private index(): void {
    this.revision++;
    this.snapshots = new Map();
    this.handovers = new HandoverBook();
    for (const party of this.parties.values()) this.handovers.party(party);
    for (const actor of this.actors.values()) this.handovers.actor(actor);
    for (const record of this.records) this.note(record);
  }
}

const countKey = (count: Count): string => `${count.actor} ${count.direction} ${count.name}`;

function lastIndex<T>(list: readonly T[], test: (item: T) => boolean): number {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (test(list[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
