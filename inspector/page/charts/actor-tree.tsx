/** All actors as a tree: parties, sessions, channels, hand-overs, each with where it is. Usable with thousands of rows. */
import { useMemo, useState } from 'preact/hooks';
import { leavesOf } from '../../chart-state.ts';
import type { ActorInfo } from '../../feed.ts';
import { usePage } from '../context.ts';
import type { FeedStore } from '../feed-store.ts';
import { count } from '../format.ts';
import { VirtualList } from '../virtual-list.tsx';

interface Row {
  readonly id: string;
  readonly name: string;
  readonly depth: number;
  readonly actor: ActorInfo | undefined;
  readonly children: number;
  readonly open: boolean;
}

/** With more actors than this, sessions begin closed. */
const many = 80;

export function ActorTree() {
  const { store, state, version } = usePage();
  const [text, setText] = useState('');
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [stopped, setStopped] = useState(false);
  const { at } = state;
  const live = state.moment === undefined;
  const rows = useMemo(
    () =>
      rowsOf(store, {
        text: text.trim().toLowerCase(),
        toggled,
        stopped,
        at: live ? undefined : at,
        seq: state.seq,
        chosen: state.actor,
      }),
    [version, text, toggled, stopped, at, live, state.actor],
  );
  const index = rows.findIndex((row) => row.id === state.actor);
  const toggle = (id: string) => {
    const next = new Set(toggled);
    if (!next.delete(id)) next.add(id);
    setToggled(next);
  };
  const keys = (event: KeyboardEvent) => {
    const row = rows[index];
    const go = (to: Row | undefined) => to !== undefined && state.chooseActor(to.id);
    if (event.key === 'ArrowDown') go(rows[index + 1]);
    else if (event.key === 'ArrowUp') go(rows[Math.max(0, index - 1)]);
    else if (event.key === 'ArrowRight' && row !== undefined && row.children > 0 && !row.open) toggle(row.id);
    else if (event.key === 'ArrowLeft' && row !== undefined) {
      if (row.open && row.children > 0) toggle(row.id);
      else go(rows.slice(0, index).findLast((r) => r.depth < row.depth));
    } else return;
    event.preventDefault();
  };
  return (
    <nav class="actors" aria-label="Actors">
      <div class="actors-tools">
        <input
          type="search"
          aria-label="Search actors"
          placeholder="search actors"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <label class="check" title="Actors that have ended">
          <input type="checkbox" checked={stopped} onChange={() => setStopped(!stopped)} />
          ended
        </label>
      </div>
      <VirtualList
        label="Actors"
        role="tree"
        className="actor-rows"
        count={rows.length}
        rowHeight={26}
        show={index}
        active={state.actor === undefined ? undefined : `actor-${state.actor}`}
        onKeyDown={keys}
        row={(i) => <TreeRow key={rows[i]!.id} row={rows[i]!} onToggle={toggle} />}
      />
      <p class="quiet foot">
        {count(rows.filter((row) => row.actor !== undefined).length)} shown of {count(store.actors.size)} actors
      </p>
    </nav>
  );
}

function TreeRow({ row, onToggle }: { readonly row: Row; readonly onToggle: (id: string) => void }) {
  const { store, state } = usePage();
  const { now } = store.snapshotsAt(row.id, state.seq);
  const where = now === undefined ? '' : leavesOf(now.value) || now.status;
  const party = store.parties.get(row.id);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree takes the keys
    // biome-ignore lint/a11y/useFocusableInteractive: the tree has the focus, and names its active row
    <div
      id={`actor-${row.id}`}
      role="treeitem"
      aria-level={row.depth + 1}
      aria-selected={row.id === state.actor}
      aria-expanded={row.children > 0 ? row.open : undefined}
      class={`actor-row depth-${Math.min(8, row.depth)} ${row.id === state.actor ? 'chosen' : ''} ${stateClass(row, now?.status, party?.gone, state.moment?.at)}`}
      title={`${row.id}${where === '' ? '' : `\n${where}`}`}
      onClick={() => state.chooseActor(row.id)}
    >
      <span
        class="twist"
        aria-hidden="true"
        onClick={(event) => {
          event.stopPropagation();
          onToggle(row.id);
        }}
      >
        {row.children === 0 ? '' : row.open ? '▾' : '▸'}
      </span>
      <span class="light" aria-hidden="true" />
      <span class="actor-name">{row.name}</span>
      {!row.open && row.children > 0 && <span class="quiet">({row.children})</span>}
      <span class="where">{where}</span>
    </div>
  );
}

/** `at`: the chosen moment; undefined for now. */
function stateClass(row: Row, status: string | undefined, gone: boolean | undefined, at: number | undefined): string {
  if (status === 'error') return 'failed';
  const ended = at === undefined ? gone || row.actor?.stoppedAt !== undefined : (row.actor?.stoppedAt ?? at) < at;
  if (ended || status === 'done' || status === 'stopped') return 'ended';
  return status === undefined ? 'plain' : 'running';
}

interface Wanted {
  readonly text: string;
  readonly toggled: ReadonlySet<string>;
  readonly stopped: boolean;
  /** Undefined: now. */
  readonly at: number | undefined;
  readonly seq: number;
  readonly chosen: string | undefined;
}

function rowsOf(store: FeedStore, wanted: Wanted): Row[] {
  const { at } = wanted;
  const there = (actor: ActorInfo) => {
    if (wanted.stopped || actor.id === wanted.chosen) return true;
    const { startedAt, stoppedAt = Number.POSITIVE_INFINITY } = actor;
    if (at === undefined) return stoppedAt === Number.POSITIVE_INFINITY;
    // It began later, but one of the same name may have been there then.
    if (startedAt > at) return store.snapshotsAt(actor.id, wanted.seq).now?.status === 'active';
    return stoppedAt >= at;
  };
  const children = new Map<string, ActorInfo[]>();
  const tops = new Map<string, ActorInfo | undefined>();
  for (const party of store.parties.values()) if (!party.gone || wanted.stopped) tops.set(party.id, undefined);
  for (const actor of store.actors.values()) {
    if (!there(actor)) continue;
    const slash = actor.id.lastIndexOf('/');
    if (slash < 0) tops.set(actor.id, actor);
    else {
      const parent = nearest(store, actor.id.slice(0, slash));
      const list = children.get(parent);
      if (list === undefined) children.set(parent, [actor]);
      else list.push(actor);
    }
  }
  const rows: Row[] = [];
  const closed = store.actors.size > many;
  const add = (id: string, name: string, actor: ActorInfo | undefined, depth: number): boolean => {
    const below = (children.get(id) ?? []).sort((a, b) => a.startedAt - b.startedAt || a.id.localeCompare(b.id));
    const openByNature = depth === 0 || !closed;
    const open = wanted.text !== '' || openByNature !== wanted.toggled.has(id);
    const place = rows.length;
    let found = wanted.text === '' || `${id} ${name}`.toLowerCase().includes(wanted.text);
    rows.push({ id, name, depth, actor, children: below.length, open });
    if (open) for (const child of below) found = add(child.id, child.name, child, depth + 1) || found;
    if (!found) rows.length = place;
    return found;
  };
  for (const [id, actor] of tops) add(id, store.parties.get(id)?.name ?? id, actor, 0);
  return rows;
}

/** An actor whose parent is not among the actors hangs on the next one up, at last on its party. */
function nearest(store: FeedStore, path: string): string {
  let id = path;
  while (!store.actors.has(id) && id.includes('/')) id = id.slice(0, id.lastIndexOf('/'));
  return id;
}
