/**
 * What can happen next: every message that can arrive, every question that can be answered, every timer, what the hypervisor
 * and the applications may do, and every fault that the scenario allows. A move is one step of one program.
 *
 * The link stage (machines/link) is run through in two steps: "is linked", in which both ends go as far as the server's
 * decision (supervisor and session decide at once, as in the engine), and the arrival of the result. That is sound: until it
 * asks where it belongs, a link touches nothing but its own connection and its own end's word to its parent, so its inner
 * steps commute with all others; what can come between (the other end hangs up, says no, says nothing; the parent stops it)
 * ends it as a refused connection, a failed link, or one that waits for its deadline, and those are moves here. The charts
 * are the real ones all the way.
 *
 * The hypervisor that `outside` plays is a stranger: it says that the guest is about to move, has arrived, has moved or stays
 * whenever that makes sense. Its chart (hypervisor.ts here) says the same to the same servers, at fewer moments, as it waits for
 * the other host in between; so what holds with the stranger holds with the chart, and the chart leads in few, small worlds:
 * they show the chart itself, and what comes of a line that is cut between the hosts.
 */
import type { AnyEventObject } from 'xstate';
import { CommonCap, caps, MainCap, withCap } from '../../src/protocol/capabilities.ts';
import { ChannelType, nameOf } from '../../src/protocol/index.ts';
import { AuthMechanism, LinkErrorCode } from '../../src/protocol/link.ts';
import { type Charts, type Letter, letter } from './alphabet.ts';
import { answerTheVm, type Hands, hostOf, leadTheMove, obeyTheVm, vmOf } from './hypervisor.ts';
import { Run } from './run.ts';
import { allSchemes, type Fault, type Scenario } from './scenario.ts';
import {
  type Actor,
  type Connection,
  type Deed,
  type End,
  type Facts,
  type Item,
  idOf,
  type Program,
  type ProgramName,
  parentOf,
  programOf,
  World,
} from './world.ts';

export interface Move {
  /** Made when it is asked for. */
  readonly text: () => string;
  /** The program in which it happens; '' for the world outside. */
  readonly at: ProgramName;
  /** It happens by itself, without the clock, the hypervisor, or a person. */
  readonly prompt?: boolean;
  /** A wait is over. */
  readonly timer?: boolean;
  /** A fault, and what it befalls. */
  readonly fault?: string;
  /** A link is tried with a password that is no good, at this server. */
  readonly unproven?: ProgramName;
  act(world: World): void;
}

/** What a move did besides changing the world. */
export type Incident =
  | Extract<Deed, { do: 'report' | 'violation' | 'break' | 'lead' }>
  /** An answer to an announcement has come to a server's session: the announcement that it was meant for. */
  | { readonly do: 'answer'; readonly session: string; readonly announcement: number }
  /** A message has left for the network. */
  | {
      readonly do: 'send';
      readonly from: ProgramName;
      readonly to: ProgramName;
      readonly item: Item;
      readonly channel: string;
    };

export const closing: Item = { letter: letter({ type: 'the end' }), ghost: 0 };
const gone: End = { open: false, reader: '' };

const commonCaps = caps(CommonCap.authSelection, CommonCap.miniHeader);

/** As src/server and src/client say what they can do on a channel. */
function channelCaps(scenario: Scenario, program: ProgramName, channel: string): readonly number[] {
  if (channel !== 'main:0') return [];
  const role = program === 'client' || program === 'source' ? program : 'target';
  const admitted = scenario.schemes?.[role] ?? allSchemes;
  return caps(
    MainCap.nameAndUuid,
    ...(role !== 'client' || !scenario.tokenless ? [MainCap.agentConnectedTokens] : []),
    ...(role !== 'client' || admitted.includes('semi-seamless') ? [MainCap.semiSeamlessMigrate] : []),
    ...(admitted.includes('seamless') || (role === 'target' && scenario.declines) ? [MainCap.seamlessMigrate] : []),
    ...(admitted.includes('early-link') ? [MainCap.earlyLink] : []),
    ...(scenario.returns ? [MainCap.mayReturn] : []),
  );
}

