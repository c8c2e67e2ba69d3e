/**
 * Where a session was when its program ended: folds what its journal holds, chart by chart. A journal may break off in the
 * middle of a step; what the step still asked for is then done on paper, in the order in which XState does it. It starts
 * nothing: system.ts arms the timers and gives the charts hosts.
 */
import type { AnyEventObject, AnyStateMachine } from 'xstate';
import { charts } from '../../machines/index.ts';
import type { CheckpointRecord, Entry, JournalRecord } from '../journal/record.ts';
import { type Effect, type Fold, fold } from './fold.ts';
import { chartBegunAs, chartNameById, chartsIn } from './persisted.ts';
import { parentOf, persistedOf, type Revived, revivedFrom, type Standing } from './revived.ts';
import { difference } from './verify-compare.ts';

export interface ReviverOptions {
  /**
   * Which of several journals an actor's records are in, when those of one program lie in several. They may be taken in one
   * after the other; what one said to another that does not know of it is said again.
   */
  readonly journalOf?: (actor: string) => string;
}

type Owed =
  | { readonly kind: 'command'; readonly command: AnyEventObject }
  | { readonly kind: 'tell'; readonly to: string; readonly event: AnyEventObject }
  | { readonly kind: 'birth'; readonly address: string; readonly chart: string; readonly input: unknown }
  | { readonly kind: 'end'; readonly address: string };

interface Alive extends Standing {
  readonly fold: Fold<AnyStateMachine>;
  readonly timers: Map<string, { readonly event: AnyEventObject; readonly dueAt: number }>;
  snapshot: any;
  /** What it wants done and is not in the journal yet, in order. */
  owed: Owed[];
}

/** Something said across journals. */
interface Said {
  readonly at: number;
  readonly event: AnyEventObject;
}

const nameOf = (address: string): string => address.slice(address.lastIndexOf('/') + 1);

/** Folds the records of one program, each journal's in their order. */
export class Reviver {
  private readonly options: ReviverOptions;
  private readonly alive = new Map<string, Alive>();
  /** How charts ended that their parents have not let go yet. */
  private readonly ended = new Map<string, unknown>();
  /** Ends that a parent has not been told of yet: by the parent, what it will be told. */
  private readonly news = new Map<string, AnyEventObject[]>();
  /** Who is in the middle of a step; who began last is to end first. */
  private readonly busy = new Set<string>();
  /** Who was told to stop. */
  private readonly stopped = new Set<string>();
  /** What was said to an actor of another journal, and what such an actor has heard, as far as one does not explain the other. */
  private readonly said = new Map<string, Said[]>();
  private readonly heard = new Map<string, AnyEventObject[]>();
  /** For each journal, up to when everybody knows what was said. */
  private readonly since = new Map<string, number>();
  private root: string | undefined;
  /** Everything was being stopped. */
  private closing = false;
  private at = 0;
  private nameless = 0;

  constructor(options: ReviverOptions = {}) {
    this.options = options;
  }

  /** Throws when a record does not fit the charts that there are. */
  take(record: Entry | JournalRecord): void {
    const { actor } = record;
    this.at = record.at;
    switch (record.kind) {
      case 'event':
        if (record.chart !== undefined) this.begin(actor, record.chart, record.event.input);
        else this.hear(actor, record.event);
        break;
      case 'command':
        this.pay(actor, ({ kind }) => kind === 'command');
        this.lookWhoIsBusy();
        break;
      case 'end':
        this.end(actor);
        break;
      case 'checkpoint':
        if (!this.alive.has(actor)) this.goOnFrom(record);
        break;
    }
  }

  /** `now`: on the clock of the records. Undefined when nothing was going on any more. What is taken in afterwards goes on from the last record, not from this. */
  revived(now = this.at): Revived | undefined {
    if (this.closing) return undefined;
    const finished = this.copy();
    finished.at = Math.max(now, this.at);
    const rest = finished.finish();
    const { root, alive, ended, at } = finished;
    return revivedFrom({ root, alive, ended, at, rest, journalOf: (actor) => this.journalOf(actor) });
  }

  /** Where a chart was; undefined if it is not alive. */
  snapshotOf(actor: string): any {
    return this.alive.get(actor)?.snapshot;
  }

