/**
 * The messages of a hand-over as arrows between its lanes: what one party wrote is paired with what the other read. Where only
 * one of them is in the feed, the arrow has one end. Runs anywhere.
 */
import type { WireRecord } from './feed.ts';
import { type HandOver, isIn, type LaneName, laneNames } from './handover.ts';

export interface Arrow {
  readonly name: string;
  readonly channel: string;
  readonly from: LaneName;
  readonly to: LaneName;
  readonly sentAt: number;
  readonly receivedAt: number;
  /** Number of the record at the sender, or at the receiver if the sender is not in the feed. */
  readonly seq: number;
  readonly seqs: readonly number[];
  readonly size: number;
  readonly path: 'control' | 'data';
}

/** Milliseconds by which clocks of one machine may disagree, and within which a message should have arrived. */
const early = 2;
const late = 5_000;

export function arrowsOf(move: HandOver): Arrow[] {
  const laneOf = (record: WireRecord) => laneNames.find((name) => isIn(record.actor, move.lanes[name]));
  const placed = move.wires.flatMap((record) => {
    const at = laneOf(record);
    if (at === undefined) return [];
    const other: LaneName =
      at !== 'client' ? 'client' : record.peer === move.lanes.target.address ? 'target' : 'source';
    return [{ record, from: record.direction === 'out' ? at : other, to: record.direction === 'out' ? other : at }];
  });
  const waiting = new Map<string, (typeof placed)[number][]>();
  const key = (p: (typeof placed)[number]) => `${p.from} ${p.to} ${p.record.channel} ${p.record.name}`;
  for (const p of placed) {
    if (p.record.direction !== 'in') continue;
    const list = waiting.get(key(p));
    if (list === undefined) waiting.set(key(p), [p]);
    else list.push(p);
  }
  const arrows: Arrow[] = [];
  const used = new Set<WireRecord>();
  for (const p of placed) {
    if (p.record.direction !== 'out') continue;
    const candidates = waiting.get(key(p)) ?? [];
    const found = candidates.find(
      ({ record }) =>
        !used.has(record) &&
        record.at >= p.record.at - early &&
        record.at <= p.record.at + late &&
        record.size === p.record.size,
    );
    if (found !== undefined) used.add(found.record);
    arrows.push(arrow(p.from, p.to, p.record, found?.record));
  }
  for (const p of placed)
    if (p.record.direction === 'in' && !used.has(p.record)) arrows.push(arrow(p.from, p.to, undefined, p.record));
  return arrows.sort((a, b) => a.sentAt - b.sentAt || a.seq - b.seq);
}

function arrow(from: LaneName, to: LaneName, sent: WireRecord | undefined, received: WireRecord | undefined): Arrow {
  const one = (sent ?? received)!;
  const sentAt = sent?.at ?? one.at;
  return {
    name: one.name,
    channel: one.channel,
    from,
    to,
    sentAt,
    receivedAt: Math.max(sentAt, received?.at ?? sentAt),
    seq: one.seq,
    seqs: [sent, received].flatMap((record) => record?.seq ?? []),
    size: one.size,
    path: one.path,
  };
}

/**
 * From the last message that the client handled from the source to the first from the target, over all channels that crossed;
 * nothing if the target spoke before the source fell silent. Undefined where the client has not switched, or nothing is known.
 */
export function gapOf(move: HandOver): { readonly from: number; readonly to: number; readonly ms: number } | undefined {
  const crossed = [...move.channels.values()].flatMap(({ lastAt, firstAt }) =>
    lastAt === undefined || firstAt === undefined ? [] : [{ lastAt, firstAt }],
  );
  if (move.outcome !== 'switched' || (crossed.length === 0 && move.gapMs === undefined)) return undefined;
  const to = crossed.length === 0 ? (move.endedAt ?? move.beganAt) : Math.min(...crossed.map(({ firstAt }) => firstAt));
  const ms = move.gapMs ?? Math.max(0, to - Math.max(...crossed.map(({ lastAt }) => lastAt)));
  return { from: to - ms, to, ms };
}
