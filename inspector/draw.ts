/**
 * The drawing of a laid-out chart, as SVG. Runs anywhere. Colours are CSS variables with a light and a dark set (contrast of
 * words 4.5:1 and more), so that the page can light states by changing classes and never has to draw again.
 */
import type { LabelLine, LaidChart, LaidEdge, LaidState, Point } from './layout.ts';
import { metrics, rowMark } from './layout.ts';
import { type SvgElement, svg, toMarkup } from './svg.ts';

/** What is lit: ids of active states, and of the transitions that were taken last. */
export interface Lit {
  readonly active: ReadonlySet<string>;
  readonly taken: ReadonlySet<string>;
}
export const unlit: Lit = { active: new Set(), taken: new Set() };

const light = {
  canvas: '#ffffff',
  box: '#f6f8fa',
  nested: '#eef1f5',
  line: '#7d8590',
  word: '#1f2328',
  soft: '#59636e',
  guard: '#7a3fd8',
  action: '#0a6640',
  lit: '#dbeafe',
  'lit-line': '#0969da',
  'lit-word': '#0a3069',
  taken: '#9c4a00',
  mark: '#fff3c4',
} as const;
const dark: Record<keyof typeof light, string> = {
  canvas: '#0d1117',
  box: '#151b23',
  nested: '#1b222c',
  line: '#7d8590',
  word: '#f0f6fc',
  soft: '#a9b3be',
  guard: '#c297ff',
  action: '#56d364',
  lit: '#0f2f57',
  'lit-line': '#4c9dff',
  'lit-word': '#cae3ff',
  taken: '#ffa657',
  mark: '#453700',
};
const variables = (set: Record<string, string>): string =>
  Object.entries(set)
    .map(([name, colour]) => `--chart-${name}:${colour}`)
    .join(';');

/** Rules for the drawing. The page and the file use the same; the page sets `data-theme` to overrule the system's choice. */
export const chartStyle = `
.chart{${variables(light)}}
@media (prefers-color-scheme:dark){.chart{${variables(dark)}}}
[data-theme=light] .chart{${variables(light)}}
[data-theme=dark] .chart{${variables(dark)}}
.chart text{font-family:ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;font-size:${metrics.word}px;fill:var(--chart-word)}
.chart .title{font-family:system-ui,'DejaVu Sans',Arial,sans-serif;font-size:${metrics.title}px;font-weight:600}
.chart .canvas{fill:var(--chart-canvas)}
.chart .state>rect{fill:var(--chart-box);stroke:var(--chart-line);stroke-width:1.2}
.chart .state.odd>rect{fill:var(--chart-nested)}
.chart .state.region>rect{stroke-dasharray:5 4}
.chart .state .rule{stroke:var(--chart-line);stroke-width:.7}
.chart .state.active>rect{fill:var(--chart-lit);stroke:var(--chart-lit-line);stroke-width:2}
.chart .state.nest.active>rect:first-of-type{fill:var(--chart-box)}
.chart .state.nest.odd.active>rect:first-of-type{fill:var(--chart-nested)}
.chart .state.active>.title{fill:var(--chart-lit-word)}
.chart .state.nest.active>.title{fill:var(--chart-lit-line)}
.chart .dot{fill:var(--chart-word)}
.chart .row .mark,.chart .actions{fill:var(--chart-action)}
.chart .guard{fill:var(--chart-guard)}
.chart .edge path{fill:none;stroke:var(--chart-line);stroke-width:1.2}
.chart .edge .head{fill:var(--chart-line);stroke:none}
.chart .edge .plate{fill:var(--chart-box);stroke:none}
.chart .edge.odd .plate{fill:var(--chart-nested)}
.chart .nest.words>text{paint-order:stroke;stroke:var(--chart-box);stroke-width:5px;stroke-linejoin:round}
.chart .nest.words.odd>text{stroke:var(--chart-nested)}
.chart .edge.taken path{stroke:var(--chart-taken);stroke-width:2.4}
.chart .edge.taken .head{fill:var(--chart-taken)}
.chart .line.taken,.chart .row.taken,.chart .row.taken .mark{fill:var(--chart-taken);font-weight:700}
.chart .found>rect:first-of-type,.chart .edge.found .plate{fill:var(--chart-mark)}
.chart .chosen>rect:first-of-type{stroke-width:3}
.chart.searching .state:not(.found)>text,.chart.searching .edge:not(.found){opacity:.45}
`;

