/**
 * Three lanes on one time axis: what source, client and target were doing, the messages between them, deadlines running down,
 * each channel's switch, and the gap. Choosing anything here goes to its moment.
 */
import { useMemo, useRef, useState } from 'preact/hooks';
import { type HandOver, type LaneName, laneNames, lanesOf } from '../../handover.ts';
import { arrowsOf, gapOf } from '../../handover-arrows.ts';
import { usePage } from '../context.ts';
import { duration, since } from '../format.ts';
import { useWidth } from '../use-width.ts';
import { ChannelRows, channelRowHeight, channelsIn } from './channel-rows.tsx';
import { Deadlines } from './deadlines.tsx';
import { barHeight, LaneBars } from './lane-bars.tsx';
import { LanePicture } from './lane-picture.tsx';
import { gathered, placeLabels } from './place-labels.ts';
import { type TimeAxis, timeAxis } from './time-axis.ts';
import { laneTitle, laneWord, outcomeSigns } from './words.ts';

const top = 24;
const gutter = 168;
/** Below this height of the window the lanes stand closer, so that the messages below keep their room. */
const low = 800;

export function Timeline({ move }: { readonly move: HandOver }) {
  const { store, state, version } = usePage();
  const [spread, setSpread] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const width = Math.max(320, useWidth(box) - 16);
  const arrows = useMemo(() => arrowsOf(move).filter((arrow) => arrow.path === 'control'), [move, version]);
  const gap = gapOf(move);
  const now = state.moment === undefined && move.outcome === 'under way' ? store.now() : undefined;
  const laneEvery = innerHeight < low ? 98 : 108;
  const lanes = lanesOf(move);
  const laneY = (lane: LaneName) => top + 8 + lanes.indexOf(lane) * laneEvery;
  const axis = useMemo(
    () => timeAxis(timesOf(move, arrows, now), width - 16, spread),
    [move, arrows, now, width, spread],
  );
  const channels = channelsIn(move);
  const channelTop = laneY(lanes.at(-1)!) + laneEvery - 16;
  const height = channelTop + channels.length * channelRowHeight + 22;
  // What comes long after belongs to the sequence below, not to this axis.
  const arrowPlaces = arrows
    .filter((arrow) => arrow.sentAt <= axis.at(axis.width))
    .map((arrow) => {
      const down = laneNames.indexOf(arrow.to) > laneNames.indexOf(arrow.from);
      const y1 = laneY(arrow.from) + (down ? barHeight : 0);
      const y2 = laneY(arrow.to) + (down ? 0 : barHeight);
      return { arrow, x1: axis.x(arrow.sentAt), x2: axis.x(arrow.receivedAt), y1, y2 };
    });
  const wishes = arrowPlaces.map(({ arrow, x1, x2, y1, y2 }) => ({
    text: shortName(arrow.name),
    x: (x1 + x2) / 2,
    // Below the deadlines of the upper lane.
    from: Math.min(y1, y2) + 38,
    to: Math.max(y1, y2) - 4,
    weight: weightOf(arrow.name),
  }));
  const labels = placeLabels(gathered(wishes), axis.width);
  const where = givenUpAt(move);
  const at = state.moment?.at;
  const inSight = at !== undefined && at >= axis.at(0) - 1 && at <= axis.at(axis.width) + 1;
  return (
    <div class="timeline">
      <div class="gutter" style={{ width: `${gutter}px` }}>
        {lanes.map((lane) => (
          <div
            key={lane}
            class={`lane-head ${lane}`}
            style={{ top: `${laneY(lane) - 8}px`, height: `${laneEvery - 6}px` }}
          >
            <span class="lane-name">{laneWord(move, lane)}</span>
            <span class="lane-party" title={move.lanes[lane].address ?? ''}>
              {laneTitle(store, move, lane)}
            </span>
            <LanePicture party={move.lanes[lane].party} />
          </div>
        ))}
        {channels.length > 0 && (
          <div class="channel-heads" style={{ top: `${channelTop}px` }}>
            {channels.map((channel) => (
              <span key={channel.channel} style={{ height: `${channelRowHeight}px` }}>
                {channel.channel}
              </span>
            ))}
          </div>
        )}
        <label class="check scale" title="Draw the time axis as it was, or crowded moments wider">
          <input type="checkbox" checked={!spread} onChange={() => setSpread(!spread)} />
          to scale
        </label>
      </div>
      <div class="lanes" ref={box}>
        {/* biome-ignore lint/a11y/useKeyWithClickEvents: the sequence below and the time bar choose moments by keys */}
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={`Time axis of hand-over ${move.number}`}
          onClick={(event) => {
            if ((event.target as Element).closest('[data-seq]') !== null) return;
            const { left } = event.currentTarget.getBoundingClientRect();
            state.goTo(axis.at(event.clientX - left - 8));
          }}
        >
          <defs>
            <marker
              id="head"
              viewBox="0 0 8 8"
              refX="7"
              refY="4"
              markerWidth="7"
              markerHeight="7"
              orient="auto-start-reverse"
            >
              <path d="M0 0.5 8 4 0 7.5z" />
            </marker>
          </defs>
          <g transform="translate(8 0)">
            <Ticks axis={axis} began={move.beganAt} height={height} />
            {gap !== undefined && <GapBand axis={axis} gap={gap} top={laneY('client') - 12} bottom={height - 16} />}
            {lanes.map((lane) => (
              <LaneBars key={lane} move={move} lane={lane} y={laneY(lane)} axis={axis} now={now} />
            ))}
            {arrowPlaces.map(({ arrow, x1, x2, y1, y2 }) => {
              const chosen = arrow.seqs.includes(state.chosen ?? -1);
              return (
                // biome-ignore lint/a11y/noStaticElementInteractions: the sequence below holds the same messages, with keys
                <g
                  key={arrow.seq}
                  class={`arrow ${/cancel|error|nack/.test(arrow.name) ? 'bad' : ''} ${chosen ? 'chosen' : ''}`}
                  data-seq={arrow.seq}
                  onClick={() => {
                    const record = store.record(arrow.seq);
                    if (record !== undefined) state.choose(record);
                  }}
                >
                  <title>{`${arrow.name} on ${arrow.channel}, ${arrow.from} → ${arrow.to}, ${duration(arrow.receivedAt - arrow.sentAt)}`}</title>
                  <line class="touch" x1={x1} y1={y1} x2={x2} y2={y2} />
                  <line class="shaft" x1={x1} y1={y1} x2={x2} y2={y2} marker-end="url(#head)" />
                </g>
              );
            })}
            {lanes.map((lane) => (
              <Deadlines
                key={lane}
                move={move}
                lane={lane}
                y={laneY(lane) + barHeight + 4}
                axis={axis}
                now={now}
                moment={inSight ? at : undefined}
              />
            ))}
            {labels.map((label) => (
              <text key={label.index} class="arrow-label" x={label.x} y={label.y} text-anchor={label.anchor}>
                {label.text}
              </text>
            ))}
            <ChannelRows move={move} channels={channels} y={channelTop} axis={axis} now={now} />
            {where !== undefined && (
              <Where axis={axis} move={move} where={where} top={laneY('client')} bottom={height - 16} />
            )}
            {inSight && <line class="cursor" x1={axis.x(at)} x2={axis.x(at)} y1={top - 6} y2={height} />}
          </g>
        </svg>
      </div>
    </div>
  );
}

