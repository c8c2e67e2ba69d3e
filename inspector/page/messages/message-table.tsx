/** The rows of the messages view. Only those in sight exist; up and down choose. */
import type { FeedRecord } from '../../feed.ts';
import { partyOf } from '../../feed.ts';
import { usePage } from '../context.ts';
import { bytes, clock } from '../format.ts';
import { VirtualList } from '../virtual-list.tsx';
import { kindOf, nameOf, noteOf } from './message-filter.ts';

const rowHeight = 22;

export function MessageTable({ records }: { readonly records: readonly FeedRecord[] }) {
  const { store, state } = usePage();
  const at = indexAt(records, state.seq);
  const move = (by: number) => {
    const next = records[Math.max(0, Math.min(records.length - 1, at + by))];
    if (next !== undefined) state.choose(next);
  };
  return (
    <div class="table">
      <div class="table-head" aria-hidden="true">
        <span class="time">time</span>
        <span class="who">who</span>
        <span class="actor">actor</span>
        <span class="way" />
        <span class="name">name</span>
        <span class="size">bytes</span>
        <span class="note">note</span>
      </div>
      <VirtualList
        label="Messages and events"
        className="table-body"
        role="listbox"
        count={records.length}
        rowHeight={rowHeight}
        follow={state.moment === undefined}
        show={state.moment === undefined ? undefined : at}
        active={state.chosen === undefined ? undefined : `record-${state.chosen}`}
        onKeyDown={(event) => {
          const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 }[event.key];
          if (by === undefined) return;
          event.preventDefault();
          move(by);
        }}
        row={(i) => {
          const record = records[i]!;
          const party = partyOf(record.actor);
          const chosen = record.seq === state.chosen;
          return (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the list takes the keys, as a list box does
            // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus, and names its active row
            <div
              key={record.seq}
              id={`record-${record.seq}`}
              role="option"
              aria-selected={chosen}
              class={`record kind-${kindOf(record)} ${chosen ? 'chosen' : ''} ${record.seq > state.seq ? 'later' : ''}`}
              onClick={() => state.choose(record)}
            >
              <span class="time">{clock(record.at)}</span>
              <span class="who">{store.parties.get(party)?.name ?? party}</span>
              <span class="actor">
                {record.kind === 'wire' ? record.channel : record.actor.slice(party.length + 1)}
              </span>
              <span class="way">{wayOf(record)}</span>
              <span class="name">{nameOf(record)}</span>
              <span class="size">{record.kind === 'wire' ? bytes(record.size) : ''}</span>
              <span class="note">{noteOf(record)}</span>
            </div>
          );
        }}
      />
    </div>
  );
}

function wayOf(record: FeedRecord): string {
  switch (record.kind) {
    case 'wire':
      return record.direction === 'in' ? '←' : '→';
    case 'event':
      return '⚡';
    case 'command':
      return '!';
    case 'snapshot':
      return '●';
    default:
      return '·';
  }
}

/** The last row up to a number; -1 if there is none. */
function indexAt(records: readonly FeedRecord[], seq: number): number {
  let [low, high] = [0, records.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (records[middle]!.seq <= seq) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
