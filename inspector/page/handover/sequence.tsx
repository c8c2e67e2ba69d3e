/** The messages of a hand-over one below the other, as arrows between the three. Here each has room for its name. */
import { useMemo, useState } from 'preact/hooks';
import { type HandOver, laneNames, lanesOf } from '../../handover.ts';
import { type Arrow, arrowsOf } from '../../handover-arrows.ts';
import { usePage } from '../context.ts';
import { bytes, since } from '../format.ts';
import { VirtualList } from '../virtual-list.tsx';
import { laneWord } from './words.ts';

const rowHeight = 24;

export function Sequence({ move }: { readonly move: HandOver }) {
  const { store, state, version } = usePage();
  const lanes = lanesOf(move);
  const [all, setAll] = useState(false);
  const arrows = useMemo(() => arrowsOf(move).filter((arrow) => all || arrow.path === 'control'), [move, version, all]);
  const chosen = arrows.findIndex((arrow) => arrow.seqs.includes(state.chosen ?? -1));
  const at = chosen >= 0 ? chosen : arrows.findLastIndex((arrow) => arrow.seq <= state.seq);
  // One that is over is read from its begin, until somebody goes to a moment within it.
  const show = chosen < 0 && move.endedAt !== undefined && at === arrows.length - 1 ? 0 : at;
  const choose = (arrow: Arrow | undefined) => {
    const record = arrow === undefined ? undefined : store.record(arrow.seq);
    if (record !== undefined) state.choose(record);
  };
  return (
    <section class="sequence" aria-label="Messages of the hand-over">
      <header>
        <h3>Messages</h3>
        <span class="quiet">{arrows.length}</span>
        <label class="check">
          <input type="checkbox" checked={all} onChange={() => setAll(!all)} />
          data messages too
        </label>
        <span class="grow" />
        {chosen >= 0 && (
          <button type="button" onClick={() => state.show('messages')}>
            Show its bytes
          </button>
        )}
      </header>
      <div class="sequence-head" aria-hidden="true">
        <span class="when" />
        <span class="flow">
          {laneNames.map((lane) => (
            <span key={lane} class={`${lane} ${lanes.includes(lane) ? '' : 'absent'}`}>
              {laneWord(move, lane)}
            </span>
          ))}
        </span>
        <span class="channel" />
        <span class="size" />
      </div>
      <VirtualList
        label="Messages in order"
        className="sequence-rows"
        count={arrows.length}
        rowHeight={rowHeight}
        show={show}
        active={chosen >= 0 ? `arrow-${arrows[chosen]!.seq}` : undefined}
        onKeyDown={(event) => {
          const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (by === undefined) return;
          event.preventDefault();
          choose(arrows[Math.max(0, Math.min(arrows.length - 1, at + by))]);
        }}
        row={(i) => <SequenceRow key={arrows[i]!.seq} arrow={arrows[i]!} move={move} onChoose={choose} />}
      />
    </section>
  );
}

interface SequenceRowProps {
  readonly arrow: Arrow;
  readonly move: HandOver;
  readonly onChoose: (arrow: Arrow) => void;
}

/** Places of the three lifelines in a row of 600. */
const lifelines = { source: 20, client: 300, target: 580 } as const;

function SequenceRow({ arrow, move, onChoose }: SequenceRowProps) {
  const { state } = usePage();
  const [x1, x2] = [lifelines[arrow.from], lifelines[arrow.to]];
  const chosen = arrow.seqs.includes(state.chosen ?? -1);
  const tip = x2 > x1 ? `M${x2 - 2} 17l-8 -4v8z` : `M${x2 + 2} 17l8 -4v8z`;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list takes the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and names its active row
    <div
      id={`arrow-${arrow.seq}`}
      role="option"
      aria-selected={chosen}
      class={`sequence-row ${chosen ? 'chosen' : ''} ${arrow.seq > state.seq ? 'later' : ''} ${/cancel|error|nack/.test(arrow.name) ? 'bad' : ''}`}
      onClick={() => onChoose(arrow)}
    >
      <span class="when">{since(arrow.sentAt - move.beganAt)}</span>
      <svg class="flow" viewBox="0 0 600 24" preserveAspectRatio="none" aria-hidden="true">
        {lanesOf(move).map((lane) => (
          <line key={lane} class={`life ${lane}`} x1={lifelines[lane]} x2={lifelines[lane]} y1={0} y2={24} />
        ))}
        <line class="shaft" x1={x1} x2={x2} y1={17} y2={17} />
        <path class="tip" d={tip} />
      </svg>
      <span class={`name ${x1 < 300 || x2 < 300 ? 'left' : 'right'}`}>{arrow.name.replace(/^msgc?\./, '')}</span>
      <span class="channel">{arrow.channel}</span>
      <span class="size">{bytes(arrow.size)}</span>
      <span class="hidden">
        {arrow.from} to {arrow.to}
      </span>
    </div>
  );
}
