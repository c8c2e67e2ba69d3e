/**
 * The whole world at one moment, as values: the actors of the client and of every server, the connections between them, and
 * what is true of the guest and its hypervisor. A part that is equal to another is the same object, so a world is a handful
 * of numbers, and its mark is the sum of the marks of its parts.
 */

import type { AnyEventObject } from 'xstate';
import type { HypervisorCommand } from '../../machines/migration/hypervisor.ts';
import { exchanged, type Hash, hashOf, type Letter, type State } from './alphabet.ts';
import type { Line } from './hypervisor.ts';
import { Shelf } from './shelf.ts';

/** One of the programs: "client", or the name of a server. */
export type ProgramName = string;

/** A timer that runs. Timers of one actor stand in the order in which they were set. */
export interface Timer {
  readonly id: string | undefined;
  readonly delay: number;
  readonly letter: Letter;
  /** Timers of this program that will be over before it, for it has at least `left` ms more from when they were set on. */
  readonly behind: readonly { readonly name: string; readonly delay: number; readonly left: number }[];
}

export const timerName = (path: string, { letter, delay }: { letter: Letter; delay: number }): string =>
  `${path} ${letter.event.type} ${letter.event.channel ?? ''} ${delay}`;

/** What a channel's host holds. */
export interface ChannelHost {
  readonly kind: 'channel';
  readonly channel: string;
  readonly side: 'client' | 'server';
  /** The link's name, as the host remembers it. */
  readonly link: string;
  /** The connection in use. */
  readonly pipe: string;
  /** The connections used before, kept open and unread. */
  readonly previous: readonly string[];
  /** The migrate data that are on their way to the target. */
  readonly carried: string;
  /** Messages of the application that wait for the target. */
  readonly held: readonly Letter[];
  /** It only asks a target a question, over a link that this actor has lent it. */
  readonly lender: string;
  /** Server: its client has been told of the surface. */
  readonly shown: boolean;
}

/** What a link's host holds. */
export interface LinkHost {
  readonly kind: 'link';
  readonly side: 'client' | 'server';
  readonly pipe: string;
  readonly parked: boolean;
  readonly given: boolean;
  readonly spoke: boolean;
}

export interface Question {
  readonly name: string;
  readonly input: any;
  readonly text: string;
}

interface Part {
  readonly number: number;
  readonly hash: Hash;
  /** With the displays exchanged. */
  readonly swapped: Hash;
}

export interface Actor extends Part {
  readonly part: 'actor';
  readonly path: string;
  readonly state: State | undefined;
  readonly question: Question | undefined;
  readonly timers: readonly Timer[];
  readonly host: ChannelHost | LinkHost | undefined;
}

/** All that one program knows. What it does with an event is worked out once. */
export interface Program extends Part {
  readonly part: 'program';
  readonly name: ProgramName;
  readonly actors: ReadonlyMap<string, Actor>;
  readonly questions: readonly Actor[];
  readonly timers: readonly { readonly actor: Actor; readonly index: number; readonly timer: Timer }[];
  readonly hosts: readonly (Actor & { readonly host: ChannelHost })[];
  /** Connections that a host refers to. */
  readonly pipes: ReadonlySet<string>;
  readonly steps: Map<string, ProgramStep>;
}

/** What a program did with an event: what it is then, and what the world has to do about it, in order. */
export interface ProgramStep {
  readonly program: Program;
  readonly deeds: readonly Deed[];
}

