/**
 * Reads a journal into a hub: the same views as of a live program, from what it wrote down. Charts are folded to know where
 * they were, and messages are cut from the bytes of each link. It changes nothing in the journal, and carries nothing out.
 */
import { charts } from '../machines/index.ts';
import { Replayer } from '../src/engine/replay.ts';
import type { JournalRecord } from '../src/journal/record.ts';
import { EngineWatch } from './engine-watch.ts';
import type { Party } from './feed.ts';
import type { Hub } from './hub.ts';
import { LinkReader } from './link-reader.ts';
import type { MessageTap } from './message-tap.ts';

export interface JournalFeedOptions {
  readonly party: Omit<Party, 'gone'>;
  /** Milliseconds since 1970 at which the journal's clock stood at 0. */
  readonly epoch?: number;
}

const names = new Map<string, string>(Object.entries(charts).map(([name, chart]) => [chart.id, name]));

/** Follows one journal. What does not fit (a chart of another version, bytes that are no messages) is logged once and left out. */
export class JournalFeed {
  private readonly watch: EngineWatch;
  private readonly hub: Hub;
  private readonly side: 'server' | 'client';
  private readonly party: string;
  private readonly replayer = new Replayer();
  private readonly charts = new Map<string, string>();
  private readonly links = new Map<string, LinkReader>();
  private readonly taps = new Map<string, MessageTap>();
  private readonly faults = new Set<string>();
  private readonly at: () => number;
  private now = 0;

  constructor(hub: Hub, { party, epoch = 0 }: JournalFeedOptions) {
    this.hub = hub;
    this.party = party.id;
    this.side = party.side === 'server' ? 'server' : 'client';
    this.at = () => epoch + this.now;
    this.watch = new EngineWatch(hub, party, this.at);
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
        this.replayer.take(record);
        break;
      case 'resume':
        this.say(`${record.actor}: the program had ended without a word, and another one goes on from here`);
        break;
      case 'checkpoint':
        this.checkpoint(record);
        break;
      case 'link':
        if (record.found) this.over(record.actor, record.link, record.mini);
        break;
      case 'wire':
        this.wire(record);
        break;
      default:
    }
  }

  private event(record: JournalRecord & { kind: 'event' }): void {
    const { actor, event, chart: id } = record;
    const chart = id === undefined ? undefined : (names.get(id) ?? id);
    if (chart !== undefined) {
      this.charts.set(actor, chart);
      this.watch.born(actor, chart, event.input);
    }
    this.noteLink(event);
    this.watch.event(actor, event);
    const fits = this.guard(actor, () => this.replayer.take(record), 'its chart cannot be followed: ');
    const snapshot = fits ? this.replayer.snapshotOf(actor) : undefined;
    if (snapshot !== undefined) this.watch.stepped(actor, event, snapshot);
  }

  /** Where all charts were. Those whose begin is not in the journal are known from here on. */
  private checkpoint(record: JournalRecord & { kind: 'checkpoint' }): void {
    this.guard(record.actor, () => this.replayer.take(record), 'its charts cannot be followed: ');
    for (const actor of this.replayer.actors) {
      const chart = this.replayer.chartOf(actor);
      if (chart === undefined || this.charts.has(actor)) continue;
      this.charts.set(actor, chart);
      this.watch.born(actor, chart);
      this.watch.stepped(actor, { type: 'checkpoint' }, this.replayer.snapshotOf(actor));
    }
  }

  /** Events tell which link a channel is to use, and its headers. */
  private noteLink(event: { readonly type: string; readonly [key: string]: unknown }): void {
    const { link, agreed } = { ...(event.input as object | undefined), ...event } as { link?: unknown; agreed?: any };
    if (typeof link === 'string' && typeof agreed?.miniHeader === 'boolean') {
      this.reader(link).mini = agreed.miniHeader;
    }
  }

  /** A channel goes on over a link, from its first byte not yet read. */
  private over(actor: string, link: string, mini: boolean | undefined): void {
    const reader = this.reader(link);
    if (mini !== undefined) reader.mini = mini;
    const tap = this.tapOf(actor);
    tap.over(link, '');
    reader.begin(actor, (direction, number, body) => tap.message(direction, number, body));
  }

  private wire({ actor, link, direction, bytes }: JournalRecord & { kind: 'wire' }): void {
    const reader = this.reader(link);
    // The link stage has no messages; what a parked link reads ahead is told again by the channel that takes it over.
    if (this.charts.get(actor)?.startsWith('link/')) return;
    // Journals of the first layout do not say when a channel takes a link over.
    if (reader.owner !== actor) this.over(actor, link, undefined);
    this.guard(actor, () => reader.push(direction, bytes));
  }

  private reader(link: string): LinkReader {
    let reader = this.links.get(link);
    if (reader === undefined) {
      reader = new LinkReader();
      this.links.set(link, reader);
    }
    return reader;
  }

  private tapOf(actor: string): MessageTap {
    let tap = this.taps.get(actor);
    if (tap === undefined) {
      const name = nameOf(actor);
      tap = this.watch.channel(actor, /^\w+:\d+$/.test(name) ? name : 'main:0', this.side);
      this.taps.set(actor, tap);
    }
    return tap;
  }

  /** False when it threw; that is told once. */
  private guard(actor: string, run: () => void, what = ''): boolean {
    try {
      run();
      return true;
    } catch (error) {
      this.fault(actor, what + (error instanceof Error ? error.message : String(error)));
      return false;
    }
  }

  private fault(actor: string, line: string): void {
    if (this.faults.has(`${actor} ${line}`)) return;
    this.faults.add(`${actor} ${line}`);
    this.say(`${actor}: ${line}`);
  }

  private say(line: string): void {
    this.hub.record({ kind: 'log', actor: this.party, at: this.at(), line });
  }
}

const nameOf = (actor: string): string => actor.slice(actor.lastIndexOf('/') + 1);
