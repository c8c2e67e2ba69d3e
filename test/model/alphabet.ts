/**
 * Names for what recurs: equal events are one letter, equal states of a chart are one state, and what a chart does with a
 * letter in a state is worked out once. Charts are deterministic, so nothing is lost. A state is what can matter later:
 * reasons are words for people, and lists of channels are sets, for the order in which channels are told something within
 * one step cannot be seen by anybody.
 */
import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import { type Effect, type Fold, fold } from '../../src/engine/fold.ts';

/** Two halves of 64 bits. */
export type Hash = readonly [number, number];

/** cyrb53's mixing, both halves kept. */
export function hashOf(text: string): Hash {
  let h1 = 0xdeadbeef;
  let h2 = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    h1 = Math.imul(h1 ^ code, 2654435761);
    h2 = Math.imul(h2 ^ code, 1597334677);
  }
  h1 = Math.imul(h1 ^ (h1 >>> 16), 2246822507) ^ Math.imul(h2 ^ (h2 >>> 13), 3266489909);
  h2 = Math.imul(h2 ^ (h2 >>> 16), 2246822507) ^ Math.imul(h1 ^ (h1 >>> 13), 3266489909);
  return [h1 >>> 0, h2 >>> 0];
}

/** The two displays of a session are alike: a world and the one in which they are exchanged are the same. */
export const exchanged = (text: string): string =>
  text.includes('display:')
    ? text.replace(/display:([01])/g, (_, id: string) => (id === '0' ? 'display:1' : 'display:0'))
    : text;

/** Context that only reaches reports and logs. */
const unseen: ReadonlySet<string> = new Set(['reason', 'linkedClients', 'clients']);

const isAddress = (value: unknown): value is string => typeof value === 'string' && /^[a-z]+:\d+$/.test(value);

/** JSON in which equal things look equal: keys in order, sets of channels in order, nothing that is not seen. */
export function canonical(value: unknown, swap = false): string {
  if (typeof value === 'string') return JSON.stringify(swap ? exchanged(value) : value);
  if (typeof value === 'bigint') return `${value}n`;
  if (value === undefined || typeof value === 'function') return 'null';
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (value instanceof Uint8Array) return `bytes(${value.join(',')})`;
  if (value instanceof Error) return 'error';
  if (Array.isArray(value)) {
    const items = value.map((item) => canonical(item, swap));
    if (value.every(isAddress) || value.every((item) => isAddress((item as { channel?: unknown } | null)?.channel))) {
      items.sort();
    }
    return `[${items.join(',')}]`;
  }
  const entries = Object.entries(value)
    .filter(([key, inner]) => !unseen.has(key) && inner !== undefined)
    .map(([key, inner]) => `${JSON.stringify(swap ? exchanged(key) : key)}:${canonical(inner, swap)}`);
  return `{${entries.sort().join(',')}}`;
}

export interface Letter {
  readonly id: number;
  readonly event: AnyEventObject;
  /** What it looks like, and what it looks like with the displays exchanged. */
  readonly text: string;
  readonly swapped: string;
}

const lettersByText = new Map<string, Letter>();
const lettersByObject = new WeakMap<object, Letter>();

/** Events are never changed once they are made: one that is met again needs not be read again. */
export function letter(event: AnyEventObject): Letter {
  const met = lettersByObject.get(event);
  if (met !== undefined) return met;
  const known = letterOf(event);
  lettersByObject.set(event, known);
  return known;
}

const remembered = new Map<string, Letter>();

/** A letter that a few words tell: the words must tell all of it. */
export function letterBy(words: string, make: () => AnyEventObject): Letter {
  let known = remembered.get(words);
  if (known === undefined) remembered.set(words, (known = letterOf(make())));
  return known;
}

function letterOf(event: AnyEventObject): Letter {
  const text = canonical(event);
  let known = lettersByText.get(text);
  if (known === undefined) {
    known = { id: lettersByText.size, event, text, swapped: canonical(event, true) };
    lettersByText.set(text, known);
  }
  return known;
}

/** What a step of a chart wants done, with events as letters and actors told apart. */
export type Doing =
  | { readonly kind: 'command'; readonly command: AnyEventObject }
  | { readonly kind: 'tell'; readonly to: string; readonly letter: Letter }
  | { readonly kind: 'begin'; readonly id: string; readonly chart: string; readonly input: unknown }
  /** An actor that stands for the world. */
  | { readonly kind: 'ask'; readonly id: string; readonly question: string; readonly input: any }
  | { readonly kind: 'end'; readonly id: string }
  | { readonly kind: 'wait'; readonly id: string | undefined; readonly delay: number; readonly letter: Letter }
  | { readonly kind: 'forget'; readonly id: string };

