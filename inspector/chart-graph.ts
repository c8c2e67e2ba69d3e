/**
 * A chart as a graph: states within states, and transitions between them, read from a chart definition. This is what is laid
 * out, drawn, searched and lit. Runs anywhere. It keeps every state and transition in the order of the definition.
 */
import { type ChartDefinition, ChartError, chartLimits, type Json, type JsonObject } from './chart-definition.ts';

export type StateKind = 'atomic' | 'compound' | 'parallel' | 'final' | 'history';

/** A guard, action or actor by name, with the parameters it was given. Combined guards carry their `parts`. */
export interface Named {
  readonly name: string;
  readonly params?: Json;
  readonly parts?: readonly Named[];
}

export interface ChartState {
  /** The keys from the root down, joined by dots; the root is its machine's id. Unique in the graph. */
  readonly id: string;
  readonly key: string;
  /** Keys from below the root: [] is the root itself. */
  readonly path: readonly string[];
  readonly kind: StateKind;
  readonly history?: 'shallow' | 'deep';
  /** Ids of the children that are entered first; empty where there is no choice. */
  readonly initial: readonly string[];
  readonly entry: readonly Named[];
  readonly exit: readonly Named[];
  readonly invokes: readonly { readonly id: string; readonly actor: Named }[];
  readonly tags: readonly string[];
  readonly description?: string;
  /** The sender left something out here: its serializer stops at a depth, and says so with "[Object]". */
  readonly cut?: true;
  readonly children: readonly ChartState[];
}

/** What sets a transition off. */
export type Trigger =
  | { readonly on: 'event'; readonly name: string }
  | { readonly on: 'after'; readonly delay: string }
  | { readonly on: 'always' }
  | { readonly on: 'state done' }
  | { readonly on: 'actor done' | 'actor failed' | 'actor changed'; readonly actor: string };

export interface ChartTransition {
  /** `source|trigger|n`, with n counting the transitions of one trigger. Unique in the graph. */
  readonly id: string;
  readonly source: string;
  /** Ids of states; empty for a transition that stays where it is. */
  readonly targets: readonly string[];
  /** Targets that name no state of this chart, as they are written. */
  readonly lost: readonly string[];
  readonly trigger: Trigger;
  /** The type of the event that XState sends for this trigger; `always` has the empty one. May end in a wildcard. */
  readonly event: string;
  readonly guard?: Named;
  readonly actions: readonly Named[];
  readonly reenter: boolean;
  readonly description?: string;
}

export interface ChartGraph {
  readonly id: string;
  readonly root: ChartState;
  /** Every state, parents before their children. */
  readonly states: readonly ChartState[];
  readonly transitions: readonly ChartTransition[];
}

interface Node {
  readonly id: string;
  readonly path: readonly string[];
  readonly config: JsonObject;
  readonly parent: Node | undefined;
  readonly children: Map<string, Node>;
}

/** Reads a definition. Throws ChartError when it is larger than `chartLimits` allow. */
export function chartGraph(definition: ChartDefinition): ChartGraph {
  const byId = new Map<string, Node>();
  const nodes: Node[] = [];
  const plant = (config: JsonObject, path: readonly string[], parent: Node | undefined): Node => {
    if (path.length > chartLimits.depth) throw new ChartError('the chart nests too deeply');
    if (nodes.length >= chartLimits.states) throw new ChartError('the chart has too many states');
    const node: Node = { id: [definition.id, ...path].join('.'), path, config, parent, children: new Map() };
    nodes.push(node);
    byId.set(typeof config.id === 'string' ? config.id : node.id, node);
    for (const [key, child] of Object.entries(object(config.states))) {
      node.children.set(key, plant(isCut(child) ? { states: child } : object(child), [...path, key], node));
    }
    return node;
  };
  const root = plant(definition, [], undefined);
  const find = finder(root, byId);
  const transitions = nodes.flatMap((node) => transitionsOf(node, find));
  if (transitions.length > chartLimits.transitions) throw new ChartError('the chart has too many transitions');
  const states: ChartState[] = [];
  const build = (node: Node): ChartState => {
    const at = states.length;
    states.push(undefined as unknown as ChartState);
    const children = [...node.children.values()].map(build);
    const state = stateOf(node, children, find);
    states[at] = state;
    return state;
  };
  return { id: definition.id, root: build(root), states, transitions };
}

function stateOf(node: Node, children: readonly ChartState[], find: Finder): ChartState {
  const { config } = node;
  const kind = kindOf(config, children.length > 0);
  const first = children[0];
  const initial = targetsOf(object(config.initial).target ?? config.initial);
  const initialIds = initial.flatMap((t) => node.children.get(t)?.id ?? find(node, t)?.id ?? []);
  return {
    id: node.id,
    key: node.path.at(-1) ?? node.id,
    path: node.path,
    kind,
    ...(kind === 'history' ? { history: config.history === 'deep' ? ('deep' as const) : ('shallow' as const) } : {}),
    initial: kind !== 'compound' ? [] : initialIds.length > 0 || first === undefined ? initialIds : [first.id],
    entry: list(config.entry).map(named),
    exit: list(config.exit).map(named),
    invokes: list(config.invoke).map((invoke, i) => ({
      id: invokeId(node, invoke, i),
      actor: named(object(invoke).src ?? invoke),
    })),
    tags: list(config.tags).map(String),
    ...(typeof config.description === 'string' ? { description: config.description } : {}),
    ...(Object.values(config).some(isCut) ? { cut: true as const } : {}),
    children,
  };
}

