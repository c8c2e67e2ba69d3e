/**
 * The whole world at one moment, as values: the actors of the client and of every server, the connections between them, and
 * what is true of the guest and its hypervisor. A part that is equal to another is the same object, so a world is a set of
 * numbers, and its mark is the sum of the marks of its parts.
 */
import { exchanged, type Hash, hashOf, type Letter, type State } from './alphabet.ts';

/** One of the programs: "client", or the name of a server. */
export type Program = string;

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
  /** It only asks a target a question, over a link that was lent. */
  readonly lender: string;
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
  /** Of this part, in this program. */
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
  readonly server: Program;
  readonly channel: string;
  readonly client: End;
  readonly far: End;
  readonly toServer: readonly Item[];
  readonly toClient: readonly Item[];
}

/** What is true beside the programs. Everything in it is plain data. */
export interface Facts {
  /** The program in front of the guest. */
  readonly guest: Program;
  /** What the hypervisor is doing with the guest. */
  readonly move: {
    readonly phase: 'idle' | 'announced' | 'arrived' | 'over';
    readonly from: Program;
    readonly to: Program;
    /** Hosts that were told of in this move. */
    readonly told: readonly Program[];
  };
  /** Moves that have ended, '+' for each that was completed. */
  readonly moves: string;
  /** Targets that will hear that the guest does not come. */
  readonly toBeTold: readonly Program[];
  /** Faults so far, each with what it befell, in order of the alphabet. */
  readonly faults: readonly string[];
  /** Timers that were over while something else was about to happen. */
  readonly rushed: number;
  /** A target has waited for the guest, or for the client, for half an hour. */
  readonly gaveUp: boolean;
  /** The client had to begin at a target afresh. */
  readonly fellBack: boolean;
  readonly silent: readonly Program[];
  readonly expired: readonly Program[];
  /** Channels that a server does not list yet. */
  readonly hidden: readonly string[];
  /** Numbered messages of the client's application: how many were taken, and the last one that a server's took. */
  readonly typed: number;
  readonly heard: number;
  /** What became of them on the way. */
  readonly gap: 'none' | 'lost' | 'mixed up';
  /** Things that a server's application may still say. */
  readonly chatter: number;
  /** The last announcement of each server, and the one that the client follows. */
  readonly announced: Readonly<Record<Program, number>>;
  readonly followed: number;
  /** The phase that the client reported last. */
  readonly phase: string;
  /** Schemes that sources have let the client go by. */
  readonly schemes: readonly string[];
  readonly closed: boolean;
}

export interface Env extends Part {
  readonly part: 'facts';
  readonly facts: Facts;
}

export type AnyPart = Actor | Connection | Env;

const parts: AnyPart[] = [];
const byKey = new Map<string, AnyPart>();

/** Parts are kept for the whole run: how many there are. */
export const knownParts = (): number => parts.length;

function keep<P extends AnyPart>(key: string, text: () => string, swapped: () => string, rest: object): P {
  const known = byKey.get(key);
  if (known !== undefined) return known as P;
  const part = { ...rest, number: parts.length, hash: hashOf(text()), swapped: hashOf(swapped()) } as P;
  parts.push(part);
  byKey.set(key, part);
  return part;
}

const hostText = (host: ChannelHost | LinkHost | undefined, letters: (l: Letter) => string): string =>
  host === undefined
    ? ''
    : host.kind === 'link'
      ? `L${host.pipe}|${host.parked}|${host.given}|${host.spoke}`
      : `C${host.link}|${host.pipe}|${host.previous.join(' ')}|${host.carried}|${host.held.map(letters).join(' ')}|${host.lender}`;

const timersText = (timers: readonly Timer[], letters: (l: Letter) => string): string =>
  timers
    .map(
      ({ delay, letter, behind }) =>
        `${delay} ${letters(letter)} <${behind.map(({ name, left }) => `${name} ${left}`).join(';')}>`,
    )
    .join(' ');

const text = (l: Letter) => l.text;
const swapped = (l: Letter) => l.swapped;
const number = (l: Letter) => String(l.id);

