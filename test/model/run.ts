/**
 * One step of the world: an event comes to a chart, and everything that follows from it in the same program happens, as
 * XState does it: an actor finishes one event before it takes the next; what it emits, tells and begins is carried out in
 * order after its step; whoever is told at rest acts at once, whoever is busy later. The hosts obey as
 * src/engine/{channel-host,link-host,link-table}.ts do, and the applications as src/server and src/client, as far as charts
 * can notice.
 */

import type { AnyEventObject } from 'xstate';
import type { ChannelCommand, LinkCommand } from '../../machines/contract.ts';
import { addressWord } from '../../src/protocol/address.ts';
import { CommonCap, caps, MainCap } from '../../src/protocol/capabilities.ts';
import { ChannelType, channels, LinkErrorCode, nameOf } from '../../src/protocol/index.ts';
import { type Charts, type Doing, type Letter, letter, letterBy, type State } from './alphabet.ts';
import { allSchemes, type Scenario } from './scenario.ts';
import {
  type Actor,
  type ChannelHost,
  type Connection,
  childOf,
  type End,
  type Item,
  idOf,
  type LinkHost,
  type Program,
  parentOf,
  programOf,
  type Timer,
  timerName,
  type World,
} from './world.ts';

/** Something for the sequence diagram. */
export type Note =
  | { readonly kind: 'message'; readonly from: Program; readonly to: Program; readonly text: string }
  | { readonly kind: 'local'; readonly at: Program; readonly text: string };

/** What a step is watched by; each is called while the world is in the middle of it. */
export interface Watch {
  command?(path: string, command: AnyEventObject): void;
  report?(path: string, news: any): void;
  entered?(path: string, from: State | undefined, to: State): void;
  /** An answer to an announcement has come to a server. */
  answer?(server: Program, announcement: number): void;
  broken?(path: string, why: string): void;
  note?(note: Note): void;
}

export const closing: Item = { letter: letter({ type: 'the end' }), ghost: 0 };
const stop = letter({ type: 'xstate.stop' });
const taken = letter({ type: 'link.taken' });
const linkClosed = letter({ type: 'link.closed', reason: '' });
const gone: End = { open: false, reader: '' };

const byName = (a: { name: string }, b: { name: string }) => (a.name < b.name ? -1 : 1);

const done = new WeakMap<State, Letter>();
const doneBy = (actorId: string, state: State, output: unknown): Letter => {
  let known = done.get(state);
  if (known?.event.actorId !== actorId) {
    done.set(state, (known = letter({ type: `xstate.done.actor.${actorId}`, output, actorId })));
  }
  return known!;
};

export const commonCaps = caps(CommonCap.authSelection, CommonCap.miniHeader);

/** As src/server and src/client say what they can do on a channel. */
export function channelCaps(scenario: Scenario, program: Program, channel: string): readonly number[] {
  if (channel !== 'main:0') return [];
  const role = program === 'client' || program === 'source' ? program : 'target';
  const admitted = scenario.schemes?.[role] ?? allSchemes;
  return caps(
    MainCap.nameAndUuid,
    MainCap.agentConnectedTokens,
    ...(role !== 'client' || admitted.includes('semi-seamless') ? [MainCap.semiSeamlessMigrate] : []),
    ...(admitted.includes('seamless') || (role === 'target' && scenario.declines) ? [MainCap.seamlessMigrate] : []),
    ...(admitted.includes('early-link') ? [MainCap.earlyLink] : []),
  );
}

export class Run {
  readonly world: World;
  readonly scenario: Scenario;
  private readonly charts: Charts;
  private readonly watch: Watch;
  private readonly mailboxes = new Map<string, Letter[]>();
  /** Timers that were set in this step. */
  private readonly fresh = new Set<string>();
  /** Microtasks. */
  private readonly soon: (() => void)[] = [];

  constructor(world: World, charts: Charts, scenario: Scenario, watch: Watch) {
    this.world = world;
    this.charts = charts;
    this.scenario = scenario;
    this.watch = watch;
  }

  // ---------------------------------------------------------------------------------------------------------- actors

  /** Begins a program. */
  boot(program: Program, chart: string, input: unknown): void {
    this.begin(program, chart, input);
    this.settle();
  }

  /** An event comes from outside. */
  tell(path: string, event: AnyEventObject): void {
    this.deliver(path, letter(event));
    this.settle();
  }

  /** A timer is over. */
  elapse(path: string, index: number): void {
    const actor = this.world.actors.get(path)!;
    const { letter: event, delay } = actor.timers[index]!;
    if (delay >= 30 * 60_000) this.world.know({ gaveUp: true });
    this.world.put({ ...actor, timers: actor.timers.filter((_, at) => at !== index) });
    this.deliver(path, event);
    this.settle();
  }

