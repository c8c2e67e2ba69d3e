/**
 * A tree of running charts and what they stand on. One hook sees every input of every chart before the chart does: it is
 * written to the journal, then the chart steps, then its commands are written and obeyed, in order, before the next input.
 * INVARIANT: nothing but an event changes a chart, and every event is in the journal first.
 */
import { Subject } from 'rxjs';
import {
  type AnyActorRef,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  fromPromise,
} from 'xstate';
import { charts } from '../../machines/index.ts';
import type { Journal } from '../journal/journal.ts';
import type { Entry } from '../journal/record.ts';
import type { Side } from '../protocol/channel.ts';
import { Checkpoints } from './checkpoints.ts';
import type { Clock } from './clock.ts';
import { forgetful } from './forgetful.ts';
import { LinkTable } from './link-table.ts';
import { partOf, type Revived } from './revived.ts';
import type { ChannelWatch, Watch } from './watch.ts';

/** Stands between a chart and the world: does what it commands, answers what it asks. */
export interface Host {
  obey(command: AnyEventObject): void;
  /** Answers an invoked actor; rejects when there is no answer. */
  perform?(question: string, input: any, signal: AbortSignal): Promise<unknown>;
  /** The chart has ended. */
  end(): void;
  /** Of those who hold a connection: the chart goes on from a journal, and is to be told that what the host held is gone. */
  lost?(): void;
  /** A channel's host: somebody wants to see its messages. */
  watched?(by: ((channel: string, side: Side) => ChannelWatch) | undefined): void;
}

export interface Born {
  readonly actor: AnyActorRef;
  /** The chart's name in machines/index.ts. */
  readonly chart: string;
  /** "server/session:3/display:0" */
  readonly address: string;
  /** What it was born with; of a chart that goes on from a journal, its context, which has all of that. */
  readonly input: any;
  /** It goes on from a journal: whatever it held is gone. */
  readonly resumed: boolean;
}

export interface SystemOptions {
  /** What the root is called: "server" or "client". */
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly input: unknown;
  /** Goes on from what a journal came to, instead of `input`. */
  readonly revived?: Revived | undefined;
  /** What the root is told first when it does. */
  readonly resumed?: AnyEventObject | undefined;
  readonly clock: Clock;
  /** Milliseconds of delays that are not to be those of the charts, by their names. */
  readonly delays?: Readonly<Record<string, number | undefined>> | undefined;
  readonly journal?: Journal | undefined;
  /** Called while the system is still being made: it is handed in. */
  readonly hostFor: (born: Born, system: System) => Host | undefined;
  /** One line for the people who run this. */
  readonly log: (line: string) => void;
}

export interface Handled {
  readonly channel: string;
  readonly link: string;
  /** Milliseconds of the clock. */
  readonly at: number;
}

/** A channel that does not read on until others have come far enough. */
export interface Waiter {
  satisfied(): boolean;
  go(): void;
}

/** XState's own. */
interface Scheduler {
  schedule(source: AnyActorRef, target: AnyActorRef, event: AnyEventObject, delay: number, id?: string): void;
}

/** Something that a chart reported: the command's news, and which actor said it. */
export interface Report {
  readonly actor: string;
  readonly news: any;
}

const names = new Map<unknown, string>(Object.entries(charts).map(([name, chart]) => [chart.id, name]));

/** Ours, by XState's own. */
const systems = new WeakMap<object, System>();
/** Machines that were made of others, by the delays that are not to be those of the charts. */
const equipped = new Map<string, WeakMap<AnyStateMachine, AnyStateMachine>>();

/**
 * Gives every actor of `machine` that stands for the world to the host of the chart that invokes it, whatever system it is in.
 * Making one costs milliseconds, so it is made once.
 */
function equip(machine: AnyStateMachine, delays: SystemOptions['delays'] = {}): AnyStateMachine {
  const key = JSON.stringify(delays);
  const made = equipped.get(key) ?? new WeakMap<AnyStateMachine, AnyStateMachine>();
  // Few programs have more than one set of delays; those that do need not be fast.
  if (equipped.size < mostKept) equipped.set(key, made);
  const known = made.get(machine);
  if (known !== undefined) return known;
  const actors: Record<string, unknown> = {};
  for (const [name, logic] of Object.entries(machine.implementations.actors as Record<string, any>)) {
    actors[name] =
      logic.implementations === undefined
        ? fromPromise(({ input, self, signal, system }) =>
            systems.get(system)!.perform(self as AnyActorRef, name, input, signal),
          )
        : equip(logic as AnyStateMachine, delays);
  }
  const own: Record<string, number> = {};
  for (const name of Object.keys(machine.implementations.delays as Record<string, unknown>)) {
    const ms = delays[name];
    if (ms !== undefined) own[name] = ms;
  }
  const one = forgetful(machine.provide({ actors, delays: own } as never) as AnyStateMachine);
  made.set(machine, one);
  return one;
}

