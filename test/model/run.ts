/**
 * One step of one program: an event comes to a chart, and everything that follows from it in the same program happens, as
 * XState does it: an actor finishes one event before it takes the next; what it emits, tells and begins is carried out in
 * order after its step; whoever is told at rest acts at once, whoever is busy later. The hosts obey as
 * src/engine/{channel-host,client-link,server-link,link-table}.ts do, and the applications as src/server and src/client, as
 * far as charts can notice. What reaches beyond the program is listed, for the world to do.
 */
import type { AnyEventObject } from 'xstate';
import type { ChannelCommand, LinkCommand } from '../../machines/contract.ts';
import type { HypervisorCommand } from '../../machines/migration/hypervisor.ts';
import { addressWord } from '../../src/protocol/address.ts';
import { channels, LinkErrorCode } from '../../src/protocol/index.ts';
import { type Charts, type Doing, type Letter, letter, letterBy, type State } from './alphabet.ts';
import {
  type Actor,
  type ActorContent,
  actor,
  type ChannelHost,
  childOf,
  type Deed,
  idOf,
  type LinkHost,
  type Program,
  type ProgramStep,
  parentOf,
  program,
  type Timer,
  timerName,
} from './world.ts';

const stop = letter({ type: 'xstate.stop' });
const taken = letter({ type: 'link.taken' });
const linkClosed = letter({ type: 'link.closed', reason: '' });

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);
const nothing: ReadonlyMap<string, Actor> = new Map();

/** What a journal would hold of a step, but for the time. */
export type Note =
  | { readonly kind: 'event'; readonly actor: string; readonly event: AnyEventObject; readonly chart?: string }
  | { readonly kind: 'command'; readonly actor: string; readonly command: AnyEventObject }
  | { readonly kind: 'end'; readonly actor: string };

export class Run {
  /** While it is there, every step is worked out anew and written down in it. */
  static notebook: Note[] | undefined;

  private readonly actors: Map<string, Actor>;
  private readonly name: string;
  private readonly charts: Charts;
  private readonly deeds: Deed[] = [];
  private readonly mailboxes = new Map<string, Letter[]>();
  /** Timers that were set in this step. */
  private readonly fresh = new Set<string>();
  /** Microtasks. */
  private readonly soon: (() => void)[] = [];

  private constructor(charts: Charts, name: string, actors: ReadonlyMap<string, Actor>) {
    this.charts = charts;
    this.name = name;
    this.actors = new Map(actors);
  }

  /** A program that has just been started. */
  static boot(charts: Charts, name: string, chart: string, input: unknown): ProgramStep {
    const run = new Run(charts, name, nothing);
    run.begin(name, chart, input);
    return run.settled();
  }

  /** What `program` does; `words` tell all that `act` does. */
  static step(charts: Charts, before: Program, words: string, act: (run: Run) => void): ProgramStep {
    let step = Run.notebook === undefined ? before.steps.get(words) : undefined;
    if (step === undefined) {
      const run = new Run(charts, before.name, before.actors);
      act(run);
      step = run.settled();
      before.steps.set(words, step);
    }
    return step;
  }

  private settled(): ProgramStep {
    for (let next = this.soon.shift(); next !== undefined; next = this.soon.shift()) next();
    this.forgetWhatIsOver();
    return { program: program(this.name, this.actors), deeds: this.deeds };
  }

  // ------------------------------------------------------------------------------------------- what comes from outside

  tell(path: string, event: AnyEventObject): void {
    this.deliver(path, letter(event));
  }

  /** A timer is over. */
  elapse(path: string, index: number): void {
    const one = this.actors.get(path)!;
    const { letter: event, delay } = one.timers[index]!;
    if (delay >= 30 * 60_000) this.deeds.push({ do: 'give up' });
    this.put({ ...one, timers: one.timers.filter((_, at) => at !== index) });
    this.deliver(path, event);
  }

  /** Somebody answers a question. */
  answer(path: string, output: unknown): void {
    const actorId = idOf(path);
    this.actors.delete(path);
    this.deliver(parentOf(path), letter({ type: `xstate.done.actor.${actorId}`, output, actorId }));
  }

  /** The application takes over what the client has brought, a surface or none. */
  load(path: string, surface: boolean): void {
    this.change(parentOf(path), { shown: surface });
    this.answer(path, undefined);
  }

  /** Somebody has no answer. */
  fail(path: string, why: string): void {
    const actorId = idOf(path);
    this.actors.delete(path);
    this.deliver(parentOf(path), letter({ type: `xstate.error.actor.${actorId}`, error: new Error(why), actorId }));
  }

