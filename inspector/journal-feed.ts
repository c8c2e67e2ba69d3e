/**
 * Reads a journal into a hub: the same views as of a live program, from what it wrote down. Charts are folded to know where
 * they were, and messages are cut from the bytes of each link. It changes nothing in the journal, and carries nothing out.
 */
import type { AnyStateMachine } from 'xstate';
import { charts } from '../machines/index.ts';
import { Deframer } from '../src/engine/deframe.ts';
import { type Fold, fold } from '../src/engine/fold.ts';
import type { JournalRecord } from '../src/journal/record.ts';
import { EngineWatch } from './engine-watch.ts';
import type { Party } from './feed.ts';
import type { Hub } from './hub.ts';
import type { MessageTap } from './message-tap.ts';

export interface JournalFeedOptions {
  readonly party: Omit<Party, 'gone'>;
  /** Milliseconds since 1970 at which the journal's clock stood at 0. */
  readonly epoch?: number;
}

interface Follower {
  readonly fold: Fold<AnyStateMachine>;
  snapshot: any;
}

interface LinkMode {
  readonly mini: boolean;
}

/** Bytes of the longest message that is cut out; a journal may lie. */
const longest = 64 * 1024 * 1024;

const names = new Map<string, string>(Object.entries(charts).map(([name, chart]) => [chart.id, name]));

/** Follows one journal. What does not fit (a chart of another version, bytes that are no messages) is logged once and left out. */
export class JournalFeed {
  private readonly watch: EngineWatch;
  private readonly hub: Hub;
  private readonly side: 'server' | 'client';
  private readonly party: string;
  private readonly followers = new Map<string, Follower>();
  private readonly charts = new Map<string, string>();
  private readonly links = new Map<string, LinkMode>();
  private readonly taps = new Map<string, MessageTap>();
  private readonly deframers = new Map<string, Deframer | null>();
  private readonly faults = new Set<string>();
  private now = 0;

  constructor(hub: Hub, { party, epoch = 0 }: JournalFeedOptions) {
    this.hub = hub;
    this.party = party.id;
    this.side = party.side === 'server' ? 'server' : 'client';
    this.watch = new EngineWatch(hub, party, () => epoch + this.now);
  }

  /** Takes the next record. */
  add(record: JournalRecord): void {
    this.now = record.at;
    switch (record.kind) {
      case 'event':
        this.event(record);
        break;
      case 'command':
        this.watch.command(record.actor, record.command);
        break;
      case 'end':
        this.watch.ended(record.actor);
        this.followers.delete(record.actor);
        break;
      case 'wire':
        this.wire(record);
        break;
      default:
    }
  }

  private event({ actor, event, chart: id }: JournalRecord & { kind: 'event' }): void {
    const chart = id === undefined ? undefined : (names.get(id) ?? id);
    this.noteLink(event);
    if (chart !== undefined) {
      this.charts.set(actor, chart);
      this.watch.born(actor, chart, event.input);
    }
    this.watch.event(actor, event);
    try {
      const follower = chart === undefined ? this.followers.get(actor) : this.begin(actor, chart, event.input);
      if (follower === undefined) return;
      if (chart === undefined) follower.snapshot = follower.fold.step(follower.snapshot, event).snapshot;
      this.watch.stepped(actor, event, follower.snapshot);
    } catch (error) {
      this.followers.delete(actor);
      this.fault(actor, `its chart cannot be followed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private begin(actor: string, chart: string, input: unknown): Follower | undefined {
    if (!Object.hasOwn(charts, chart)) {
      this.fault(actor, `there is no chart ${chart} here`);
      return undefined;
    }
    const folded = fold((charts as Record<string, unknown>)[chart] as AnyStateMachine, input);
    const follower = { fold: folded, snapshot: folded.first.snapshot };
    this.followers.set(actor, follower);
    return follower;
  }

  /** Whatever names a link says how its messages begin, too. */
  private noteLink(event: { readonly [key: string]: unknown }): void {
    const { link, agreed } = { ...(event.input as object | undefined), ...event } as { link?: unknown; agreed?: any };
    if (typeof link === 'string' && typeof agreed?.miniHeader === 'boolean')
      this.links.set(link, { mini: agreed.miniHeader });
  }

  private wire({ actor, link, direction, bytes }: JournalRecord & { kind: 'wire' }): void {
    // The link stage comes before messages; its charts tell of it.
    if (this.charts.get(actor)?.startsWith('link/')) return;
    const key = `${actor} ${link} ${direction}`;
    let deframer = this.deframers.get(key);
    if (deframer === null) return;
    if (deframer === undefined) {
      const tap = this.tapOf(actor);
      tap.over(link, '');
      deframer = new Deframer(this.links.get(link)?.mini ?? true, longest, (number, body) =>
        tap.message(direction, number, body),
      );
      this.deframers.set(key, deframer);
    }
    try {
      deframer.push(bytes);
    } catch (error) {
      this.deframers.set(key, null);
      this.fault(actor, error instanceof Error ? error.message : String(error));
    }
  }

  private tapOf(actor: string): MessageTap {
    let tap = this.taps.get(actor);
    if (tap === undefined) {
      const name = actor.slice(actor.lastIndexOf('/') + 1);
      tap = this.watch.channel(actor, /^\w+:\d+$/.test(name) ? name : 'main:0', this.side);
      this.taps.set(actor, tap);
    }
    return tap;
  }

  private fault(actor: string, line: string): void {
    if (this.faults.has(`${actor} ${line}`)) return;
    this.faults.add(`${actor} ${line}`);
    this.hub.record({ kind: 'log', actor: this.party, at: this.now, line: `${actor}: ${line}` });
  }
}
