/** The chosen actor in words: where it is, what it holds, and what happened to it last. */
import { leavesOf } from '../../chart-state.ts';
import { eventText } from '../../chart-words.ts';
import type { FeedRecord } from '../../feed.ts';
import { usePage } from '../context.ts';
import { clock } from '../format.ts';
import { Tree } from '../messages/json-tree.tsx';
import { nameOf, noteOf } from '../messages/message-filter.ts';

export function ActorPanel({ actor }: { readonly actor: string }) {
  const { store, state } = usePage();
  const { now } = store.snapshotsAt(actor, state.seq);
  const info = store.actors.get(actor);
  return (
    <aside class="actor-panel" aria-label="The chosen actor">
      <h2>{store.parties.get(actor)?.name ?? info?.name ?? actor}</h2>
      <p class="quiet path">{actor}</p>
      <dl>
        <dt>is</dt>
        <dd>{now === undefined ? 'not known' : leavesOf(now.value) || now.status}</dd>
        {now !== undefined && (
          <>
            <dt>since</dt>
            <dd>
              {clock(now.at)}
              {now.on !== '' && `, on ${eventText(now.on)}`}
            </dd>
          </>
        )}
        {now?.tags !== undefined && (
          <>
            <dt>tags</dt>
            <dd>{now.tags.join(', ')}</dd>
          </>
        )}
        {now?.error !== undefined && (
          <>
            <dt>error</dt>
            <dd class="error">{now.error}</dd>
          </>
        )}
        {info?.chart !== undefined && (
          <>
            <dt>chart</dt>
            <dd>{info.chart}</dd>
          </>
        )}
      </dl>
      {now?.context !== undefined && (
        <>
          <h3>Context</h3>
          <Tree value={now.context} open />
        </>
      )}
      <h3>What happened</h3>
      <Recent actor={actor} />
      <button
        type="button"
        onClick={() => {
          state.setFilter({
            actor,
            text: '',
            channel: '',
            direction: '',
            kinds: new Set(['wire', 'event', 'command', 'snapshot', 'other']),
          });
          state.show('messages');
        }}
      >
        All in Messages
      </button>
    </aside>
  );
}

function Recent({ actor }: { readonly actor: string }) {
  const { store, state } = usePage();
  const found: FeedRecord[] = [];
  const from = state.moment === undefined ? store.records.length - 1 : store.indexOf(state.seq);
  for (let i = from; i >= 0 && found.length < 40 && i > from - 8_000; i--) {
    const record = store.records[i]!;
    if (record.actor === actor && record.kind !== 'wire') found.push(record);
  }
  if (found.length === 0) return <p class="hint">Nothing yet.</p>;
  return (
    <ol class="recent">
      {found.map((record) => (
        <li key={record.seq}>
          <button
            type="button"
            class={`link kind-${record.kind} ${record.seq === state.chosen ? 'chosen' : ''}`}
            title={noteOf(record)}
            onClick={() => state.choose(record)}
          >
            <span class="quiet">{clock(record.at)}</span> {nameOf(record)}
          </button>
        </li>
      ))}
    </ol>
  );
}