  /** A link has a connection now. */
  own(path: string, pipe: string): void {
    this.change(path, { pipe });
  }

  /** A connection is no more, at either end. */
  forget(pipe: string): void {
    for (const { path, host } of [...this.actors.values()]) {
      if (host?.kind !== 'channel') continue;
      if (host.pipe === pipe) this.change(path, { pipe: '' });
      if (host.previous.includes(pipe)) this.change(path, { previous: host.previous.filter((one) => one !== pipe) });
    }
  }

  /** The peer of a parked link says something; whoever takes the link will read it. */
  spoke(path: string): void {
    this.change(path, { spoke: true });
    const link = idOf(path);
    this.deliver(
      this.name,
      letterBy(`link.spoke ${link}`, () => ({ type: 'link.spoke', link })),
    );
  }

  /** A connection's end has come to its reader. */
  end(path: string, pipe: string): void {
    const host = this.actors.get(path)?.host;
    if (host?.kind === 'link') this.deliver(path, linkClosed);
    else if (host?.kind === 'channel' && host.pipe === pipe) this.deliver(path, planeClosed(host.link));
  }

  /** A message has come to its reader. */
  receive(path: string, event: Letter): void {
    const host = this.actors.get(path)?.host;
    if (host?.kind === 'link') this.deliver(path, event);
    else if (host?.kind === 'channel') this.handle(path, host, event);
  }

  // ---------------------------------------------------------------------------------------------------------- actors

  private put(it: ActorContent): void {
    this.actors.set(it.path, actor(it));
  }

  private deliver(path: string, event: Letter): void {
    const busy = this.mailboxes.get(path);
    if (busy !== undefined) {
      busy.push(event);
      return;
    }
    if (!this.actors.has(path)) return;
    const mailbox = [event];
    this.mailboxes.set(path, mailbox);
    this.work(path, mailbox);
    this.leave(path, mailbox);
  }

  /** An actor that has ended may have a successor of its name by now. */
  private leave(path: string, mailbox: Letter[]): void {
    if (this.mailboxes.get(path) === mailbox) this.mailboxes.delete(path);
  }

  private work(path: string, mailbox: Letter[]): void {
    for (let event = mailbox.shift(); event !== undefined; event = mailbox.shift()) {
      if (event === stop) {
        this.remove(path);
        return;
      }
      const one = this.actors.get(path);
      if (one?.state === undefined) return;
      Run.notebook?.push({ kind: 'event', actor: path, event: event.event });
      const { state, doings, broken } = one.state.chart.step(one.state, event);
      if (broken !== undefined) {
        this.deeds.push({ do: 'break', path, why: `${event.event.type}: ${broken}` });
        this.remove(path);
        return;
      }
      this.put({ ...one, state });
      this.entered(path, one.state, state);
      this.carryOut(path, doings);
      if (this.rest(path, state)) return;
    }
  }

  private entered(path: string, from: State | undefined, to: State): void {
    if (from !== to && to.chart.name === 'migration/source') this.deeds.push({ do: 'lead', path, from, to });
  }

  /** After a step; true when the actor has ended by it. */
  private rest(path: string, state: State): boolean {
    if (!this.actors.has(path)) return true;
    if (state.status === 'done') {
      this.remove(path);
      this.mailboxes.delete(path);
      if (path.includes('/')) this.deliver(parentOf(path), doneBy(idOf(path), state));
      else this.deeds.push({ do: 'end' });
      return true;
    }
    this.letOutWhatWasHeld(path);
    return false;
  }

  private begin(path: string, chart: string, input: any): void {
    if (this.actors.has(path) || this.mailboxes.has(path)) {
      this.deeds.push({ do: 'break', path, why: 'a second actor of this name is begun' });
      return;
    }
    const { state, doings, broken } = this.charts.get(chart)!.born(input);
    if (broken !== undefined) {
      this.deeds.push({ do: 'break', path, why: `birth: ${broken}` });
      return;
    }
    Run.notebook?.push({ kind: 'event', actor: path, event: { type: 'xstate.init', input }, chart });
    this.put({ path, state, question: undefined, timers: [], host: hostFor(chart, input) });
    this.entered(path, undefined, state);
    const mailbox: Letter[] = [];
    this.mailboxes.set(path, mailbox);
    this.carryOut(path, doings);
    if (!this.rest(path, state)) this.work(path, mailbox);
    this.leave(path, mailbox);
  }

  private stop(path: string): void {
    const busy = this.mailboxes.get(path);
    if (busy === undefined) this.remove(path);
    else busy.splice(0, busy.length, stop);
  }

