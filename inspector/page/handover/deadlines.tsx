/** The deadlines of one lane, below its bars: a line that grows while each runs down, and what is left of it. */
import type { HandOver, LaneName } from '../../handover.ts';
import { duration } from '../format.ts';
import type { TimeAxis } from './time-axis.ts';

export interface DeadlinesProps {
  readonly move: HandOver;
  readonly lane: LaneName;
  readonly y: number;
  readonly axis: TimeAxis;
  /** Set while the hand-over is under way and shown live. */
  readonly now: number | undefined;
  /** The chosen moment, if it lies in this hand-over. */
  readonly moment: number | undefined;
}

const charWidth = 5.9;
const rowHeight = 14;

export function Deadlines({ move, lane, y, axis, now, moment }: DeadlinesProps) {
  const end = axis.at(axis.width);
  const seen = now ?? moment;
  const rows = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const told = new Map<string, number>();
  return (
    <g class={`deadlines ${lane}`}>
      {move.deadlines
        .filter((deadline) => deadline.lane === lane)
        .map((deadline) => {
          const stop = deadline.to ?? now ?? Math.min(end, deadline.dueAt);
          const x1 = axis.x(deadline.from);
          const x2 = Math.max(x1 + 2, axis.x(Math.min(stop, end)));
          const left = deadline.dueAt - stop;
          // A delay is there to run out.
          const ran = deadline.ran && !deadline.name.endsWith('delay');
          const runs = seen !== undefined && seen >= deadline.from && seen < (deadline.to ?? Number.POSITIVE_INFINITY);
          const words = runs
            ? `${deadline.name}: ${duration(deadline.dueAt - seen)} left`
            : ran
              ? `${deadline.name} ran out`
              : deadline.name;
          const width = words.length * charWidth;
          const start = axis.width - x1 > width;
          const x = start ? x1 : axis.width;
          // Where both rows are taken, or the same words stand already, its line must do: its words are in its title.
          const begins = start ? x1 : axis.width - width;
          const again = begins < (told.get(words) ?? Number.NEGATIVE_INFINITY);
          const free = again ? -1 : rows.findIndex((taken) => taken < begins);
          const row = Math.max(0, free);
          if (free >= 0) {
            rows[row] = Math.max(begins + width + 6, x2 + 4);
            told.set(words, begins + width);
          }
          return (
            <g key={`${deadline.from} ${deadline.name}`} class={`deadline ${ran ? 'ran' : ''}`}>
              <title>{`${deadline.name}: ${duration(deadline.dueAt - deadline.from)}, ${deadline.ran ? 'ran out' : `${duration(left)} left`}`}</title>
              <line x1={x1} x2={x2} y1={y + row * rowHeight} y2={y + row * rowHeight} />
              <circle cx={x2} cy={y + row * rowHeight} r={2.5} />
              {free >= 0 && (
                <text x={x} y={y + 11 + row * rowHeight} text-anchor={start ? 'start' : 'end'}>
                  {words}
                </text>
              )}
            </g>
          );
        })}
    </g>
  );
}
