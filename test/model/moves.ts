/**
 * What can happen next: every message that can arrive, every question that can be answered, every timer, what the hypervisor
 * and the applications may do, and every fault that the scenario allows. A move is one step of one program.
 *
 * The link stage (machines/link) is run through in two steps: "dial", in which both ends go as far as the server's asking
 * where the link belongs (supervisor and session decide at once, as in the engine), and the arrival of the result. That is
 * sound: until it asks, a link touches nothing but its own connection and its own end's word to its parent, so its inner
 * steps commute with all others; what can come between (the other end hangs up, says no, says nothing; the parent stops it)
 * ends it as a refused connection, a failed link, or one that waits for its deadline, and those are moves here. The charts
 * are the real ones all the way.
 */
import type { AnyEventObject } from 'xstate';
import { AuthMechanism, LinkErrorCode } from '../../src/protocol/link.ts';
import type { Charts } from './alphabet.ts';
import { channelCaps, closing, commonCaps, Run, type Watch } from './run.ts';
import { allSchemes, type Fault, type Scenario } from './scenario.ts';
import {
  type Actor,
  type Connection,
  type Facts,
  idOf,
  type Program,
  parentOf,
  programOf,
  timerName,
  World,
} from './world.ts';

export interface Move {
  readonly text: string;
  /** The program in which it happens; '' for the world outside. */
  readonly at: Program;
  /** The clock had to run for it. */
  readonly timer?: boolean;
  /** It happens by itself, without the clock, the hypervisor, or a person. */
  readonly prompt?: boolean;
  /** A fault, and what it befalls. */
  readonly fault?: string;
  /** The server that a link goes to. */
  readonly reaches?: Program;
  act(run: Run): void;
}

