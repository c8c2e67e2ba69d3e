/**
 * Where everything that can be inspected comes together: parties, actors, their charts and records go in; pages and foreign
 * inspectors listen. It holds bounded history, and the present state of every actor, so that a page that opens late is
 * complete at once. It never calls into an engine, and it knows neither sockets nor files.
 */
import type { ChartDefinition, MachineLike } from './chart-definition.ts';
import { CountBook } from './count-book.ts';
import { type Detail, detailOf } from './detail.ts';
import type { Control, Count, FeedInput, FeedRecord, Party, Picture, Skipped, SnapshotRecord, ToPage } from './feed.ts';
import { feedVersion, partyOf } from './feed.ts';
import { type HubLimits, hubLimits, journalLimits } from './hub-limits.ts';
import { MessageTap, type TapOptions } from './message-tap.ts';
import { type Look, Painters } from './painters.ts';
import { detailShown, snapshotShown, statusOf } from './record-shown.ts';
import { RecordStore } from './record-store.ts';
import { type Actor, type RawSnapshot, Roster } from './roster.ts';
import { isPersonalMessage } from './show.ts';
import { type PendingSnapshot, SnapshotFlow } from './snapshot-flow.ts';

export interface HubOptions {
  /** What the page calls itself. */
  readonly name?: string;
  readonly mode?: 'live' | 'journal';
  /** Our own charts, by the keys that actors name. */
  readonly charts?: Readonly<Record<string, MachineLike>>;
  /** Shows what is personal: keystrokes, clipboard, tickets. */
  readonly secrets?: boolean;
  /** What the page may do, and who does it. The promise's rejection is shown on the page. */
  readonly controls?: readonly Control[];
  readonly onControl?: (name: string, fields: Readonly<Record<string, string>>) => Promise<void>;
  readonly limits?: Partial<HubLimits>;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Eyes see no more than ten changes a second; what happens in between comes in one batch. */
const batchEveryMs = 100;

export type Hello = ToPage & { t: 'hello' };
export type Batch = ToPage & { t: 'batch' };

/** Hears of everything, a batch at a time. */
export interface Listener {
  batch(batch: Batch): void;
}

export class Hub {
  readonly name: string;
  readonly mode: 'live' | 'journal';
  readonly controls: readonly Control[];
  readonly now: () => number;
  readonly limits: HubLimits;
  private readonly secrets: boolean;
  private readonly onControl: HubOptions['onControl'];
  private readonly roster: Roster;
  private readonly store: RecordStore;
  private readonly taps = new Set<MessageTap>();
  private readonly counts = new CountBook();
  private readonly painters: Painters;
  private readonly listeners = new Set<Listener>();
  /** What other processes left out, and who answers for their messages' bytes. */
  private readonly leftOut = new Map<string, Skipped>();
  private readonly answerers = new Map<string, (seq: number) => Promise<Detail>>();
  private readonly flow: SnapshotFlow;
  private skippedMessages = 0;
  private seq = 0;
  private ticker: ReturnType<typeof setInterval> | undefined;

  constructor(options: HubOptions = {}) {
    this.name = options.name ?? 'Sumac';
    this.mode = options.mode ?? 'live';
    this.controls = options.controls ?? [];
    this.onControl = options.onControl;
    this.secrets = options.secrets ?? false;
    this.limits = { ...hubLimits, ...(this.mode === 'journal' ? journalLimits : {}), ...options.limits };
    this.now = options.now ?? (() => performance.timeOrigin + performance.now());
    this.store = new RecordStore(this.limits);
    this.painters = new Painters(this.now);
    this.roster = new Roster({
      stopped: this.limits.stopped,
      gone: this.limits.gone,
      // A journal is told as fast as it can be read, and whole.
      tokens: this.mode === 'journal' ? Number.POSITIVE_INFINITY : this.limits.snapshotBurst,
      machines: options.charts ?? {},
      onForget: (actor) => this.forget(actor),
      onForgetParty: (party) => this.painters.forget(party),
    });
    this.flow = new SnapshotFlow(this.limits, (actor, pending) => this.recordSnapshot(actor, pending));
    this.tickEvery(1000);
  }

  // ------------------------------------------------------------------------------------------------ what comes in

  /** A server, client or program begins, or tells more of itself. */
  party(party: Party): void {
    this.roster.setParty(party);
  }

  /** A party has ended, and all its actors with it. They are shown for a while yet. */
  partyGone(id: string, at = this.now()): void {
    this.roster.partyGone(id, at);
    for (const tap of this.taps) if (partyOf(tap.actor) === id) this.untap(tap);
    this.painters.end(id);
    this.answerers.delete(id);
  }

