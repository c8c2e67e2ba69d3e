/**
 * What a program goes on from: the states of all charts that were folded, put together as XState takes them. It only writes
 * down; where each chart was is found out in resume.ts.
 */
import type { AnyEventObject, AnyStateMachine } from 'xstate';
import type { ChartName } from '../../machines/index.ts';
import type { ArmedTimer, CheckpointRecord, Entry } from '../journal/record.ts';

export interface Revived {
  /** The root's name: "server", "client", "server/session:3" in the journal of one session. */
  readonly root: string;
  readonly chart: ChartName;
  /** For `createActor(machine, { snapshot })`: children are in it. */
  readonly snapshot: any;
  readonly timers: readonly ArmedTimer[];
  /** When the last record was written, in milliseconds of its clock. */
  readonly at: number;
  /** Actors that live, the root first. */
  readonly actors: readonly string[];
  /** What each of them is, and knows. */
  readonly known: ReadonlyMap<string, { readonly chart: ChartName; readonly context: unknown }>;
  /** Those of them that have a journal of their own, the root first. */
  readonly roots: readonly string[];
  /** What the last steps still asked for, done on paper: to be written down, and its commands to be obeyed. */
  readonly rest: readonly Entry[];
}

/** A chart that lives, and where it is. */
export interface Standing {
  readonly chart: ChartName;
  readonly machine: AnyStateMachine;
  readonly timers: ReadonlyMap<string, { readonly event: AnyEventObject; readonly dueAt: number }>;
  readonly snapshot: any;
}

interface Persisted {
  children: Record<string, { snapshot: unknown; src: unknown }>;
}

/** "server/session:3" of "server/session:3/main:0" */
export const parentOf = (address: string): string => address.slice(0, Math.max(0, address.lastIndexOf('/')));

export interface Folded {
  readonly root: string | undefined;
  readonly alive: ReadonlyMap<string, Standing>;
  /** How charts ended that their parents have not let go yet, as XState writes it down. */
  readonly ended: ReadonlyMap<string, unknown>;
  readonly at: number;
  readonly rest: readonly Entry[];
  readonly journalOf: (actor: string) => string;
}

/** Undefined when the root does not live. */
export function revivedFrom({ root: address, alive, ended, at, rest, journalOf }: Folded): Revived | undefined {
  const root = address === undefined ? undefined : alive.get(address);
  if (address === undefined || root === undefined) return undefined;
  const timers = [...alive].flatMap(([actor, one]) =>
    [...one.timers].map(([id, { event, dueAt }]): ArmedTimer => ({ actor, id, event, dueAt })),
  );
  const actors = [...alive.keys()];
  return {
    ...{
      root: address,
      chart: root.chart,
      snapshot: persistedOf(address, root, alive, ended),
      timers,
      at,
      rest,
      actors,
    },
    known: new Map([...alive].map(([actor, { chart, snapshot }]) => [actor, { chart, context: snapshot.context }])),
    roots: actors.filter((actor) => actor === address || journalOf(actor) !== journalOf(parentOf(actor))),
  };
}

/** As XState writes a snapshot down, each child as it was last. */
export function persistedOf(
  actor: string,
  { machine, snapshot }: Standing,
  alive: ReadonlyMap<string, Standing>,
  ended: ReadonlyMap<string, unknown>,
): unknown {
  const written = machine.getPersistedSnapshot(snapshot) as unknown as Persisted;
  for (const [id, child] of Object.entries(written.children)) {
    const address = `${actor}/${id}`;
    const one = alive.get(address);
    if (one !== undefined) child.snapshot = persistedOf(address, one, alive, ended);
    else if (ended.has(address)) child.snapshot = ended.get(address);
  }
  return written;
}

/** What a checkpoint of one of several journals holds: nothing of those below `root` that have one of their own. */
export function partOf(
  { snapshot, timers, roots }: Revived,
  root: string,
): Pick<CheckpointRecord, 'snapshot' | 'timers'> {
  const others = roots.filter((other) => other.startsWith(`${root}/`));
  let own = snapshot;
  for (const id of root.split('/').slice(1)) own = own.children[id].snapshot;
  const children = Object.fromEntries(
    Object.entries<any>(own.children).map(([id, child]) => [
      id,
      others.includes(`${root}/${id}`) ? { ...child, snapshot: null } : child,
    ]),
  );
  const isOther = (actor: string) => others.some((other) => actor === other || actor.startsWith(`${other}/`));
  const isOwn = (actor: string) => (actor === root || actor.startsWith(`${root}/`)) && !isOther(actor);
  return { snapshot: { ...own, children }, timers: timers.filter(({ actor }) => isOwn(actor)) };
}
