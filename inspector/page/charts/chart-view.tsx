/** The charts: the tree of actors, the chosen one's statechart, and the chosen one in words. */
import { useMemo } from 'preact/hooks';
import type { ChartGraph } from '../../chart-graph.ts';
import { activeStates, transitionsTaken } from '../../chart-state.ts';
import { usePage } from '../context.ts';
import type { FeedStore } from '../feed-store.ts';
import { ActorPanel } from './actor-panel.tsx';
import { ActorTree } from './actor-tree.tsx';
import { ChartCanvas } from './chart-canvas.tsx';

export function ChartView() {
  const { store, state } = usePage();
  const actor = state.actor ?? firstWithChart(store);
  const graph = actor === undefined ? undefined : store.graph(store.actors.get(actor)?.chart);
  if (actor !== undefined && state.actor === undefined) state.actor = actor;
  return (
    <div class="charts">
      <ActorTree />
      {actor === undefined ? (
        <p class="hint middle">No actors yet.</p>
      ) : graph === undefined ? (
        <p class="hint middle">This actor has no chart to draw.</p>
      ) : typeof graph === 'string' ? (
        <p class="hint middle">This chart cannot be drawn: {graph}</p>
      ) : (
        <LitChart actor={actor} graph={graph} />
      )}
      {actor !== undefined && <ActorPanel actor={actor} />}
    </div>
  );
}

function LitChart({ actor, graph }: { readonly actor: string; readonly graph: ChartGraph }) {
  const { store, state } = usePage();
  const { now, before } = store.snapshotsAt(actor, state.seq);
  const active = useMemo(() => activeStates(graph, now?.value), [graph, now]);
  const taken = useMemo(() => {
    if (now === undefined || before === undefined) return new Set<string>();
    return new Set(transitionsTaken(graph, activeStates(graph, before.value), now.on, active).map((t) => t.id));
  }, [graph, now, before, active]);
  return <ChartCanvas graph={graph} active={active} taken={taken} />;
}

/** What leads a hand-over is what people come for; else anything with a chart. */
function firstWithChart(store: FeedStore): string | undefined {
  const running = [...store.actors.values()].filter(
    (actor) => actor.chart !== undefined && actor.stoppedAt === undefined,
  );
  const best =
    running.find((actor) => actor.chart?.startsWith('migration/')) ?? running.find((a) => a.chart === 'session/client');
  return (best ?? running[0])?.id;
}