  /** Whether a party of this id is there, and not gone. */
  hasParty(id: string): boolean {
    return this.roster.hasParty(id);
  }

  /** The chart that we have under a key. */
  chart(key: string): ChartDefinition | undefined {
    return this.roster.chart(key);
  }

  /** An actor starts. `chart` is a key of the hub's charts, or the definition itself. */
  actor(id: string, chart?: string | ChartDefinition, at = this.now()): void {
    this.roster.start(id, chart, at);
  }

  actorStopped(id: string, at = this.now()): void {
    this.roster.stop(id, at);
  }

  /**
   * Records something. Returns its number. An event's or command's `detail` may be any value that does not change any more;
   * it is made presentable when somebody looks. `body` is a wire message's, and is copied.
   */
  record(input: FeedInput, body?: Uint8Array): number {
    const seq = ++this.seq;
    const kept = body !== undefined && input.kind === 'wire' && (this.secrets || !isPersonalMessage(input.name));
    const record = { ...input, seq, at: input.at ?? this.now(), ...(kept ? { held: true } : {}) } as FeedRecord;
    if (record.kind === 'handover') this.painters.remember();
    if (record.kind === 'event' || record.kind === 'command')
      this.store.add(record, (r) => detailShown(r, this.secrets));
    else this.store.add(record);
    if (kept) this.store.addBody(seq, body);
    return seq;
  }

  /** An actor is somewhere new. The newest is always known; the steps between are recorded as far as the rate allows. */
  snapshot(id: string, raw: RawSnapshot, on: string, at = this.now()): void {
    const actor = this.roster.actors.get(id);
    if (actor === undefined) return;
    this.flow.push(actor, { raw, on, at });
    if (statusOf(raw.status) !== 'active') this.roster.stop(id, at);
  }

  /** Stands in a channel's message path; see MessageTap. Give it back with `untap`. */
  tap(options: TapOptions, at: () => number | undefined = () => undefined): MessageTap {
    const tap = new MessageTap(options, {
      keep: (t, counter, direction, body) => {
        const { actor, channel, peer } = t;
        const { name, path } = counter;
        this.record({ kind: 'wire', actor, channel, peer, direction, name, path, size: body.length, at: at() }, body);
      },
      changed: (counter) => this.counts.note(counter),
    });
    if (this.mode === 'journal') tap.allowance = Number.POSITIVE_INFINITY;
    this.taps.add(tap);
    return tap;
  }

  untap(tap: MessageTap): void {
    this.skippedMessages += tap.takeSkipped();
    this.taps.delete(tap);
  }

  /** Another process has counted. */
  counted(count: Count): void {
    this.counts.tell(count);
  }

  /** What another process, by any name of its own, has left out since it began. */
  skippedBy(process: string, skipped: Skipped): void {
    this.leftOut.set(process, skipped);
  }

  /** Who knows the bytes of a party's messages, if they are not here. */
  answerer(party: string, answer: (seq: number) => Promise<Detail>): void {
    this.answerers.set(party, answer);
  }

  /**
   * Who paints a party's small picture (RGBA). Undefined while there is none. `look` knows what it showed at a time, where
   * pictures need not be kept for that.
   */
  painter(party: string, paint: () => Omit<Picture, 'party' | 'at'> | undefined, look?: Look): void {
    this.painters.set(party, paint, look);
  }

  // ------------------------------------------------------------------------------------------------ what goes out

  /** What a page needs to begin: everything present, and the newest records. It asks for older ones afterwards. */
  hello(): Hello {
    for (const actor of this.roster.actors.values()) this.flow.hurry(actor);
    const records = this.store.before(Number.POSITIVE_INFINITY, this.limits.chunk);
    const there = new Set(records.map((r) => r.seq));
    const present = [...this.roster.actors.values()].flatMap((actor) => {
      const { latest, latestRaw } = actor;
      return latest === undefined || there.has(latest.seq)
        ? []
        : [snapshotShown(latest, latestRaw ?? {}, this.secrets)];
    });
    return {
      t: 'hello',
      version: feedVersion,
      mode: this.mode,
      name: this.name,
      now: this.now(),
      controls: this.controls,
      ...this.roster.everything(),
      records: [...present, ...records].sort((a, b) => a.seq - b.seq),
      since: records[0]?.seq ?? this.seq + 1,
      counts: this.counts.all(),
      skipped: this.skippedNow(),
    };
  }