/** The drawing as one element, with classes for what is lit. */
export function drawChart(chart: LaidChart, lit: Lit = unlit): SvgElement {
  return svg(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      class: 'chart',
      viewBox: `0 0 ${Math.ceil(chart.width)} ${Math.ceil(chart.height)}`,
      width: Math.ceil(chart.width),
      height: Math.ceil(chart.height),
      role: 'img',
      'aria-label': `Statechart ${chart.id}`,
    },
    svg('rect', { class: 'canvas', width: Math.ceil(chart.width), height: Math.ceil(chart.height) }),
    ...chart.states.map((state) => drawState(state, lit)),
    ...chart.initials.map((dot) => svg('circle', { class: 'dot', cx: dot.x, cy: dot.y, r: metrics.dot / 2 })),
    ...chart.edges.map((edge) => drawLine(edge, lit)),
    ...chart.states.filter(isNest).map((state) => drawWords(state, lit)),
    ...chart.edges.filter((edge) => edge.label !== undefined).map((edge) => drawLabel(edge, lit)),
  );
}

/** The drawing as a file that stands on its own. */
export function chartFile(chart: LaidChart, lit: Lit = unlit): string {
  const drawn = drawChart(chart, lit);
  return `${toMarkup({ ...drawn, children: [svg('style', {}, chartStyle), ...drawn.children] })}\n`;
}

const classes = (...names: readonly (string | false)[]): string => names.filter((name) => name !== false).join(' ');

const isNest = (state: LaidState): boolean => state.kind === 'compound' || state.kind === 'parallel';

const stateClasses = (state: LaidState, lit: Lit): string =>
  classes(
    'state',
    state.kind,
    isNest(state) && 'nest',
    state.depth % 2 === 1 && 'odd',
    state.region && 'region',
    lit.active.has(state.id) && 'active',
  );

function drawState(state: LaidState, lit: Lit): SvgElement {
  if (state.kind === 'history') return drawHistory(state);
  const { x, y, width, height } = state;
  const words = [state.id, ...state.tags.map((tag) => `#${tag}`), state.description ?? ''].filter(
    (word) => word !== '',
  );
  const rule = y + metrics.header - 2;
  return svg(
    'g',
    { class: stateClasses(state, lit), 'data-state': state.id },
    svg('title', {}, words.join('\n')),
    svg('rect', { x, y, width, height, rx: 8 }),
    ...(state.kind === 'final'
      ? [svg('rect', { x: x + 3, y: y + 3, width: width - 6, height: height - 6, rx: 5 })]
      : []),
    ...(state.rows.length === 0 ? [] : [svg('line', { class: 'rule', x1: x, x2: x + width, y1: rule, y2: rule })]),
    ...(isNest(state) ? [] : wordsOf(state, lit)),
  );
}

/** The words of a state with states inside: over the arrows that enter it. */
const drawWords = (state: LaidState, lit: Lit): SvgElement =>
  svg('g', { class: `${stateClasses(state, lit)} words`, 'data-state': state.id }, ...wordsOf(state, lit));

function wordsOf(state: LaidState, lit: Lit): SvgElement[] {
  const alone = state.rows.length === 0 && !isNest(state);
  const title = alone
    ? { x: state.x + state.width / 2, y: state.y + state.height / 2 + 4.5, 'text-anchor': 'middle' }
    : { x: state.x + metrics.pad, y: state.y + 19 };
  const rows = state.rows.map((row, i) => {
    const taken = row.transition !== undefined && lit.taken.has(row.transition);
    const mark = rowMark[row.mark];
    return svg(
      'text',
      {
        class: classes('row', row.mark, taken && 'taken'),
        'data-transition': row.transition,
        x: state.x + metrics.pad,
        y: state.y + metrics.header + 11 + i * metrics.line,
      },
      ...(mark === '' ? [] : [svg('tspan', { class: 'mark' }, mark)]),
      row.text,
    );
  });
  return [svg('text', { class: 'title', ...title }, state.title), ...rows];
}