function Ticks({ axis, began, height }: { readonly axis: TimeAxis; readonly began: number; readonly height: number }) {
  return (
    <>
      {axis.ticks.map((tick) => (
        <g key={tick.at} class="tick">
          <line x1={tick.x} x2={tick.x} y1={16} y2={height} />
          <text x={tick.x + 3} y={12}>
            {Math.abs(tick.at - began) < 0.05 ? '0' : since(tick.at - began)}
          </text>
        </g>
      ))}
    </>
  );
}

interface GapBandProps {
  readonly axis: TimeAxis;
  readonly gap: { readonly from: number; readonly to: number; readonly ms: number };
  readonly top: number;
  readonly bottom: number;
}

function GapBand({ axis, gap, top: y, bottom }: GapBandProps) {
  const [x1, x2] = [axis.x(gap.from), axis.x(gap.to)];
  const wide = x2 - x1 > 80;
  const right = x2 + 90 < axis.width;
  return (
    <g class="gap">
      <title>{`No message was handled for ${duration(gap.ms)}`}</title>
      <rect x={x1} y={y} width={Math.max(2, x2 - x1)} height={bottom - y} />
      <text
        x={wide ? (x1 + x2) / 2 : right ? x2 + 4 : x1 - 4}
        y={bottom + 12}
        text-anchor={wide ? 'middle' : right ? 'start' : 'end'}
      >
        gap {duration(gap.ms)}
      </text>
    </g>
  );
}

