/** One lane: a bar for each thing that its supervisor did, and its deadlines below, running down. */
import type { HandOver, LaneName } from '../../handover.ts';
import { usePage } from '../context.ts';
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
  const bars = barsOf(move, lane, now ?? end);
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
        const room = Math.floor((width - 8) / 6.4);
        return (
          // biome-ignore lint/a11y/noStaticElementInteractions: states are chosen by keys in Messages
          <g
            key={`${bar.from} ${bar.label}`}
            class={`span ${toneOf(bar.label)}`}
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
      <Deadlines move={move} lane={lane} y={y + barHeight + 4} axis={axis} now={now} />
    </g>
  );
}

/** What the lane's supervisor did; for a lane without one, what the news of the hand-over say. */
function barsOf(move: HandOver, lane: LaneName, end: number): Bar[] {
  const { spans } = move.lanes[lane];
  if (spans.length > 0) {
    const bars = spans.map((span): Bar => ({ from: span.from, to: span.to ?? end, label: span.label, seq: span.seq }));
    const last = bars.at(-1)!;
    // A client tells how it went, even where the last state of its chart is not in the feed.
    if (lane !== 'client' || move.endedAt === undefined || spans.at(-1)!.final || last.from >= move.endedAt)
      return bars;
    const ended: Bar = { from: move.endedAt, to: end, label: move.outcome, seq: undefined };
    return [...bars.slice(0, -1), { ...last, to: move.endedAt }, ended];
  }
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

function Deadlines({ move, lane, y, axis, now }: Omit<LaneBarsProps, 'y'> & { readonly y: number }) {
  const end = axis.at(axis.width);
  return (
    <>
      {move.deadlines
        .filter((deadline) => deadline.lane === lane)
        .map((deadline, i) => {
          const stop = deadline.to ?? now ?? Math.min(end, deadline.dueAt);
          const x1 = axis.x(deadline.from);
          const x2 = Math.max(x1 + 2, axis.x(Math.min(stop, end)));
          const left = deadline.dueAt - stop;
          const words = deadline.ran
            ? `${deadline.name} ran out`
            : `${deadline.name}${deadline.to === undefined && now !== undefined ? `: ${duration(left)} left` : ''}`;
          const room = axis.width - x1 > words.length * 6;
          return (
            <g key={`${deadline.from} ${deadline.name}`} class={`deadline ${deadline.ran ? 'ran' : ''}`}>
              <title>{`${deadline.name}: ${duration(deadline.dueAt - deadline.from)}, ${deadline.ran ? 'ran out' : `${duration(left)} left`}`}</title>
              <line x1={x1} x2={x2} y1={y + (i % 2) * 12} y2={y + (i % 2) * 12} />
              <circle cx={x2} cy={y + (i % 2) * 12} r={2.5} />
              <text x={room ? x1 : axis.width} y={y + 11 + (i % 2) * 12} text-anchor={room ? 'start' : 'end'}>
                {words}
              </text>
            </g>
          );
        })}
    </>
  );
}