function drawHistory(state: LaidState): SvgElement {
  const { x, y, width, height } = state;
  return svg(
    'g',
    { class: 'state history', 'data-state': state.id },
    svg('title', {}, `${state.id}: ${state.history ?? 'shallow'} history`),
    svg('rect', { x, y, width, height, rx: width / 2 }),
    svg(
      'text',
      { x: x + width / 2, y: y + height / 2 + 4, 'text-anchor': 'middle' },
      state.history === 'deep' ? 'H*' : 'H',
    ),
  );
}

const isTaken = (edge: LaidEdge, lit: Lit): boolean => edge.transitions.some((id) => lit.taken.has(id));

function drawLine(edge: LaidEdge, lit: Lit): SvgElement {
  return svg(
    'g',
    {
      class: classes('edge', edge.transitions.length === 0 && 'initial', isTaken(edge, lit) && 'taken'),
      'data-edge': edge.id,
    },
    svg('path', { d: rounded(edge.points) }),
    ...arrowHead(edge.points),
  );
}

function drawLabel(edge: LaidEdge, lit: Lit): SvgElement {
  const label = edge.label!;
  return svg(
    'g',
    {
      class: classes('edge', 'label', label.depth % 2 === 1 && 'odd', isTaken(edge, lit) && 'taken'),
      'data-edge': edge.id,
    },
    svg('rect', { class: 'plate', x: label.x, y: label.y, width: label.width, height: label.height, rx: 3 }),
    ...label.lines.map((line, i) =>
      svg(
        'text',
        {
          class: classes('line', line.part, lit.taken.has(line.transition) && 'taken'),
          'data-transition': line.transition,
          x: label.x + metrics.labelPad,
          y: label.y + 12 + i * metrics.line,
        },
        ...lineWords(line),
      ),
    ),
  );
}

/** A line that holds everything of a transition shows its guard and actions in their colours too. */
function lineWords(line: LabelLine): (SvgElement | string)[] {
  const match = /^(.*?)( \[.*\])?( \/ .*)?$/.exec(line.text);
  if (line.part !== 'trigger' || match === null) return [line.text];
  const [, trigger = '', guard, actions] = match;
  return [
    trigger,
    ...(guard === undefined ? [] : [svg('tspan', { class: 'guard' }, guard)]),
    ...(actions === undefined ? [] : [svg('tspan', { class: 'actions' }, actions)]),
  ];
}

const corner = 6;

/** A path through the points, its corners rounded; it ends a little early, where the arrow's head begins. */
function rounded(points: readonly Point[]): string {
  const last = points.length - 1;
  return points
    .map((p, i) => {
      if (i === 0) return `M${at(p)}`;
      const before = points[i - 1]!;
      if (i === last) return `L${at(toward(p, before, 5))}`;
      const next = points[i + 1]!;
      const r = Math.min(corner, distance(p, before) / 2, distance(p, next) / 2);
      return `L${at(toward(p, before, r))}Q${at(p)} ${at(toward(p, next, r))}`;
    })
    .join('');
}

function arrowHead(points: readonly Point[]): SvgElement[] {
  const end = points.at(-1);
  const before = points.at(-2);
  if (end === undefined || before === undefined) return [];
  const back = toward(end, before, 9);
  const length = distance(end, before) || 1;
  const across = { x: ((end.y - before.y) / length) * 4, y: ((before.x - end.x) / length) * 4 };
  const d = `M${at(end)}L${at({ x: back.x + across.x, y: back.y + across.y })}L${at({ x: back.x - across.x, y: back.y - across.y })}Z`;
  return [svg('path', { class: 'head', d })];
}

const distance = (a: Point, b: Point): number => Math.hypot(a.x - b.x, a.y - b.y);
const toward = (from: Point, to: Point, by: number): Point => {
  const length = distance(from, to);
  const k = length === 0 ? 0 : Math.min(1, by / length);
  return { x: from.x + (to.x - from.x) * k, y: from.y + (to.y - from.y) * k };
};
const at = (p: Point): string => `${Math.round(p.x * 10) / 10} ${Math.round(p.y * 10) / 10}`;