  /** Gives an actor up that cannot be followed: its parent is told that it failed. */
  giveUp(actor: string): void {
    for (const address of this.alive.keys()) {
      if (address === actor || address.startsWith(`${actor}/`)) this.forget(address);
    }
    this.ended.set(actor, { status: 'error', output: undefined, error: undefined });
    const id = nameOf(actor);
    this.inform(parentOf(actor), { type: `xstate.error.actor.${id}`, error: undefined, actorId: id });
  }

  // ------------------------------------------------------------------------------------------------------- records

  private begin(address: string, id: string, input: unknown): void {
    const chart = chartNameById.get(id);
    if (chart === undefined) throw new Error(`there is no chart ${id} here`);
    this.root ??= address;
    this.ended.delete(address);
    this.busy.add(address);
    this.pay(parentOf(address), (owed) => owed.kind === 'birth' && owed.address === address);
    const machine = charts[chart];
    const folded = fold(machine, input);
    const { snapshot, effects } = folded.first;
    const one: Alive = { chart, machine, fold: folded, snapshot, timers: new Map(), owed: [] };
    this.alive.set(address, one);
    // A chart that begins starts its children before all else.
    const children = effects.filter(({ kind }) => kind === 'begin');
    for (const effect of [...children, ...effects.filter(({ kind }) => kind !== 'begin')]) {
      this.owe(address, one, effect);
    }
    this.lookWhoIsBusy();
  }

  private hear(actor: string, event: AnyEventObject): void {
    const one = this.alive.get(actor);
    if (one === undefined) return;
    this.busy.add(actor);
    this.explain(actor, one, event);
    try {
      if (one.snapshot.status !== 'active') return;
      const { snapshot, effects } = one.fold.step(one.snapshot, event);
      one.snapshot = snapshot;
      for (const effect of effects) this.owe(actor, one, effect);
    } catch (error) {
      one.snapshot = { ...one.snapshot, status: 'error', error };
      one.owed = [];
    } finally {
      this.lookWhoIsBusy();
    }
    for (const id of this.ended.keys()) if (parentOf(id) === actor && !this.isChild(one, id)) this.ended.delete(id);
  }

  private end(actor: string): void {
    const one = this.alive.get(actor);
    if (one === undefined) return;
    const { status, output, error } = one.snapshot;
    const parent = parentOf(actor);
    const id = nameOf(actor);
    if (status === 'active' && !this.isStopping(actor)) this.closing = true;
    if (status === 'done' || status === 'error') this.ended.set(actor, persistedOf(actor, one, this.alive, this.ended));
    this.forget(actor);
    this.pay(parent, (owed) => owed.kind === 'end' && owed.address === actor);
    if (status === 'done') this.inform(parent, { type: `xstate.done.actor.${id}`, output, actorId: id });
    else if (status === 'error') this.inform(parent, { type: `xstate.error.actor.${id}`, error, actorId: id });
    this.lookWhoIsBusy();
  }

  private goOnFrom({ actor, snapshot, timers, at }: CheckpointRecord | Extract<Entry, { kind: 'checkpoint' }>): void {
    this.root ??= actor;
    this.since.set(this.journalOf(actor), at);
    for (const [to, said] of this.said) {
      if (this.journalOf(to) === this.journalOf(actor))
        this.said.set(
          to,
          said.filter((one) => one.at > at),
        );
    }
    this.revive(actor, snapshot);
    for (const { actor: its, id, event, dueAt } of timers) {
      const own = id.startsWith('#') ? `#${this.nameless++}` : id;
      this.alive.get(its)?.timers.set(own, { event, dueAt });
    }
  }

  private revive(root: string, written: unknown): void {
    for (const { address, chart, persisted } of chartsIn(root, written)) {
      if (persisted.status !== 'active') {
        this.ended.set(address, persisted);
        continue;
      }
      const machine = charts[chart];
      const folded = fold(machine, undefined, persisted);
      const { snapshot } = folded.first;
      this.alive.set(address, { chart, machine, fold: folded, snapshot, timers: new Map(), owed: [] });
    }
  }

  // --------------------------------------------------------------------------------------------------------- debts

