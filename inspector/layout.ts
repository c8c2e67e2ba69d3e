/**
 * Where everything of a chart stands: sizes from the words, places from ELK's layered layout. Runs anywhere; the caller brings
 * ELK (in a worker in the page, directly in Node). It decides geometry only: no colours, no state of any actor.
 */
import type { ELK, ElkExtendedEdge, ElkLabel, ElkNode } from 'elkjs/lib/elk-api.js';
import type { ChartGraph, ChartState, ChartTransition } from './chart-graph.ts';
import { backward } from './chart-order.ts';
import { parentId } from './chart-state.ts';
import { namedText, transitionText, triggerText } from './chart-words.ts';

export interface Point {
  readonly x: number;
  readonly y: number;
}
export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

/** A line inside a state's box. `transition` is set for transitions that stay where they are. */
export interface StateRow {
  readonly mark: 'entry' | 'exit' | 'invoke' | 'stay' | 'reenter' | 'cut';
  readonly text: string;
  readonly transition?: string;
}
export interface LaidState extends Box {
  readonly id: string;
  readonly title: string;
  readonly kind: ChartState['kind'];
  readonly history?: 'shallow' | 'deep';
  readonly depth: number;
  /** A child of a parallel state. */
  readonly region: boolean;
  readonly rows: readonly StateRow[];
  readonly tags: readonly string[];
  readonly description?: string;
}
/** A line of a label: one transition, its guard and actions on lines of their own where they are long. */
export interface LabelLine {
  readonly transition: string;
  readonly text: string;
  readonly part: 'trigger' | 'guard' | 'actions';
}
export interface LaidLabel extends Box {
  readonly lines: readonly LabelLine[];
  /** How deep the innermost state lies that the label stands in; 0 is the root. */
  readonly depth: number;
}
/** An arrow. Transitions with the same two ends share one, each with its own label lines. */
export interface LaidEdge {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  /** Ids of the transitions that it stands for; empty for the arrow of an initial state. */
  readonly transitions: readonly string[];
  readonly points: readonly Point[];
  readonly label?: LaidLabel;
}
export interface LaidChart {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  /** Parents before children. */
  readonly states: readonly LaidState[];
  readonly initials: readonly (Point & { readonly of: string })[];
  readonly edges: readonly LaidEdge[];
}

export type Direction = 'down' | 'right';

/** Sizes in SVG units. The drawing uses the same numbers. Words are monospaced: 0.602 em to a character. */
export const metrics = {
  title: 13,
  titleChar: 7.9,
  word: 11,
  wordChar: 6.63,
  line: 15,
  header: 28,
  pad: 10,
  dot: 10,
  history: 22,
  labelPad: 4,
} as const;

const widest = (texts: readonly string[], char: number): number =>
  texts.reduce((most, text) => Math.max(most, [...text].length * char), 0);

/** Lays a chart out. Rejects if ELK does. */
export async function layoutChart(
  graph: ChartGraph,
  elk: Pick<ELK, 'layout'>,
  direction: Direction,
): Promise<LaidChart> {
  const plan = planOf(graph);
  const laid = readBack(graph, plan, await elk.layout(elkGraph(graph, plan, direction)));
  const narrow = tooNarrow(graph, laid);
  if (narrow.size === 0) return laid;
  return readBack(graph, plan, await elk.layout(elkGraph(graph, plan, direction, narrow)));
}

/** States with children whose own words do not fit: ELK does not keep their least width when it lays out all levels at once. */
function tooNarrow(graph: ChartGraph, laid: LaidChart): ReadonlySet<string> {
  const boxes = new Map(laid.states.map((state) => [state.id, state]));
  const nests = graph.states.filter((state) => state.children.length > 0);
  const misfits = nests.filter((state) => {
    const { width, rows } = boxes.get(state.id)!;
    return width < boxWidth(state, rows) - 0.5;
  });
  return new Set(misfits.map((state) => state.id));
}

interface Plan {
  readonly rows: ReadonlyMap<string, readonly StateRow[]>;
  readonly edges: readonly PlannedEdge[];
}
interface PlannedEdge {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly transitions: string[];
  readonly lines: LabelLine[];
  /** Handed to ELK the wrong way round, because it leads back to what is entered earlier. */
  readonly back: boolean;
}

/** Decides what becomes an arrow and what becomes a row inside its state's box. */
function planOf(graph: ChartGraph): Plan {
  const rows = new Map<string, StateRow[]>();
  for (const state of graph.states) rows.set(state.id, rowsOf(state));
  const bundles = new Map<string, PlannedEdge>();
  const leadsBack = backward(graph);
  for (const t of graph.transitions) {
    const own = rows.get(t.source);
    if (t.targets.length === 0) own?.push({ mark: 'stay', text: lostText(t), transition: t.id });
    else if (t.targets.every((target) => target === t.source)) {
      own?.push({ mark: 'reenter', text: transitionText(t), transition: t.id });
    } else
      t.targets.forEach((target, n) => {
        bundle(bundles, t, target, n, leadsBack(t.source, target));
      });
  }
  return { rows, edges: [...bundles.values()] };
}

