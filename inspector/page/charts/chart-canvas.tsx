/** One chart, drawn: pan by dragging, zoom by wheel, fit, search. What is lit changes by classes; the drawing stays. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ChartGraph } from '../../chart-graph.ts';
import { stateText, transitionText } from '../../chart-words.ts';
import { drawChart } from '../../draw.ts';
import type { Direction, LaidChart } from '../../layout.ts';
import { toNode } from '../../svg.ts';
import { layoutOf } from './layouts.ts';
import { beginning, centre, inSight, type Place, pan, whole, zoom } from './pan-zoom.ts';

export interface ChartCanvasProps {
  readonly graph: ChartGraph;
  readonly active: ReadonlySet<string>;
  readonly taken: ReadonlySet<string>;
}

export function ChartCanvas({ graph, active, taken }: ChartCanvasProps) {
  const frame = useRef<HTMLDivElement>(null);
  const stage = useRef<HTMLDivElement>(null);
  const [direction, setDirection] = useState<Direction>('down');
  const [laid, setLaid] = useState<{ graph: ChartGraph; chart: LaidChart } | undefined>();
  const [failure, setFailure] = useState<string | undefined>();
  const [place, setPlace] = useState<Place>({ x: 0, y: 0, scale: 1 });
  const [follow, setFollow] = useState(true);
  const [search, setSearch] = useState('');
  const [hit, setHit] = useState(0);

  useEffect(() => {
    let wanted = true;
    setFailure(undefined);
    layoutOf(graph, direction).then(
      (chart) => wanted && setLaid({ graph, chart }),
      (error: unknown) => wanted && setFailure(error instanceof Error ? error.message : String(error)),
    );
    return () => {
      wanted = false;
    };
  }, [graph, direction]);

  useLayoutEffect(() => {
    if (laid === undefined || stage.current === null || frame.current === null) return;
    stage.current.replaceChildren(toNode(drawChart(laid.chart), document));
    setPlace(beginning(sizeOf(frame.current), laid.chart, innermost(laid.chart, active)));
  }, [laid]);

  // A state that becomes active out of sight is brought into it.
  useEffect(() => {
    if (!follow || laid?.graph !== graph || frame.current === null) return;
    const box = innermost(laid.chart, active);
    const window = sizeOf(frame.current);
    if (box !== undefined && !inSight(place, window, box)) setPlace(centre(place, window, box));
  }, [active, follow]);

  useLayoutEffect(() => {
    if (stage.current !== null) light(stage.current, active, taken);
  }, [laid, active, taken]);

  const hits = search.trim() === '' ? [] : findIn(graph, search.trim().toLowerCase());
  useLayoutEffect(() => {
    if (stage.current !== null) markFound(stage.current, hits, search.trim() !== '');
  }, [laid, search]);

  const show = (n: number) => {
    const id = hits[n];
    if (id === undefined || laid === undefined || frame.current === null) return;
    const edge = laid.chart.edges.find((e) => e.transitions.includes(id));
    const row = laid.chart.states.find((s) => s.rows.some((r) => r.transition === id));
    const box = laid.chart.states.find((s) => s.id === id) ?? edge?.label ?? row;
    if (box !== undefined) setPlace(centre(place, sizeOf(frame.current), box));
  };
  const zoomBy = (factor: number) => {
    const { width, height } = sizeOf(frame.current!);
    setPlace(zoom(place, factor, width / 2, height / 2));
  };
  const fitIt = () => laid !== undefined && setPlace(whole(sizeOf(frame.current!), laid.chart));

  return (
    <div class="canvas-box">
      <div class="canvas-tools">
        <input
          type="search"
          aria-label="Search the chart"
          placeholder="search the chart   ( / )"
          value={search}
          onInput={(event) => {
            setSearch(event.currentTarget.value);
            setHit(0);
          }}
          onKeyDown={(event) => {
            if (event.key !== 'Enter') return;
            show(hit % Math.max(1, hits.length));
            setHit(hit + 1);
          }}
        />
        {search.trim() !== '' && <span class="quiet">{hits.length} found, Enter goes to them</span>}
        <span class="grow" />
        <label class="check" title="Bring states into sight when they become active">
          <input type="checkbox" checked={follow} onChange={() => setFollow(!follow)} />
          follow
        </label>
        <button type="button" class="icon" title="Smaller (−)" aria-label="Smaller" onClick={() => zoomBy(1 / 1.3)}>
          −
        </button>
        <output class="quiet scale">{Math.round(place.scale * 100)} %</output>
        <button type="button" class="icon" title="Larger (+)" aria-label="Larger" onClick={() => zoomBy(1.3)}>
          +
        </button>
        <button type="button" title="Show the whole chart (0)" onClick={fitIt}>
          Fit
        </button>
        <button
          type="button"
          title="Lay out the other way"
          onClick={() => setDirection(direction === 'down' ? 'right' : 'down')}
        >
          {direction === 'down' ? 'Down' : 'Right'}
        </button>
      </div>
      {failure !== undefined && <p class="error">This chart cannot be laid out: {failure}</p>}
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a window on a drawing, with keys for all that the pointer does */}
      <div
        ref={frame}
        class="chart-window"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes keys
        tabIndex={0}
        onWheel={(event) => {
          event.preventDefault();
          const { left, top } = event.currentTarget.getBoundingClientRect();
          setPlace(zoom(place, Math.exp(-event.deltaY * 0.0015), event.clientX - left, event.clientY - top));
        }}
        onPointerDown={(event) => drag(event, place, setPlace)}
        onDblClick={fitIt}
        onKeyDown={(event) => {
          const by = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[event.key];
          if (by !== undefined) setPlace(pan(place, by[0]!, by[1]!));
          else if (event.key === '+' || event.key === '=') zoomBy(1.3);
          else if (event.key === '-') zoomBy(1 / 1.3);
          else if (event.key === '0') fitIt();
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        <div
          ref={stage}
          class="stage"
          style={{ transform: `translate(${place.x}px, ${place.y}px) scale(${place.scale})` }}
        />
      </div>
    </div>
  );
}