  private owe(owner: string, one: Alive, effect: Effect): void {
    switch (effect.kind) {
      case 'command':
        one.owed.push(effect);
        break;
      case 'tell': {
        const to = effect.to === 'parent' ? parentOf(owner) : `${owner}/${effect.to}`;
        if (this.journalOf(to) !== this.journalOf(owner)) this.say(to, effect.event);
        else if (this.alive.has(to) || one.owed.some((other) => other.kind === 'birth' && other.address === to)) {
          one.owed.push({ kind: 'tell', to, event: effect.event });
        }
        break;
      }
      case 'begin': {
        const chart = chartBegunAs(one.chart, effect.actor);
        const address = `${owner}/${effect.id}`;
        if (chart === undefined) break;
        const isElsewhere = this.journalOf(address) !== this.journalOf(owner);
        if (!isElsewhere) one.owed.push({ kind: 'birth', address, chart: charts[chart].id, input: effect.input });
        break;
      }
      case 'end': {
        const address = `${owner}/${effect.id}`;
        // What was begun and ended in one step never starts.
        const owed = one.owed.findIndex((other) => other.kind === 'birth' && other.address === address);
        if (owed >= 0) one.owed.splice(owed, 1);
        else if (this.alive.has(address)) one.owed.push({ kind: 'end', address });
        break;
      }
      case 'wait':
        // One that nobody can stop has no id of its own.
        one.timers.set(effect.id ?? `#${this.nameless++}`, { event: effect.event, dueAt: this.at + effect.delay });
        break;
      case 'forget':
        one.timers.delete(effect.id);
        break;
    }
  }

  /** Finds out why a chart is told this; it is not owed any more then. */
  private explain(actor: string, one: Alive, event: AnyEventObject): void {
    const news = this.news.get(actor);
    const known = news?.findIndex((other) => other.type === event.type) ?? -1;
    if (known >= 0) {
      news!.splice(known, 1);
      return;
    }
    const isThis = (owed: Owed) =>
      owed.kind === 'tell' && owed.to === actor && difference(owed.event, event) === undefined;
    for (const owner of this.busy) if (this.pay(owner, isThis)) return;
    for (const [id, timer] of one.timers) {
      if (difference(timer.event, event) !== undefined) continue;
      one.timers.delete(id);
      return;
    }
    if (this.options.journalOf === undefined || event.type.startsWith('xstate.')) return;
    const said = this.said.get(actor) ?? [];
    const at = said.findIndex((other) => other.at <= this.at && difference(other.event, event) === undefined);
    if (at >= 0) said.splice(at, 1);
    else this.heard.set(actor, [...(this.heard.get(actor) ?? []), event]);
  }

  /** Something was said to an actor whose journal is another one; it may be known there already. */
  private say(to: string, event: AnyEventObject): void {
    if (this.at <= (this.since.get(this.journalOf(to)) ?? Number.NEGATIVE_INFINITY)) return;
    const heard = this.heard.get(to) ?? [];
    const at = heard.findIndex((other) => difference(event, other) === undefined);
    if (at >= 0) heard.splice(at, 1);
    else this.said.set(to, [...(this.said.get(to) ?? []), { at: this.at, event }]);
  }

  /** Takes the first thing that fits from what somebody owes; false if there is none. */
  private pay(owner: string, fits: (owed: Owed) => boolean): boolean {
    const one = this.alive.get(owner);
    const at = one?.owed.findIndex(fits) ?? -1;
    if (at >= 0) one!.owed.splice(at, 1);
    return at >= 0;
  }

  /** Somebody who told another one something is busy until that one is not. */
  private lookWhoIsBusy(): void {
    for (const last of [...this.busy].reverse()) {
      const one = this.alive.get(last);
      if (one !== undefined && (one.owed.length > 0 || one.snapshot.status !== 'active')) break;
      this.busy.delete(last);
    }
  }

  private inform(address: string, event: AnyEventObject): void {
    if (this.alive.has(address)) this.news.set(address, [...(this.news.get(address) ?? []), event]);
  }

  private forget(address: string): void {
    this.alive.delete(address);
    this.busy.delete(address);
    for (const owner of this.busy) {
      const one = this.alive.get(owner)!;
      one.owed = one.owed.filter((owed) => owed.kind !== 'tell' || owed.to !== address);
    }
    this.stopped.delete(address);
    this.news.delete(address);
  }

  /** It was told to stop, or somebody above it was. */
  private isStopping(address: string): boolean {
    if (address === this.root) return false;
    const parent = this.alive.get(parentOf(address));
    if (parent === undefined || this.stopped.has(address) || !this.isChild(parent, address)) return true;
    return parent.snapshot.status !== 'active' || this.isStopping(parentOf(address));
  }

