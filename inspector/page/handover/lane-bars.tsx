/** One lane: a bar for each thing that its supervisor did; for a lane without one, what its messages tell. */
import { type HandOver, isIn, type LaneName } from '../../handover.ts';
import { usePage } from '../context.ts';
import type { FeedStore } from '../feed-store.ts';
import { duration } from '../format.ts';
import type { TimeAxis } from './time-axis.ts';
import { toneOf } from './words.ts';

export const barHeight = 26;

export interface LaneBarsProps {
  readonly move: HandOver;
  readonly lane: LaneName;
  readonly y: number;
  readonly axis: TimeAxis;
  /** Set while the hand-over is under way and shown live. */
  readonly now: number | undefined;
}

interface Bar {
  readonly from: number;
  readonly to: number;
  readonly label: string;
  readonly seq: number | undefined;
}

export function LaneBars({ move, lane, y, axis, now }: LaneBarsProps) {
  const { store, state } = usePage();
  const end = axis.at(axis.width);
  const bars = barsOf(store, move, lane, now ?? end);
  const empty = move.lanes[lane].party === undefined;
  return (
    <g class={`lane ${lane}`}>
      <rect class={`ground ${empty ? 'absent' : ''}`} x={0} y={y} width={axis.width} height={barHeight} rx={4} />
      {empty && bars.length === 0 && (
        <text class="absent-text" x={8} y={y + 17}>
          not in this feed: seen only through the others
        </text>
      )}
      {bars.map((bar) => {
        const x = axis.x(bar.from);
        const width = Math.max(1.5, axis.x(Math.min(bar.to, end)) - x);
        const room = Math.floor((width - 8) / 6.8);
        return (
          // biome-ignore lint/a11y/noStaticElementInteractions: states are chosen by keys in Messages
          <g
            key={`${bar.from} ${bar.label}`}
            class={`span ${toneOf(bar.label, move)}`}
            data-seq={bar.seq}
            onClick={() => {
              const record = bar.seq === undefined ? undefined : store.record(bar.seq);
              if (record !== undefined) state.choose(record);
            }}
          >
            <title>{`${lane}: ${bar.label}, ${duration(bar.to - bar.from)}`}</title>
            <rect x={x} y={y} width={width} height={barHeight} rx={3} />
            {room >= 3 && (
              <text x={x + 5} y={y + 17}>
                {bar.label.length <= room ? bar.label : `${bar.label.slice(0, room - 1)}…`}
              </text>
            )}
          </g>
        );
      })}
    </g>
  );
}

/** What the lane's supervisor did; for a lane without one, what the news of the hand-over or its messages say. */
function barsOf(store: FeedStore, move: HandOver, lane: LaneName, end: number): Bar[] {
  const { spans, supervisor } = move.lanes[lane];
  if (spans.length > 0) {
    const bars = spans.map((span): Bar => ({ from: span.from, to: span.to ?? end, label: span.label, seq: span.seq }));
    const stopped = supervisor === undefined ? undefined : store.actors.get(supervisor)?.stoppedAt;
    // A supervisor that was ended by its session does nothing more, though it said so nowhere.
    if (stopped !== undefined && !spans.at(-1)!.final && stopped > bars.at(-1)!.from && stopped < end)
      bars[bars.length - 1] = { ...bars.at(-1)!, to: stopped };
    const last = bars.at(-1)!;
    // A client tells how it went, even where the last state of its chart is not in the feed.
    if (lane !== 'client' || move.endedAt === undefined || spans.at(-1)!.final || last.from >= move.endedAt)
      return bars;
    const ended: Bar = { from: move.endedAt, to: end, label: move.outcome, seq: undefined };
    return [...bars.slice(0, -1), { ...last, to: move.endedAt }, ended];
  }
  if (lane === 'target') return targetBars(move, end);
  if (lane !== 'client') return [];
  const ended = move.endedAt ?? end;
  const linked = move.linkedAt;
  const first: Bar = {
    from: move.beganAt,
    to: linked ?? ended,
    label: linked === undefined && move.scheme === 'switch-host' ? 'switching host' : 'linking',
    seq: move.beganSeq,
  };
  return [
    first,
    ...(linked === undefined ? [] : [{ from: linked, to: ended, label: 'linked', seq: undefined }]),
    ...(move.endedAt === undefined ? [] : [{ from: ended, to: end, label: move.outcome, seq: undefined }]),
  ];
}

/** A client that comes afresh is led by no supervisor: what the target says to it shows that it is there. */
function targetBars(move: HandOver, end: number): Bar[] {
  const first = move.wires.find(
    (wire) =>
      (move.lanes.target.party !== undefined && isIn(wire.actor, move.lanes.target)) ||
      (wire.peer !== '' && wire.peer === move.lanes.target.address),
  );
  return first === undefined ? [] : [{ from: first.at, to: end, label: 'serving a new session', seq: first.seq }];
}
