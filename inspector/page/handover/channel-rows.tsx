/** Each channel's way from one server to the other: at the source, between the two, at the target. */
import type { ChannelMove, HandOver } from '../../handover.ts';
import { duration } from '../format.ts';
import type { TimeAxis } from './time-axis.ts';

export const channelRowHeight = 16;

/** The channels of a hand-over: main first, then by name. */
export const channelsIn = (move: HandOver): ChannelMove[] =>
  // A client that looks for its server has none.
  (move.kind === 'loss' ? [] : [...move.channels.values()]).sort(
    (a, b) => Number(b.channel === 'main:0') - Number(a.channel === 'main:0') || a.channel.localeCompare(b.channel),
  );

export interface ChannelRowsProps {
  readonly move: HandOver;
  readonly channels: readonly ChannelMove[];
  readonly y: number;
  readonly axis: TimeAxis;
  readonly now: number | undefined;
}

export function ChannelRows({ move, channels, y, axis, now }: ChannelRowsProps) {
  return (
    <g class="channels">
      {channels.map((channel, i) => (
        <Row key={channel.channel} move={move} channel={channel} y={y + i * channelRowHeight} axis={axis} now={now} />
      ))}
    </g>
  );
}

interface RowProps extends Omit<ChannelRowsProps, 'channels'> {
  readonly channel: ChannelMove;
}

function Row({ move, channel, y, axis, now }: RowProps) {
  const middle = y + channelRowHeight / 2;
  const end = now === undefined ? axis.width : axis.x(now);
  const moved = channel.switchedAt ?? (move.outcome === 'switched' ? (channel.firstAt ?? move.endedAt) : undefined);
  // A channel that was quiet before was at the source until it was at the target.
  const last = channel.lastAt !== undefined && channel.lastAt >= move.beganAt ? channel.lastAt : moved;
  const left = moved === undefined ? undefined : (channel.leftAt ?? last ?? moved);
  const [x1, x2] = [axis.x(Math.min(left ?? 0, moved ?? 0)), axis.x(moved ?? 0)];
  const gap =
    channel.gapMs ??
    (channel.firstAt !== undefined && channel.lastAt !== undefined ? channel.firstAt - channel.lastAt : undefined);
  const away = channel.leftAt !== undefined && moved === undefined ? axis.x(channel.leftAt) : undefined;
  const title = [
    channel.channel,
    channel.leftAt === undefined ? '' : `let go by the source after ${duration(channel.leftAt - move.beganAt)}`,
    moved === undefined ? 'stays at the source' : `at the target after ${duration(moved - move.beganAt)}`,
    gap === undefined ? '' : `${duration(gap)} between the last message of the one and the first of the other`,
  ].filter((word) => word !== '');
  return (
    <g class="channel">
      <title>{title.join('\n')}</title>
      <line class="at-source" x1={0} x2={moved === undefined ? (away ?? end) : x1} y1={middle} y2={middle} />
      {moved !== undefined && (
        <>
          <line class="between" x1={x1} x2={x2} y1={middle} y2={middle} />
          <line class="at-target" x1={x2} x2={end} y1={middle} y2={middle} />
          <circle class="at-target" cx={x2} cy={middle} r={3.5} />
        </>
      )}
    </g>
  );
}
