/**
 * Proves a journal: folds every actor in it and demands that each event has a reason, that each command is the one that the
 * chart gives, and that each byte sent is what commands and data plane make of them. Carries nothing out, changes nothing;
 * records may be anything, and the first thing that does not fit is told, never thrown.
 */
import type { AnyEventObject, AnyStateMachine } from 'xstate';
import { charts } from '../../machines/index.ts';
import type {
  CheckpointRecord,
  CommandRecord,
  EndRecord,
  EventRecord,
  JournalRecord,
  LinkRecord,
  WireRecord,
} from '../journal/record.ts';
import { fold } from './fold.ts';
import { chartsIn } from './persisted.ts';
import { ChannelModel, Discrepancy } from './verify-channel.ts';
import { compareCheckpoint, type Folded } from './verify-checkpoint.ts';
import { difference, shown } from './verify-compare.ts';
import { Debts, type Followed, say } from './verify-debts.ts';
import { LinkModel, linkWords } from './verify-link.ts';
import { UnknownModel } from './verify-unknown.ts';

export interface Mismatch {
  /** The record at which it was noticed. */
  readonly seq: number;
  readonly actor: string;
  /** One sentence. */
  readonly what: string;
  /** Numbers of the records before and behind it that are worth a look. */
  readonly around: readonly [from: number, to: number];
}

export interface Report {
  readonly records: number;
  readonly actors: number;
  readonly events: number;
  readonly commands: number;
  /** Bytes sent that were worked out again and are the same. */
  readonly bytes: number;
  /** Bytes sent that are the application's own; their headers were compared. */
  readonly given: number;
  /** Bytes sent or received that the journal leaves out. */
  readonly leftOut: number;
  /** Actors that had not ended when the journal did. */
  readonly unfinished: readonly string[];
  /** What they had still to do: there is something if the journal breaks off in the middle of a step. */
  readonly owed: readonly string[];
  /** The first thing that does not fit; what comes after it was not looked at. */
  readonly mismatch?: Mismatch;
}

export interface VerifyOptions {
  /** Actors whose records are kept elsewhere: what they are told is not asked for, and what they say is believed. */
  readonly elsewhere?: (address: string) => boolean;
}

/** Proves records that lie in memory. */
export function verify(records: Iterable<JournalRecord>, options: VerifyOptions = {}): Report {
  const verifier = new Verifier(options);
  for (const record of records) if (!verifier.add(record)) break;
  return verifier.finish();
}

const chartById = new Map(Object.entries(charts).map(([name, machine]) => [machine.id, { name, machine }]));

/** What a server's root hears from its sessions. */
const fromSession = /^session\./;

/** What a chart may hear without a reason in the journal, by what kind of chart it is. */
const fromOutside = {
  channel: /^(api\.|plane\.(closed|violation)$)/,
  link: /^link\.(closed|violation|refused|taken)$/,
  root: /^(api\.|link\.(accepted|spoke)$)/,
  other: /^\0$/,
} as const;

const fromPeer = /^msgc?\./;

/** Takes the records of one journal one by one, and tells at the end what it found. */
export class Verifier {
  private readonly followed = new Map<string, Followed>();
  private readonly debts: Debts;
  private readonly ownCaps = new Map();
  private readonly counts = { records: 0, actors: 0, events: 0, commands: 0, bytes: 0, given: 0, leftOut: 0 };
  private readonly isElsewhere: (address: string) => boolean;
  private mismatch: Mismatch | undefined;
  private last = 0;
  /** Whose bytes, or link, the next record must be. */
  private due: Followed | undefined;
  /** The program had ended: what its last steps still asked for is only written down, until all is as it was. */
  private onPaper = false;

  constructor({ elsewhere = () => false }: VerifyOptions = {}) {
    this.isElsewhere = elsewhere;
    this.debts = new Debts(this.followed, elsewhere);
  }

