/** Layouts of charts, made by ELK in a worker and kept: a chart is laid out once, however often it is looked at. */
import ELK from 'elkjs/lib/elk-api.js';
import workerUrl from 'elkjs/lib/elk-worker.min.js?url';
import type { ChartGraph } from '../../chart-graph.ts';
import { type Direction, type LaidChart, layoutChart } from '../../layout.ts';

let elk: InstanceType<typeof ELK> | undefined;
const kept = new WeakMap<ChartGraph, Map<Direction, Promise<LaidChart>>>();

export function layoutOf(graph: ChartGraph, direction: Direction): Promise<LaidChart> {
  let of = kept.get(graph);
  if (of === undefined) {
    of = new Map();
    kept.set(graph, of);
  }
  let laid = of.get(direction);
  if (laid === undefined) {
    elk ??= new ELK({ workerFactory: () => new Worker(workerUrl) });
    laid = layoutChart(graph, elk, direction);
    of.set(direction, laid);
  }
  return laid;
}
