/**
 * In which order a chart is read: within each state, its children in the order in which they can first be entered. A layout
 * that follows it begins where the chart begins, and arrows that lead back are known as such. Runs anywhere.
 */
import type { ChartGraph, ChartState } from './chart-graph.ts';
import { parentId } from './chart-state.ts';

/** Tells whether an arrow leads back to something that is read earlier. Arrows into or out of a state's own inside never do. */
export function backward(graph: ChartGraph): (source: string, target: string) => boolean {
  const chains = new Map<string, readonly string[]>();
  const chainOf = (id: string): readonly string[] => {
    let chain = chains.get(id);
    if (chain === undefined) {
      const parent = parentId(graph, id);
      chain = parent === undefined ? [id] : [...chainOf(parent), id];
      chains.set(id, chain);
    }
    return chain;
  };
  const ranks = new Map<string, number>();
  const steps = stepsBetweenSiblings(graph, chainOf);
  for (const state of graph.states) rank(state, steps, ranks);
  return (source, target) => {
    const parting = part(chainOf(source), chainOf(target));
    return parting !== undefined && ranks.get(parting[0])! > ranks.get(parting[1])!;
  };
}

/** The two siblings in which the ways from the root to two states part; undefined if one state holds the other. */
function part(a: readonly string[], b: readonly string[]): readonly [string, string] | undefined {
  for (let i = 0; ; i++) {
    const [x, y] = [a[i], b[i]];
    if (x === undefined || y === undefined) return undefined;
    if (x !== y) return [x, y];
  }
}

type Steps = ReadonlyMap<string, ReadonlySet<string>>;

function stepsBetweenSiblings(graph: ChartGraph, chainOf: (id: string) => readonly string[]): Steps {
  const steps = new Map<string, Set<string>>();
  for (const transition of graph.transitions) {
    for (const target of transition.targets) {
      const parting = part(chainOf(transition.source), chainOf(target));
      if (parting === undefined) continue;
      const [from, to] = parting;
      const known = steps.get(from);
      if (known === undefined) steps.set(from, new Set([to]));
      else known.add(to);
    }
  }
  return steps;
}

/** Depth first from the initial child, then from whatever was not reached, in the order of the definition. */
function rank(state: ChartState, steps: Steps, ranks: Map<string, number>): void {
  const children = new Set(state.children.map((child) => child.id));
  const left: string[] = [];
  const seen = new Set<string>();
  const visit = (start: string) => {
    // Reverse post-order, without recursion: a definition may hold thousands of siblings.
    const stack: { id: string; next: Iterator<string> }[] = [];
    const enter = (id: string) => {
      seen.add(id);
      stack.push({ id, next: (steps.get(id) ?? new Set<string>()).values() });
    };
    enter(start);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const { value, done } = top.next.next();
      if (done) left.push(stack.pop()!.id);
      else if (children.has(value) && !seen.has(value)) enter(value);
    }
  };
  const starts = [...state.initial, ...children].filter((id) => children.has(id));
  const runs: string[][] = [];
  for (const start of starts) {
    if (seen.has(start)) continue;
    visit(start);
    runs.push(left.splice(0).reverse());
  }
  runs.flat().forEach((id, i) => {
    ranks.set(id, i);
  });
}