export type Deed =
  | {
      readonly do: 'put';
      readonly pipe: string;
      readonly to: 'client' | 'server';
      readonly letter: Letter;
      /** What the checker notes on it: which announcement it is, or which one it answers. */
      readonly as: 'announcement' | 'answer' | '';
    }
  | { readonly do: 'close'; readonly pipe: string; readonly side: 'client' | 'server' }
  | { readonly do: 'hand'; readonly pipe: string; readonly side: 'client' | 'server'; readonly reader: string }
  | { readonly do: 'report'; readonly path: string; readonly news: any }
  | { readonly do: 'violation'; readonly path: string; readonly reason: string }
  | { readonly do: 'break'; readonly path: string; readonly why: string }
  /** A hypervisor's chart has its program do something. */
  | { readonly do: 'order'; readonly command: HypervisorCommand }
  /** A source's hand-over went from one state to another. */
  | { readonly do: 'lead'; readonly path: string; readonly from: State | undefined; readonly to: State }
  | { readonly do: 'hear'; readonly n: number }
  | { readonly do: 'give up' }
  | { readonly do: 'end' };

/** Something under way. `ghost` is what the checker knows of it, and no program. */
export interface Item {
  readonly letter: Letter;
  readonly ghost: number;
}

export interface End {
  readonly open: boolean;
  /** Path of the actor that reads it; '' if nobody does. */
  readonly reader: string;
}

export interface Connection extends Part {
  readonly part: 'connection';
  readonly id: string;
  readonly server: ProgramName;
  readonly channel: string;
  readonly client: End;
  readonly far: End;
  readonly toServer: readonly Item[];
  readonly toClient: readonly Item[];
  /** What it becomes, by words that tell all of how. */
  later: Map<string, Connection> | undefined;
}

/** What is true beside the programs. Everything in it is plain data. */
export interface Facts {
  /** The program in front of the guest; '' if nobody has it. */
  readonly guest: ProgramName;
  /** What the hypervisor is doing with the guest. */
  readonly move: {
    readonly phase: 'idle' | 'announced' | 'arrived';
    readonly from: ProgramName;
    readonly to: ProgramName;
    /** Hosts that were told of in this move. */
    readonly told: readonly ProgramName[];
    /** Its hypervisor was told to give it up. */
    readonly cancelled: boolean;
  };
  /** Where the charts of hypervisors lead the move: how far the two hosts have come, and where the guest runs. */
  readonly line: Line;
  readonly runs: readonly ProgramName[];
  /** Moves that have ended: '+' for each that was completed, '-' for each that was not. */
  readonly moves: string;
  /** Targets that will hear that the guest does not come. */
  readonly toBeTold: readonly ProgramName[];
  /** Faults so far, each with what it befell, in order of the alphabet. */
  readonly faults: readonly string[];
  /** Timers that were over while something else was about to happen. */
  readonly rushed: number;
  /** A target has waited for the guest, or for the client, for half an hour. */
  readonly gaveUp: boolean;
  /**
   * The client has closed as its program, or the server that let it in, took longer than it waits, and it says so; or it has
   * settled at a target whose end had been on its way for longer than it waits for that, or a server did so with its word.
   */
  readonly letDown: boolean;
  /** Servers that the client has taken for silent when it looked for the guest there: the link, or init, came too late. */
  readonly passedBy: readonly ProgramName[];
  /** A server has greeted the client. */
  readonly greeted: boolean;
  /** The client had to begin at a target afresh. */
  readonly fellBack: boolean;
  readonly silent: readonly ProgramName[];
  readonly expired: readonly ProgramName[];
  /** Links whose password was no good when they were tried last: "main:0 target". */
  readonly denied: readonly string[];
  /** Channels that a server does not list yet. */
  readonly hidden: readonly string[];
  /** An answer that a server of another make owes, and the connection on which. */
  readonly owed: { readonly pipe: string; readonly message: AnyEventObject } | null;
  /** Numbered messages of the client's application: how many were taken, and the last one that a server's took. */
  readonly typed: number;
  readonly heard: number;
  /** What became of them on the way. */
  readonly gap: 'none' | 'lost' | 'mixed up';
  /** Things that a server's application has said of itself. */
  readonly chatter: number;
  /** The last announcement to each session of each server, by its path, and the one that the client follows. */
  readonly announced: Readonly<Record<string, number>>;
  readonly followed: number;
  /** The phase that the client reported last. */
  readonly phase: string;
  /** Schemes that sources have let the client go by. */
  readonly schemes: readonly string[];
}