/** The first of the innermost active states; undefined if nothing is active. */
function innermost(
  chart: LaidChart,
  active: ReadonlySet<string>,
): { x: number; y: number; width: number; height: number } | undefined {
  const lit = chart.states.filter((state) => active.has(state.id));
  const leaves = lit.filter((state) => !lit.some((other) => other.id.startsWith(`${state.id}.`)));
  const first = leaves[0];
  if (first === undefined) return undefined;
  const { x, y, width, height } = first;
  return { x, y, width, height };
}

const sizeOf = (element: HTMLElement) => ({ width: element.clientWidth, height: element.clientHeight });

function drag(event: PointerEvent, from: Place, set: (place: Place) => void): void {
  if (event.button !== 0) return;
  const frame = event.currentTarget as HTMLElement;
  frame.setPointerCapture(event.pointerId);
  const move = (now: PointerEvent) => set(pan(from, now.clientX - event.clientX, now.clientY - event.clientY));
  frame.addEventListener('pointermove', move);
  const end = () => frame.removeEventListener('pointermove', move);
  frame.addEventListener('pointerup', end, { once: true });
  frame.addEventListener('pointercancel', end, { once: true });
}

function light(stage: HTMLElement, active: ReadonlySet<string>, taken: ReadonlySet<string>): void {
  for (const state of stage.querySelectorAll<SVGElement>('[data-state]')) {
    state.classList.toggle('active', active.has(state.dataset.state ?? ''));
  }
  for (const line of stage.querySelectorAll<SVGElement>('[data-transition]')) {
    line.classList.toggle('taken', taken.has(line.dataset.transition ?? ''));
  }
  const edges = new Set<string>();
  for (const label of stage.querySelectorAll<SVGElement>('.label')) {
    if (label.querySelector('.taken') !== null) edges.add(label.dataset.edge ?? '');
  }
  for (const edge of stage.querySelectorAll<SVGElement>('[data-edge]')) {
    edge.classList.toggle('taken', edges.has(edge.dataset.edge ?? ''));
  }
}

/** Ids of states and transitions whose words hold the text. */
function findIn(graph: ChartGraph, text: string): string[] {
  const states = graph.states.filter((state) => stateText(state).toLowerCase().includes(text));
  const transitions = graph.transitions.filter((t) => transitionText(t).toLowerCase().includes(text));
  return [...states.map((state) => state.id), ...transitions.map((t) => t.id)];
}

function markFound(stage: HTMLElement, ids: readonly string[], searching: boolean): void {
  const found = new Set(ids);
  stage.querySelector('.chart')?.classList.toggle('searching', searching);
  for (const element of stage.querySelectorAll<SVGElement>('[data-state], [data-edge]')) {
    const own = found.has(element.dataset.state ?? '');
    const inside = [...element.querySelectorAll<SVGElement>('[data-transition]')].some((t) =>
      found.has(t.dataset.transition ?? ''),
    );
    element.classList.toggle('found', own || inside);
  }
}