export function actor(it: Omit<Actor, keyof Part | 'part'>): Actor {
  const { path, state, question, timers, host } = it;
  const key = `A${path}|${state?.id ?? question!.text}|${timersText(timers, number)}|${hostText(host, number)}`;
  const whole = (words: (l: Letter) => string, stateText: string) =>
    `A${path}|${stateText}|${timersText(timers, words)}|${hostText(host, words)}`;
  return keep(
    key,
    () => whole(text, state?.text ?? question!.text),
    () => exchanged(whole((l) => exchanged(swapped(l)), exchanged(state?.swapped ?? question!.text))),
    { part: 'actor', ...it },
  );
}

const itemsText = (items: readonly Item[], letters: (l: Letter) => string) =>
  items.map(({ letter, ghost }) => `${letters(letter)}#${ghost}`).join(' ');

export function connection(it: Omit<Connection, keyof Part | 'part'>): Connection {
  const whole = (words: (l: Letter) => string) =>
    `N${it.id}|${it.client.open}${it.client.reader}|${it.far.open}${it.far.reader}|${itemsText(it.toServer, words)}|${itemsText(it.toClient, words)}`;
  return keep(
    whole(number),
    () => whole(text),
    () => exchanged(whole((l) => exchanged(swapped(l)))),
    { part: 'connection', ...it },
  );
}

export function env(facts: Facts): Env {
  const key = `F${JSON.stringify(facts)}`;
  return keep(
    key,
    () => key,
    () => exchanged(key),
    { part: 'facts', facts },
  );
}

/** A world that is being changed. */
export class World {
  readonly actors = new Map<string, Actor>();
  readonly connections = new Map<string, Connection>();
  private environment: Env;

  constructor(facts: Facts) {
    this.environment = env(facts);
  }

  get facts(): Facts {
    return this.environment.facts;
  }

  know(change: Partial<Facts>): void {
    this.environment = env({ ...this.environment.facts, ...change });
  }

  put(it: Omit<Actor, keyof Part | 'part'>): void {
    this.actors.set(it.path, actor(it));
  }

  wire(it: Omit<Connection, keyof Part | 'part'>): void {
    this.connections.set(it.id, connection(it));
  }

  /** Numbers of its parts, in order: the same for equal worlds. */
  pack(): Int32Array {
    const numbers = new Int32Array(this.actors.size + this.connections.size + 1);
    let at = 0;
    for (const part of this.actors.values()) numbers[at++] = part.number;
    for (const part of this.connections.values()) numbers[at++] = part.number;
    numbers[at] = this.environment.number;
    return numbers.sort();
  }

  static unpack(numbers: Int32Array): World {
    const world: World = Object.create(World.prototype);
    const actors = new Map<string, Actor>();
    const connections = new Map<string, Connection>();
    for (const n of numbers) {
      const part = parts[n]!;
      if (part.part === 'actor') actors.set(part.path, part);
      else if (part.part === 'connection') connections.set(part.id, part);
      else world.environment = part;
    }
    Object.assign(world, { actors, connections });
    return world;
  }

  /** The mark of this world; with `symmetric`, also of the one in which the displays are exchanged. */
  mark(symmetric: boolean): Hash {
    let [a, b, c, d] = [0, 0, 0, 0];
    const add = ({ hash, swapped }: AnyPart) => {
      a = (a + hash[0]) >>> 0;
      b = (b + hash[1]) >>> 0;
      c = (c + swapped[0]) >>> 0;
      d = (d + swapped[1]) >>> 0;
    };
    for (const part of this.actors.values()) add(part);
    for (const part of this.connections.values()) add(part);
    add(this.environment);
    return !symmetric || a < c || (a === c && b <= d) ? [a, b] : [c, d];
  }

  childrenOf(path: string): string[] {
    const prefix = `${path}/`;
    return [...this.actors.keys()].filter((one) => one.startsWith(prefix) && !one.includes('/', prefix.length));
  }
}

export const programOf = (path: string): Program => {
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
};

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/'));
/** XState names an actor without a name after its chart, whose name has a slash in it. */
export const childOf = (path: string, id: string): string => `${path}/${id.replaceAll('/', '~')}`;
export const idOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1).replaceAll('~', '/');
