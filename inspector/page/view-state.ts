/**
 * What the user has chosen: the view, the moment, the actor, the hand-over, the message. All views read it, so that choosing
 * something anywhere shows that moment everywhere. It knows the feed's store but changes nothing in it.
 */
import type { FeedRecord } from '../feed.ts';
import type { HandOver } from '../handover.ts';
import type { FeedStore } from './feed-store.ts';

export const views = ['handover', 'charts', 'messages'] as const;
export type ViewName = (typeof views)[number];

export interface Moment {
  readonly seq: number;
  readonly at: number;
}

export const kinds = ['wire', 'event', 'command', 'snapshot', 'other'] as const;
export type KindName = (typeof kinds)[number];

export interface Filter {
  readonly text: string;
  readonly channel: string;
  readonly direction: '' | 'in' | 'out';
  /** Path of an actor or party; those below it count too. */
  readonly actor: string;
  readonly kinds: ReadonlySet<KindName>;
  /** Data messages too. */
  readonly data: boolean;
}

export class ViewState {
  view: ViewName = 'handover';
  /** Undefined: now, going on. */
  moment: Moment | undefined;
  actor: string | undefined;
  /** Id of a hand-over; undefined: the newest. */
  handover: string | undefined;
  /** Number of the record that is shown in detail. */
  chosen: number | undefined;
  filter: Filter = { text: '', channel: '', direction: '', actor: '', kinds: new Set(['wire', 'event']), data: true };
  playing: number | undefined;
  private readonly store: FeedStore;
  private readonly changed: () => void;
  private frame = 0;

  constructor(store: FeedStore, changed: () => void) {
    this.store = store;
    this.changed = changed;
    const { hash } = location;
    this.view = views.find((view) => hash === `#${view}`) ?? 'handover';
  }

  show(view: ViewName): void {
    this.view = view;
    history.replaceState(null, '', `#${view}`);
    this.changed();
  }

  /** Chooses a record: its moment, its actor, and the hand-over that it belongs to. */
  choose(record: FeedRecord): void {
    this.stop();
    this.chosen = record.seq;
    this.moment = { seq: record.seq, at: record.at };
    if (this.store.actors.has(record.actor)) this.actor = record.actor;
    this.follow();
    this.changed();
  }

  chooseActor(actor: string): void {
    this.actor = actor;
    this.changed();
  }

  showChart(actor: string): void {
    this.actor = actor;
    this.show('charts');
  }

  chooseHandover(move: HandOver | undefined): void {
    this.handover = move?.id;
    this.stop();
    if (move === undefined) this.changed();
    // Pictures, charts and messages are then those of its end.
    else {
      this.goTo(this.store.record(move.lastSeq)?.at ?? move.endedAt ?? move.beganAt, move.lastSeq);
      this.handover = move.id;
      const { supervisor, session } = move.lanes.client;
      this.actor = supervisor ?? session ?? this.actor;
      this.changed();
    }
  }

  setFilter(change: Partial<Filter>): void {
    this.filter = { ...this.filter, ...change };
    this.changed();
  }

  // --------------------------------------------------------------------------------------------------------- time

  /** Goes to a time; without a number, to the newest record up to it. */
  goTo(at: number, seq?: number): void {
    const index = this.store.indexAt(at);
    this.moment = { at, seq: seq ?? this.store.records[index]?.seq ?? 0 };
    this.follow();
    this.changed();
  }

  /** Time has gone on: what runs down is drawn anew. */
  tick(): void {
    this.changed();
  }

  goLive(): void {
    this.stop();
    this.moment = undefined;
    this.handover = undefined;
    this.changed();
  }

  /** One record on or back, among those that the filter of the messages lets through. */
  step(by: 1 | -1, passes: (record: FeedRecord) => boolean): void {
    const { records } = this.store;
    let index = this.moment === undefined ? records.length : this.store.indexOf(this.moment.seq);
    do index += by;
    while (records[index] !== undefined && !passes(records[index]!));
    const record = records[index];
    if (record !== undefined) this.choose(record);
  }

  /** To the begin of the next hand-over, or the one before. */
  jump(by: 1 | -1): void {
    const { list } = this.store.handovers;
    const seq = this.moment?.seq ?? Number.POSITIVE_INFINITY;
    const move = by > 0 ? list.find((m) => m.beganSeq > seq) : list.findLast((m) => m.beganSeq < seq);
    if (move === undefined) return;
    this.stop();
    this.handover = move.id;
    this.goTo(move.beganAt, move.beganSeq);
  }

  /** Lets time run from the chosen moment, `speed` times as fast as it was; at the end it is live again. */
  play(speed: number): void {
    this.stop();
    const first = this.store.records[0];
    if (first === undefined) return;
    this.moment ??= { at: first.at, seq: first.seq };
    this.playing = speed;
    let last = performance.now();
    const tick = (now: number) => {
      if (this.playing === undefined || this.moment === undefined) return;
      const at = this.moment.at + (now - last) * this.playing;
      last = now;
      const end = this.store.records.at(-1)?.at ?? 0;
      if (at >= end) {
        if (this.store.mode === 'live') this.goLive();
        else {
          this.stop();
          this.goTo(end);
        }
        return;
      }
      this.goTo(at);
      this.frame = requestAnimationFrame(tick);
    };
    this.frame = requestAnimationFrame(tick);
    this.changed();
  }

  playOrPause(speed: number): void {
    if (this.playing === undefined) this.play(speed);
    else {
      this.stop();
      this.goTo(this.at);
    }
  }

  stop(): void {
    cancelAnimationFrame(this.frame);
    this.playing = undefined;
  }

  /** The number up to which records count at the chosen moment. */
  get seq(): number {
    return this.moment?.seq ?? Number.POSITIVE_INFINITY;
  }

  /** The time of the chosen moment. */
  get at(): number {
    return this.moment?.at ?? this.store.now();
  }

  /** The hand-over that is shown: the chosen one, or the newest. */
  get shownHandover(): HandOver | undefined {
    const { list } = this.store.handovers;
    return list.findLast((move) => move.id === this.handover) ?? list.at(-1);
  }

  /** The hand-over of the chosen moment becomes the one that is shown. */
  private follow(): void {
    const moment = this.moment;
    if (moment === undefined) return;
    const within = this.store.handovers.list.findLast((m) => m.beganSeq <= moment.seq && m.lastSeq >= moment.seq);
    const last = this.store.handovers.list.findLast((m) => m.beganSeq <= moment.seq);
    this.handover = (within ?? last)?.id ?? this.handover;
  }
}