  /** False: it does not fit, and nothing more is looked at. */
  add(record: JournalRecord): boolean {
    if (this.mismatch !== undefined) return false;
    this.counts.records++;
    try {
      this.take(record);
    } catch (error) {
      this.blame(record.seq, record.actor, error);
    }
    this.last = record.seq;
    return this.mismatch === undefined;
  }

  finish(): Report {
    const { mismatch } = this;
    const unfinished = [...this.followed.keys()];
    const owed: string[] = [];
    for (const one of this.followed.values()) {
      try {
        if (mismatch === undefined) this.debts.settle(one);
      } catch (error) {
        owed.push(`${one.address}: ${(error as Error).message}`);
      }
    }
    return { ...this.counts, unfinished, owed, ...(mismatch === undefined ? {} : { mismatch }) };
  }

  private blame(seq: number, actor: string, error: unknown): void {
    const fault = error instanceof Discrepancy ? '' : 'the chart cannot be followed: ';
    const what = `${fault}${error instanceof Error ? error.message : String(error)}`;
    this.mismatch = { seq, actor, what, around: [Math.max(1, seq - 3), seq + 3] };
  }

  private take(record: JournalRecord): void {
    if (record.seq !== this.last + 1 && this.counts.records > 1) {
      throw new Discrepancy(`record ${record.seq} comes after record ${this.last}`);
    }
    this.payDebt(record);
    switch (record.kind) {
      case 'event':
        this.event(record);
        break;
      case 'command':
        this.command(record);
        break;
      case 'wire':
        this.wire(record);
        break;
      case 'link':
        this.link(record);
        break;
      case 'end':
        this.end(record);
        break;
      case 'resume':
        this.resume();
        break;
      case 'checkpoint':
        this.onPaper = false;
        // What came before the first record was cut off.
        if (this.counts.records === 1) this.goOnFrom(record);
        else compareCheckpoint(record, (address) => this.folded(address), this.isElsewhere);
        break;
    }
  }

  /** Whatever the program held is gone with it: connections, and what was half said or half heard on them. */
  private resume(): void {
    this.onPaper = true;
    this.ownCaps.clear();
    for (const { model } of this.followed.values()) model?.cut();
  }

  /** The bytes that a command asks for are sent before anything else happens. */
  private payDebt(record: JournalRecord): void {
    const { due } = this;
    if (due === undefined) return;
    if (record.kind === 'resume') {
      this.due = undefined;
      return;
    }
    const sent = record.kind === 'wire' && record.direction === 'out' && record.from === 'chart';
    // To a peer that takes nothing, nothing is sent any more.
    const given = record.kind === 'event' && record.event.type === 'plane.violation';
    if (record.actor !== due.address || !(sent || given)) {
      throw new Discrepancy(`${due.address} owes the bytes of its last command, and something else happened`);
    }
    this.due = undefined;
  }

  // ------------------------------------------------------------------------------------------------------- records

  private event({ actor, event, chart }: EventRecord): void {
    this.counts.events++;
    if (chart !== undefined) {
      this.birth(actor, chart, event);
      return;
    }
    const one = this.alive(actor);
    this.explain(one, event);
    if (one.snapshot.status !== 'active') return;
    const { snapshot, effects } = one.fold.step(one.snapshot, event);
    this.debts.stepped(one, snapshot, effects);
  }

  private goOnFrom({ actor, snapshot, timers }: CheckpointRecord): void {
    for (const { address, chart, persisted } of chartsIn(actor, snapshot)) {
      if (persisted.status !== 'active') continue;
      const machine = charts[chart] as AnyStateMachine;
      const folded = fold(machine, undefined, persisted);
      const running = timers.filter((timer) => timer.actor === address);
      const slash = address.lastIndexOf('/');
      this.counts.actors++;
      this.followed.set(address, {
        ...{ address, parent: slash < 0 ? undefined : address.slice(0, slash), chart, machine, fold: folded },
        ...{ snapshot: folded.first.snapshot, owed: [], speaking: false, ended: undefined },
        model: this.modelFor(chart, persisted.context) && new UnknownModel(),
        timers: new Map(running.map(({ id, event }) => [id, event])),
        begun: new Map(Object.keys(persisted.children).map((id) => [id, 'promise'])),
      });
    }
  }