  private remove(path: string): void {
    const prefix = `${path}/`;
    for (const child of [...this.actors.keys()]) {
      if (child.startsWith(prefix) && !child.includes('/', prefix.length)) this.stop(child);
    }
    const one = this.actors.get(path);
    if (one === undefined) return;
    this.actors.delete(path);
    if (one.state !== undefined) Run.notebook?.push({ kind: 'end', actor: path });
    this.endHost(one);
  }

  private carryOut(path: string, doings: readonly Doing[]): void {
    for (const doing of doings) {
      switch (doing.kind) {
        case 'tell':
          this.deliver(doing.to === 'parent' ? parentOf(path) : childOf(path, doing.to), doing.letter);
          break;
        case 'command':
          this.obey(path, doing.command);
          break;
        case 'begin':
          this.begin(childOf(path, doing.id), doing.chart, doing.input);
          break;
        case 'ask': {
          const { question: name, input } = doing;
          if (name === 'draw a number') {
            // It takes no time, and only says how long a wait is.
            this.drawn(path, doing.id);
            break;
          }
          const question = { name, input, text: `?${name} ${letter({ type: 'input', input }).text}` };
          this.put({ path: childOf(path, doing.id), state: undefined, question, timers: [], host: undefined });
          break;
        }
        case 'end':
          this.stop(childOf(path, doing.id));
          break;
        case 'wait': {
          const one = this.actors.get(path);
          if (one !== undefined) this.setTimer(one, { ...doing, behind: [] });
          break;
        }
        case 'forget': {
          const one = this.actors.get(path);
          if (one !== undefined) this.put({ ...one, timers: one.timers.filter(({ id }) => id !== doing.id) });
          break;
        }
      }
    }
  }

  private drawn(path: string, actorId: string): void {
    const event = letter({ type: `xstate.done.actor.${actorId}`, output: { chance: 0.5 }, actorId });
    this.soon.push(() => this.deliver(path, event));
  }

  // ---------------------------------------------------------------------------------------------------------- timers

  /**
   * Sets a timer, and notes what the one clock of a program proves: what ran already and is shorter is over before it, and
   * it is over before what is known to have more time left. A timer that waits for others to be over first was set no
   * earlier than `left` is told for, and since then at most their delay has gone by.
   */
  private setTimer({ path }: Actor, { id, delay, letter: event }: Timer): void {
    const name = timerName(path, { letter: event, delay });
    const behind: Timer['behind'][number][] = [];
    for (const one of [...this.actors.values()]) {
      if (one.timers.length === 0) continue;
      const timers = one.timers.map((earlier) => {
        const its = timerName(one.path, earlier);
        if (earlier.delay < delay) behind.push({ name: its, delay: earlier.delay, left: delay });
        const left = this.fresh.has(its)
          ? earlier.delay
          : Math.max(0, ...earlier.behind.map((before) => before.left - before.delay));
        if (left <= delay || earlier.behind.some((before) => before.name === name)) return earlier;
        return { ...earlier, behind: [...earlier.behind, { name, delay, left }].sort(byName) };
      });
      if (timers.some((timer, index) => timer !== one.timers[index])) this.put({ ...one, timers });
    }
    const now = this.actors.get(path)!;
    this.put({ ...now, timers: [...now.timers, { id, delay, letter: event, behind: behind.sort(byName) }] });
    this.fresh.add(name);
  }

  private forgetWhatIsOver(): void {
    const running = new Set<string>();
    for (const { path, timers } of this.actors.values()) {
      for (const timer of timers) running.add(timerName(path, timer));
    }
    for (const one of [...this.actors.values()]) {
      if (!one.timers.some(({ behind }) => behind.some(({ name }) => !running.has(name)))) continue;
      const timers = one.timers.map((timer) => ({
        ...timer,
        behind: timer.behind.filter(({ name }) => running.has(name)),
      }));
      this.put({ ...one, timers });
    }
  }

  // ----------------------------------------------------------------------------------------------------------- hosts

  private host<K extends 'channel' | 'link'>(path: string, kind: K): Extract<ChannelHost | LinkHost, { kind: K }> {
    const host = this.actors.get(path)?.host;
    if (host?.kind !== kind) throw new Error(`${path} has no ${kind} host`);
    return host as never;
  }

  private change(path: string, change: Partial<ChannelHost> | Partial<LinkHost>): void {
    const one = this.actors.get(path)!;
    this.put({ ...one, host: { ...one.host!, ...change } as never });
  }