/** A state of a chart. */
export interface State {
  readonly id: number;
  readonly chart: Chart;
  readonly snapshot: AnyMachineSnapshot;
  readonly text: string;
  readonly swapped: string;
  readonly status: string;
  readonly flowing: boolean;
  readonly speaking: boolean;
  readonly deaf: boolean;
  readonly steps: Map<number, Outcome>;
}

export interface Outcome {
  readonly state: State;
  readonly doings: readonly Doing[];
  /** The chart broke. */
  readonly broken?: string;
}

let states = 0;

export class Chart {
  readonly name: string;
  readonly machine: AnyStateMachine;
  private readonly byText = new Map<string, State>();
  private readonly births = new Map<string, Outcome>();
  private readonly ids = new Set<string>();
  private folded: Fold<AnyStateMachine> | undefined;
  private input: unknown;

  constructor(machine: AnyStateMachine) {
    this.name = machine.id;
    this.machine = machine;
  }

  born(input: unknown): Outcome {
    const text = canonical(input);
    const known = this.births.get(text);
    if (known !== undefined) return known;
    const born = fold(this.machine, input);
    this.folded = born;
    this.input = input;
    const outcome = this.outcome(born.first.snapshot as AnyMachineSnapshot, born.first.effects);
    this.births.set(text, outcome);
    return outcome;
  }

  step(state: State, { id, event }: Letter): Outcome {
    const known = state.steps.get(id);
    if (known !== undefined) return known;
    let outcome: Outcome;
    try {
      const { snapshot, effects } = this.folded!.step(state.snapshot as never, event);
      outcome = this.outcome(snapshot as AnyMachineSnapshot, effects);
    } catch (error) {
      // What the broken step had done until then must not turn up in the next one.
      this.folded = fold(this.machine, this.input);
      outcome = { state, doings: [], broken: error instanceof Error ? error.message : String(error) };
    }
    state.steps.set(id, outcome);
    return outcome;
  }

  /** Ids of the states that it has been in. */
  visited(): ReadonlySet<string> {
    return this.ids;
  }

  private outcome(snapshot: AnyMachineSnapshot, effects: readonly Effect[]): Outcome {
    const doings = effects.map((effect) => this.doing(effect));
    // A child that is begun and ended in one step never lives.
    const lives = doings.filter((doing, index) => {
      if (doing.kind === 'begin' || doing.kind === 'ask') {
        return !doings.some((later, at) => at > index && later.kind === 'end' && later.id === doing.id);
      }
      return true;
    });
    const state = this.state(snapshot);
    if (snapshot.status === 'error') {
      return { state, doings: lives, broken: (snapshot.error as Error | undefined)?.message ?? 'error' };
    }
    return { state, doings: lives };
  }

  private state(snapshot: AnyMachineSnapshot): State {
    const children = Object.keys(snapshot.children).sort();
    const { value, context, status, output } = snapshot;
    const all = { value, context, status, output };
    const text = `${this.name} ${canonical(all)} ${children.join(' ')}`;
    const known = this.byText.get(text);
    if (known !== undefined) return known;
    const swapped = `${this.name} ${canonical(all, true)} ${children.map(exchanged).sort().join(' ')}`;
    const state: State = {
      id: states++,
      chart: this,
      snapshot,
      text,
      swapped,
      status,
      flowing: snapshot.hasTag('flowing'),
      speaking: snapshot.hasTag('speaking'),
      deaf: snapshot.hasTag('deaf'),
      steps: new Map(),
    };
    this.byText.set(text, state);
    for (const { id } of (snapshot as unknown as { _nodes: { id: string }[] })._nodes) this.ids.add(id);
    return state;
  }

  private doing(effect: Effect): Doing {
    switch (effect.kind) {
      case 'tell':
        return { kind: 'tell', to: effect.to, letter: letter(effect.event) };
      case 'wait':
        return { kind: 'wait', id: effect.id, delay: effect.delay, letter: letter(effect.event) };
      case 'forget': {
        const id = effect.id as unknown;
        return { kind: 'forget', id: typeof id === 'object' ? (id as { sendId: string }).sendId : (id as string) };
      }
      case 'begin': {
        const logic = (
          this.machine.implementations.actors as Record<string, { id?: string; implementations?: object }>
        )[effect.actor];
        return logic?.implementations === undefined
          ? { kind: 'ask', id: effect.id, question: effect.actor, input: effect.input }
          : { kind: 'begin', id: effect.id, chart: logic.id!, input: effect.input };
      }
      default:
        return effect;
    }
  }
}

/** The charts of one world, by their ids. */
export type Charts = ReadonlyMap<string, Chart>;

/** Charts that remember nothing yet. */
export const freshCharts = (machines: readonly AnyStateMachine[]): Charts =>
  new Map(machines.map((machine) => [machine.id, new Chart(machine)]));