export interface Env extends Part {
  readonly part: 'facts';
  readonly facts: Facts;
  /** What they become by a change. */
  readonly later: Map<string, Env>;
}

type AnyPart = Actor | Program | Connection | Env;

let count = 0;
const byKey = new Map<string, AnyPart>();

/** Parts are kept for the whole run: how many there are. */
export const knownParts = (): number => count;

/** Forgets every part. No world that was made before may be used after. */
export function forgetParts(): void {
  count = 0;
  byKey.clear();
}

function keep<P extends AnyPart>(key: string, make: (number: number) => P): P {
  const known = byKey.get(key);
  if (known !== undefined) return known as P;
  const part = make(count++);
  byKey.set(key, part);
  return part;
}

// -------------------------------------------------------------------------------------------------- texts of parts

const hostText = (host: ChannelHost | LinkHost | undefined, letters: (l: Letter) => string): string =>
  host === undefined
    ? ''
    : host.kind === 'link'
      ? `L${host.pipe}|${host.parked}|${host.given}|${host.spoke}`
      : `C${host.link}|${host.pipe}|${host.previous.join(' ')}|${host.carried}|${host.held.map(letters).join(' ')}|${host.lender}|${host.shown}`;

const timersText = (timers: readonly Timer[], letters: (l: Letter) => string): string =>
  timers
    .map(
      ({ delay, letter, behind }) =>
        `${delay} ${letters(letter)} <${behind.map(({ name, left }) => `${name} ${left}`).join(';')}>`,
    )
    .join(' ');

const plain = (l: Letter) => l.text;
/** In a text that is exchanged as a whole afterwards: exchanged twice, what is exchanged already stays so. */
const swapped = (l: Letter) => exchanged(l.swapped);
const number = (l: Letter) => String(l.id);

export type ActorContent = Omit<Actor, keyof Part | 'part'>;
export type ConnectionContent = Omit<Connection, keyof Part | 'part' | 'later'>;

export function actor(it: ActorContent): Actor {
  const { path, state, question, timers, host } = it;
  const key = `A${path}|${state?.id ?? question!.text}|${timersText(timers, number)}|${hostText(host, number)}`;
  const whole = (words: (l: Letter) => string, stateText: string) =>
    `A${path}|${stateText}|${timersText(timers, words)}|${hostText(host, words)}`;
  return keep(key, (n) => ({
    part: 'actor',
    ...it,
    number: n,
    hash: hashOf(whole(plain, state?.text ?? question!.text)),
    swapped: hashOf(exchanged(whole(swapped, state === undefined ? question!.text : exchanged(state.swapped)))),
  }));
}

const itemsText = (items: readonly Item[], letters: (l: Letter) => string) =>
  items.map(({ letter, ghost }) => `${letters(letter)}#${ghost}`).join(' ');

export function connection(it: ConnectionContent): Connection {
  const whole = (words: (l: Letter) => string) =>
    `N${it.id}|${it.client.open}${it.client.reader}|${it.far.open}${it.far.reader}|${itemsText(it.toServer, words)}|${itemsText(it.toClient, words)}`;
  return keep(whole(number), (n) => ({
    part: 'connection',
    ...it,
    later: undefined,
    number: n,
    hash: hashOf(whole(plain)),
    swapped: hashOf(exchanged(whole(swapped))),
  }));
}

function env(facts: Facts): Env {
  const key = `F${JSON.stringify(facts)}`;
  return keep(key, (n) => ({
    part: 'facts',
    facts,
    later: new Map(),
    number: n,
    hash: hashOf(key),
    swapped: hashOf(exchanged(key)),
  }));
}