function bundle(bundles: Map<string, PlannedEdge>, t: ChartTransition, target: string, n: number, back: boolean): void {
  const key = `${t.source}→${target}`;
  let edge = bundles.get(key);
  if (edge === undefined) {
    edge = { id: key, source: t.source, target, transitions: [], lines: [], back };
    bundles.set(key, edge);
  }
  edge.transitions.push(t.id);
  edge.lines.push(
    ...(n === 0 ? labelLines(t) : [{ transition: t.id, text: triggerText(t.trigger), part: 'trigger' as const }]),
  );
}

const lostText = (t: ChartTransition): string =>
  transitionText(t) + (t.lost.length > 0 ? ` → ${t.lost.join(', ')} (not in this chart)` : '');

function labelLines(t: ChartTransition): LabelLine[] {
  const whole = transitionText(t);
  if (whole.length <= 30) return [{ transition: t.id, text: whole, part: 'trigger' }];
  const lines: LabelLine[] = [{ transition: t.id, text: triggerText(t.trigger), part: 'trigger' }];
  if (t.guard !== undefined) lines.push({ transition: t.id, text: `[${namedText(t.guard)}]`, part: 'guard' });
  for (const text of packed(t.actions.map(namedText), 34)) lines.push({ transition: t.id, text, part: 'actions' });
  return lines;
}

/** Actions side by side while they fit, so that a label grows neither too wide nor too tall. */
function packed(words: readonly string[], most: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 2 <= most) lines[lines.length - 1] = `${last}, ${word}`;
    else lines.push(`/ ${word}`);
  }
  return lines;
}

function rowsOf(state: ChartState): StateRow[] {
  return [
    ...(state.cut ? [{ mark: 'cut' as const, text: 'more, which the sender left out' }] : []),
    ...state.entry.map((action) => ({ mark: 'entry' as const, text: namedText(action) })),
    ...state.exit.map((action) => ({ mark: 'exit' as const, text: namedText(action) })),
    ...state.invokes.map((invoke) => ({ mark: 'invoke' as const, text: namedText(invoke.actor) })),
  ];
}

/** What stands before a row's text. */
export const rowMark = {
  entry: 'entry / ',
  exit: 'exit / ',
  invoke: 'invoke ',
  stay: '',
  reenter: '↻ ',
  cut: '… ',
} as const;

const headerHeight = (rows: readonly StateRow[]): number =>
  metrics.header + (rows.length === 0 ? 0 : rows.length * metrics.line + metrics.pad / 2);

const boxWidth = (state: ChartState, rows: readonly StateRow[]): number =>
  Math.ceil(
    Math.max(
      60,
      widest([state.key], metrics.titleChar) + 2 * metrics.pad + (state.kind === 'final' ? 6 : 0),
      widest(
        rows.map((row) => rowMark[row.mark] + row.text),
        metrics.wordChar,
      ) +
        2 * metrics.pad,
    ),
  );

/** What ELK is to do inside each state that has children; it hands nothing down by itself. */
const nestOptions = {
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.spacing.nodeNode': '28',
  'elk.spacing.edgeNode': '16',
  'elk.spacing.edgeEdge': '12',
  'elk.spacing.edgeLabel': '4',
  'elk.layered.spacing.nodeNodeBetweenLayers': '26',
  'elk.layered.spacing.edgeNodeBetweenLayers': '16',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '12',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
} as const;

const dotId = (id: string): string => `${id}|initial`;

