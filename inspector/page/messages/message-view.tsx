/** Every message and chart event in one table, filtered; counters of each channel above, the chosen one's fields beside. */
import { useMemo } from 'preact/hooks';
import type { FeedRecord } from '../../feed.ts';
import { partyOf } from '../../feed.ts';
import { usePage } from '../context.ts';
import { bytes, count } from '../format.ts';
import { type KindName, kinds } from '../view-state.ts';
import { MessageDetail } from './message-detail.tsx';
import { passes } from './message-filter.ts';
import { MessageTable } from './message-table.tsx';

const kindTitles: Record<KindName, string> = {
  wire: 'messages',
  event: 'events',
  command: 'commands',
  snapshot: 'states',
  other: 'other',
};

export function MessageView() {
  const { store, state } = usePage();
  const { filter } = state;
  const records = useMemo(
    () => store.records.filter((record) => passes(record, filter)),
    [store.records, store.revision, filter],
  );
  const chosen = state.chosen === undefined ? undefined : store.record(state.chosen);
  return (
    <div class="messages">
      <FilterBar found={records.length} />
      <Counters />
      <div class="split">
        <MessageTable records={records} />
        <aside class="detail" aria-label="The chosen record">
          {chosen === undefined ? (
            <p class="hint">Choose a row to see its fields and bytes.</p>
          ) : (
            <MessageDetail record={chosen as FeedRecord} key={chosen.seq} />
          )}
        </aside>
      </div>
    </div>
  );
}

function FilterBar({ found }: { readonly found: number }) {
  const { store, state } = usePage();
  const { filter } = state;
  const channels = [...new Set([...store.counts.values()].map((c) => c.channel))].sort();
  const actors = [...store.parties.values()];
  const chosenActor = actors.every((party) => party.id !== filter.actor) && filter.actor !== '' ? [filter.actor] : [];
  return (
    <form class="filters" onSubmit={(event) => event.preventDefault()}>
      <input
        type="search"
        aria-label="Name or actor"
        placeholder="name or actor   ( / )"
        value={filter.text}
        onInput={(event) => state.setFilter({ text: event.currentTarget.value })}
      />
      <select
        aria-label="Channel"
        value={filter.channel}
        onChange={(e) => state.setFilter({ channel: e.currentTarget.value })}
      >
        <option value="">every channel</option>
        {channels.map((channel) => (
          <option key={channel}>{channel}</option>
        ))}
      </select>
      <select
        aria-label="Direction"
        value={filter.direction}
        onChange={(e) => state.setFilter({ direction: e.currentTarget.value as '' | 'in' | 'out' })}
      >
        <option value="">both ways</option>
        <option value="in">read</option>
        <option value="out">written</option>
      </select>
      <select
        aria-label="Actor"
        value={filter.actor}
        onChange={(e) => state.setFilter({ actor: e.currentTarget.value })}
      >
        <option value="">everybody</option>
        {actors.map((party) => (
          <option key={party.id} value={party.id}>
            {party.name}
          </option>
        ))}
        {chosenActor.map((actor) => (
          <option key={actor}>{actor}</option>
        ))}
      </select>
      <fieldset>
        <legend class="hidden">Kinds of records</legend>
        {kinds.map((kind) => (
          <label key={kind} class="check">
            <input
              type="checkbox"
              checked={filter.kinds.has(kind)}
              onChange={() => {
                const chosen = new Set(filter.kinds);
                if (!chosen.delete(kind)) chosen.add(kind);
                state.setFilter({ kinds: chosen });
              }}
            />
            {kindTitles[kind]}
          </label>
        ))}
        <label class="check" title="draw_*, audio, acknowledgements and the like">
          <input type="checkbox" checked={filter.data} onChange={() => state.setFilter({ data: !filter.data })} />
          data
        </label>
      </fieldset>
      <span class="grow" />
      <span class="quiet" role="status">
        {count(found)} of {count(store.records.length)}
      </span>
    </form>
  );
}

interface ChannelSum {
  readonly party: string;
  readonly channel: string;
  messages: number;
  size: number;
  readonly names: [string, number][];
}

/** How much each channel has carried, whether or not its messages are in the table. */
function Counters() {
  const { store, state } = usePage();
  const sums = new Map<string, ChannelSum>();
  for (const one of store.counts.values()) {
    const party = partyOf(one.actor);
    const key = `${party} ${one.channel}`;
    const sum = sums.get(key) ?? { party, channel: one.channel, messages: 0, size: 0, names: [] };
    sum.messages += one.count;
    sum.size += one.bytes;
    sum.names.push([`${one.name} (${one.direction})`, one.count]);
    sums.set(key, sum);
  }
  if (sums.size === 0) return null;
  const list = [...sums.values()]
    .sort((a, b) => a.party.localeCompare(b.party) || b.messages - a.messages)
    .slice(0, 60);
  return (
    <ul class="counters" aria-label="Messages of each channel">
      {list.map((sum) => (
        <li key={`${sum.party} ${sum.channel}`}>
          <button
            type="button"
            class={state.filter.channel === sum.channel && state.filter.actor === sum.party ? 'on' : ''}
            title={sum.names
              .sort((a, b) => b[1] - a[1])
              .map(([name, n]) => `${count(n)}  ${name}`)
              .join('\n')}
            onClick={() => {
              const on = state.filter.channel === sum.channel && state.filter.actor === sum.party;
              state.setFilter(on ? { channel: '', actor: '' } : { channel: sum.channel, actor: sum.party });
            }}
          >
            <span class="quiet">{store.parties.get(sum.party)?.name ?? sum.party}</span> {sum.channel}{' '}
            <b>{count(sum.messages)}</b> <span class="quiet">{bytes(sum.size)}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}
