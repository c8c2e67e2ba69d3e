/**
 * A chart as Mermaid `stateDiagram-v2` text, for documents. Runs anywhere. Mermaid has no word for actions inside a state or
 * for history: the former become descriptions, the latter small states that are named so.
 */
import type { ChartGraph, ChartState, ChartTransition } from './chart-graph.ts';
import { namedText, transitionText } from './chart-words.ts';

/** The whole chart as text, ending in a newline. */
export function mermaid(graph: ChartGraph): string {
  const ids = new Map(graph.states.map((state, i) => [state.id, `s${i}`]));
  const id = (state: string) => ids.get(state) ?? 's0';
  const out = ['stateDiagram-v2', `  %% ${words(graph.id)}`];
  const stays = stayingTransitions(graph);
  writeState(graph.root, '  ', out, id, stays);
  for (const t of graph.transitions) {
    for (const target of t.targets) {
      if (target !== t.source) out.push(`  ${id(t.source)} --> ${id(target)} : ${words(transitionText(t))}`);
    }
  }
  return `${out.join('\n')}\n`;
}

type IdOf = (state: string) => string;
type Stays = ReadonlyMap<string, readonly ChartTransition[]>;

function stayingTransitions(graph: ChartGraph): Stays {
  const stays = new Map<string, ChartTransition[]>();
  for (const t of graph.transitions) {
    if (t.targets.some((target) => target !== t.source)) continue;
    stays.set(t.source, [...(stays.get(t.source) ?? []), t]);
  }
  return stays;
}

function writeState(state: ChartState, indent: string, out: string[], id: IdOf, stays: Stays): void {
  const name = id(state.id);
  const title = state.kind === 'history' ? (state.history === 'deep' ? 'H*' : 'H') : state.key;
  if (state.children.length === 0) {
    out.push(`${indent}state "${words(title)}" as ${name}`);
  } else {
    out.push(`${indent}state "${words(title)}" as ${name} {`);
    for (const initial of state.initial) out.push(`${indent}  [*] --> ${id(initial)}`);
    state.children.forEach((child, i) => {
      if (state.kind === 'parallel' && i > 0) out.push(`${indent}  --`);
      writeState(child, `${indent}  `, out, id, stays);
      if (child.kind === 'final') out.push(`${indent}  ${id(child.id)} --> [*]`);
    });
    out.push(`${indent}}`);
  }
  for (const line of notes(state, stays)) out.push(`${indent}${name} : ${words(line)}`);
}

const notes = (state: ChartState, stays: Stays): string[] => [
  ...state.entry.map((action) => `entry / ${namedText(action)}`),
  ...state.exit.map((action) => `exit / ${namedText(action)}`),
  ...state.invokes.map((invoke) => `invoke ${namedText(invoke.actor)}`),
  ...(stays.get(state.id) ?? []).map((t) => `${t.targets.length > 0 ? '↻ ' : ''}${transitionText(t)}`),
];

const oneLine = (text: string): string => text.replace(/\s+/g, ' ');

/** Characters with a meaning for Mermaid are written as entities. */
const words = (text: string): string => oneLine(text).replace(/[#;:"<>&{}%]/g, (c) => `#${c.codePointAt(0)};`);