/** `widened` get an unseen child as wide as their words. */
function elkGraph(
  graph: ChartGraph,
  plan: Plan,
  direction: Direction,
  widened: ReadonlySet<string> = new Set(),
): ElkNode {
  const edges: ElkExtendedEdge[] = plan.edges.map((edge) => ({
    id: edge.id,
    sources: [edge.back ? edge.target : edge.source],
    targets: [edge.back ? edge.source : edge.target],
    labels: [
      {
        id: `${edge.id}|label`,
        text: edge.id,
        width:
          Math.ceil(
            widest(
              edge.lines.map((l) => l.text),
              metrics.wordChar,
            ),
          ) +
          2 * metrics.labelPad,
        height: edge.lines.length * metrics.line + 2,
        layoutOptions: { 'elk.edgeLabels.inline': 'true', 'elk.edgeLabels.placement': 'CENTER' },
      },
    ],
  }));
  const nodeOf = (state: ChartState, region = false): ElkNode => {
    const rows = plan.rows.get(state.id) ?? [];
    if (state.kind === 'history') return { id: state.id, width: metrics.history, height: metrics.history };
    const width = boxWidth(state, rows);
    const top = headerHeight(rows);
    const align = region ? { 'elk.alignment': direction === 'down' ? 'TOP' : 'LEFT' } : {};
    if (state.children.length === 0) {
      return { id: state.id, width, height: rows.length === 0 ? 34 : top, layoutOptions: align };
    }
    const children = state.children.map((child) => nodeOf(child, state.kind === 'parallel'));
    if (state.initial.length > 0) {
      children.unshift({ id: dotId(state.id), width: metrics.dot, height: metrics.dot });
      for (const id of state.initial) {
        edges.push({ id: `${dotId(state.id)}→${id}`, sources: [dotId(state.id)], targets: [id] });
      }
    }
    if (widened.has(state.id)) children.push({ id: `${state.id}|room`, width: width - 36, height: 1 });
    return {
      id: state.id,
      children,
      layoutOptions: {
        ...nestOptions,
        ...align,
        'elk.padding': `[top=${top + 14},left=18,bottom=18,right=18]`,
        'elk.nodeSize.constraints': 'MINIMUM_SIZE',
        'elk.nodeSize.minimum': `(${width}, ${top + 30})`,
      },
    };
  };
  return {
    id: '|chart',
    layoutOptions: {
      ...nestOptions,
      'elk.algorithm': 'layered',
      'elk.direction': direction === 'down' ? 'DOWN' : 'RIGHT',
      'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
      'elk.json.shapeCoords': 'ROOT',
      'elk.json.edgeCoords': 'ROOT',
      'elk.padding': '[top=12,left=12,bottom=12,right=12]',
    },
    children: [nodeOf(graph.root)],
    edges,
  };
}

function readBack(graph: ChartGraph, plan: Plan, laid: ElkNode): LaidChart {
  const boxes = new Map<string, Box>();
  const edges = new Map<string, ElkExtendedEdge>();
  const walk = (node: ElkNode) => {
    boxes.set(node.id, { x: node.x ?? 0, y: node.y ?? 0, width: node.width ?? 0, height: node.height ?? 0 });
    for (const edge of node.edges ?? []) edges.set(edge.id, edge);
    for (const child of node.children ?? []) walk(child);
  };
  walk(laid);
  const kinds = new Map(graph.states.map((state) => [state.id, state.kind]));
  const states = graph.states.map((state): LaidState => {
    const parent = parentId(graph, state.id);
    return {
      ...boxes.get(state.id)!,
      id: state.id,
      title: state.key,
      kind: state.kind,
      ...(state.history === undefined ? {} : { history: state.history }),
      depth: state.path.length,
      region: parent !== undefined && kinds.get(parent) === 'parallel',
      rows: plan.rows.get(state.id) ?? [],
      tags: state.tags,
      ...(state.description === undefined ? {} : { description: state.description }),
    };
  });
  const initials: (Point & { of: string })[] = [];
  const lines: LaidEdge[] = [];
  for (const state of graph.states) {
    const box = boxes.get(dotId(state.id));
    if (box === undefined) continue;
    initials.push({ x: box.x + box.width / 2, y: box.y + box.height / 2, of: state.id });
    for (const target of state.initial) {
      const id = `${dotId(state.id)}→${target}`;
      lines.push({ id, source: state.id, target, transitions: [], points: pointsOf(edges.get(id)) });
    }
  }
  for (const edge of plan.edges) {
    const found = edges.get(edge.id);
    const label = found?.labels?.[0];
    lines.push({
      id: edge.id,
      source: edge.source,
      target: edge.target,
      transitions: edge.transitions,
      points: edge.back ? pointsOf(found).reverse() : pointsOf(found),
      ...(label === undefined
        ? {}
        : {
            label: {
              x: label.x ?? 0,
              y: label.y ?? 0,
              width: label.width ?? 0,
              height: label.height ?? 0,
              lines: edge.lines,
              depth: depthAt(states, label),
            },
          }),
    });
  }
  return { id: graph.id, width: laid.width ?? 0, height: laid.height ?? 0, states, initials, edges: lines };
}

/** Parents come before children, so the last state that holds the label's middle is the innermost. */
function depthAt(states: readonly LaidState[], label: ElkLabel): number {
  const x = (label.x ?? 0) + (label.width ?? 0) / 2;
  const y = (label.y ?? 0) + (label.height ?? 0) / 2;
  const holds = (s: LaidState) => x >= s.x && x <= s.x + s.width && y >= s.y && y <= s.y + s.height;
  return states.findLast(holds)?.depth ?? 0;
}

const pointsOf = (edge: ElkExtendedEdge | undefined): Point[] =>
  (edge?.sections ?? []).flatMap((section) => [section.startPoint, ...(section.bendPoints ?? []), section.endPoint]);