  /** Somebody answers a question. */
  answer(path: string, output: unknown): void {
    const actorId = idOf(path);
    this.world.actors.delete(path);
    this.deliver(parentOf(path), letter({ type: `xstate.done.actor.${actorId}`, output, actorId }));
    this.settle();
  }

  /** Somebody has no answer. */
  fail(path: string, why: string): void {
    const actorId = idOf(path);
    this.world.actors.delete(path);
    this.deliver(parentOf(path), letter({ type: `xstate.error.actor.${actorId}`, error: new Error(why), actorId }));
    this.settle();
  }

  private settle(): void {
    for (let next = this.soon.shift(); next !== undefined; next = this.soon.shift()) next();
  }

  private deliver(path: string, event: Letter): void {
    const busy = this.mailboxes.get(path);
    if (busy !== undefined) {
      busy.push(event);
      return;
    }
    if (!this.world.actors.has(path)) return;
    const mailbox = [event];
    this.mailboxes.set(path, mailbox);
    this.work(path, mailbox);
    this.mailboxes.delete(path);
  }

  private work(path: string, mailbox: Letter[]): void {
    for (let event = mailbox.shift(); event !== undefined; event = mailbox.shift()) {
      if (event === stop) {
        this.remove(path);
        return;
      }
      const actor = this.world.actors.get(path);
      if (actor?.state === undefined) return;
      const { state, doings, broken } = actor.state.chart.step(actor.state, event);
      if (broken !== undefined) {
        this.watch.broken?.(path, `${event.event.type}: ${broken}`);
        this.remove(path);
        return;
      }
      this.world.put({ ...actor, state });
      if (state !== actor.state) this.entered(path, actor.state, state);
      this.carryOut(path, doings);
      if (this.rest(path, state)) return;
    }
  }

  private entered(path: string, from: State | undefined, to: State): void {
    this.watch.entered?.(path, from, to);
    if (
      to.chart.name === 'migration/source' &&
      to.snapshot.value === 'departing' &&
      from?.snapshot.value !== 'departing'
    ) {
      this.world.know({ schemes: [...this.world.facts.schemes, to.snapshot.context.scheme] });
    }
  }

  /** After a step; true when the actor has ended by it. */
  private rest(path: string, state: State): boolean {
    const actor = this.world.actors.get(path);
    if (actor === undefined) return true;
    if (state.status === 'done') {
      const { output } = state.snapshot;
      const actorId = idOf(path);
      this.remove(path);
      if (path.includes('/')) {
        this.deliver(parentOf(path), doneBy(actorId, state, output));
      } else this.world.know({ closed: true });
      return true;
    }
    this.letOutWhatWasHeld(path);
    return false;
  }

  private begin(path: string, chart: string, input: any): void {
    if (this.world.actors.has(path) || this.mailboxes.has(path)) {
      this.watch.broken?.(path, 'a second actor of this name is begun');
      return;
    }
    const { state, doings, broken } = this.charts.get(chart)!.born(input);
    if (broken !== undefined) {
      this.watch.broken?.(path, `birth: ${broken}`);
      return;
    }
    this.world.put({ path, state, question: undefined, timers: [], host: this.hostFor(path, chart, input) });
    this.entered(path, undefined, state);
    const mailbox: Letter[] = [];
    this.mailboxes.set(path, mailbox);
    this.carryOut(path, doings);
    if (!this.rest(path, state)) this.work(path, mailbox);
    this.mailboxes.delete(path);
  }

  private stop(path: string): void {
    const busy = this.mailboxes.get(path);
    if (busy === undefined) this.remove(path);
    else busy.splice(0, busy.length, stop);
  }

