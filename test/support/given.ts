/**
 * Tells a chart's story without an engine: given(chart, input).after(…).when(…).expect({ in, does }). A story never lets
 * anything pass unseen: each effect of the last `when` must be named, in order. It also knows what is still running.
 *
 *   given(displayServer, { channel: 'display:0' })
 *     .after(attach('link:1'))
 *     .when({ type: 'msgc.init', body })
 *     .expect({ in: { introduction: 'done' }, does: [{ type: 'ready', afresh: true }], waits: [] });
 */

import { expect } from 'vitest';
import {
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type EventFromLogic,
  matchesState,
  type SnapshotFrom,
} from 'xstate';
import { type Effect, type Fold, fold, type Step } from '../../src/engine/fold.ts';
import { marked } from './touched.ts';

/** An event whose type depends on what the chart is doing, such as the end of an unnamed actor or of a wait. */
export type Happening = (story: Story<AnyStateMachine>) => AnyEventObject;

/** What a chart does: a command as it is emitted, or one of these. */
export type Act = AnyEventObject | Told | Begun | Ended;
export interface Told {
  readonly tells: string;
  readonly event: AnyEventObject;
}
/** `as` is the word of the actor in the chart's setup; both it and `input` are compared only if they are given. */
export interface Begun {
  readonly begins: string;
  readonly as?: string;
  readonly input?: unknown;
}
export interface Ended {
  readonly ends: string;
}

export const tells = (to: string, event: AnyEventObject): Told => ({ tells: to, event });
export const begins = (actor: string, more: { as?: string; input?: unknown } = {}): Begun => ({
  begins: actor,
  ...more,
});
export const ends = (actor: string): Ended => ({ ends: actor });

/** An actor that the chart has begun ends well. `actor` is its id, or its word where it has no name. */
export const done =
  (actor: string, output?: unknown): Happening =>
  (story) => {
    const actorId = story.idOf(actor);
    return { type: `xstate.done.actor.${actorId}`, output, actorId };
  };

/** An actor that the chart has begun fails. */
export const failed =
  (actor: string, error: unknown = new Error('it failed')): Happening =>
  (story) => {
    const actorId = story.idOf(actor);
    return { type: `xstate.error.actor.${actorId}`, error, actorId };
  };

/** A wait of the chart is over; `delay` is its name in the chart's setup. */
export const elapsed =
  (delay: string): Happening =>
  (story) =>
    story.pending(delay).event;

export interface Expected {
  /** The whole state, or the regions that matter. */
  readonly in?: string | object;
  /** Everything that the chart did, in order. Nothing, if left out. */
  readonly does?: readonly Act[];
  /** Names of the delays that the chart waits for now, in the order in which they were begun. */
  readonly waits?: readonly string[];
  /** Ids, or words where they have none, of actors that run now. */
  readonly runs?: readonly string[];
  readonly context?: object;
  /** What the chart ended with. Without it the chart must still run, unless `ended` says otherwise. */
  readonly output?: unknown;
  readonly ended?: boolean;
}

export type Wait = Extract<Effect, { kind: 'wait' }>;

/** What goes on around a chart, as far as its effects tell. */
export interface Around {
  readonly waits: readonly Wait[];
  /** Actors that run, by id: the word each was begun as. */
  readonly actors: Readonly<Record<string, string>>;
}

/** XState hands over an object that holds the id. */
const forgotten = (id: unknown): unknown => (typeof id === 'object' ? (id as { sendId: string }).sendId : id);

const unnamed = (id: string) => /^\d+\./.test(id);

export class Story<M extends AnyStateMachine> {
  private readonly chart: M;
  private readonly fold: Fold<M>;
  /** What runs and what is waited for. */
  readonly around: Around;
  readonly snapshot: AnyMachineSnapshot;
  /** What was done since the last `given`, `after` or `when`. */
  readonly acts: readonly Act[];

  constructor(chart: M, fold: Fold<M>, snapshot: AnyMachineSnapshot, around: Around, acts: readonly Act[]) {
    this.chart = chart;
    this.fold = fold;
    this.snapshot = snapshot;
    this.around = around;
    this.acts = acts;
  }

  /** These events come, and what they bring about does not matter here. */
  after(...events: (EventFromLogic<M> | Happening)[]): Story<M> {
    return new Story(this.chart, this.fold, ...this.run(events).without());
  }

  /** These events come; `expect` is about what they bring about. */
  when(...events: (EventFromLogic<M> | Happening)[]): Story<M> {
    return this.run(events);
  }