/** For those who change charts in their place, as tests do: machines that were made of them are made anew. */
export const chartsHaveChanged = (): void => equipped.clear();

/** Sets of delays for which machines are kept. */
const mostKept = 32;

export class System {
  readonly clock: Clock;
  readonly journal: Journal | undefined;
  readonly links = new LinkTable();
  readonly reports = new Subject<Report>();
  /** Each chunk that a channel has handled. */
  readonly handled = new Subject<Handled>();
  /** Messages that each channel has received, for channels that wait for others (spec §2.2). */
  readonly progress = new Map<string, number>();
  readonly waiters = new Set<Waiter>();
  readonly log: (line: string) => void;
  readonly root: AnyActorRef & { start(): unknown; stop(): unknown };
  private readonly hosts = new Map<AnyActorRef, Host>();
  private readonly addresses = new WeakMap<AnyActorRef, string>();
  private readonly options: SystemOptions;
  private readonly charts = new Map<AnyActorRef, string>();
  /** Charts that go on from a journal and have not started yet: their birth is in it. */
  private readonly resumed = new Set<AnyActorRef>();
  private readonly checkpoints: Checkpoints | undefined;
  private watching: Watch | undefined;

  constructor(options: SystemOptions) {
    this.options = options;
    this.clock = options.clock;
    this.journal = options.journal;
    this.checkpoints = options.journal && new Checkpoints(this, options.journal.checkpoints);
    this.log = options.log;
    this.root = createActor(equip(options.machine, options.delays), {
      id: options.name,
      ...(options.revived === undefined ? { input: options.input } : { snapshot: options.revived.snapshot }),
      clock: options.clock,
      inspect: {
        next: (event) => {
          if (event.type === '@xstate.event') this.record(event.actorRef as AnyActorRef, event.event);
          else if (event.type === '@xstate.actor') this.born(event.actorRef as AnyActorRef);
          else if (event.type === '@xstate.snapshot' && this.watching !== undefined) {
            this.stepped(event.actorRef as AnyActorRef, event.event, event.snapshot);
          }
        },
      },
    }) as never;
    systems.set(this.root.system, this);
  }

  start(): void {
    const { revived } = this.options;
    if (revived === undefined) this.root.start();
    else this.goOn(revived);
  }

  /** Ends every chart; their hosts close what they hold. */
  stop(): void {
    this.root.stop();
    this.checkpoints?.stop();
    this.reports.complete();
  }

  /** Charts that have not ended. */
  get population(): number {
    return this.hosts.size;
  }

  /** Where each chart is that has not ended, by its address. */
  snapshots(): Map<string, AnyMachineSnapshot> {
    return new Map([...this.hosts.keys()].map((actor) => [this.addressOf(actor), actor.getSnapshot()]));
  }

  /** Tells `watch` all that happens from now on, and first what there is already. */
  watch(watch: Watch | undefined): void {
    this.watching = watch;
    if (watch === undefined) {
      for (const host of this.hosts.values()) host.watched?.(undefined);
      return;
    }
    for (const [actor, host] of this.hosts) {
      const address = this.addressOf(actor);
      watch.born(address, this.charts.get(actor)!);
      watch.stepped(address, { type: 'xstate.init' }, actor.getSnapshot());
      host.watched?.((channel, side) => watch.channel(address, channel, side));
    }
  }

  /** The chart of that address, if it has not ended. */
  actorAt(address: string): AnyActorRef | undefined {
    for (const actor of this.hosts.keys()) if (this.addresses.get(actor) === address) return actor;
    return undefined;
  }

  addressOf(actor: AnyActorRef): string {
    return this.addresses.get(actor) ?? actor.id;
  }

  lookAtWaiters(): void {
    if (this.waiters.size === 0) return;
    for (const waiter of this.waiters) {
      if (!waiter.satisfied()) continue;
      this.waiters.delete(waiter);
      queueMicrotask(() => waiter.go());
    }
  }

  write(entry: Entry): void {
    if (this.journal === undefined) return;
    this.journal.append(entry);
    this.checkpoints!.note(entry);
  }

  /** For charts that ask the world something. */
  async perform(self: AnyActorRef, question: string, input: unknown, signal: AbortSignal): Promise<unknown> {
    const host = this.hosts.get((self as unknown as { _parent: AnyActorRef })._parent);
    if (host?.perform === undefined) throw new Error(`nobody answers "${question}"`);
    return host.perform(question, input, signal);
  }