  private obey(path: string, command: AnyEventObject): void {
    Run.notebook?.push({ kind: 'command', actor: path, command });
    if (command.type === 'report') {
      this.deeds.push({ do: 'report', path, news: command.news });
      return;
    }
    const { host, state } = this.actors.get(path) ?? {};
    if (host?.kind === 'link') this.obeyLink(path, host, command as LinkCommand);
    else if (host?.kind === 'channel') this.obeyChannel(path, host, command as ChannelCommand);
    else if (state?.chart.name === 'migration/hypervisor') {
      this.deeds.push({ do: 'order', command: command as HypervisorCommand });
    }
  }

  private endHost({ host }: Actor): void {
    if (host === undefined) return;
    if (host.kind === 'channel') {
      for (const pipe of host.previous) this.close(pipe, host.side);
      if (host.pipe !== '') this.close(host.pipe, host.side);
    } else if (!host.given) this.close(host.pipe, host.side);
  }

  private obeyLink(path: string, { pipe, side }: LinkHost, command: LinkCommand): void {
    switch (command.type) {
      case 'link.send_result': {
        const { code } = command;
        this.deeds.push({ do: 'put', pipe, to: 'client', letter: letter({ type: 'link.result', code }), as: '' });
        break;
      }
      case 'link.park':
        this.change(path, { parked: true });
        break;
      case 'link.close':
        this.close(pipe, side);
        break;
    }
  }

  private obeyChannel(path: string, host: ChannelHost, command: ChannelCommand): void {
    switch (command.type) {
      case 'send':
        this.transmit(path, command.message as AnyEventObject);
        break;
      case 'attach':
        this.take(path, command.link, idOf(path).startsWith('handshake@'));
        break;
      case 'switch':
        if (host.pipe !== '') {
          this.hand(host.pipe, host.side, '');
          this.change(path, { previous: [...host.previous, host.pipe] });
        }
        this.take(path, command.link, false);
        break;
      case 'carry':
        this.change(path, { carried: command.data.length === 0 ? 'nothing' : [...command.data].join(',') });
        break;
      case 'send carried':
        if (host.carried !== '') {
          const data = host.carried === 'nothing' ? [] : host.carried.split(',').map(Number);
          this.transmit(path, { type: 'msgc.migrate_data', body: { data: Uint8Array.from(data) } });
        }
        this.change(path, { carried: '' });
        break;
      case 'give back':
        if (host.pipe !== '') this.hand(host.pipe, host.side, host.lender);
        this.change(path, { pipe: '', link: '', lender: '' });
        break;
      case 'close previous':
        this.change(path, { previous: [] });
        for (const pipe of host.previous) this.close(pipe, host.side);
        break;
      case 'close':
        this.change(path, { pipe: '', link: '' });
        if (host.pipe !== '') this.close(host.pipe, host.side);
        break;
      case 'reset':
        this.change(path, { held: [] });
        break;
      case 'ready':
        if (host.side === 'server') this.serve(path, host.channel, command.afresh);
        break;
      case 'violation':
        this.deeds.push({ do: 'violation', path, reason: command.reason });
        this.transmit(path, {
          type: host.side === 'server' ? 'msg.disconnecting' : 'msgc.disconnecting',
          body: { timeStamp: 0n, reason: LinkErrorCode.invalidData },
        });
        break;
    }
  }

  private hand(pipe: string, side: 'client' | 'server', reader: string): void {
    this.deeds.push({ do: 'hand', pipe, side, reader });
  }

  private close(pipe: string, side: 'client' | 'server'): void {
    this.deeds.push({ do: 'close', pipe, side });
  }

  /** A channel takes a link; it learns a little later that there is none. */
  private take(path: string, link: string, borrow: boolean): void {
    const { side } = this.host(path, 'channel');
    const found = this.parkedLink(link);
    if (found === undefined) {
      this.change(path, { link, pipe: '' });
      this.soon.push(() => this.deliver(path, planeClosed(link)));
      return;
    }
    const { pipe } = this.host(found, 'link');
    this.change(path, { link, pipe, ...(borrow ? { lender: found } : {}) });
    this.hand(pipe, side, path);
    if (!borrow) {
      this.change(found, { given: true });
      this.deliver(found, taken);
    }
  }

  /** The path of the actor that keeps a link of this name parked. */
  private parkedLink(link: string): string | undefined {
    for (const [path, { host }] of this.actors) {
      if (host?.kind === 'link' && host.parked && !host.given && idOf(path) === link) return path;
    }
    return undefined;
  }

