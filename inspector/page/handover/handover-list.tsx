/** All hand-overs, newest first. Scheme and outcome of each can be told apart at a glance, by sign, word and colour. */

import type { HandOver } from '../../handover.ts';
import { gapOf } from '../../handover-arrows.ts';
import { usePage } from '../context.ts';
import { clock, duration } from '../format.ts';
import { VirtualList } from '../virtual-list.tsx';
import { SchemeSign } from './scheme-sign.tsx';
import { laneTitle, outcomeSigns, outcomeWords, schemeWords } from './words.ts';

export function HandoverList({ shown }: { readonly shown: HandOver }) {
  const { store, state } = usePage();
  const list = store.handovers.list.toReversed();
  const index = list.indexOf(shown);
  return (
    <nav class="handover-list" aria-label="Hand-overs">
      <VirtualList
        label="Hand-overs, newest first"
        count={list.length}
        rowHeight={58}
        show={index}
        active={`row-${shown.id}`}
        onKeyDown={(event) => {
          const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (by === undefined) return;
          event.preventDefault();
          const next = list[index + by];
          if (next !== undefined) state.chooseHandover(next);
        }}
        row={(i) => {
          const move = list[i]!;
          const gap = gapOf(move);
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the list takes the keys
            // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and names its active row
            <div
              key={move.id}
              id={`row-${move.id}`}
              role="option"
              aria-selected={move === shown}
              class={`handover-row ${move === shown ? 'chosen' : ''} ${move.outcome.replace(' ', '-')}`}
              onClick={() => state.chooseHandover(i === 0 && state.moment === undefined ? undefined : move)}
            >
              <span class="outcome" title={outcomeWords[move.outcome]}>
                {outcomeSigns[move.outcome]}
              </span>
              <span class="scheme">
                <SchemeSign scheme={move.scheme} /> {schemeWords(move)}
              </span>
              <span class="result">
                {move.outcome === 'switched' && gap !== undefined
                  ? `gap ${duration(gap.ms)}`
                  : outcomeWords[move.outcome]}
              </span>
              <span class="route">
                {move.kind === 'loss'
                  ? `${laneTitle(store, move, 'client')} ⇠ ${laneTitle(store, move, 'source')}`
                  : `${laneTitle(store, move, 'source')} → ${laneTitle(store, move, 'target')}`}
              </span>
              <span class="when">{clock(move.beganAt).slice(0, 8)}</span>
            </div>
          );
        }}
      />
    </nav>
  );
}
