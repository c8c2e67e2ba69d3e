/**
 * Where a chart is: the states that a snapshot's value lights, and the transitions that led from one value to the next.
 * Runs anywhere. It looks only at values; it never runs a guard, so between guarded twins it names the likelier one.
 */
import type { ChartGraph, ChartState, ChartTransition } from './chart-graph.ts';

/** The value of a snapshot: a key, or keys with the values below them. */
export type StateValue = string | { readonly [key: string]: StateValue | undefined };

/** A value that another program sent, without what is no part of one. Undefined if nothing is left. */
export function readValue(value: unknown, depth = 0): StateValue | undefined {
  if (typeof value === 'string') return value;
  if (value === null || typeof value !== 'object' || Array.isArray(value) || depth > 64) return undefined;
  return Object.fromEntries(Object.entries(value).map(([key, below]) => [key, readValue(below, depth + 1)]));
}

/** The innermost states of a value in words: "linking main", or "channels: linked, handshake: asking". */
export function leavesOf(value: StateValue | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  const keys = Object.keys(value);
  const below = keys.map((key) => [key, leavesOf(value[key])] as const);
  if (keys.length === 1) return below[0]![1] === '' ? below[0]![0] : below[0]![1];
  return below.map(([key, leaf]) => (leaf === '' ? key : `${key}: ${leaf}`)).join(', ');
}

/** Ids of all active states, the root among them. Keys that the chart does not have are passed over. */
export function activeStates(graph: ChartGraph, value: StateValue | undefined): ReadonlySet<string> {
  const active = new Set<string>();
  const light = (state: ChartState, below: StateValue | undefined, depth: number): void => {
    active.add(state.id);
    if (below === undefined || depth > 100) return;
    const keys = typeof below === 'string' ? [below] : Object.keys(below);
    for (const key of keys) {
      const child = state.children.find((c) => c.key === key);
      if (child !== undefined) light(child, typeof below === 'string' ? undefined : below[key], depth + 1);
    }
  };
  if (value !== undefined) light(graph.root, value, 0);
  return active;
}

/** Whether an event of `type` sets off a transition that is written for `event` (`msg.*` and `*` are wildcards). */
export function matches(event: string, type: string): boolean {
  if (event === type || event === '*') return true;
  return event.endsWith('.*') && (type === event.slice(0, -2) || type.startsWith(event.slice(0, -1)));
}

/**
 * The transitions that probably took a chart from one value to another on an event, chosen as XState chooses: the innermost
 * state that has one, in every region; the parallel state itself only if no region has. `always` transitions out of states
 * that were entered on the way follow.
 */
export function transitionsTaken(
  graph: ChartGraph,
  before: ReadonlySet<string>,
  type: string,
  after: ReadonlySet<string>,
): readonly ChartTransition[] {
  const bySource = transitionsBySource(graph);
  const changed = before.size !== after.size || [...before].some((id) => !after.has(id));
  const leadsThere = (t: ChartTransition) => t.targets.some((id) => reaches(graph, bySource, id, after, 0));
  const own = (state: ChartState): readonly ChartTransition[] => {
    const pool = candidates(bySource.get(state.id) ?? [], type);
    const found =
      (changed ? pool.find(leadsThere) : undefined) ?? pool.find((t) => t.targets.length === 0 || leadsThere(t));
    return found === undefined ? [] : [found];
  };
  const pick = (state: ChartState): readonly ChartTransition[] => {
    const inner = state.children.filter((child) => before.has(child.id)).flatMap(pick);
    return inner.length > 0 ? inner : own(state);
  };
  const taken = new Set(before.has(graph.root.id) ? pick(graph.root) : []);
  for (const t of taken) {
    for (const id of t.targets) {
      const next = after.has(id) ? undefined : alwaysFrom(graph, bySource, id).find(leadsThere);
      // A set may grow while it is walked: what is added is followed too.
      if (next !== undefined) taken.add(next);
    }
  }
  if (changed && [...taken].every((t) => t.targets.length === 0)) {
    // What stayed where it was has changed what a guard says: a state was left without an event of its own.
    for (const id of before) {
      if (after.has(id)) continue;
      const next = (bySource.get(id) ?? []).find((t) => t.trigger.on === 'always' && leadsThere(t));
      if (next !== undefined) taken.add(next);
    }
  }
  return [...taken];
}

/** An event's own transitions; wildcards, the longest first, only where there are none. */
function candidates(transitions: readonly ChartTransition[], type: string): readonly ChartTransition[] {
  const possible = transitions.filter((t) => t.event !== '' && matches(t.event, type));
  const exact = possible.filter((t) => t.event === type);
  return exact.length > 0 ? exact : possible.sort((a, b) => b.event.length - a.event.length);
}

type BySource = ReadonlyMap<string, readonly ChartTransition[]>;

/** Whether entering `id` may end in the states of `after`, directly or through `always` transitions. */
function reaches(graph: ChartGraph, bySource: BySource, id: string, after: ReadonlySet<string>, hops: number): boolean {
  if (after.has(id)) return true;
  if (hops > 8) return false;
  return alwaysFrom(graph, bySource, id).some((t) =>
    t.targets.some((x) => reaches(graph, bySource, x, after, hops + 1)),
  );
}

/** Transitions that need no event from outside: `always` of a state and of what is entered in it, and `done` after a final one. */
function alwaysFrom(graph: ChartGraph, bySource: BySource, id: string): readonly ChartTransition[] {
  const own = (bySource.get(id) ?? []).filter((t) => t.event === '');
  const state = stateById(graph, id);
  const inside = state?.initial.flatMap((child) => alwaysFrom(graph, bySource, child)) ?? [];
  const done = state?.kind === 'final' ? (bySource.get(parentId(graph, id) ?? '') ?? []) : [];
  return [...own, ...inside, ...done.filter((t) => t.trigger.on === 'state done')];
}

const indexes = new WeakMap<ChartGraph, ReadonlyMap<string, ChartState>>();

export function stateById(graph: ChartGraph, id: string): ChartState | undefined {
  let index = indexes.get(graph);
  if (index === undefined) {
    index = new Map(graph.states.map((state) => [state.id, state]));
    indexes.set(graph, index);
  }
  return index.get(id);
}

const sources = new WeakMap<ChartGraph, BySource>();

function transitionsBySource(graph: ChartGraph): BySource {
  const known = sources.get(graph);
  if (known !== undefined) return known;
  const map = new Map<string, ChartTransition[]>();
  for (const t of graph.transitions) {
    const list = map.get(t.source);
    if (list === undefined) map.set(t.source, [t]);
    else list.push(t);
  }
  sources.set(graph, map);
  return map;
}

const parents = new WeakMap<ChartGraph, ReadonlyMap<string, string>>();

/** The id of a state's parent; undefined for the root. */
export function parentId(graph: ChartGraph, id: string): string | undefined {
  let map = parents.get(graph);
  if (map === undefined) {
    map = new Map(graph.states.flatMap((s) => s.children.map((c) => [c.id, s.id] as const)));
    parents.set(graph, map);
  }
  return map.get(id);
}