  private birth(address: string, id: string, event: EventRecord['event']): void {
    const chart = chartById.get(id);
    if (chart === undefined) throw new Discrepancy(`there is no chart ${id} here`);
    if (this.followed.has(address)) throw new Discrepancy(`${address} is born twice`);
    const slash = address.lastIndexOf('/');
    const parent = slash < 0 ? undefined : this.followed.get(address.slice(0, slash));
    if (parent !== undefined) {
      const head = this.debts.head(parent);
      const name = address.slice(slash + 1);
      if (head?.kind !== 'birth' || head.id !== name) {
        throw new Discrepancy(
          `${parent.address} did not begin ${name}${head === undefined ? '' : `, but ${say(head)}`}`,
        );
      }
      const differs = difference(head.input, event.input, 'input');
      if (differs !== undefined) throw new Discrepancy(differs);
      this.debts.paid(parent);
    } else if (this.followed.size > 0 && this.counts.actors > 0 && slash >= 0) {
      throw new Discrepancy(`${address} has no parent`);
    }
    this.counts.actors++;
    const { name, machine } = chart;
    const folded = fold(machine, event.input);
    const one: Followed = {
      ...{ address, parent: parent?.address, chart: name, machine, fold: folded, snapshot: folded.first.snapshot },
      ...{ owed: [], speaking: false, timers: new Map(), begun: new Map(), ended: undefined },
      model: this.modelFor(name, event.input),
    };
    this.followed.set(address, one);
    // A chart that begins starts its children before all else.
    const { effects } = folded.first;
    const children = effects.filter(({ kind }) => kind === 'begin');
    this.debts.stepped(one, one.snapshot, [...children, ...effects.filter(({ kind }) => kind !== 'begin')]);
  }

  private command({ actor, command }: CommandRecord): void {
    this.counts.commands++;
    const one = this.alive(actor);
    const head = this.debts.head(one);
    if (head?.kind !== 'command') {
      const instead = head === undefined ? 'nothing' : say(head);
      throw new Discrepancy(`the chart asks for ${instead}, not for ${shown(command)}`);
    }
    const differs = difference(head.command, command);
    if (differs !== undefined) throw new Discrepancy(`the chart asks for ${shown(head.command)}: ${differs}`);
    this.debts.paid(one);
    if (this.onPaper) return;
    one.model?.obey(command as never);
    if (one.model?.owesBytes) this.due = one;
  }

  private wire(record: WireRecord): void {
    const { model, speaking } = this.alive(record.actor);
    if (model === undefined) throw new Discrepancy('its chart has no connection');
    for (const { size } of record.left ?? []) this.counts.leftOut += size;
    if (record.direction === 'in') {
      model.received(record);
      return;
    }
    const { compared, given } = model.sent(record, speaking);
    this.counts.bytes += compared;
    this.counts.given += given;
  }

  private link(record: LinkRecord): void {
    const { model } = this.alive(record.actor);
    if (model instanceof UnknownModel) return;
    if (!(model instanceof ChannelModel)) throw new Discrepancy('its chart is no channel');
    model.take(record);
  }

  private end({ actor }: EndRecord): void {
    const one = this.alive(actor);
    const done = one.snapshot.status === 'done';
    // Stopped by its parent, it leaves undone what it had not come to.
    if (done) this.debts.settle(one);
    one.model?.end();
    this.followed.delete(actor);
    this.debts.forget(one);
    const parent = one.parent === undefined ? undefined : this.followed.get(one.parent);
    if (parent === undefined) return;
    const id = actor.slice(one.parent!.length + 1);
    parent.begun.delete(id);
    if (done) parent.ended = { id, output: one.snapshot.output };
  }