  /** Takes up what another program left: first all that it still had to say is written down, then whoever has lost something is told. */
  private goOn(revived: Revived): void {
    const { roots, rest, timers } = revived;
    const at = this.clock.now();
    for (const actor of roots) this.write({ kind: 'resume', at, actor });
    for (const entry of rest) this.write(entry);
    for (const actor of roots) this.write({ kind: 'checkpoint', at, actor, ...partOf(revived, actor) });
    this.root.start();
    const actors = new Map([...this.hosts.keys()].map((actor) => [this.addressOf(actor), actor]));
    // XState forgets timers. Those that are overdue fire at once, in the order in which they were due.
    for (const { actor: address, id, event, dueAt } of [...timers].sort((a, b) => a.dueAt - b.dueAt)) {
      const actor = actors.get(address);
      const { scheduler } = (actor as unknown as { system: { scheduler: Scheduler } }).system;
      scheduler.schedule(actor!, actor!, event, Math.max(0, dueAt - at), id.startsWith('#') ? undefined : id);
    }
    for (const entry of rest) {
      const host = this.hosts.get(actors.get(entry.actor)!);
      // What it would have said over a connection goes nowhere: there is none any more.
      if (entry.kind === 'command' && host?.lost === undefined) this.obey(host, entry.actor, entry.command);
    }
    const { resumed } = this.options;
    if (resumed !== undefined) this.root.send(resumed);
    for (const [actor, host] of [...this.hosts]) if (this.hosts.has(actor)) host.lost?.();
  }

  private obey(host: Host | undefined, address: string, command: AnyEventObject): void {
    try {
      // One that has ended meanwhile has had its last word.
      (host ?? this.reporter(address)).obey(command);
    } catch (error) {
      this.log(`${address}: ${command.type} failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  private born(actor: AnyActorRef): void {
    const { logic, options, _parent } = actor as unknown as {
      logic: { id?: string };
      options: { input: unknown; snapshot?: { status: string; context: unknown } };
      _parent?: AnyActorRef;
    };
    const chart = names.get(logic.id);
    const { snapshot } = options;
    if (chart === undefined || (snapshot !== undefined && snapshot.status !== 'active')) return;
    if (snapshot !== undefined) this.resumed.add(actor);
    const input = snapshot === undefined ? options.input : snapshot.context;
    const address = _parent === undefined ? actor.id : `${this.addressOf(_parent)}/${actor.id}`;
    this.addresses.set(actor, address);
    const born = { actor, chart, address, input, resumed: snapshot !== undefined };
    const host = this.options.hostFor(born, this) ?? this.reporter(address);
    this.hosts.set(actor, host);
    this.charts.set(actor, chart);
    const { watching } = this;
    if (watching !== undefined) {
      watching.born(address, chart, input);
      host.watched?.((channel, side) => watching.channel(address, channel, side));
    }
    actor.on('*', (command: AnyEventObject) => {
      this.write({ kind: 'command', at: this.clock.now(), actor: address, command });
      this.watching?.command(address, command);
      this.obey(host, address, command);
    });
    const ended = () => {
      if (this.hosts.delete(actor)) {
        this.charts.delete(actor);
        this.watching?.ended(address);
        this.write({ kind: 'end', at: this.clock.now(), actor: address });
        host.end();
      }
    };
    actor.subscribe({
      complete: ended,
      error: (error) => {
        this.log(`${address}: the chart failed: ${error instanceof Error ? error.message : String(error)}`);
        ended();
        this.endBelow(address);
      },
    });
  }

  /** XState leaves the children of a chart that has failed running; what they hold must go with it. */
  private endBelow(address: string): void {
    for (const [actor, host] of this.hosts) {
      if (!this.addressOf(actor).startsWith(`${address}/`)) continue;
      this.hosts.delete(actor);
      this.charts.delete(actor);
      this.watching?.ended(this.addressOf(actor));
      this.write({ kind: 'end', at: this.clock.now(), actor: this.addressOf(actor) });
      host.end();
    }
  }

  /** The host of charts that only report. */
  private reporter(address: string): Host {
    return {
      obey: (command) => {
        if (command.type === 'report') this.reports.next({ actor: address, news: command.news });
        else if (command.type === 'log') this.log(`${address}: ${command.line}`);
      },
      end: () => {},
    };
  }

  private stepped(actor: AnyActorRef, event: AnyEventObject, snapshot: unknown): void {
    // A chart's last step is told when it has ended already.
    if (this.addresses.has(actor)) this.watching?.stepped(this.addressOf(actor), event, snapshot);
  }

  private record(actor: AnyActorRef, event: AnyEventObject): void {
    if (!this.hosts.has(actor)) return;
    if (event.type === 'xstate.init' && this.resumed.delete(actor)) return;
    this.watching?.event(this.addressOf(actor), event);
    if (this.journal === undefined) return;
    const chart = event.type === 'xstate.init' ? { chart: (actor as any).logic.id as string } : {};
    this.write({ kind: 'event', at: this.clock.now(), actor: this.addressOf(actor), event, ...chart });
  }
}
