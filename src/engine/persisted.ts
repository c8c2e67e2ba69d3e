/**
 * Walks through what XState wrote down of a chart and those below it, as checkpoints hold it. It knows which chart each of
 * them is; what is to be made of it is the caller's. It changes nothing, and starts nothing.
 */
import { type ChartName, charts } from '../../machines/index.ts';

export interface PersistedChart {
  /** "server/session:3/display:0" */
  readonly address: string;
  readonly chart: ChartName;
  /** As XState wrote it down; its status may be "done" or "error". */
  readonly persisted: any;
}

export const chartNameById: ReadonlyMap<string, ChartName> = new Map(
  Object.entries(charts).map(([name, machine]) => [machine.id, name as ChartName]),
);

/** The chart that a chart begins under this name; undefined for a promise. */
export function chartBegunAs(by: ChartName, src: unknown): ChartName | undefined {
  const logic = charts[by].implementations.actors[src as never] as { id?: string } | undefined;
  return chartNameById.get(logic?.id ?? '');
}

/** Which charts the roots of journals are. */
const roots: readonly (readonly [RegExp, ChartName])[] = [
  [/^client$/, 'session/client'],
  [/^[^/]+\/session:\d+$/, 'session/server'],
  [/^[^/]+$/, 'supervisor'],
];

/** Those whose records are in the journal of `root`, each before those below it; below one that has ended there is nothing. Throws when `root` is none. */
export function chartsIn(root: string, snapshot: unknown): PersistedChart[] {
  const found: PersistedChart[] = [];
  const visit = (address: string, chart: ChartName | undefined, persisted: any): void => {
    // Of those who have a journal of their own there is only the name.
    if (chart === undefined || persisted === null || typeof persisted !== 'object') return;
    found.push({ address, chart, persisted });
    if (persisted.status !== 'active') return;
    for (const [id, child] of Object.entries<any>(persisted.children ?? {})) {
      visit(`${address}/${id}`, chartBegunAs(chart, child?.src), child?.snapshot);
    }
  };
  const chart = roots.find(([pattern]) => pattern.test(root))?.[1];
  if (chart === undefined) throw new Error(`a checkpoint of ${root}, which is no root`);
  visit(root, chart, snapshot);
  return found;
}
