/**
 * Time travel: folds the charts of a journal again, event by event, and says where each was and what it asked for. Carries
 * nothing out and changes nothing; it stops where the records do not fit the charts that there are.
 */
import type { AnyEventObject, AnyStateMachine, StateValue } from 'xstate';
import { type ChartName, charts } from '../../machines/index.ts';
import { checkpointBefore, readStream } from '../journal/read.ts';
import type { CheckpointRecord, EventRecord, JournalRecord } from '../journal/record.ts';
import type { Store } from '../journal/store.ts';
import { type Fold, fold } from './fold.ts';
import { chartNameById, chartsIn } from './persisted.ts';

export interface ReplayStep {
  /** Number of the record. */
  readonly seq: number;
  /** Milliseconds of the engine's clock. */
  readonly at: number;
  /** "server/session:3/display:0" */
  readonly actor: string;
  readonly chart: ChartName;
  readonly event: EventRecord['event'];
  /** Where the chart is after it. */
  readonly state: StateValue;
  /** "active", "done" or "error" */
  readonly status: string;
  /** What the chart asked for, in order. */
  readonly commands: readonly AnyEventObject[];
}

interface Follower {
  readonly chart: ChartName;
  readonly fold: Fold<AnyStateMachine>;
  snapshot: any;
}

/** Where every chart of a journal is, after the records that it was handed. */
export class Replayer {
  private readonly followers = new Map<string, Follower>();

  /** Actors that live. */
  get actors(): readonly string[] {
    return [...this.followers.keys()];
  }

  /** Undefined for an actor that does not live. */
  snapshotOf(actor: string): any {
    return this.followers.get(actor)?.snapshot;
  }

  /** Undefined for an actor that does not live. */
  chartOf(actor: string): ChartName | undefined {
    return this.followers.get(actor)?.chart;
  }

  /** The next record; what it made a chart do, if it is an event. Throws when it does not fit the charts that there are. */
  take(record: JournalRecord): ReplayStep | undefined {
    if (record.kind === 'end') this.followers.delete(record.actor);
    else if (record.kind === 'checkpoint' && !this.followers.has(record.actor)) this.goOnFrom(record);
    return record.kind === 'event' ? this.step(record) : undefined;
  }

  private goOnFrom({ actor, snapshot }: CheckpointRecord): void {
    for (const { address, chart, persisted } of chartsIn(actor, snapshot)) {
      if (persisted.status !== 'active') continue;
      const folded = fold(charts[chart] as AnyStateMachine, undefined, persisted);
      this.followers.set(address, { chart, fold: folded, snapshot: folded.first.snapshot });
    }
  }

  private step({ seq, at, actor, event, chart: id }: EventRecord): ReplayStep | undefined {
    let one = this.followers.get(actor);
    let effects: readonly { kind: string }[] = [];
    if (id !== undefined) {
      const chart = chartNameById.get(id);
      if (chart === undefined) throw new Error(`record ${seq}: there is no chart ${id} here`);
      const folded = fold(charts[chart], event.input);
      one = { chart, fold: folded, snapshot: folded.first.snapshot };
      effects = folded.first.effects;
      this.followers.set(actor, one);
    } else if (one === undefined) return undefined;
    else if (one.snapshot.status === 'active') {
      const next = one.fold.step(one.snapshot, event);
      one.snapshot = next.snapshot;
      effects = next.effects;
    }
    const { chart, snapshot } = one;
    const commands = effects.flatMap((effect) =>
      effect.kind === 'command' ? [(effect as unknown as { command: AnyEventObject }).command] : [],
    );
    return { seq, at, actor, chart, event, state: snapshot.value, status: snapshot.status, commands };
  }
}

/** Every step of every chart, in order; those before record `from` are done, and not told. */
export async function* replay(
  records: AsyncIterable<JournalRecord> | Iterable<JournalRecord>,
  { from = 1 }: { readonly from?: number } = {},
): AsyncGenerator<ReplayStep, void, undefined> {
  const replayer = new Replayer();
  for await (const record of records) {
    const step = replayer.take(record);
    if (step !== undefined && step.seq >= from) yield step;
  }
}

/**
 * Every step of a session in a store, from record `from` on. It reads from the last checkpoint before that, not from the
 * start. Throws JournalError: `absent`, and where the session is damaged.
 */
export async function* replayStream(
  store: Store,
  name: string,
  { from = 1 }: { readonly from?: number } = {},
): AsyncGenerator<ReplayStep, void, undefined> {
  yield* replay(readStream(store, name, await checkpointBefore(store, name, from)), { from });
}