  private transmit(path: string, message: AnyEventObject): void {
    const { pipe, side } = this.host(path, 'channel');
    if (pipe === '') return;
    const { type } = message;
    const as = announcements.has(type) ? 'announcement' : type.startsWith('msgc.migrate_connect') ? 'answer' : '';
    this.deeds.push({ do: 'put', pipe, to: side === 'client' ? 'server' : 'client', letter: letter(message), as });
  }

  private handle(path: string, host: ChannelHost, event: Letter): void {
    const { type, body } = event.event;
    const peer = host.side === 'server' ? 'client' : 'server';
    const entry = channels[addressWord(host.channel) as keyof typeof channels].tables[peer].byType.get(type);
    if (entry === undefined) throw new Error(`${host.channel} has no ${type}`);
    if (entry.path === 'control') {
      this.deliver(path, event);
      return;
    }
    const { state } = this.actors.get(path)!;
    if (state!.flowing) {
      if (host.side === 'server' && body?.n !== undefined) this.deeds.push({ do: 'hear', n: body.n });
    } else if (!state!.deaf) {
      this.deliver(path, letter({ type: 'plane.violation', reason: `${type} while nothing may flow` }));
    }
  }

  // ---------------------------------------------------------------------------------------------------- applications

  /** The application's side of a channel that may be used now, as src/server says it. */
  private serve(path: string, channel: string, afresh: boolean): void {
    const tell = (message: AnyEventObject) => this.deliver(path, letter({ type: 'api.say', message }));
    switch (addressWord(channel)) {
      case 'main':
        if (!afresh) this.say(path, { type: 'msg.multi_media_time', body: {} });
        break;
      case 'display':
        if (!afresh) this.say(path, { type: 'msg.inval_all_pixmaps', body: {} });
        if (afresh || !this.host(path, 'channel').shown) {
          const told = this.say(path, { type: 'msg.surface_create', body: { surfaceId: 0, flags: 1 } });
          this.change(path, { shown: told });
          if (told) this.say(path, { type: 'msg.mark', body: {} });
        }
        break;
      case 'inputs':
        if (!afresh) this.say(path, { type: 'msg.key_modifiers', body: {} });
        break;
      case 'cursor':
        this.say(path, { type: afresh ? 'msg.init' : 'msg.set', body: {} });
        break;
      case 'playback':
        tell({ type: 'msg.mode', body: {} });
        tell({ type: 'msg.start', body: {} });
        break;
      case 'record':
        tell({ type: 'msg.start', body: {} });
        break;
    }
  }

  /** An application sends a message if the gate is open; at a client it may wait for the target. */
  say(path: string, message: AnyEventObject): boolean {
    const { state } = this.actors.get(path)!;
    const host = this.host(path, 'channel');
    if (state!.speaking && host.held.length === 0) this.transmit(path, message);
    else if (host.side === 'client' && host.link !== '') this.change(path, { held: [...host.held, letter(message)] });
    else return false;
    return true;
  }

  private letOutWhatWasHeld(path: string): void {
    const one = this.actors.get(path);
    if (one?.host?.kind !== 'channel' || one.host.held.length === 0 || !one.state!.speaking) return;
    const { held } = one.host;
    this.change(path, { held: [] });
    for (const message of held) this.transmit(path, message.event);
  }
}

const announcements: ReadonlySet<string> = new Set([
  'msg.migrate_begin',
  'msg.migrate_begin_seamless',
  'msg.migrate_switch_host',
]);

const planeClosed = (link: string): Letter =>
  letterBy(`plane.closed ${link}`, () => ({ type: 'plane.closed', link, reason: '' }));

const done = new WeakMap<State, Letter>();
function doneBy(actorId: string, state: State): Letter {
  let known = done.get(state);
  if (known?.event.actorId !== actorId) {
    const { output } = state.snapshot;
    done.set(state, (known = letter({ type: `xstate.done.actor.${actorId}`, output, actorId })));
  }
  return known!;
}

const newChannel = (channel: string, side: 'client' | 'server'): ChannelHost => ({
  kind: 'channel',
  channel,
  side,
  link: '',
  pipe: '',
  previous: [],
  carried: '',
  held: [],
  lender: '',
  shown: false,
});

function hostFor(chart: string, input: any): ChannelHost | LinkHost | undefined {
  const side = chart.endsWith('/server') ? 'server' : 'client';
  if (chart === 'link/client' || chart === 'link/server') {
    return { kind: 'link', side, pipe: '', parked: false, given: false, spoke: false };
  }
  if (chart === 'migration/handshake') return newChannel('main:0', 'client');
  return /^(main|display|inputs|cursor|playback|record)\//.test(chart) ? newChannel(input.channel, side) : undefined;
}
