/** The words of a chart: how triggers, guards and actions read in a drawing, a search and a text. Runs anywhere. */
import type { Json } from './chart-definition.ts';
import type { ChartState, ChartTransition, Named, Trigger } from './chart-graph.ts';

export function triggerText(trigger: Trigger): string {
  switch (trigger.on) {
    case 'event':
      return trigger.name;
    case 'after':
      return `after ${delayText(trigger.delay)}`;
    case 'always':
      return 'always';
    case 'state done':
      return 'done';
    case 'actor done':
      return `${trigger.actor} done`;
    case 'actor failed':
      return `${trigger.actor} failed`;
    case 'actor changed':
      return `${trigger.actor} changed`;
  }
}

/** An event as it came: XState's own read as the chart says them, `after 500 ms`, `link:main:0@3 done`; all others as they are. */
export function eventText(type: string): string {
  const [, what, of = ''] = /^xstate\.(after|init|stop|(?:done|error)\.(?:actor|state))\.?(.*)$/s.exec(type) ?? [];
  switch (what) {
    case undefined:
      return type;
    case 'after':
      return `after ${delayText(of.split('.')[0]!)}`;
    case 'init':
      return 'started';
    case 'stop':
      return 'stopped';
    default:
      return `${ownName(of)} ${what.startsWith('done') ? 'done' : 'failed'}`;
  }
}

/** The last part of a state's path, for what a state invoked without a name of its own as well: `0.machine.state.inner`. */
const ownName = (id: string): string => id.slice(id.lastIndexOf('.') + 1);

const delayText = (delay: string): string => {
  const ms = Number(delay);
  if (delay === '' || !Number.isFinite(ms)) return delay;
  return ms >= 1000 && ms % 100 === 0 ? `${ms / 1000} s` : `${ms} ms`;
};

/** A name with its parameters: `send(msgc.migrate_connected)`, `and(ready, linked)`. */
export function namedText(named: Named): string {
  if (named.parts !== undefined) return `${named.name}(${named.parts.map(namedText).join(', ')})`;
  return named.params === undefined ? named.name : `${named.name}(${paramsText(named.params)})`;
}

function paramsText(params: Json): string {
  if (params === null || typeof params !== 'object') return String(params);
  if (Array.isArray(params)) return params.map(paramsText).join(', ');
  const entries = Object.entries(params);
  const only = entries.length === 1 ? entries[0] : undefined;
  if (only !== undefined && typeof only[1] === 'string') return only[1];
  return entries
    .map(([key, value]) => `${key}: ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ');
}

/** One transition in one line: `msg.migrate_begin [may link] / link`. */
export function transitionText(transition: ChartTransition): string {
  const guard = transition.guard === undefined ? '' : ` [${namedText(transition.guard)}]`;
  const actions = transition.actions.length === 0 ? '' : ` / ${transition.actions.map(namedText).join(', ')}`;
  return triggerText(transition.trigger) + guard + actions;
}

/** Everything about a state that a search may find. */
export const stateText = (state: ChartState): string =>
  [
    state.key,
    ...state.tags,
    state.description ?? '',
    ...[...state.entry, ...state.exit].map(namedText),
    ...state.invokes.map((invoke) => namedText(invoke.actor)),
  ].join(' ');