const shown = (path: string) => path.replace(/^[^/]*\//, '');

export class Game {
  readonly scenario: Scenario;
  readonly charts: Charts;
  readonly servers: readonly ProgramName[];
  private readonly said = new Map<string, Letter>();
  /** Of the move that was made last. */
  incidents: Incident[] = [];

  constructor(scenario: Scenario, charts: Charts) {
    this.scenario = scenario;
    this.charts = charts;
    const third = scenario.faults.some((fault) => /^(retarget|onward|elsewhere)$/.test(fault));
    this.servers = third ? ['source', 'target', 'other'] : ['source', 'target'];
  }

  /** The world before anything has happened: servers, and a client that dials, or is up already. */
  first(): World {
    const { scenario } = this;
    const world = new World({
      guest: 'source',
      move: { phase: 'idle', from: 'source', to: 'target', told: [], cancelled: false },
      line: 'none',
      runs: scenario.led ? ['source'] : [],
      moves: '',
      toBeTold: [],
      faults: [],
      rushed: 0,
      gaveUp: false,
      letDown: false,
      passedBy: [],
      greeted: false,
      fellBack: false,
      silent: [],
      expired: [],
      denied: [],
      hidden: scenario.added === undefined ? [] : [scenario.added],
      owed: null,
      typed: 0,
      heard: 0,
      gap: 'none',
      chatter: 0,
      announced: {},
      followed: 0,
      phase: '',
      schemes: [],
    });
    for (const server of this.servers) this.bootServer(world, server);
    const input = {
      destination: { host: 'source', port: 1 },
      wanted: ['display', 'inputs', 'cursor', 'playback', 'record'],
      schemes: scenario.schemes?.client ?? allSchemes,
      ...(scenario.returns ? { reconnect } : {}),
      mostRelinks: scenario.relinks ?? 0,
    };
    this.apply(world, Run.boot(this.charts, 'client', 'session/client', input));
    this.tidy(world);
    return scenario.cold ? world : this.connected(world);
  }

  private bootServer(world: World, server: ProgramName): void {
    const { scenario } = this;
    const role = server === 'source' ? 'source' : 'target';
    const input = {
      offered: scenario.added === undefined ? scenario.channels : [...scenario.channels, scenario.added],
      schemes: scenario.schemes?.[role] ?? allSchemes,
      mostSessions: 1_000,
      ...(scenario.returns ? { returnMs: 60_000 } : {}),
    };
    this.apply(world, Run.boot(this.charts, server, 'supervisor', input));
    if (scenario.led) this.apply(world, Run.boot(this.charts, vmOf(server), 'migration/hypervisor', undefined));
  }

  /** Lets everything happen that happens by itself: in the end the client is up. */
  private connected(world: World): World {
    for (let now = world; ; ) {
      const move = this.moves(now, true).find(({ prompt }) => prompt);
      if (move === undefined) return now;
      now = this.make(now, move);
    }
  }

  /** The world after a move. */
  make(before: World, move: Move): World {
    this.incidents = [];
    const world = before.copy();
    if (move.fault !== undefined) world.know({ faults: [...world.facts.faults, move.fault].sort() });
    move.act(world);
    this.tidy(world);
    return world;
  }

  // ------------------------------------------------------------------------------------------------- steps of programs

  private step(world: World, program: ProgramName, words: string, act: (run: Run) => void): void {
    const before = world.programs.get(program);
    if (before !== undefined) this.apply(world, Run.step(this.charts, before, words, act));
  }

  private readonly hear = (world: World, path: string, event: AnyEventObject): void => {
    if (!world.facts.silent.includes(hostOf(programOf(path)))) this.tell(world, path, event);
  };

  private tell(world: World, path: string, event: AnyEventObject): void {
    this.pass(world, path, letter(event));
  }

  /** Tells what a few words tell; with this scenario, they must tell all of it. */
  private tellBy(world: World, path: string, words: string, make: () => AnyEventObject): void {
    let known = this.said.get(words);
    if (known === undefined) this.said.set(words, (known = letter(make())));
    this.pass(world, path, known);
  }

  private pass(world: World, path: string, event: Letter): void {
    this.step(world, programOf(path), `tell ${path} ${event.id}`, (run) => run.tell(path, event.event));
  }

  private apply(world: World, { program, deeds }: { program: Program; deeds: readonly Deed[] }): void {
    world.programs.set(program.name, program);
    for (const deed of deeds) this.do(world, program.name, deed);
  }

  private do(world: World, program: ProgramName, deed: Deed): void {
    const { facts } = world;
    switch (deed.do) {
      case 'put':
        this.put(world, program, deed);
        break;
      case 'close':
        close(world, deed.pipe, deed.side);
        break;
      case 'hand': {
        const wire = world.connections.get(deed.pipe);
        if (wire === undefined) break;
        const end = deed.side === 'client' ? 'client' : 'far';
        world.rewire(wire, `hand ${end} ${deed.reader}`, () => ({ [end]: { ...wire[end], reader: deed.reader } }));
        break;
      }
      case 'report': {
        this.incidents.push(deed);
        const { event, phase } = deed.news;
        if (event === 'session' && program === 'client') world.know({ greeted: true });
        if (event === 'closed' && facts.rushed > 0 && tooLong.test(deed.news.reason)) world.know({ letDown: true });
        if (event === 'handover') world.know({ phase, ...(phase === 'fell-back' ? { fellBack: true } : {}) });
        break;
      }
      case 'lead': {
        this.incidents.push(deed);
        const departs = deed.to.snapshot.value === 'departing' && deed.from?.snapshot.value !== 'departing';
        if (departs) world.know({ schemes: [...facts.schemes, deed.to.snapshot.context.scheme] });
        break;
      }
      case 'hear': {
        const { n } = deed;
        world.know({ heard: n, gap: n <= facts.heard ? 'mixed up' : n > facts.heard + 1 ? 'lost' : facts.gap });
        break;
      }
      case 'order':
        obeyTheVm({ world, hear: this.hear }, hostOf(program), deed.command);
        break;
      case 'give up':
        world.know({ gaveUp: true });
        break;
      case 'violation':
      case 'break':
        this.incidents.push(deed);
        break;
    }
  }

  private put(world: World, program: ProgramName, deed: Extract<Deed, { do: 'put' }>): void {
    const { pipe, to, as } = deed;
    let ghost = 0;
    const wire = world.connections.get(pipe);
    if (as === 'announcement') {
      const { announced } = world.facts;
      const session = wire === undefined ? program : parentOf(wire.far.reader);
      ghost = 1 + Math.max(0, ...Object.values(announced));
      world.know({ announced: { ...announced, [session]: ghost } });
    } else if (as === 'answer') ghost = world.facts.followed;
    if (wire === undefined || !wire.client.open || !wire.far.open) return;
    const way = to === 'server' ? 'toServer' : 'toClient';
    if (wire[way].includes(closing)) return;
    const said = this.asItsMake(world, wire, program, deed.letter);
    if (said === undefined) return;
    const item: Item = { letter: said, ghost };
    const [from, receiver] = to === 'server' ? ['client', wire.server] : [wire.server, 'client'];
    this.incidents.push({ do: 'send', from, to: receiver, item, channel: wire.channel });
    const { disorder } = this.scenario;
    world.rewire(wire, `put ${way} ${said.id} ${ghost}`, () => ({
      [way]: disorder ? [item, ...wire[way]] : [...wire[way], item],
    }));
  }

  /** What a server says, if it has something to hide or is of another make; undefined: nothing, or not now. */
  private asItsMake(world: World, wire: Connection, program: ProgramName, said: Letter): Letter | undefined {
    const { facts } = world;
    const { type, body } = said.event;
    if (type === 'msg.channels_list' && program === 'source') {
      if (this.scenario.listsLate && facts.owed === null) {
        world.know({ owed: { pipe: wire.id, message: said.event } });
        return undefined;
      }
      if (facts.hidden.length === 0) return said;
      const channels = body.channels.filter(
        ({ type: kind, id }: { type: number; id: number }) =>
          !facts.hidden.includes(`${nameOf(ChannelType, kind)}:${id}`),
      );
      return letter({ type, body: { channels } });
    }
    const asks = type === 'msg.migrate' && this.takesAll(wire) && facts.schemes.at(-1) === 'seamless';
    return asks ? letter({ type, body: { flags: 3 } }) : said;
  }

  /** Its state travels only between servers of another make than ours. */
  private takesAll({ channel }: Connection): boolean {
    return this.scenario.stateOfAll === true && /^(cursor|playback):/.test(channel);
  }

  // ------------------------------------------------------------------------------------------------------------- moves

  /** All moves, in an order that depends on the world alone. Calm: only what happens by itself. */
  moves(world: World, calm = false): Move[] {
    const { facts } = world;
    const moves: Move[] = [];
    const failing = calm ? () => false : this.failing(facts);
    for (const wire of world.connections.values()) {
      for (const to of ['client', 'server'] as const) this.arrivals(world, wire, to, moves);
    }
    for (const program of world.programs.values()) {
      if (facts.silent.includes(hostOf(program.name))) continue;
      for (const asked of program.questions) this.answers(world, asked, moves, failing);
    }
    if (calm) return moves;
    const prompt = moves.some((move) => move.prompt);
    if (!prompt || facts.rushed < this.scenario.rush) {
      for (const program of world.programs.values()) {
        if (!facts.silent.includes(program.name)) this.timers(program, prompt, moves);
      }
    }
    this.outside(world, moves);
    this.mishaps(world, moves, failing);
    return moves;
  }

  private hands(world: World, moves: Move[]): Hands {
    return {
      world,
      moves,
      failing: this.failing(world.facts),
      hear: this.hear,
      step: (now, program, words, act) => this.step(now, program, words, act),
    };
  }

  private failing(facts: Facts): (fault: Fault) => boolean {
    const { faults, most } = this.scenario;
    return (fault) => facts.faults.length < most && faults.includes(fault);
  }

  private arrivals(world: World, wire: Connection, to: 'client' | 'server', moves: Move[]): void {
    const program = to === 'client' ? 'client' : wire.server;
    if (world.facts.silent.includes(program)) return;
    const end = to === 'client' ? wire.client : wire.far;
    const under = to === 'client' ? wire.toClient : wire.toServer;
    const [first] = under;
    if (!end.open || first === undefined) return;
    const host = world.actor(end.reader)?.host;
    const from = to === 'client' ? wire.server : 'client';
    const parked = host?.kind === 'link' && host.parked;
    if (parked && (to === 'client' || host.spoke || first === closing)) {
      // What it reads ahead stays where it is, for whoever takes the link; but it sees the end.
      if (!under.includes(closing)) return;
      const text = () => `${from} > ${program} ${wire.channel} hangs up`;
      moves.push({ text, at: program, prompt: true, act: (now) => this.seeTheEnd(now, wire, to) });
      return;
    }
    const text = () => `${from} > ${program} ${wire.channel} ${parked ? 'says something' : textOf(first)}`;
    const act = (now: World) => {
      if (parked) {
        this.step(now, program, `spoke ${end.reader}`, (run) => run.spoke(end.reader));
      } else if (first === closing) this.seeTheEnd(now, wire, to);
      else this.receive(now, wire, to, first);
    };
    moves.push({ text, at: program, prompt: true, act });
  }

  private seeTheEnd(world: World, wire: Connection, at: 'client' | 'server'): void {
    const { reader } = at === 'client' ? wire.client : wire.far;
    world.rewire(wire, `end ${at}`, () =>
      at === 'client'
        ? { client: { ...wire.client, open: false }, toClient: [] }
        : { far: { ...wire.far, open: false }, toServer: [] },
    );
    if (reader !== '') {
      this.step(world, programOf(reader), `end ${reader} ${wire.id}`, (run) => run.end(reader, wire.id));
    }
  }

  private receive(world: World, wire: Connection, at: 'client' | 'server', item: Item): void {
    const { reader } = at === 'client' ? wire.client : wire.far;
    world.rewire(wire, `take ${at}`, () =>
      at === 'client' ? { toClient: wire.toClient.slice(1) } : { toServer: wire.toServer.slice(1) },
    );
    if (item.ghost > 0 && at === 'client') world.know({ followed: item.ghost });
    if (item.ghost > 0 && at === 'server') {
      this.incidents.push({ do: 'answer', session: parentOf(reader), announcement: item.ghost });
    }
    if (reader === '') return;
    if (at === 'server' && this.takesAll(wire)) {
      const { type } = item.letter.event;
      if (type === 'msgc.migrate_data') return;
      if (type === 'msgc.migrate_flush_mark') {
        const data = letter({ type: 'msg.migrate_data', body: { data: surface } });
        this.put(world, wire.server, { do: 'put', pipe: wire.id, to: 'client', letter: data, as: '' });
      }
    }
    this.step(world, programOf(reader), `receive ${reader} ${item.letter.id}`, (run) =>
      run.receive(reader, item.letter),
    );
  }

  private timers({ name, timers }: Program, early: boolean, moves: Move[]): void {
    for (const { actor, index, timer } of timers) {
      // Others are over before it, or one of the same length that was set before it.
      if (timer.behind.length > 0) continue;
      if (actor.timers.some((earlier, at) => at < index && earlier.delay === timer.delay)) continue;
      const { path } = actor;
      moves.push({
        text: () => {
          const { type, channel } = timer.letter.event;
          const what = type.startsWith('xstate.') ? '' : ` (${type} ${channel ?? ''})`;
          return `${name}: ${shown(path)}: ${timer.delay} ms are over${what}${early ? ', early' : ''}`;
        },
        at: name,
        timer: true,
        act: (world) => {
          if (early) world.know({ rushed: world.facts.rushed + 1 });
          if (early && (path === 'client' ? settlesInVain(world) : missesWord(world, path)))
            world.know({ letDown: true });
          const { value, context } = actor.state!.snapshot;
          const looks = path === 'client' && value['switching host'] === 'awaiting init';
          if (early && (looks || path.startsWith('client/link:main:'))) {
            const { host } = context.destination;
            world.know({ passedBy: [...new Set([...world.facts.passedBy, host])].sort() });
          }
          this.step(world, name, `elapse ${path} ${index}`, (run) => run.elapse(path, index));
        },
      });
    }
  }

  // --------------------------------------------------------------------------------------------------------- answers

  private answers(world: World, asked: Actor, moves: Move[], failing: (fault: Fault) => boolean): void {
    const { path, question } = asked;
    const at = programOf(path);
    const { name, input } = question!;
    const whose = () => shown(parentOf(path));
    const answer = (output: unknown, words: string) =>
      moves.push({
        text: () => `${at}: ${whose()}: ${name}`,
        at,
        prompt: true,
        act: (now) => this.step(now, at, `answer ${path} ${words}`, (run) => run.answer(path, output)),
      });
    const fail = (fault: Fault, why: string) => {
      if (!failing(fault)) return;
      moves.push({
        text: () => `!! ${at}: ${whose()}: ${why}`,
        at,
        fault: `${fault} ${idOf(parentOf(path))}`,
        act: (now) => this.step(now, at, `fail ${path}`, (run) => run.fail(path, why)),
      });
    };
    switch (name) {
      case 'dial':
        this.dial(world, path, input.destination.host, moves, failing);
        break;
      case 'resolve destination':
        answer(input.destination, '');
        fail('no destination', 'no destination');
        break;
      case 'ask the guest':
        answer(input.what === 'main facts' ? { ...guestFacts, agentConnected: this.scenario.agent === true } : 0, '');
        fail('no facts', 'the guest does not answer');
        break;
      case 'collect migrate data':
        this.collect(world, path, answer);
        fail('no data', 'no data');
        break;
      case 'reach the target':
      case 'move the guest':
        answerTheVm(this.hands(world, moves), asked);
        break;
      case 'load migrate data':
        this.load(path, input.data, moves);
        fail('bad data', 'the data do not fit');
        break;
      default:
        throw new Error(`nobody knows how to answer "${name}"`);
    }
  }

  /** What travels is whether the client has a surface (src/server/display.ts, surfacesAtClient). */
  private collect(world: World, path: string, answer: (output: unknown, words: string) => void): void {
    const host = world.actor(parentOf(path))?.host;
    const shownThere = host?.kind === 'channel' && host.shown;
    answer(shownThere ? surface : key, String(shownThere));
  }

  private load(path: string, data: Uint8Array, moves: Move[]): void {
    const at = programOf(path);
    moves.push({
      text: () => `${at}: ${shown(parentOf(path))}: load migrate data`,
      at,
      prompt: true,
      act: (now) => this.step(now, at, `load ${path} ${data.length}`, (run) => run.load(path, data.length > 0)),
    });
  }

  private dial(world: World, path: string, host: ProgramName, moves: Move[], failing: (fault: Fault) => boolean): void {
    const link = parentOf(path);
    const { silent, expired } = world.facts;
    if (failing('refused')) {
      moves.push({
        text: () => `!! client: ${shown(link)}: ${host} refuses`,
        at: 'client',
        fault: `refused ${host}`,
        act: (now) => this.step(now, 'client', `fail ${path}`, (run) => run.fail(path, 'refused')),
      });
    }
    if (!world.programs.has(host)) {
      moves.push({
        text: () => `client: ${shown(link)}: nobody listens at ${host}`,
        at: 'client',
        prompt: true,
        act: (now) => this.step(now, 'client', `fail ${path}`, (run) => run.fail(path, 'refused')),
      });
      return;
    }
    if (silent.includes(host)) return;
    const bad = expired.includes(host);
    moves.push({
      text: () => `client > ${host} ${shown(link)} is linked${bad ? ', with an expired password' : ''}`,
      at: 'client',
      prompt: true,
      ...(bad ? { unproven: host } : {}),
      act: (now) => this.link(now, path, host, bad),
    });
  }

  /** The link stage up to the server's decision. */
  private link(world: World, question: string, server: ProgramName, bad: boolean): void {
    const near = parentOf(question);
    const link = `${idOf(near)}>${server}`;
    const { channel, connectionId, returning } = world.actor(near)!.state!.snapshot.context as Record<string, any>;
    const far = `${server}/${link}`;
    world.wire({
      id: link,
      server,
      channel,
      client: { open: true, reader: near },
      far: { open: true, reader: far },
      toServer: [],
      toClient: [],
    });
    const own = (path: string) => this.step(world, programOf(path), `own ${path}`, (run) => run.own(path, link));
    const answer = (path: string, output: unknown) =>
      this.step(world, programOf(path), `answer ${path} ${String(output)}`, (run) => run.answer(path, output));
    /** What the chart of this link waits for. */
    const ask = (path: string) =>
      world.programs.get(programOf(path))!.questions.find((asked) => parentOf(asked.path) === path)!.path;
    const number = Number(link.slice(link.indexOf('@') + 1, link.indexOf('>')));
    own(near);
    answer(question, undefined);
    this.tellBy(world, server, `accepted ${link}`, () => ({
      type: 'link.accepted',
      link,
      nonce: 1_000 + 10 * number + this.servers.indexOf(server),
    }));
    own(far);
    this.tellBy(world, far, `mess ${channel} ${connectionId} ${returning}`, () => {
      const ours = channelCaps(this.scenario, 'client', channel);
      const claimed = returning === true ? withCap(ours, MainCap.returns) : ours;
      return { type: 'link.mess', connectionId, channel, commonCaps, channelCaps: claimed };
    });
    answer(ask(far), key);
    this.tellBy(world, near, `reply ${server} ${channel}`, () => ({
      type: 'link.reply',
      error: LinkErrorCode.ok,
      pubKey: key,
      commonCaps,
      channelCaps: channelCaps(this.scenario, server, channel),
    }));
    answer(ask(near), key);
    this.pass(world, far, mechanism);
    this.pass(world, far, ticket);
    answer(ask(far), bad ? 'bad' : 'good');
    const tried = `${channel} ${server}`;
    const { denied } = world.facts;
    if (denied.includes(tried) !== bad) {
      world.know({ denied: bad ? [...denied, tried].sort() : denied.filter((one) => one !== tried) });
    }
  }

  // --------------------------------------------------------------------------------------------- what is beside them

  private outside(world: World, moves: Move[]): void {
    const { facts } = world;
    const { move } = facts;
    const { scenario, hear } = this;
    const announce = (from: ProgramName, to: ProgramName, fault?: Fault) =>
      moves.push({
        text: () => `hypervisor > ${from}: the guest is about to move to ${to}`,
        at: from,
        ...(fault === undefined ? {} : { fault }),
        act: (now) => {
          const told = [...move.told.filter((one) => one !== to && move.phase === 'announced'), to].sort();
          now.know({ move: { phase: 'announced', from, to, told, cancelled: false } });
          hear(now, from, this.announcement(to));
        },
      });
    const failing = this.failing(facts);
    switch (move.phase) {
      case 'idle':
        if (facts.moves === '') announce('source', 'target');
        else if (facts.moves === '-' && failing('again')) announce('source', 'target', 'again');
        if (facts.moves === '-' && failing('elsewhere')) announce('source', 'other', 'elsewhere');
        // Where its source has not heard of the end, the guest may still be on its way.
        if (facts.moves !== '+' || facts.guest !== 'target') break;
        if (failing('onward')) announce('target', 'other', 'onward');
        if (failing('back')) announce('target', 'source', 'back');
        break;
      case 'announced':
        if (scenario.led) break;
        moves.push({
          text: () => `hypervisor > ${move.to}: the guest has arrived`,
          at: move.to,
          act: (now) => {
            now.know({ guest: move.to, move: { ...move, phase: 'arrived' } });
            hear(now, move.to, guestArrived);
          },
        });
        for (const told of [true, false]) {
          moves.push({
            text: () => `hypervisor > ${move.from}: the guest stays${told ? '' : ' (and nobody tells the target)'}`,
            at: move.from,
            act: (now) => {
              const toBeTold = told ? move.told : [];
              now.know({ move: { ...move, phase: 'idle', told: [] }, moves: `${facts.moves}-`, toBeTold });
              hear(now, move.from, stays);
            },
          });
        }
        if (failing('retarget') && move.to === 'target') announce(move.from, 'other', 'retarget');
        if (failing('reannounce') && move.to === 'target') announce(move.from, 'target', 'reannounce');
        break;
      case 'arrived':
        if (scenario.led) break;
        moves.push({
          text: () => `hypervisor > ${move.from}: the guest has moved`,
          at: move.from,
          act: (now) => {
            const toBeTold = move.told.filter((one) => one !== move.to);
            now.know({ move: { ...move, phase: 'idle', told: [] }, moves: `${facts.moves}+`, toBeTold });
            hear(now, move.from, moved);
          },
        });
        break;
    }
    if (scenario.led) leadTheMove(this.hands(world, moves));
    for (const program of facts.toBeTold) {
      moves.push({
        text: () => `hypervisor > ${program}: the guest will not come`,
        at: program,
        act: (now) => {
          now.know({ toBeTold: facts.toBeTold.filter((one) => one !== program) });
          hear(now, program, guestLost);
        },
      });
    }
    this.debts(world, moves);
    this.applications(world, moves);
  }

  private debts(world: World, moves: Move[]): void {
    const { owed } = world.facts;
    const wire = world.connections.get(owed?.pipe ?? '');
    if (owed === null || wire === undefined || world.actor(wire.far.reader)?.state?.speaking !== true) return;
    moves.push({
      text: () => `${wire.server}: lists its channels at last`,
      at: wire.server,
      act: (now) => {
        this.put(now, wire.server, { do: 'put', pipe: owed.pipe, to: 'client', letter: letter(owed.message), as: '' });
        now.know({ owed: null });
      },
    });
  }

  private announcement(to: ProgramName): AnyEventObject {
    const { scheme } = this.scenario;
    let known = this.said.get(`announce ${to}`);
    if (known === undefined) {
      known = letter({ type: 'api.migrate_connect', destination: { host: to, port: 1 }, scheme });
      this.said.set(`announce ${to}`, known);
    }
    return known.event;
  }

  private applications(world: World, moves: Move[]): void {
    const { facts } = world;
    const { typed, chatter } = this.scenario;
    if (typed === undefined && chatter === undefined) return;
    for (const program of world.programs.values()) {
      if (facts.silent.includes(program.name)) continue;
      for (const { path, host, state } of program.hosts) {
        const mine =
          host.side === 'client' && host.channel === typed?.channel && host.lender === '' && host.link !== '';
        if (mine && facts.typed < typed.messages) {
          const n = facts.typed + 1;
          const type = said[typed.channel.slice(0, typed.channel.indexOf(':'))]!;
          moves.push({
            text: () => `client: number ${n} is typed`,
            at: 'client',
            act: (now) => {
              now.know({ typed: n });
              this.step(now, 'client', `say ${path} ${n}`, (run) => run.say(path, { type, body: { n } }));
            },
          });
        }
        if (chatter !== undefined && host.side === 'server' && facts.chatter < chatter && state!.speaking) {
          const type = chat[host.channel.slice(0, host.channel.indexOf(':'))]!;
          moves.push({
            text: () => `${program.name}: ${host.channel} says something`,
            at: program.name,
            act: (now) => {
              now.know({ chatter: facts.chatter + 1 });
              this.step(now, program.name, `say ${path}`, (run) => run.say(path, { type, body: {} }));
            },
          });
        }
      }
    }
  }

  // ---------------------------------------------------------------------------------------------------------- faults

  private mishaps(world: World, moves: Move[], failing: (fault: Fault) => boolean): void {
    const { facts } = world;
    if (facts.faults.length >= this.scenario.most) return;
    const mishap = (fault: Fault, at: ProgramName, text: string, act: (now: World) => void, what = at) => {
      if (failing(fault)) moves.push({ text: () => `!! ${text}`, at, fault: `${fault} ${what}`.trim(), act });
    };
    const wires = world.connections.values();
    for (const wire of wires) {
      if (wire.client.open && wire.far.open && !wire.toClient.includes(closing) && !wire.toServer.includes(closing)) {
        const what = `${wire.channel} ${wire.server}`;
        mishap('cut', '', `the connection ${wire.id} is cut`, (now) => cut(now, wire), what);
      }
    }
    for (const server of this.servers) {
      const its = wires.filter((wire) => wire.server === server);
      if (its.length === 0) continue;
      const act = (now: World) => {
        for (const wire of its) cut(now, wire);
      };
      mishap('host cut', '', `every connection to ${server} is cut`, act, server);
    }
    for (const program of ['target', 'source', 'client'] as const) {
      if (facts.silent.includes(program)) continue;
      const act = (now: World) => now.know({ silent: [...facts.silent, program].sort() });
      mishap(`${program} silent`, program, `${program} falls silent`, act);
    }
    if (facts.guest !== 'target') {
      const act = (now: World) => {
        end(now, 'target');
        breakLine(now);
        this.bootServer(now, 'target');
      };
      mishap('restart', 'target', 'the target is started again', act);
    }
    if (facts.guest !== 'source' && world.programs.has('source')) {
      // It must live until it has said that every client has left it (spec §4).
      const { value, context } = world.actor('source')!.state!.snapshot;
      const left = value.move === 'guest is away' && context.overdue === 0 && context.undeparted.length === 0;
      const when = left ? 'late' : 'early';
      mishap('source ends', 'source', 'the program of the source ends', (now) => end(now, 'source'), when);
    }
    if (!facts.expired.includes('target')) {
      const act = (now: World) => now.know({ expired: ['target'] });
      mishap('expired', 'target', 'the password of the target expires', act, linkedAhead(world) ? 'late' : 'early');
    }
    if (facts.hidden.length > 0) {
      const main = world.programs.get('source')?.hosts.find(({ host }) => host.channel === 'main:0');
      if (main?.state?.speaking) {
        const act = (now: World) => {
          now.know({ hidden: [] });
          this.tell(now, parentOf(main.path), attachChannels);
        };
        mishap('channel added', 'source', `the source lists ${facts.hidden[0]} too`, act);
      }
    }
    if (world.actor('client') !== undefined) {
      const act = (now: World) => this.tell(now, 'client', closeIt);
      mishap('client leaves', 'client', 'the client is closed by its program', act);
    }
    for (const server of this.servers) {
      const act = (now: World) => this.tell(now, server, disconnect);
      mishap('server disconnects', server, `${server} disconnects everybody`, act);
    }
  }

  // ------------------------------------------------------------------------------------------------------------ order

  /** Takes away what nobody will ever notice. */
  private tidy(world: World): void {
    for (const wire of world.connections.values()) {
      world.rewire(wire, 'tidy', () => {
        const { far, client, toServer, toClient } = wire;
        // Kept open, unread: the end of a connection that was left behind is noticed by nobody.
        const unread = client.open && client.reader === '';
        return {
          client: unread && toClient.includes(closing) ? gone : client,
          toClient: unread || !client.open ? [] : toClient,
          toServer: far.open ? toServer : [],
        };
      });
      const { client, far } = world.connections.get(wire.id)!;
      if (client.open || far.open) continue;
      world.connections.delete(wire.id);
      for (const program of ['client', wire.server]) {
        if (!world.programs.get(program)?.pipes.has(wire.id)) continue;
        this.step(world, program, `forget ${wire.id}`, (run) => run.forget(wire.id));
      }
    }
  }
}

/** Few tries: each is like the one before. */
const reconnect = { tries: 2, firstMs: 1_000, mostMs: 1_000, forMs: 60_000, atStart: false };

const key = new Uint8Array();
const mechanism = letter({ type: 'link.mechanism', mechanism: AuthMechanism.spice });
const ticket = letter({ type: 'link.ticket', ticket: key });
const surface = Uint8Array.of(1);

/** One object for each, so that it is read once (letter). */
const guestArrived = { type: 'api.guest_arrived' };
const guestLost = { type: 'api.guest_lost' };
const stays = { type: 'api.migrate_end', completed: false };
const moved = { type: 'api.migrate_end', completed: true };
const attachChannels = { type: 'msgc.attach_channels', body: {} };
const closeIt = { type: 'api.close', reason: '' };
const disconnect = { type: 'api.disconnect', reason: '' };

const guestFacts = {
  displayChannels: 1,
  supportedMouseModes: 3,
  currentMouseMode: 1,
  agentConnected: false,
  agentTokens: 10,
  multiMediaTime: 0,
  name: '',
  uuid: key,
};

/** What a client's application says on a channel. */
const said: Readonly<Record<string, string>> = {
  main: 'msgc.agent_data',
  inputs: 'msgc.key_down',
  record: 'msgc.data',
};

/** What a client says that has waited for a server, or for its program. */
const tooLong = /^no (init|destination) in time$/;

/** A data message for each channel. */
const chat: Readonly<Record<string, string>> = {
  main: 'msg.multi_media_time',
  display: 'msg.draw_fill',
  inputs: 'msg.key_modifiers',
  cursor: 'msg.move',
  playback: 'msg.data',
  record: 'msg.volume',
};

/** A message, for people. */
export function textOf(item: Item): string {
  if (item === closing) return 'hangs up';
  const { type, body, code } = item.letter.event;
  const flags = type === 'msg.migrate' ? ` (${body.flags})` : '';
  const n = body?.n === undefined ? '' : ` ${body.n}`;
  return `${type}${flags}${n}${code === undefined ? '' : ` ${code}`}`;
}

/** One end hangs up; the other will be told. */
function close(world: World, pipe: string, side: 'client' | 'server'): void {
  const wire = world.connections.get(pipe);
  if (wire === undefined) return;
  const last = (under: readonly Item[]) => (under.includes(closing) ? under : [...under, closing]);
  world.rewire(wire, `close ${side}`, () =>
    side === 'client'
      ? { client: gone, toClient: [], toServer: wire.client.open ? last(wire.toServer) : wire.toServer }
      : { far: gone, toServer: [], toClient: wire.far.open ? last(wire.toClient) : wire.toClient },
  );
}

/** A program is no more; its system hangs up for it. */
function end(world: World, server: ProgramName): void {
  for (const wire of world.connections.values()) {
    if (wire.server !== server) continue;
    world.rewire(wire, 'its program ends', () => ({ far: gone, toServer: [], toClient: [closing] }));
  }
  world.programs.delete(server);
  world.programs.delete(vmOf(server));
}

/** It forgets the guest that was about to move in, and what it was told last. */
function breakLine(world: World): void {
  const { line } = world.facts;
  if (line === 'begun' || line === 'stopped') world.know({ line: 'broken' });
  if (line === 'told') world.know({ line: 'broken', guest: '' });
}

function cut(world: World, { id }: Connection): void {
  const now = world.connections.get(id);
  if (now === undefined) return;
  world.rewire(now, 'cut', () => ({
    toServer: now.far.open ? [closing] : [],
    toClient: now.client.open ? [closing] : [],
  }));
}

/** A server's session takes its client for silent, and a word of the client's has been on its way for that long. */
const missesWord = (world: World, path: string): boolean =>
  /\/session:\d+$/.test(path) &&
  world.connections.values().some(({ far, toServer }) => toServer.length > 0 && far.reader.startsWith(`${path}/`));

/** It takes the target for its home now, and the end of that connection has been on its way for as long as it has waited. */
function settlesInVain(world: World): boolean {
  const { up } = world.actor('client')!.state!.snapshot.value;
  const host = world.actor('client/main:0')?.host;
  const wire = world.connections.get(host?.pipe ?? '');
  return up?.staying === 'settling' && (wire === undefined || wire.toClient.includes(closing));
}

/** The client has proved itself to the target on every channel. */
function linkedAhead(world: World): boolean {
  const { value } = world.actor('client/migration')?.state?.snapshot ?? {};
  return value === 'linked' || value === 'switching' || value === 'switching main';
}