function kindOf(config: JsonObject, hasChildren: boolean): StateKind {
  switch (config.type) {
    case 'parallel':
    case 'final':
    case 'history':
      return config.type;
    default:
      return hasChildren ? 'compound' : config.history === undefined || config.history === false ? 'atomic' : 'history';
  }
}

function transitionsOf(node: Node, find: Finder): ChartTransition[] {
  const { config } = node;
  const out: ChartTransition[] = [];
  const add = (trigger: Trigger, event: string, configs: Json | undefined) => {
    const entries = Array.isArray(configs) && configs.every((c) => typeof c === 'object') ? configs : [configs ?? null];
    entries.forEach((entry, n) => {
      out.push(transitionOf(node, trigger, event, entry as Json, n, find));
    });
  };
  for (const [name, entry] of Object.entries(object(config.on))) add({ on: 'event', name }, name, entry);
  for (const [delay, entry] of Object.entries(object(config.after))) {
    add({ on: 'after', delay }, `xstate.after.${delay}.${ownId(node)}`, entry);
  }
  if (config.always !== undefined) add({ on: 'always' }, '', config.always);
  list(config.invoke).forEach((entry, i) => {
    const invoke = object(entry);
    const actor = named(invoke.src ?? entry).name;
    const id = invokeId(node, entry, i);
    if (invoke.onDone !== undefined) add({ on: 'actor done', actor }, `xstate.done.actor.${id}`, invoke.onDone);
    if (invoke.onError !== undefined) add({ on: 'actor failed', actor }, `xstate.error.actor.${id}`, invoke.onError);
    if (invoke.onSnapshot !== undefined)
      add({ on: 'actor changed', actor }, `xstate.snapshot.${id}`, invoke.onSnapshot);
  });
  if (config.onDone !== undefined) add({ on: 'state done' }, `xstate.done.state.${ownId(node)}`, config.onDone);
  if (config.type === 'history' && config.target !== undefined) add({ on: 'always' }, '', config.target);
  return out;
}

function transitionOf(node: Node, trigger: Trigger, event: string, entry: Json, n: number, find: Finder) {
  const config: JsonObject = typeof entry === 'string' || Array.isArray(entry) ? { target: entry } : object(entry);
  const targets: string[] = [];
  const lost: string[] = [];
  for (const target of targetsOf(config.target)) {
    const found = find(node, target);
    if (found === undefined) lost.push(target);
    else targets.push(found.id);
  }
  const word = 'name' in trigger ? trigger.name : 'delay' in trigger ? trigger.delay : 'actor' in trigger ? event : '';
  return {
    id: `${node.id}|${trigger.on} ${word}|${n}`,
    source: node.id,
    targets,
    lost,
    trigger,
    event,
    ...(config.guard !== undefined && config.guard !== null ? { guard: named(config.guard) } : {}),
    actions: list(config.actions).map(named),
    reenter: config.reenter === true,
    ...(typeof config.description === 'string' ? { description: config.description } : {}),
  } satisfies ChartTransition;
}

type Finder = (from: Node, target: string) => Node | undefined;

/** Targets as XState resolves them: `#id`, `#id.below`, `.child` from the state itself, and `sibling.below`. */
function finder(root: Node, byId: ReadonlyMap<string, Node>): Finder {
  const down = (from: Node | undefined, keys: readonly string[]): Node | undefined =>
    keys.reduce<Node | undefined>((node, key) => (key === '' ? node : node?.children.get(key)), from);
  return (from, target) => {
    if (target.startsWith('#')) {
      const whole = byId.get(target.slice(1));
      if (whole !== undefined) return whole;
      const [id, ...below] = keysOf(target.slice(1));
      return down(byId.get(id ?? ''), below);
    }
    if (target.startsWith('.')) return down(from, keysOf(target.slice(1)));
    return down(from.parent ?? root, keysOf(target));
  };
}

/** Dots part the keys; a backslash before a dot makes it part of the key. */
const keysOf = (target: string): string[] => target.split(/(?<!\\)\./).map((key) => key.replaceAll('\\.', '.'));

const ownId = (node: Node): string => (typeof node.config.id === 'string' ? node.config.id : node.id);

function invokeId(node: Node, entry: Json, index: number): string {
  const { id } = object(entry);
  return typeof id === 'string' ? id : `${index}.${ownId(node)}`;
}

function named(value: Json): Named {
  if (typeof value === 'string') return { name: value };
  const config = object(value);
  const parts = list(config.guards);
  const name = typeof config.type === 'string' ? config.type : 'inline';
  return {
    name,
    // Parameters that are computed have become `{ type: 'params' }`, which says nothing.
    ...(config.params === undefined || object(config.params).type === 'params' ? {} : { params: config.params }),
    ...(parts.length > 0 ? { parts: parts.map(named) } : {}),
  };
}

const isCut = (value: Json): boolean =>
  value === '[Object]' || value === '[Array]' || (Array.isArray(value) && value.some(isCut));

const targetsOf = (value: Json | undefined): string[] =>
  list(value).filter((target): target is string => typeof target === 'string' && target !== '');

const list = (value: Json | undefined): readonly Json[] =>
  value === undefined || value === null ? [] : Array.isArray(value) ? value : [value as Json];

const object = (value: Json | undefined): JsonObject =>
  value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as JsonObject) : {};