  private folded(address: string): Folded | undefined {
    const one = this.followed.get(address);
    if (one === undefined) return undefined;
    const head = this.debts.head(one);
    const { snapshot, timers } = one;
    const children: string[] = [];
    for (const { parent, address: its } of this.followed.values()) {
      if (parent === address) children.push(its.slice(address.length + 1));
    }
    return { snapshot, timers, children, owes: head && say(head) };
  }

  private alive(address: string): Followed {
    const one = this.followed.get(address);
    if (one === undefined) throw new Discrepancy(`${address} is not alive here`);
    return one;
  }

  private modelFor(chart: string, input: any): Followed['model'] {
    const slash = chart.indexOf('/');
    const word = chart.slice(0, slash);
    if (word === 'link') return new LinkModel(input.channel ?? '', this.ownCaps);
    if (chart === 'migration/handshake') return new ChannelModel('client', 'main:0');
    if (slash < 0 || word === 'session' || word === 'migration') return undefined;
    return new ChannelModel(chart.endsWith('/server') ? 'server' : 'client', input.channel);
  }

  // ------------------------------------------------------------------------------------------------ reasons of events

  /** Throws Discrepancy when there is no reason for a chart to be told this. */
  private explain(one: Followed, event: AnyEventObject): void {
    if (one.ended !== undefined && !event.type.startsWith('xstate.')) {
      throw new Discrepancy(`it is not told that ${one.ended.id} has ended`);
    }
    if (this.debts.wasTold(one, event) || this.hasEnded(one, event) || this.wasDue(one, event)) return;
    const { model, address, parent } = one;
    if (model instanceof UnknownModel) return;
    const channel = model instanceof ChannelModel ? model : undefined;
    const link = model instanceof LinkModel ? model : undefined;
    if (channel !== undefined && fromPeer.test(event.type)) channel.told(event);
    else if (link !== undefined && linkWords.has(event.type)) link.told(event);
    else if (parent !== undefined || !address.includes('/')) {
      const kind = channel !== undefined ? 'channel' : link !== undefined ? 'link' : parent ? 'other' : 'root';
      const isBelieved = kind === 'root' && fromSession.test(event.type) && this.isElsewhere(`${address}/session:`);
      if (!isBelieved && !fromOutside[kind].test(event.type)) throw new Discrepancy(`nothing tells it ${shown(event)}`);
    }
    // Otherwise its parent, which may have told it, has a journal of its own.
    if (event.type === 'plane.violation') channel?.offended();
  }

  /** What it began has come to its end. */
  private hasEnded(one: Followed, event: AnyEventObject): boolean {
    const named = event.type.startsWith('xstate.') ? /^xstate\.(done|error)\.actor\.(.+)$/s.exec(event.type) : null;
    if (named === null) return false;
    const [, how, id] = named as unknown as [string, 'done' | 'error', string];
    if (one.ended !== undefined) {
      if (how !== 'done' || id !== one.ended.id) throw new Discrepancy(`it is not told that ${one.ended.id} has ended`);
      const differs = difference(one.ended.output, event.output, 'output');
      if (differs !== undefined) throw new Discrepancy(`${id}: ${differs}`);
      one.ended = undefined;
      return true;
    }
    // A promise's result is a fact; a chart that failed has said why.
    const was = one.begun.get(id);
    if (was === 'chart' && how === 'done') throw new Discrepancy(`${id} has not come to its end`);
    if (was === undefined && how === 'done') throw new Discrepancy(`${id} was not begun`);
    one.begun.delete(id);
    return true;
  }

  /** Its time is over. */
  private wasDue(one: Followed, event: AnyEventObject): boolean {
    for (const [id, timed] of one.timers) {
      if (difference(timed, event) !== undefined) continue;
      one.timers.delete(id);
      return true;
    }
    return false;
  }
}