/** When it failed or was cancelled: the news of it and the client's chart tell so within a few milliseconds. */
function givenUpAt(move: HandOver): number | undefined {
  if ((move.outcome !== 'failed' && move.outcome !== 'cancelled') || move.endedAt === undefined) return undefined;
  const last = move.lanes.client.spans.at(-1);
  return last?.final && Math.abs(last.from - move.endedAt) < 100 ? last.from : move.endedAt;
}

interface WhereProps {
  readonly axis: TimeAxis;
  readonly move: HandOver;
  readonly where: number;
  readonly top: number;
  readonly bottom: number;
}

/** Where it was given up, and why. */
function Where({ axis, move, where, top: y, bottom }: WhereProps) {
  const x = axis.x(where);
  const words = `${outcomeSigns[move.outcome]} ${move.outcome} here${move.reason === undefined ? '' : `: ${move.reason}`}`;
  const most = Math.floor(axis.width / 6.6);
  const text = words.length > most ? `${words.slice(0, most - 1)}…` : words;
  const half = (text.length * 6.6) / 2;
  return (
    <g class={`where ${move.outcome}`}>
      <title>{words}</title>
      <line x1={x} x2={x} y1={y} y2={bottom} />
      <text x={Math.min(axis.width - half, Math.max(half, x))} y={bottom + 12} text-anchor="middle">
        {text}
      </text>
    </g>
  );
}

/** Everything that deserves room on the axis. A deadline that never ran out does not: it may lie far ahead. */
function timesOf(
  move: HandOver,
  arrows: readonly { sentAt: number; receivedAt: number }[],
  now: number | undefined,
): number[] {
  const end = now ?? move.endedAt ?? move.beganAt;
  const times = [move.beganAt, end, ...(move.linkedAt === undefined ? [] : [move.linkedAt])];
  const latest = end + 30;
  for (const lane of laneNames) for (const span of move.lanes[lane].spans) times.push(span.from);
  for (const arrow of arrows) times.push(arrow.sentAt, arrow.receivedAt);
  for (const channel of move.channels.values()) {
    times.push(...[channel.leftAt, channel.switchedAt, channel.firstAt].filter((t) => t !== undefined));
  }
  const shown = times.filter((time) => time <= latest && time >= move.beganAt - 100);
  return [...shown, Math.max(...shown) + Math.max(2, (end - move.beganAt) * 0.02)];
}

const shortName = (name: string): string => name.replace(/^msgc?\./, '');

/** Which names come first where not all have room. */
const weightOf = (name: string): number =>
  /migrate_(begin|connected|cancel|end|switch|connect_error|dst)|^msg\.init$/.test(name)
    ? 2
    : /migrate/.test(name)
      ? 1
      : 0;