const shown = (path: string) => path.replace(/^[^/]*\//, '');

export class Game {
  readonly scenario: Scenario;
  readonly charts: Charts;
  readonly servers: readonly Program[];

  constructor(scenario: Scenario, charts: Charts) {
    this.scenario = scenario;
    this.charts = charts;
    const third = scenario.faults.some((fault) => fault === 'retarget' || fault === 'onward');
    this.servers = third ? ['source', 'target', 'other'] : ['source', 'target'];
  }

  /** The world before anything has happened: servers, and a client that dials. */
  first(watch: Watch): World {
    const { scenario } = this;
    const facts: Facts = {
      guest: 'source',
      move: { phase: 'idle', from: 'source', to: 'target', told: [] },
      moves: '',
      toBeTold: [],
      faults: [],
      rushed: 0,
      gaveUp: false,
      fellBack: false,
      silent: [],
      expired: [],
      hidden: scenario.added === undefined ? [] : [scenario.added],
      typed: 0,
      heard: 0,
      gap: 'none',
      chatter: 0,
      announced: {},
      followed: 0,
      phase: '',
      schemes: [],
      closed: false,
    };
    const world = new World(facts);
    const run = new Run(world, this.charts, scenario, watch);
    for (const server of this.servers) this.bootServer(run, server);
    run.boot('client', 'session/client', {
      destination: { host: 'source', port: 1 },
      wanted: ['display', 'inputs', 'cursor', 'playback', 'record'],
      schemes: scenario.schemes?.client ?? allSchemes,
    });
    tidy(world);
    return scenario.cold ? world : this.connected(world, watch);
  }

  private bootServer(run: Run, server: Program): void {
    const { scenario } = this;
    const role = server === 'source' ? 'source' : 'target';
    run.boot(server, 'supervisor', {
      offered: scenario.added === undefined ? scenario.channels : [...scenario.channels, scenario.added],
      schemes: scenario.schemes?.[role] ?? allSchemes,
      mostSessions: 1_000,
    });
  }

  /** Lets everything happen that happens by itself: in the end the client is up. */
  private connected(world: World, watch: Watch): World {
    let now = world;
    for (;;) {
      const move = this.moves(now, 'calm').find(({ prompt }) => prompt);
      if (move === undefined) return now;
      now = World.unpack(now.pack());
      this.make(now, move, watch);
    }
  }

  make(world: World, move: Move, watch: Watch): void {
    const { facts } = world;
    if (move.fault !== undefined) world.know({ faults: [...facts.faults, move.fault].sort() });
    const run = new Run(world, this.charts, this.scenario, watch);
    move.act(run);
    tidy(world);
  }

  /** All moves, in an order that depends on the world alone. */
  moves(world: World, mood: 'calm' | 'rough' = 'rough'): Move[] {
    const { facts } = world;
    const moves: Move[] = [];
    const quiet = (program: Program) => facts.silent.includes(program);
    const failing = mood === 'rough' ? this.failing(facts) : () => false;
    for (const wire of world.connections.values()) {
      if (!quiet('client') && arrives(world, wire, 'client')) {
        moves.push({
          text: `${wire.server} > client ${wire.channel} ${first(wire, 'client')}`,
          at: 'client',
          prompt: true,
          act: (run) => run.arrive(wire.id, 'client'),
        });
      }
      if (!quiet(wire.server) && arrives(world, wire, 'server')) {
        moves.push({
          text: `client > ${wire.server} ${wire.channel} ${first(wire, 'server')}`,
          at: wire.server,
          prompt: true,
          act: (run) => run.arrive(wire.id, 'server'),
        });
      }
    }
    const timers: Move[] = [];
    for (const actor of world.actors.values()) {
      const program = programOf(actor.path);
      if (quiet(program)) continue;
      if (actor.question !== undefined) this.answers(world, actor, moves, failing);
      actor.timers.forEach((timer, index) => {
        if (timer.behind.length > 0) return;
        // Set earlier, and as long.
        if (actor.timers.some((earlier, at) => at < index && earlier.delay === timer.delay)) return;
        timers.push({
          text: `${program}: ${shown(actor.path)}: ${timer.delay} ms are over${timer.letter.event.type.startsWith('xstate.') ? '' : ` (${timer.letter.event.type} ${timer.letter.event.channel ?? ''})`}`,
          at: program,
          timer: true,
          act: (run) => run.elapse(actor.path, index),
        });
      });
    }
    if (mood === 'calm') return moves;
    const prompt = moves.some((move) => move.prompt && move.fault === undefined);
    if (!prompt) moves.push(...timers);
    else if (facts.rushed < this.scenario.rush) {
      for (const timer of timers) {
        moves.push({
          ...timer,
          text: `${timer.text}, early`,
          act: (run) => {
            run.world.know({ rushed: facts.rushed + 1 });
            timer.act(run);
          },
        });
      }
    }
    this.outside(world, moves);
    this.mishaps(world, moves, failing);
    return moves;
  }

  private failing(facts: Facts): (fault: Fault) => boolean {
    const { faults, most } = this.scenario;
    return (fault) => facts.faults.length < most && faults.includes(fault);
  }

  // --------------------------------------------------------------------------------------------------------- answers

  private answers(world: World, { path, question }: Actor, moves: Move[], failing: (fault: Fault) => boolean): void {
    const at = programOf(path);
    const { name, input } = question!;
    const answer = (output: unknown, text = name) =>
      moves.push({
        text: `${at}: ${shown(parentOf(path))}: ${text}`,
        at,
        prompt: true,
        act: (run) => run.answer(path, output),
      });
    const fail = (fault: Fault, text: string) => {
      const whose = `${fault} ${idOf(parentOf(path))}`;
      if (failing(fault))
        moves.push({ text: `!! ${at}: ${text}`, at, fault: whose, act: (run) => run.fail(path, text) });
    };
    switch (name) {
      case 'dial':
        this.dial(world, path, input.destination.host, moves, failing);
        break;
      case 'resolve destination':
        answer(input.destination);
        fail('no destination', 'no destination');
        break;
      case 'ask the guest':
        answer(input.what === 'main facts' ? guestFacts : 0);
        fail('no facts', `${shown(parentOf(path))}: the guest does not answer`);
        break;
      case 'collect migrate data':
        answer(new Uint8Array());
        fail('no data', `${shown(parentOf(path))}: no data`);
        break;
      case 'load migrate data':
        answer(undefined);
        fail('bad data', `${shown(parentOf(path))}: the data do not fit`);
        break;
      default:
        throw new Error(`nobody knows how to answer "${name}"`);
    }
  }

  private dial(world: World, path: string, host: Program, moves: Move[], failing: (fault: Fault) => boolean): void {
    const link = parentOf(path);
    const { silent, expired } = world.facts;
    if (failing('refused')) {
      moves.push({
        text: `!! client: ${shown(link)}: ${host} refuses`,
        at: 'client',
        fault: `refused ${host}`,
        act: (run) => run.fail(path, 'refused'),
      });
    }
    if (silent.includes(host) || !this.servers.includes(host)) return;
    const bad = expired.includes(host);
    moves.push({
      text: `client > ${host} ${shown(link)} is linked${bad ? ', with an expired password' : ''}`,
      at: 'client',
      prompt: true,
      reaches: host,
      act: (run) => this.link(run, path, host, bad),
    });
  }

  /** The link stage up to the server's decision. */
  private link(run: Run, question: string, server: Program, bad: boolean): void {
    const { world } = run;
    const near = parentOf(question);
    const link = `${idOf(near)}>${server}`;
    const { channel, connectionId } = world.actors.get(near)!.state!.snapshot.context as Record<string, any>;
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
    const own = (path: string) => {
      const actor = world.actors.get(path)!;
      world.put({ ...actor, host: { ...actor.host!, pipe: link } as never });
    };
    const ask = (path: string) => [...world.actors.keys()].find((one) => one.startsWith(`${path}/`))!;
    own(near);
    run.answer(question, undefined);
    run.tell(server, {
      type: 'link.accepted',
      link,
      nonce: 1_000 + 10 * Number(link.slice(link.indexOf('@') + 1, link.indexOf('>'))) + this.servers.indexOf(server),
    });
    own(far);
    run.tell(far, {
      type: 'link.mess',
      connectionId,
      channel,
      commonCaps,
      channelCaps: channelCaps(this.scenario, 'client', channel),
    });
    run.answer(ask(far), key);
    run.tell(near, {
      type: 'link.reply',
      error: LinkErrorCode.ok,
      pubKey: key,
      commonCaps,
      channelCaps: channelCaps(this.scenario, server, channel),
    });
    run.answer(ask(near), key);
    run.tell(far, { type: 'link.mechanism', mechanism: AuthMechanism.spice });
    run.tell(far, { type: 'link.ticket', ticket: key });
    run.answer(ask(far), bad ? 'bad' : 'good');
  }

  // --------------------------------------------------------------------------------------------- what is beside them

  private outside(world: World, moves: Move[]): void {
    const { facts } = world;
    const { move } = facts;
    const { scheme } = this.scenario;
    const tell = (program: Program, event: AnyEventObject) => (run: Run) => {
      if (!facts.silent.includes(program)) run.tell(program, event);
    };
    const announce = (from: Program, to: Program, extra: Partial<Move> = {}) =>
      moves.push({
        text: `hypervisor > ${from}: the guest is about to move to ${to}`,
        at: from,
        act: (run) => {
          const told = [...move.told.filter((one) => one !== to && move.phase === 'announced'), to].sort();
          run.world.know({ move: { phase: 'announced', from, to, told } });
          tell(from, { type: 'api.migrate_connect', destination: { host: to, port: 1 }, scheme })(run);
        },
        ...extra,
      });
    const failing = this.failing(facts);
    switch (move.phase) {
      case 'idle':
        if (facts.moves === '') announce('source', 'target');
        else if (facts.moves === '-' && failing('again')) announce('source', 'target', { fault: 'again' });
        else if (facts.moves === '+' && failing('onward')) announce('target', 'other', { fault: 'onward' });
        if (facts.moves === '+' && failing('back')) announce('target', 'source', { fault: 'back' });
        break;
      case 'announced':
        moves.push({
          text: `hypervisor > ${move.to}: the guest has arrived`,
          at: move.to,
          act: (run) => {
            run.world.know({ guest: move.to, move: { ...move, phase: 'arrived' } });
            tell(move.to, { type: 'api.guest_arrived' })(run);
          },
        });
        for (const told of [true, false]) {
          moves.push({
            text: `hypervisor > ${move.from}: the guest stays${told ? '' : ' (and nobody tells the target)'}`,
            at: move.from,
            act: (run) => {
              run.world.know({
                move: { ...move, phase: 'idle', told: [] },
                moves: `${facts.moves}-`,
                toBeTold: told ? move.told : [],
              });
              tell(move.from, { type: 'api.migrate_end', completed: false })(run);
            },
          });
        }
        if (failing('retarget') && move.to === 'target') announce(move.from, 'other', { fault: 'retarget' });
        if (failing('reannounce') && move.to === 'target') announce(move.from, 'target', { fault: 'reannounce' });
        break;
      case 'arrived':
        moves.push({
          text: `hypervisor > ${move.from}: the guest has moved`,
          at: move.from,
          act: (run) => {
            run.world.know({
              move: { ...move, phase: 'idle', told: [] },
              moves: `${facts.moves}+`,
              toBeTold: move.told.filter((one) => one !== move.to),
            });
            tell(move.from, { type: 'api.migrate_end', completed: true })(run);
          },
        });
        break;
    }
    for (const program of facts.toBeTold) {
      moves.push({
        text: `hypervisor > ${program}: the guest will not come`,
        at: program,
        act: (run) => {
          run.world.know({ toBeTold: facts.toBeTold.filter((one) => one !== program) });
          tell(program, { type: 'api.guest_lost' })(run);
        },
      });
    }
    this.applications(world, moves);
  }

  private applications(world: World, moves: Move[]): void {
    const { facts } = world;
    const { typed, chatter } = this.scenario;
    for (const { path, host, state } of world.actors.values()) {
      if (host?.kind !== 'channel' || facts.silent.includes(programOf(path))) continue;
      if (
        typed !== undefined &&
        host.side === 'client' &&
        host.channel === typed.channel &&
        facts.typed < typed.messages
      ) {
        if (host.lender !== '' || host.link === '') continue;
        const n = facts.typed + 1;
        const type = typed.channel === 'main:0' ? 'msgc.agent_data' : 'msgc.key_down';
        moves.push({
          text: `client: number ${n} is typed`,
          at: 'client',
          act: (run) => {
            run.world.know({ typed: n });
            run.say(path, { type, body: { n } });
          },
        });
      }
      if (chatter !== undefined && host.side === 'server' && facts.chatter < chatter && state!.speaking) {
        const type = chat[host.channel.slice(0, host.channel.indexOf(':'))]!;
        moves.push({
          text: `${programOf(path)}: ${host.channel} says something`,
          at: programOf(path),
          act: (run) => {
            run.world.know({ chatter: facts.chatter + 1 });
            run.say(path, { type, body: {} });
          },
        });
      }
    }
  }

  // ---------------------------------------------------------------------------------------------------------- faults

  private mishaps(world: World, moves: Move[], failing: (fault: Fault) => boolean): void {
    const { facts } = world;
    const mishap = (fault: Fault, at: Program, text: string, act: (run: Run) => void, what = at) => {
      if (failing(fault)) moves.push({ text: `!! ${text}`, at, fault: `${fault} ${what}`.trim(), act });
    };
    for (const wire of world.connections.values()) {
      if (wire.client.open && wire.far.open && !wire.toClient.includes(closing) && !wire.toServer.includes(closing)) {
        const what = `${wire.channel} ${wire.server}`;
        mishap('cut', '', `the connection ${wire.id} is cut`, (run) => cut(run.world, wire), what);
      }
    }
    for (const server of this.servers) {
      const wires = [...world.connections.values()].filter((wire) => wire.server === server);
      if (wires.length > 0) {
        const act = (run: Run) => {
          for (const wire of wires) cut(run.world, wire);
        };
        mishap('host cut', '', `every connection to ${server} is cut`, act, server);
      }
    }
    const silence = (fault: Fault, program: Program) => {
      if (facts.silent.includes(program)) return;
      mishap(fault, program, `${program} falls silent`, (run) =>
        run.world.know({ silent: [...facts.silent, program].sort() }),
      );
    };
    silence('target silent', 'target');
    silence('source silent', 'source');
    silence('client silent', 'client');
    if (facts.guest !== 'target') {
      mishap('restart', 'target', 'the target is started again', (run) => {
        for (const wire of run.world.connections.values()) {
          if (wire.server === 'target')
            run.world.wire({ ...wire, far: { open: false, reader: '' }, toServer: [], toClient: [lastItem] });
        }
        for (const path of [...run.world.actors.keys()]) {
          if (programOf(path) === 'target') run.world.actors.delete(path);
        }
        this.bootServer(run, 'target');
      });
    }
    if (!facts.expired.includes('target')) {
      const act = (run: Run) => run.world.know({ expired: ['target'] });
      mishap('expired', 'target', 'the password of the target expires', act, linkedAhead(world) ? 'late' : 'early');
    }
    if (facts.hidden.length > 0) {
      const main = [...world.actors.values()].find(
        ({ path, host }) => programOf(path) === 'source' && host?.kind === 'channel' && host.channel === 'main:0',
      );
      if (main !== undefined && main.state!.speaking) {
        mishap('channel added', 'source', `the source lists ${facts.hidden[0]} too`, (run) => {
          run.world.know({ hidden: [] });
          const session = parentOf(main.path);
          run.tell(session, { type: 'msgc.attach_channels', body: {} });
        });
      }
    }
    if (world.actors.has('client')) {
      mishap('client leaves', 'client', 'the client is closed by its program', (run) =>
        run.tell('client', { type: 'api.close', reason: '' }),
      );
    }
    for (const server of this.servers) {
      mishap('server disconnects', server, `${server} disconnects everybody`, (run) =>
        run.tell(server, { type: 'api.disconnect', reason: '' }),
      );
    }
  }
}

const lastItem = closing;

const key = new Uint8Array();

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

/** A data message for each channel. */
const chat: Readonly<Record<string, string>> = {
  main: 'msg.multi_media_time',
  display: 'msg.draw_fill',
  inputs: 'msg.key_modifiers',
  cursor: 'msg.move',
  playback: 'msg.data',
  record: 'msg.volume',
};

const first = (wire: Connection, to: 'client' | 'server'): string => {
  const item = (to === 'client' ? wire.toClient : wire.toServer)[0]!;
  const { type, body, code } = item.letter.event;
  const flags = body?.flags !== undefined && type === 'msg.migrate' ? ` (${body.flags})` : '';
  return item === closing
    ? 'hangs up'
    : `${type}${flags}${body?.n === undefined ? '' : ` ${body.n}`}${code === undefined ? '' : ` ${code}`}`;
};

/** Whether something that is under way to this end can be noticed there now. */
function arrives(world: World, wire: Connection, to: 'client' | 'server'): boolean {
  const end = to === 'client' ? wire.client : wire.far;
  const under = to === 'client' ? wire.toClient : wire.toServer;
  if (!end.open || under.length === 0) return false;
  const host = world.actors.get(end.reader)?.host;
  if (host?.kind !== 'link' || !host.parked) return true;
  return under.includes(closing) || (to === 'server' && !host.spoke);
}

function cut(world: World, wire: Connection): void {
  const now = world.connections.get(wire.id);
  if (now === undefined) return;
  world.wire({
    ...now,
    toServer: now.far.open ? [closing] : [],
    toClient: now.client.open ? [closing] : [],
  });
}

/** The client has proved itself to the target on every channel. */
function linkedAhead(world: World): boolean {
  const { value } = world.actors.get('client/migration')?.state?.snapshot ?? {};
  return value === 'linked' || value === 'switching' || value === 'switching main';
}

/** Takes away what nobody will ever notice. */
export function tidy(world: World): void {
  for (const wire of world.connections.values()) {
    let { client, far, toServer, toClient } = wire;
    // Kept open, unread: the end of a connection that was left behind is noticed by nobody.
    if (client.open && client.reader === '') {
      if (toClient.includes(closing)) client = { open: false, reader: '' };
      toClient = [];
    }
    if (!client.open) toClient = [];
    if (!far.open) toServer = [];
    if (!client.open && !far.open) world.connections.delete(wire.id);
    else if (
      client !== wire.client ||
      toServer.length !== wire.toServer.length ||
      toClient.length !== wire.toClient.length
    ) {
      world.wire({ ...wire, client, far, toServer, toClient });
    }
  }
  const running = new Set<string>();
  for (const { path, timers } of world.actors.values()) {
    for (const timer of timers) running.add(timerName(path, timer));
  }
  for (const actor of world.actors.values()) {
    if (actor.timers.some(({ behind }) => behind.some(({ name }) => !running.has(name)))) {
      const timers = actor.timers.map((timer) => ({
        ...timer,
        behind: timer.behind.filter(({ name }) => running.has(name)),
      }));
      world.put({ ...actor, timers });
    }
  }
  for (const actor of world.actors.values()) {
    const { host } = actor;
    if (host?.kind !== 'channel') continue;
    const pipe = world.connections.has(host.pipe) ? host.pipe : '';
    const previous = host.previous.filter((one) => world.connections.has(one));
    if (pipe !== host.pipe || previous.length !== host.previous.length) {
      world.put({ ...actor, host: { ...host, pipe, previous } });
    }
  }
}
