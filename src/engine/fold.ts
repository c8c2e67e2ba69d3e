/**
 * Runs a chart without an engine: events in, states and effects out. Nothing is carried out: what a chart emits, sends,
 * spawns, schedules or invokes is listed instead. Replay and tests stand on this; it never touches a clock or a socket.
 */
import {
  type AnyActorLogic,
  type AnyActorRef,
  type AnyEventObject,
  type AnyStateMachine,
  type SnapshotFrom,
  StateMachine,
} from 'xstate';

/** What a chart wanted done by one step, in order. */
export type Effect =
  | { readonly kind: 'command'; readonly command: AnyEventObject }
  /** `to` is a child's id, or "parent". */
  | { readonly kind: 'tell'; readonly to: string; readonly event: AnyEventObject }
  | { readonly kind: 'begin'; readonly id: string; readonly actor: string; readonly input: unknown }
  | { readonly kind: 'end'; readonly id: string }
  /** A timer, in milliseconds. */
  | { readonly kind: 'wait'; readonly id: string; readonly delay: number; readonly event: AnyEventObject }
  | { readonly kind: 'forget'; readonly id: string };

export interface Step<M extends AnyStateMachine> {
  readonly snapshot: SnapshotFrom<M>;
  readonly effects: readonly Effect[];
}

interface Action {
  readonly type: string;
  readonly params: any;
}

/** Nothing is sent, booked or scheduled. */
const system = {
  _bookId: () => 'fold',
  _register: () => 'fold',
  _unregister: () => {},
  _set: () => {},
  _sendInspectionEvent: () => {},
  _relay: () => {},
  get: () => undefined,
  getAll: () => ({}),
  inspect: () => ({ unsubscribe: () => {} }),
  scheduler: { schedule: () => {}, cancel: () => {}, cancelAll: () => {} },
  getSnapshot: () => ({ _scheduledEvents: {} }),
  start: () => {},
  _clock: { setTimeout: () => 0, clearTimeout: () => {} },
  _logger: () => {},
  _snapshot: { _scheduledEvents: {} },
};
const parent = { id: 'parent', sessionId: 'parent' } as AnyActorRef;
const nothing = () => {};

/** One scope serves a whole fold: XState's own pure `transition` makes an actor a call. */
const scopeFor = () => {
  let effects: Effect[] = [];
  let current: unknown;
  const self = { id: 'self', sessionId: 'self', _parent: parent, system, send: nothing, getSnapshot: () => current };
  const scope = {
    self,
    id: 'self',
    sessionId: 'self',
    logger: nothing,
    defer: nothing,
    system,
    stopChild: nothing,
    emit: nothing,
    actionExecutor: (action: Action) => {
      const effect = effectOf(action, parent, self);
      if (effect !== undefined) effects.push(effect);
    },
  };
  return {
    scope: scope as never,
    /** Children may ask for the snapshot of their parent; so may actions. */
    remember: (snapshot: unknown) => {
      current = snapshot;
    },
    taken: (): readonly Effect[] => {
      if (effects.length === 0) return none;
      const done = effects;
      effects = [];
      return done;
    },
  };
};

const none: readonly Effect[] = [];

const effectOf = ({ type, params }: Action, parent: unknown, self: unknown): Effect | undefined => {
  switch (type) {
    case 'xstate.emit':
      return { kind: 'command', command: params.event };
    case 'xstate.sendTo':
      return params.to === self && params.delay !== undefined
        ? { kind: 'wait', id: params.id, delay: params.delay, event: params.event }
        : { kind: 'tell', to: params.to === parent ? 'parent' : params.to.id, event: params.event };
    case 'xstate.raise':
      return params.delay === undefined
        ? undefined
        : { kind: 'wait', id: params.id, delay: params.delay, event: params.event };
    case 'xstate.cancel':
      return { kind: 'forget', id: params.sendId };
    case 'xstate.spawnChild':
      return { kind: 'begin', id: params.actorRef.id, actor: String(params.src), input: params.input };
    case 'xstate.stopChild':
      return { kind: 'end', id: (params as AnyActorRef | undefined)?.id ?? '' };
    default:
      return undefined;
  }
};

/**
 * The same machine, whose charts below are there by their names only: what one does is told by a fold of its own, and
 * XState would take its first steps in vain each time that it is begun.
 */
function withoutChildren(machine: AnyStateMachine): AnyStateMachine {
  let alone = alones.get(machine);
  if (alone === undefined) {
    const actors = Object.entries(machine.implementations.actors as Record<string, AnyActorLogic>).map(
      ([name, logic]) => [name, logic instanceof StateMachine ? standInFor(logic) : logic] as const,
    );
    const implementations = { ...machine.implementations, actors: Object.fromEntries(actors) };
    alone = Object.create(machine, { implementations: { value: implementations } }) as AnyStateMachine;
    alones.set(machine, alone);
  }
  return alone;
}

const alones = new WeakMap<AnyStateMachine, AnyStateMachine>();

const standInFor = (chart: AnyStateMachine) => ({
  transition: (snapshot: unknown) => snapshot,
  getInitialSnapshot: (_scope: unknown, input: unknown) => ({
    ...{ status: 'active', output: undefined, error: undefined, input },
  }),
  restoreSnapshot: (persisted: unknown) => persisted,
  /** One that nobody has folded is where it began. */
  getPersistedSnapshot: (snapshot: { readonly input?: unknown }) =>
    'value' in snapshot ? snapshot : chart.getPersistedSnapshot(fold(chart, snapshot.input).first.snapshot),
});

export interface Fold<M extends AnyStateMachine> {
  readonly first: Step<M>;
  step(snapshot: SnapshotFrom<M>, event: AnyEventObject): Step<M>;
}

/**
 * Prepares a fold of `machine`; `first` is what it does at its birth, or nothing when it goes on from what XState wrote down
 * (`getPersistedSnapshot`). Throws what a chart's own action throws.
 */
export function fold<M extends AnyStateMachine>(machine: M, input?: unknown, from?: unknown): Fold<M> {
  const { scope, remember, taken } = scopeFor();
  const alone = withoutChildren(machine);
  const { getInitialSnapshot, restoreSnapshot } = StateMachine.prototype;
  const snapshot = (
    from === undefined
      ? getInitialSnapshot.call(alone, scope, input as never)
      : restoreSnapshot.call(alone, from as never, scope)
  ) as SnapshotFrom<M>;
  remember(snapshot);
  return {
    first: { snapshot, effects: taken() },
    step(from, event) {
      remember(from);
      // Which machine it is of, the snapshot knows.
      const next = machine.transition(from, event, scope) as SnapshotFrom<M>;
      remember(next);
      return { snapshot: next, effects: taken() };
    },
  };
}