  /** Records before number `seq`, oldest first; fewer than `limits.chunk` when there are no more. */
  older(seq: number): FeedRecord[] {
    return this.store.before(seq, this.limits.chunk);
  }

  /** Hears of everything that comes after a `hello` of the same moment. Returns how to stop. */
  listen(listener: Listener): () => void {
    this.flush();
    this.listeners.add(listener);
    this.tickEvery(batchEveryMs);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0) this.tickEvery(1000);
    };
  }

  /** Hands out what has come together. Runs by itself; a caller may hurry it. */
  flush(): void {
    this.flow.flush();
    if (this.listeners.size === 0) {
      this.store.dropFresh();
      this.counts.dropChanged();
      this.roster.takeNews();
      return;
    }
    const records = this.store.takeFresh();
    const counts = this.counts.takeChanged();
    const news = this.roster.takeNews();
    if (records.length + counts.length === 0 && news === undefined) return;
    const batch: Batch = {
      t: 'batch',
      now: this.now(),
      skipped: this.skippedNow(),
      ...(records.length > 0 ? { records } : {}),
      ...(counts.length > 0 ? { counts } : {}),
      ...news,
    };
    for (const listener of this.listeners) listener.batch(batch);
  }

  /** The fields and bytes of a message. Never rejects: what is not known is said in `error`. */
  async detail(seq: number): Promise<Detail> {
    const record = this.store.find(seq);
    const answer = record === undefined ? undefined : this.answerers.get(partyOf(record.actor));
    if (record === undefined || answer === undefined) return detailOf(seq, record, this.store.body(seq), this.secrets);
    return answer(seq).then(
      (detail) => ({ ...detail, seq }),
      (error: unknown) => ({ t: 'detail', seq, fields: [], bytes: '', error: String(error) }),
    );
  }

  /** The small pictures of this moment. */
  pictures(): Picture[] {
    return this.painters.pictures();
  }

  /** The small pictures of another moment, as far as they are known. Never rejects. */
  look(at: number, exact = false): Promise<{ readonly pictures: Picture[]; readonly rough: boolean }> {
    return this.painters.look(at, exact, this.roster.partyIds());
  }

  /** Does what the page asked for. Rejects when it is not allowed, or does not work. */
  async control(name: string, fields: Readonly<Record<string, string>>): Promise<void> {
    const allowed = this.controls.some((control) => control.name === name);
    if (!allowed || this.onControl === undefined) throw new RangeError(`the program does not allow "${name}"`);
    await this.onControl(name, fields);
  }

  close(): void {
    clearInterval(this.ticker);
    this.ticker = undefined;
    this.listeners.clear();
    this.taps.clear();
  }

  // ------------------------------------------------------------------------------------------------------- inside

  private tickEvery(ms: number): void {
    clearInterval(this.ticker);
    this.ticker = setInterval(() => this.tick(ms), ms);
    // In a browser a timer is a number, and keeps nothing alive.
    if (typeof this.ticker === 'object') this.ticker.unref();
  }

  private tick(ms: number): void {
    if (this.mode === 'live') this.painters.tick();
    const rate = this.listeners.size > 0 ? this.limits.messageRate : this.limits.idleMessageRate;
    const share = Math.max(1, Math.round((rate * ms) / 1000));
    if (this.mode === 'live') for (const tap of this.taps) tap.allowance = Math.min(4 * share, tap.allowance + share);
    this.flow.refill(ms);
    this.flush();
  }

  private recordSnapshot(actor: Actor, { raw, on, at }: PendingSnapshot): void {
    const seq = ++this.seq;
    const status = statusOf(raw.status);
    const record: SnapshotRecord = { kind: 'snapshot', seq, at, actor: actor.info.id, status, on };
    actor.latest = record;
    actor.latestRaw = raw;
    this.store.add(record, (r) => snapshotShown(r, raw, this.secrets));
  }

  private forget(actor: Actor): void {
    this.flow.forget(actor);
    this.counts.forget(actor.info.id);
  }

  private skippedNow(): Skipped {
    for (const tap of this.taps) this.skippedMessages += tap.takeSkipped();
    const all = [...this.leftOut.values()];
    const sum = (of: (skipped: Skipped) => number) => all.reduce((total, skipped) => total + of(skipped), 0);
    return {
      messages: this.skippedMessages + sum((s) => s.messages),
      snapshots: this.flow.skipped + sum((s) => s.snapshots),
      slow: sum((s) => s.slow),
      forgotten: this.store.forgotten,
    };
  }
}