  /** Holds the story against what should have happened since `when`. */
  expect(expected: Expected): Story<M> {
    const { snapshot } = this;
    const { does = [] } = expected;
    const acts = this.acts.map((act, index) => {
      const wanted = does[index];
      if (!('begins' in act) || wanted === undefined || !('begins' in wanted)) return act;
      return Object.fromEntries(Object.entries(act).filter(([key]) => key === 'begins' || key in wanted));
    });
    const found: Record<string, unknown> = { does: acts };
    const wanted: Record<string, unknown> = { does };
    if (expected.in !== undefined) {
      wanted.in = expected.in;
      found.in = matchesState(expected.in as never, snapshot.value) ? expected.in : snapshot.value;
    }
    if (expected.waits !== undefined) {
      wanted.waits = expected.waits;
      found.waits = this.around.waits.map((wait) => this.delayName(wait));
    }
    if (expected.runs !== undefined) {
      wanted.runs = expected.runs;
      found.runs = Object.entries(this.around.actors).map(([id, word]) => (unnamed(id) ? word : id));
    }
    if (expected.context !== undefined) {
      wanted.context = expected.context;
      found.context = Object.fromEntries(
        Object.keys(expected.context).map((key) => [key, (snapshot.context as Record<string, unknown>)[key]]),
      );
    }
    const ended = expected.ended ?? 'output' in expected;
    wanted.status = ended ? 'done' : 'active';
    found.status = snapshot.status;
    if ('output' in expected) {
      wanted.output = expected.output;
      found.output = snapshot.output;
    }
    expect(found).toEqual(wanted);
    return this;
  }

  /** The id of an actor that runs, by its id or its word. */
  idOf(actor: string): string {
    const { actors } = this.around;
    const ids = Object.keys(actors).filter((id) => id === actor || (unnamed(id) && actors[id] === actor));
    if (ids.length !== 1) {
      throw new Error(`${ids.length} actors "${actor}" run in ${JSON.stringify(this.snapshot.value)}`);
    }
    return ids[0]!;
  }

  /** The wait for a delay, by the delay's name. */
  pending(delay: string): Wait {
    const waits = this.around.waits.filter((wait) => this.delayName(wait) === delay);
    if (waits.length === 0) {
      throw new Error(`nothing waits for "${delay}" in ${JSON.stringify(this.snapshot.value)}`);
    }
    return waits[0]!;
  }

  private delayName({ event, delay }: Wait): string {
    const after = /^xstate\.after\.(.+?)\.[^.]*$/.exec(event.type);
    const delays = Object.entries(this.chart.implementations.delays as Record<string, number>);
    const byId = delays.find(([name]) => after !== null && event.type.startsWith(`xstate.after.${name}.`));
    return (byId ?? delays.find(([, ms]) => ms === delay))?.[0] ?? `${delay} ms`;
  }

  private run(events: readonly (AnyEventObject | Happening)[]): Story<M> {
    let { around, snapshot } = this;
    const acts: Act[] = [];
    for (const happening of events) {
      if (snapshot.status !== 'active') throw new Error(`the chart has ended; nothing can happen to it any more`);
      const now = new Story(this.chart, this.fold, snapshot, around, []);
      const event = typeof happening === 'function' ? happening(now as never) : happening;
      const over = (around.waits as readonly Wait[]).findIndex((wait) => wait.event === event);
      if (over >= 0) around = { ...around, waits: around.waits.filter((_, index) => index !== over) };
      const actor = /^xstate\.(?:done|error)\.actor\./.test(event.type) ? (event.actorId as string) : undefined;
      if (actor !== undefined) around = { ...around, actors: omit(around.actors, actor) };
      const step = this.fold.step(snapshot as SnapshotFrom<M>, event);
      snapshot = step.snapshot as AnyMachineSnapshot;
      around = take(step, around, acts);
    }
    return new Story(this.chart, this.fold, snapshot, around, acts);
  }

  /** The constructor's arguments but for the first two, with nothing done. */
  private without(): [AnyMachineSnapshot, Around, readonly Act[]] {
    return [this.snapshot, this.around, []];
  }
}

/** Adds what a step did to `acts`, and keeps the books of what runs and waits. */
function take(step: Step<AnyStateMachine>, before: Around, acts: Act[]): Around {
  let { waits, actors } = before;
  for (const effect of step.effects) {
    switch (effect.kind) {
      case 'command':
        acts.push(effect.command);
        break;
      case 'tell':
        acts.push({ tells: effect.to, event: effect.event });
        break;
      case 'begin':
        acts.push({
          begins: unnamed(effect.id) ? effect.actor : effect.id,
          as: effect.actor,
          input: effect.input,
        });
        actors = { ...actors, [effect.id]: effect.actor };
        break;
      case 'end':
        // XState stops actors that have ended by themselves once more; nothing happens then.
        if (actors[effect.id] === undefined) break;
        acts.push({ ends: unnamed(effect.id) ? actors[effect.id]! : effect.id });
        actors = omit(actors, effect.id);
        break;
      case 'wait':
        waits = [...waits, effect];
        break;
      case 'forget':
        waits = waits.filter(({ id }) => id !== forgotten(effect.id));
        break;
    }
  }
  // The timers of a chart that has ended go with it.
  const { status } = step.snapshot as AnyMachineSnapshot;
  return { waits: status === 'active' ? waits : waits.filter(({ id }) => id !== undefined), actors };
}

const omit = <T>(record: Readonly<Record<string, T>>, key: string): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(record).filter(([other]) => other !== key));

/** Begins a story: the chart is born with this input. */
export function given<M extends AnyStateMachine>(chart: M, input?: unknown): Story<M> {
  const copy = marked(chart);
  const folded = fold(copy, input);
  const snapshot = folded.first.snapshot as AnyMachineSnapshot;
  if (snapshot.status === 'error') throw snapshot.error;
  const acts: Act[] = [];
  const around = take(folded.first, { waits: [], actors: {} }, acts);
  return new Story(copy, folded, snapshot, around, acts);
}