  private remove(path: string): void {
    for (const child of this.world.childrenOf(path)) this.stop(child);
    const actor = this.world.actors.get(path);
    if (actor === undefined) return;
    this.world.actors.delete(path);
    this.endHost(actor);
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
        case 'ask':
          this.world.put({
            path: childOf(path, doing.id),
            state: undefined,
            question: {
              name: doing.question,
              input: doing.input,
              text: `?${doing.question} ${letter({ type: 'input', input: doing.input }).text}`,
            },
            timers: [],
            host: undefined,
          });
          break;
        case 'end':
          this.stop(childOf(path, doing.id));
          break;
        case 'wait': {
          const actor = this.world.actors.get(path);
          if (actor === undefined) break;
          const { id, delay, letter: event } = doing;
          this.setTimer(actor, { id, delay, letter: event, behind: [] });
          break;
        }
        case 'forget': {
          const actor = this.world.actors.get(path);
          if (actor === undefined) break;
          this.world.put({ ...actor, timers: actor.timers.filter(({ id }) => id !== doing.id) });
          break;
        }
      }
    }
  }

  /**
   * Sets a timer, and notes what the one clock of a program proves: what ran already and is shorter is over before it, and
   * it is over before what is known to have more time left. A timer that waits for others to be over first was set no
   * earlier than `left` is told for, and since then at most their delay has gone by.
   */
  private setTimer(actor: Actor, timer: Timer): void {
    const program = programOf(actor.path);
    const name = timerName(actor.path, timer);
    const behind: Timer['behind'][number][] = [];
    for (const { path, timers, ...other } of [...this.world.actors.values()]) {
      if (timers.length === 0 || programOf(path) !== program) continue;
      const changed = timers.map((earlier) => {
        const its = timerName(path, earlier);
        if (earlier.delay < timer.delay) behind.push({ name: its, delay: earlier.delay, left: timer.delay });
        const left = this.fresh.has(its)
          ? earlier.delay
          : Math.max(0, ...earlier.behind.map((one) => one.left - one.delay));
        if (left <= timer.delay || earlier.behind.some((one) => one.name === name)) return earlier;
        return { ...earlier, behind: [...earlier.behind, { name, delay: timer.delay, left }].sort(byName) };
      });
      if (changed.some((one, index) => one !== timers[index])) this.world.put({ path, timers: changed, ...other });
    }
    const now = this.world.actors.get(actor.path)!;
    this.world.put({ ...now, timers: [...now.timers, { ...timer, behind: behind.sort(byName) }] });
    this.fresh.add(name);
  }

  // ----------------------------------------------------------------------------------------------------------- hosts

  private hostFor(_path: string, chart: string, input: any): ChannelHost | LinkHost | undefined {
    const side = chart.endsWith('/server') ? 'server' : 'client';
    if (chart === 'link/client' || chart === 'link/server') {
      return { kind: 'link', side, pipe: '', parked: false, given: false, spoke: false };
    }
    if (chart === 'migration/handshake') return this.newChannel('main:0', 'client');
    if (/^(main|display|inputs|cursor|playback|record)\//.test(chart)) return this.newChannel(input.channel, side);
    return undefined;
  }

  private newChannel(channel: string, side: 'client' | 'server'): ChannelHost {
    return { kind: 'channel', channel, side, link: '', pipe: '', previous: [], carried: '', held: [], lender: '' };
  }

  private host<K extends 'channel' | 'link'>(path: string, kind: K): Extract<ChannelHost | LinkHost, { kind: K }> {
    const host = this.world.actors.get(path)?.host;
    if (host?.kind !== kind) throw new Error(`${path} has no ${kind} host`);
    return host as never;
  }

  private change(path: string, change: Partial<ChannelHost> | Partial<LinkHost>): void {
    const actor = this.world.actors.get(path)!;
    this.world.put({ ...actor, host: { ...actor.host!, ...change } as never });
  }

  private obey(path: string, command: AnyEventObject): void {
    this.watch.command?.(path, command);
    if (command.type === 'report') {
      this.watch.report?.(path, command.news);
      const { event, phase } = command.news;
      if (event === 'handover') {
        this.world.know({ phase, ...(phase === 'fell-back' ? { fellBack: true } : {}) });
      }
      return;
    }
    const host = this.world.actors.get(path)?.host;
    if (host?.kind === 'link') this.obeyLink(path, command as LinkCommand);
    else if (host?.kind === 'channel') this.obeyChannel(path, host, command as ChannelCommand);
  }

  private endHost({ host }: Actor): void {
    if (host === undefined) return;
    if (host.kind === 'link') {
      if (!host.given) this.close(host.pipe, host.side);
      return;
    }
    for (const pipe of host.previous) this.close(pipe, host.side);
    if (host.pipe !== '') this.close(host.pipe, host.side);
  }

  private obeyLink(path: string, command: LinkCommand): void {
    const host = this.host(path, 'link');
    switch (command.type) {
      case 'link.send_result':
        this.put(host.pipe, 'client', letter({ type: 'link.result', code: command.code }), 0);
        break;
      case 'link.park':
        this.change(path, { parked: true });
        break;
      case 'link.close':
        this.close(host.pipe, host.side);
        break;
    }
  }

  private obeyChannel(path: string, host: ChannelHost, command: ChannelCommand): void {
    switch (command.type) {
      case 'send':
        this.transmit(path, command.message as AnyEventObject);
        break;
      case 'attach':
        this.take(path, command.link, path.includes('handshake'));
        break;
      case 'switch': {
        if (host.pipe !== '') {
          this.hand(host.pipe, host.side, '');
          this.change(path, { previous: [...host.previous, host.pipe] });
        }
        this.take(path, command.link, false);
        break;
      }
      case 'carry':
        this.change(path, { carried: command.data.length === 0 ? 'nothing' : [...command.data].join(',') });
        break;
      case 'send carried': {
        const { carried } = host;
        if (carried !== '') {
          const data = carried === 'nothing' ? new Uint8Array() : Uint8Array.from(carried.split(',').map(Number));
          this.transmit(path, { type: 'msgc.migrate_data', body: { data } });
        }
        this.change(path, { carried: '' });
        break;
      }
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
        this.transmit(path, {
          type: host.side === 'server' ? 'msg.disconnecting' : 'msgc.disconnecting',
          body: { timeStamp: 0n, reason: LinkErrorCode.invalidData },
        });
        break;
    }
  }

  /** A channel takes a link; it learns a little later that there is none. */
  private take(path: string, link: string, borrow: boolean): void {
    const { side } = this.host(path, 'channel');
    const found = this.parkedLink(programOf(path), link);
    if (found === undefined) {
      this.change(path, { link, pipe: '' });
      this.soon.push(() => {
        this.deliver(
          path,
          letterBy(`plane.closed ${link}`, () => ({ type: 'plane.closed', link, reason: '' })),
        );
      });
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
  private parkedLink(program: Program, link: string): string | undefined {
    for (const [path, { host }] of this.world.actors) {
      if (host?.kind !== 'link' || !host.parked || host.given || programOf(path) !== program) continue;
      if (idOf(path) === link) return path;
    }
    return undefined;
  }

  // ----------------------------------------------------------------------------------------------------- connections

  private hand(pipe: string, side: 'client' | 'server', reader: string): void {
    const wire = this.world.connections.get(pipe);
    if (wire === undefined) return;
    const end = side === 'client' ? 'client' : 'far';
    this.world.wire({ ...wire, [end]: { ...wire[end], reader } });
  }

  /** One end hangs up; the other will be told. */
  close(pipe: string, side: 'client' | 'server'): void {
    const wire = this.world.connections.get(pipe);
    if (wire === undefined) return;
    const last = (under: readonly Item[]) => (under.includes(closing) ? under : [...under, closing]);
    this.world.wire(
      side === 'client'
        ? { ...wire, client: gone, toClient: [], toServer: wire.client.open ? last(wire.toServer) : wire.toServer }
        : { ...wire, far: gone, toServer: [], toClient: wire.far.open ? last(wire.toClient) : wire.toClient },
    );
  }

  private put(pipe: string, to: 'client' | 'server', event: Letter, ghost: number): void {
    const wire = this.world.connections.get(pipe);
    if (wire === undefined || !wire.client.open || !wire.far.open) return;
    const way = to === 'server' ? 'toServer' : 'toClient';
    if (!wire[way].includes(closing)) this.world.wire({ ...wire, [way]: [...wire[way], { letter: event, ghost }] });
  }

  private transmit(path: string, message: AnyEventObject): void {
    const { pipe, side } = this.host(path, 'channel');
    if (pipe === '') return;
    const program = programOf(path);
    let sent = message;
    let ghost = 0;
    if (sent.type === 'msg.channels_list') sent = this.listed(program, sent);
    if (/^msg\.migrate_(begin|begin_seamless|switch_host)$/.test(sent.type)) {
      const { announced } = this.world.facts;
      ghost = 1 + Math.max(0, ...Object.values(announced));
      this.world.know({ announced: { ...announced, [program]: ghost } });
    }
    if (/^msgc\.migrate_connect/.test(sent.type)) ghost = this.world.facts.followed;
    this.put(pipe, side === 'client' ? 'server' : 'client', letter(sent), ghost);
  }

  private listed(program: Program, list: AnyEventObject): AnyEventObject {
    const { hidden } = this.world.facts;
    if (program !== 'source' || hidden.length === 0) return list;
    const shown = list.body.channels.filter(
      ({ type, id }: { type: number; id: number }) => !hidden.includes(`${nameOf(ChannelType, type)}:${id}`),
    );
    return { ...list, body: { channels: shown } };
  }

  /** The first thing that is under way to this end arrives. */
  arrive(pipe: string, to: 'client' | 'server'): void {
    const wire = this.world.connections.get(pipe)!;
    const end = to === 'client' ? wire.client : wire.far;
    const under = to === 'client' ? wire.toClient : wire.toServer;
    const actor = this.world.actors.get(end.reader);
    const host = actor?.host;
    if (host?.kind === 'link' && host.parked) {
      // What it reads ahead stays where it is, for whoever takes the link.
      if (to === 'server' && !host.spoke && under[0] !== closing) {
        this.change(end.reader, { spoke: true });
        this.deliver(
          programOf(end.reader),
          letterBy(`link.spoke ${end.reader}`, () => ({ type: 'link.spoke', link: idOf(end.reader) })),
        );
      } else {
        this.ended(wire, to);
        this.deliver(end.reader, linkClosed);
      }
      this.settle();
      return;
    }
    const [first, ...rest] = under;
    if (first === closing || first === undefined) {
      this.ended(wire, to);
      if (host?.kind === 'link') this.deliver(end.reader, linkClosed);
      else if (host?.kind === 'channel' && host.pipe === pipe) {
        this.deliver(
          end.reader,
          letterBy(`plane.closed ${host.link}`, () => ({ type: 'plane.closed', link: host.link, reason: '' })),
        );
      }
      this.settle();
      return;
    }
    this.world.wire({ ...wire, ...(to === 'client' ? { toClient: rest } : { toServer: rest }) });
    if (host?.kind === 'link') this.deliver(end.reader, first.letter);
    else if (host?.kind === 'channel') this.handle(end.reader, host, first);
    this.settle();
  }

  private ended(wire: Connection, at: 'client' | 'server'): void {
    this.world.wire(
      at === 'client'
        ? { ...wire, client: { ...wire.client, open: false }, toClient: [] }
        : { ...wire, far: { ...wire.far, open: false }, toServer: [] },
    );
  }

  private handle(path: string, host: ChannelHost, { letter: event, ghost }: Item): void {
    const { type } = event.event;
    const peer = host.side === 'server' ? 'client' : 'server';
    const entry = channels[addressWord(host.channel) as keyof typeof channels].tables[peer].byType.get(type);
    if (entry === undefined) throw new Error(`${host.channel} has no ${type}`);
    if (entry.path === 'data') {
      const { state } = this.world.actors.get(path)!;
      if (state!.flowing) this.hear(path, host, event);
      else if (!state!.deaf) {
        this.deliver(path, letter({ type: 'plane.violation', reason: `${type} while nothing may flow` }));
      }
      return;
    }
    if (ghost > 0 && host.side === 'client') this.world.know({ followed: ghost });
    if (ghost > 0 && host.side === 'server') this.watch.answer?.(programOf(path), ghost);
    this.deliver(path, event);
  }

  // ---------------------------------------------------------------------------------------------------- applications

  /** The application's side of a channel that may be used now, as src/server says it. */
  private serve(path: string, channel: string, afresh: boolean): void {
    const say = (message: AnyEventObject) => this.say(path, message);
    const tell = (message: AnyEventObject) => this.deliver(path, letter({ type: 'api.say', message }));
    switch (addressWord(channel)) {
      case 'main':
        if (!afresh) say({ type: 'msg.multi_media_time', body: {} });
        break;
      case 'display':
        if (afresh) {
          say({ type: 'msg.surface_create', body: { surfaceId: 0, flags: 1 } });
          say({ type: 'msg.mark', body: {} });
        } else say({ type: 'msg.inval_all_pixmaps', body: {} });
        break;
      case 'inputs':
        if (!afresh) say({ type: 'msg.key_modifiers', body: {} });
        break;
      case 'cursor':
        say({ type: afresh ? 'msg.init' : 'msg.set', body: {} });
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
    const { state } = this.world.actors.get(path)!;
    const host = this.host(path, 'channel');
    if (state!.speaking && host.held.length === 0) {
      this.transmit(path, message);
      return true;
    }
    if (host.side === 'server' || host.link === '') return false;
    this.change(path, { held: [...host.held, letter(message)] });
    return true;
  }

  private letOutWhatWasHeld(path: string): void {
    const actor = this.world.actors.get(path);
    if (actor?.host?.kind !== 'channel' || actor.host.held.length === 0 || !actor.state!.speaking) return;
    const { held } = actor.host;
    this.change(path, { held: [] });
    for (const message of held) this.transmit(path, message.event);
  }

  /** A server's application hears a message. */
  private hear(_path: string, host: ChannelHost, { event }: Letter): void {
    if (host.side !== 'server' || event.body?.n === undefined) return;
    const { heard, gap } = this.world.facts;
    const n = event.body.n as number;
    this.world.know({ heard: n, gap: n <= heard ? 'mixed up' : n > heard + 1 ? 'lost' : gap });
  }
}