const sum = (all: Iterable<Part>): { hash: Hash; swapped: Hash } => {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (const part of all) {
    a = (a + part.hash[0]) >>> 0;
    b = (b + part.hash[1]) >>> 0;
    c = (c + part.swapped[0]) >>> 0;
    d = (d + part.swapped[1]) >>> 0;
  }
  return { hash: [a, b], swapped: [c, d] };
};

export function program(name: ProgramName, actors: ReadonlyMap<string, Actor>): Program {
  const numbers = Array.from(actors.values(), (one) => one.number).sort((a, b) => a - b);
  return keep(`P${name} ${numbers.join(' ')}`, (n) => {
    const sorted = new Map([...actors].sort(([a], [b]) => (a < b ? -1 : 1)));
    const all = [...sorted.values()];
    const pipes = new Set<string>();
    for (const { host } of all) {
      if (host === undefined) continue;
      pipes.add(host.pipe);
      if (host.kind === 'channel') for (const pipe of host.previous) pipes.add(pipe);
    }
    return {
      part: 'program',
      name,
      actors: sorted,
      questions: all.filter(({ question }) => question !== undefined),
      timers: all.flatMap((one) => one.timers.map((timer, index) => ({ actor: one, index, timer }))),
      hosts: all.filter(({ host }) => host?.kind === 'channel') as never,
      pipes,
      steps: new Map(),
      number: n,
      ...sum(all),
    };
  });
}

// --------------------------------------------------------------------------------------------------------- a world

/** A world, while it is being changed. */
export class World {
  readonly programs: Shelf<Program>;
  readonly connections: Shelf<Connection>;
  private env: Env;

  constructor(facts: Facts) {
    this.programs = new Shelf();
    this.connections = new Shelf();
    this.env = env(facts);
  }

  get facts(): Facts {
    return this.env.facts;
  }

  copy(): World {
    const world: World = Object.create(World.prototype);
    return Object.assign(world, {
      programs: this.programs.copy(),
      connections: this.connections.copy(),
      env: this.env,
    });
  }

  know(change: Partial<Facts>): void {
    const { facts, later } = this.env;
    const words = JSON.stringify(change);
    let known = later.get(words);
    if (known === undefined) later.set(words, (known = env({ ...facts, ...change })));
    this.env = known;
  }

  /** A new connection. */
  wire(it: ConnectionContent): void {
    this.connections.set(it.id, connection(it));
  }

  /** Changes a connection as `words` tell, which must tell all of `change`; it must not be that of another world. */
  rewire(before: Connection, words: string, change: () => Partial<ConnectionContent>): void {
    let known = before.later?.get(words);
    if (known === undefined) {
      known = connection({ ...before, ...change() });
      before.later ??= new Map();
      before.later.set(words, known);
    }
    this.connections.set(known.id, known);
  }

  actor(path: string): Actor | undefined {
    return this.programs.get(programOf(path))?.actors.get(path);
  }

  *actors(): Generator<Actor> {
    for (const { actors } of this.programs.values()) yield* actors.values();
  }

  /** The mark of this world; with `symmetric`, also of the one in which the displays are exchanged. */
  mark(symmetric: boolean): Hash {
    const { hash } = this.env;
    let [a, b] = hash;
    for (const part of this.programs.values()) {
      a = (a + part.hash[0]) | 0;
      b = (b + part.hash[1]) | 0;
    }
    for (const part of this.connections.values()) {
      a = (a + part.hash[0]) | 0;
      b = (b + part.hash[1]) | 0;
    }
    const mark: Hash = [a >>> 0, b >>> 0];
    if (!symmetric) return mark;
    const { swapped: other } = sum([...this.programs.values(), ...this.connections.values(), this.env]);
    return mark[0] < other[0] || (mark[0] === other[0] && mark[1] <= other[1]) ? mark : other;
  }
}

export const programOf = (path: string): ProgramName => {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
};

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));
/** XState names an actor without a name after its chart, whose name has a slash in it. */
export const childOf = (path: string, id: string): string => `${path}/${id.replaceAll('/', '~')}`;
export const idOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1).replaceAll('~', '/');