  private journalOf(actor: string): string {
    return this.options.journalOf?.(actor) ?? '';
  }

  private isChild({ snapshot }: Alive, address: string): boolean {
    return snapshot.children[nameOf(address)] !== undefined;
  }

  // ------------------------------------------------------------------------------------------------------- the rest

  /** Does what is owed, as XState would have: who began last ends first. */
  private finish(): Entry[] {
    const rest: Entry[] = [];
    const write = (entry: Entry) => {
      rest.push(entry);
      this.take(entry);
    };
    const { at } = this;
    const tell = (actor: string, event: AnyEventObject) => {
      if (this.alive.has(actor)) write({ kind: 'event', at, actor, event });
    };
    for (;;) {
      const doomed = this.doomed();
      const actor = [...this.busy].at(-1);
      if (this.tellNext(this.news, (event) => event, tell)) continue;
      if (doomed !== undefined) this.stop(doomed, write);
      else if (actor !== undefined) this.doNext(actor, write, tell);
      else if (!this.tellNext(this.said, ({ event }) => event, tell)) break;
    }
    return rest;
  }

  private doNext(
    actor: string,
    write: (entry: Entry) => void,
    tell: (actor: string, event: AnyEventObject) => void,
  ): void {
    const one = this.alive.get(actor)!;
    const { at } = this;
    const [owed] = one.owed;
    if (owed === undefined) {
      // It has come to its end, and nobody knows yet.
      write({ kind: 'end', at, actor });
      return;
    }
    switch (owed.kind) {
      case 'command':
        write({ kind: 'command', at, actor, command: owed.command });
        break;
      case 'birth':
        write({
          ...{ kind: 'event', at, actor: owed.address, chart: owed.chart },
          event: { type: 'xstate.init', input: owed.input },
        });
        break;
      case 'tell':
        tell(owed.to, owed.event);
        this.pay(actor, (other) => other === owed);
        break;
      case 'end':
        this.stopped.add(owed.address);
        this.pay(actor, (other) => other === owed);
        break;
    }
    this.lookWhoIsBusy();
  }

  /** Somebody who was stopped, or whose parent has ended, and who has done what it was at. */
  private doomed(): string | undefined {
    for (const address of this.alive.keys()) {
      if (address === this.root || this.busy.has(address)) continue;
      if (this.stopped.has(address) || !this.alive.has(parentOf(address))) return address;
    }
    return undefined;
  }

  /** Stopped by its parent: those below it go first. */
  private stop(address: string, write: (entry: Entry) => void): void {
    const one = this.alive.get(address);
    if (one === undefined) return;
    one.owed = [];
    for (const below of [...this.alive.keys()]) if (parentOf(below) === address) this.stop(below, write);
    write({ kind: 'end', at: this.at, actor: address });
  }

  /** Tells one chart what it was not told yet; false if all know all. */
  private tellNext<T>(
    news: ReadonlyMap<string, T[]>,
    eventOf: (one: T) => AnyEventObject,
    tell: (actor: string, event: AnyEventObject) => void,
  ): boolean {
    for (const [actor, list] of news) {
      const [first] = list;
      if (first === undefined) continue;
      tell(actor, eventOf(first));
      if (list[0] === first) list.shift();
      return true;
    }
    return false;
  }

  private copy(): Reviver {
    const copy = new Reviver(this.options);
    for (const [address, one] of this.alive) {
      copy.alive.set(address, { ...one, timers: new Map(one.timers), owed: [...one.owed] });
    }
    for (const [address, snapshot] of this.ended) copy.ended.set(address, snapshot);
    for (const [address, events] of this.news) copy.news.set(address, [...events]);
    for (const [address, events] of this.said) copy.said.set(address, [...events]);
    for (const address of this.busy) copy.busy.add(address);
    for (const address of this.stopped) copy.stopped.add(address);
    copy.root = this.root;
    copy.at = this.at;
    copy.nameless = this.nameless;
    return copy;
  }
}

/** What the records of a journal come to; undefined when nothing is going on any more. */
export function revive(records: Iterable<JournalRecord>): Revived | undefined {
  const reviver = new Reviver();
  for (const record of records) reviver.take(record);
  return reviver.revived();
}
