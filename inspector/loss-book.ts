/**
 * Clients that lost their server: what they and the sessions that wait for them did, put together from a feed as hand-overs
 * are. Runs anywhere. It begins an entry with the first chart that looks or waits, and ends it when the client is back.
 */
import { leavesOf, type StateValue } from './chart-state.ts';
import type { FeedRecord, ReconnectRecord, SnapshotRecord } from './feed.ts';
import { partyOf } from './feed.ts';
import type { HandOver, Lane, Outcome } from './handover.ts';

export interface LossHost {
  /** The losses that are still open. */
  open(): readonly HandOver[];
  begin(record: FeedRecord): HandOver;
  end(move: HandOver, outcome: Outcome, at: number): void;
  chartOf(actor: string): string | undefined;
  /** The session's connection id, as an actor told it last. */
  connectionOf(actor: string): number | undefined;
  addressOf(party: string): string | undefined;
}

export class LossBook {
  private readonly host: LossHost;

  constructor(host: LossHost) {
    this.host = host;
  }

  news(record: ReconnectRecord): void {
    const loss = this.of('client', record.actor);
    if (loss === undefined) return;
    loss.lastSeq = record.seq;
    const { tries } = loss;
    if (record.try !== undefined) tries.count = record.try;
    if (record.tries !== undefined) tries.most = record.tries;
    tries.nextAt = record.inMs === undefined ? undefined : record.at + record.inMs;
    if (record.returned !== undefined) tries.returned = record.returned;
    if (record.reason !== undefined && record.reason !== '') loss.reason = record.reason;
    if (record.phase === 'back') this.host.end(loss, 'returned', record.at);
    if (record.phase === 'given up') this.host.end(loss, 'failed', record.at);
  }

  snapshot(record: SnapshotRecord): void {
    const chart = this.host.chartOf(record.actor);
    if (chart === 'session/client') this.step('client', record, 'reconnecting');
    else if (chart === 'session/server') this.step('source', record, 'awaiting return');
  }

  /** `lost` is the state in which one looks for the other. */
  private step(lane: 'client' | 'source', record: SnapshotRecord, lost: string): void {
    const top = topOf(record.value);
    let loss = this.of(lane, record.actor);
    if (loss === undefined) {
      if (top !== lost) return;
      loss = this.fitting(lane, record.actor) ?? this.host.begin(record);
      const party = partyOf(record.actor);
      Object.assign(loss.lanes[lane], { party, session: record.actor, supervisor: record.actor });
      if (lane === 'source') loss.lanes.source.address = this.host.addressOf(party);
    }
    loss.lastSeq = record.seq;
    span(loss.lanes[lane], record, top === lost ? leavesOf(record.value) : afterwards(top), top !== lost);
    if (top === lost || loss.outcome !== 'under way') return;
    const over = top === 'closed' || top === 'over';
    // A client knows how it went; a server alone only that it has the session again, or has given it up.
    if (lane === 'client' || loss.lanes.client.party === undefined)
      this.host.end(loss, over ? 'failed' : 'returned', record.at);
  }

  private of(lane: 'client' | 'source', actor: string): HandOver | undefined {
    return this.host
      .open()
      .findLast(({ lanes }) => lanes[lane].supervisor === actor && !lanes[lane].spans.at(-1)?.final);
  }

  /** The other end of the same session has noticed first. */
  private fitting(lane: 'client' | 'source', actor: string): HandOver | undefined {
    const connection = this.host.connectionOf(actor);
    const other = lane === 'client' ? 'source' : 'client';
    return this.host.open().findLast(({ lanes }) => {
      const session = lanes[other].session;
      if (lanes[lane].supervisor !== undefined || session === undefined) return false;
      return connection !== undefined && this.host.connectionOf(session) === connection;
    });
  }
}

function span(lane: Lane, { at, seq }: SnapshotRecord, label: string, final: boolean): void {
  const last = lane.spans.at(-1);
  if (last?.label === label && last.final === final) return;
  if (last !== undefined) last.to = at;
  lane.spans.push({ from: at, to: undefined, label, seq, final });
}

const afterwards = (top: string): string => (top === 'closed' || top === 'over' ? top : 'back');

/** The outermost state. */
const topOf = (value: StateValue | undefined): string =>
  value === undefined ? '' : typeof value === 'string' ? value : (Object.keys(value)[0] ?? '');
