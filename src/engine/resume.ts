/**
 * Where a session was when its program ended: folds what its journal holds, and puts the states of all its charts together
 * as XState takes them to go on. It starts nothing; whoever does has to arm the timers again with the time that is left
 * (XState forgets them) and to give the charts hosts. Promises that had no answer are asked again by XState itself.
 */
import type { AnyEventObject, AnyStateMachine } from 'xstate';
import { type ChartName, charts } from '../../machines/index.ts';
import type { ArmedTimer, JournalRecord } from '../journal/record.ts';
import { type Effect, type Fold, fold } from './fold.ts';
import { difference } from './verify-compare.ts';

export interface Revived {
  /** The root's name: "server", "client", "server/session:3" in the journal of one session. */
  readonly root: string;
  readonly chart: ChartName;
  /** For `createActor(machine, { snapshot })`: children are in it. */
  readonly snapshot: unknown;
  readonly timers: readonly ArmedTimer[];
  /** When the last record was written, in milliseconds of its clock. */
  readonly at: number;
  /** Actors that live, the root first. */
  readonly actors: readonly string[];
}

interface Alive {
  readonly chart: ChartName;
  readonly machine: AnyStateMachine;
  readonly fold: Fold<AnyStateMachine>;
  snapshot: any;
  readonly timers: Map<string, { readonly event: AnyEventObject; readonly dueAt: number }>;
}

interface Persisted {
  children: Record<string, { snapshot: unknown }>;
}

const nameById = new Map(Object.entries(charts).map(([name, machine]) => [machine.id, name as ChartName]));

/** Folds the records of one journal, in their order. */
export class Reviver {
  private readonly alive = new Map<string, Alive>();
  /** How charts ended that their parents have not let go yet. */
  private readonly ended = new Map<string, unknown>();
  private root: string | undefined;
  private at = 0;
  private nameless = 0;

  /** Throws when a record does not fit the charts that there are. */
  take(record: JournalRecord): void {
    const { actor, at } = record;
    this.at = at;
    if (record.kind === 'end') {
      const one = this.alive.get(actor);
      this.alive.delete(actor);
      if (one?.snapshot.status === 'done') this.ended.set(actor, this.persisted(actor, one));
    } else if (record.kind === 'event') {
      if (record.chart !== undefined) this.begin(actor, record.chart, record.event.input, at);
      else this.step(actor, record.event, at);
    }
  }

  /** Undefined when nothing was going on any more. */
  revived(): Revived | undefined {
    const root = this.root === undefined ? undefined : this.alive.get(this.root);
    if (root === undefined) return undefined;
    const timers = [...this.alive].flatMap(([actor, one]) =>
      [...one.timers].map(([id, { event, dueAt }]): ArmedTimer => ({ actor, id, event, dueAt })),
    );
    return {
      root: this.root!,
      chart: root.chart,
      snapshot: this.persisted(this.root!, root),
      timers,
      at: this.at,
      actors: [...this.alive.keys()],
    };
  }

  /** Where a chart was; undefined if it is not alive. */
  snapshotOf(actor: string): any {
    return this.alive.get(actor)?.snapshot;
  }

  private begin(actor: string, id: string, input: unknown, at: number): void {
    const chart = nameById.get(id);
    if (chart === undefined) throw new Error(`there is no chart ${id} here`);
    this.root ??= actor;
    this.ended.delete(actor);
    const machine = charts[chart];
    const folded = fold(machine, input);
    const one: Alive = { chart, machine, fold: folded, snapshot: folded.first.snapshot, timers: new Map() };
    this.alive.set(actor, one);
    this.note(one, folded.first.effects, at);
  }

  private step(actor: string, event: AnyEventObject, at: number): void {
    const one = this.alive.get(actor);
    if (one === undefined || one.snapshot.status !== 'active') return;
    for (const [id, timer] of one.timers) {
      if (difference(timer.event, event) !== undefined) continue;
      one.timers.delete(id);
      break;
    }
    const { snapshot, effects } = one.fold.step(one.snapshot, event);
    one.snapshot = snapshot;
    this.note(one, effects, at);
    for (const id of this.ended.keys())
      if (id.startsWith(`${actor}/`) && !this.isChild(actor, id)) this.ended.delete(id);
  }

  private isChild(parent: string, address: string): boolean {
    return this.alive.get(parent)?.snapshot.children[address.slice(parent.length + 1)] !== undefined;
  }

  private note(one: Alive, effects: readonly Effect[], at: number): void {
    for (const effect of effects) {
      // One that nobody can stop has no id of its own.
      const id = 'id' in effect ? (effect.id ?? `#${this.nameless++}`) : '';
      if (effect.kind === 'wait') one.timers.set(id, { event: effect.event, dueAt: at + effect.delay });
      else if (effect.kind === 'forget') one.timers.delete(effect.id);
    }
  }

  /** As XState writes a snapshot down, each child as it was last. */
  private persisted(actor: string, { machine, snapshot }: Alive): Persisted {
    const written = machine.getPersistedSnapshot(snapshot) as unknown as Persisted;
    for (const [id, child] of Object.entries(written.children)) {
      const address = `${actor}/${id}`;
      const one = this.alive.get(address);
      if (one !== undefined) child.snapshot = this.persisted(address, one);
      else if (this.ended.has(address)) child.snapshot = this.ended.get(address);
    }
    return written;
  }
}

/** What the records of a journal come to; undefined when nothing is going on any more. */
export function revive(records: Iterable<JournalRecord>): Revived | undefined {
  const reviver = new Reviver();
  for (const record of records) reviver.take(record);
  return reviver.revived();
}
