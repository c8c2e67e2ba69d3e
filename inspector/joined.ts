/**
 * The end of a join: another process tells its own hub's feed, as to a page, and ours takes it in as if it were from here.
 * What comes is checked field by field: a process that was let in may still be a broken one.
 */
import type { ChartDefinition } from './chart-definition.ts';
import { readValue } from './chart-state.ts';
import type { Detail } from './detail.ts';
import type { ActorInfo, Count, FeedInput, FromPage, Party, Picture, Skipped, ToPage } from './feed.ts';
import { feedVersion, readPicture, reconnectPhases } from './feed.ts';
import type { Hub } from './hub.ts';

/** Pictures are asked for while somebody looks at them, and for this long after. */
const pictureLingerMs = 3_000;
const mostText = 2_000;
/** Questions for pictures that are not answered yet. */
const mostLooks = 32;
/** Records whose bytes may still be asked for. */
const mostNumbers = 30_000;

interface LookBack {
  readonly pictures: Map<string, Picture>;
  /** Whether what came is rough. */
  readonly over: Promise<boolean>;
  readonly done: (rough: boolean) => void;
}

export class Joined {
  private readonly hub: Hub;
  private readonly name: string;
  private readonly say: (message: FromPage) => void;
  private readonly parties = new Map<string, string>();
  /** When each of their actors began, by our path of it. */
  private readonly begun = new Map<string, number>();
  /** Our numbers of their records. */
  private readonly numbers = new Map<number, number>();
  private readonly pictures = new Map<string, Picture>();
  private readonly waiting = new Map<number, (detail: Detail) => void>();
  /** Times whose pictures were asked for, and those that have come. */
  private readonly looks = new Map<number, LookBack>();
  private linger: ReturnType<typeof setTimeout> | undefined;
  private last = 0;

  /** `name` is one that no other join has. */
  constructor(hub: Hub, name: string, say: (message: FromPage) => void) {
    this.hub = hub;
    this.name = name;
    this.say = say;
  }

  /** Takes a message in. False means that it is none: close the connection. */
  take(data: string | Uint8Array): boolean {
    if (typeof data !== 'string') {
      const picture = readPicture(data);
      const party = picture === undefined ? undefined : this.parties.get(picture.party);
      if (picture !== undefined && party !== undefined) {
        const look = this.looks.get(picture.at);
        if (look === undefined) this.pictures.set(party, picture);
        else look.pictures.set(party, picture);
      }
      return picture !== undefined;
    }
    const message = parse(data);
    switch (message?.t) {
      case 'hello':
        if (message.version !== feedVersion) return false;
        this.news(message);
        return true;
      case 'batch':
        this.news(message);
        return true;
      case 'detail':
        this.waiting.get(message.seq)?.(message);
        this.waiting.delete(message.seq);
        return true;
      case 'looked':
        this.looks.get(message.at)?.done(message.rough === true);
        this.looks.delete(message.at);
        return true;
      case 'older':
      case 'done':
        return true;
      default:
        return false;
    }
  }

  gone(): void {
    clearTimeout(this.linger);
    for (const party of this.parties.values()) this.hub.partyGone(party);
    for (const { done } of this.looks.values()) done(false);
    for (const answer of this.waiting.values())
      answer({ t: 'detail', seq: 0, fields: [], bytes: '', error: 'its program has gone' });
  }

  private news(message: ToPage & { t: 'hello' | 'batch' }): void {
    for (const party of list(message.parties)) this.party(party as Party);
    const charts = (isObject(message.charts) ? message.charts : {}) as Readonly<Record<string, ChartDefinition>>;
    for (const actor of list(message.actors)) this.actor(actor as ActorInfo, charts);
    for (const lost of list('lost' in message ? message.lost : [])) this.begun.delete(this.path(lost) ?? '');
    for (const record of list(message.records)) this.record(record as Record<string, unknown>);
    for (const count of list(message.counts)) this.count(count as Count);
    if (isObject(message.skipped)) this.hub.skippedBy(this.name, numbersOf(message.skipped));
  }

  private party(party: Party): void {
    if (!isText(party.id) || party.id.includes('/')) return;
    let id = this.parties.get(party.id);
    if (id === undefined) {
      id = party.id;
      for (let n = 2; this.hub.hasParty(id); n++) id = `${party.id}~${n}`;
      this.parties.set(party.id, id);
      this.lookAfter(id);
    }
    if (party.gone === true) {
      this.hub.partyGone(id);
      this.parties.delete(party.id);
      return;
    }
    const side = party.side === 'server' || party.side === 'client' ? party.side : 'program';
    const addresses = list(party.addresses).filter(isText).slice(0, 20);
    this.hub.party({ id, side, name: isText(party.name) ? party.name : id, addresses });
  }

  /** Pictures and bytes stay where they are until somebody asks. */
  private lookAfter(id: string): void {
    const paint = () => {
      if (this.linger === undefined) this.say({ t: 'pictures', on: true });
      clearTimeout(this.linger);
      this.linger = setTimeout(() => {
        this.linger = undefined;
        this.say({ t: 'pictures', on: false });
      }, pictureLingerMs);
      return this.pictures.get(id);
    };
    this.hub.painter(id, paint, async (at, exact) => {
      const look = this.look(at, exact);
      const rough = await look.over;
      const picture = look.pictures.get(id);
      return picture && { ...picture, rough };
    });
    this.hub.answerer(id, (seq) => {
      const theirs = this.numbers.get(seq);
      if (theirs === undefined) return Promise.reject(new Error('this record is no longer kept'));
      return new Promise((resolve) => {
        this.waiting.set(theirs, resolve);
        this.say({ t: 'detail', seq: theirs });
      });
    });
  }

  /** One question for all parties that lie there. */
  private look(at: number, exact: boolean): LookBack {
    let look = this.looks.get(at);
    if (look === undefined && this.looks.size >= mostLooks)
      return { pictures: new Map(), over: Promise.resolve(false), done() {} };
    if (look === undefined) {
      let done: LookBack['done'] = () => {};
      const over = new Promise<boolean>((resolve) => {
        done = resolve;
      });
      look = { pictures: new Map(), over, done };
      this.looks.set(at, look);
      this.say({ t: 'look', at, exact });
    }
    return look;
  }

  private actor(actor: ActorInfo, charts: Readonly<Record<string, ChartDefinition>>): void {
    const path = this.path(actor.id);
    if (path === undefined) return;
    const at = isNumber(actor.startedAt) ? actor.startedAt : this.hub.now();
    // One that began and ended between two batches is told once, and what happened to it comes after.
    if (this.begun.get(path) !== at) this.begin(path, actor, charts, at);
    if (isNumber(actor.stoppedAt)) this.hub.actorStopped(path, actor.stoppedAt);
  }

  private begin(path: string, actor: ActorInfo, charts: Readonly<Record<string, ChartDefinition>>, at: number): void {
    this.begun.set(path, at);
    const key = isText(actor.chart) ? actor.chart : undefined;
    const definition =
      key !== undefined && Object.hasOwn(charts, key) && isObject(charts[key]) ? charts[key] : undefined;
    // The same chart as ours keeps its name, by which hand-overs know it.
    const ours = key === undefined ? undefined : this.hub.chart(key);
    const same = ours !== undefined && JSON.stringify(ours) === JSON.stringify(definition);
    this.hub.actor(path, same ? key : definition, at);
  }

  private record(record: Record<string, unknown>): void {
    const { seq, kind } = record;
    const actor = this.path(record.actor);
    if (!isNumber(seq) || seq <= this.last || actor === undefined) return;
    this.last = seq;
    const at = isNumber(record.at) ? record.at : this.hub.now();
    if (kind === 'snapshot') {
      const { status, context, tags, error } = record;
      const raw = { status: isText(status) ? status : 'active', value: readValue(record.value), context, tags, error };
      this.hub.snapshot(actor, raw, isText(record.on) ? record.on : '', at);
      return;
    }
    const input = readRecord(record, actor, at, (path) => this.path(path));
    if (input === undefined) return;
    this.numbers.set(this.hub.record(input), seq);
    if (this.numbers.size > mostNumbers) this.numbers.delete(this.numbers.keys().next().value!);
  }

  private count(count: Count): void {
    const actor = this.path(count.actor);
    const { channel, direction, name, count: n, bytes } = count;
    if (actor === undefined || !isText(channel) || !isText(name) || !isNumber(n) || !isNumber(bytes)) return;
    this.hub.counted({ actor, channel, direction: direction === 'in' ? 'in' : 'out', name, count: n, bytes });
  }

  private path(path: unknown): string | undefined {
    if (!isText(path)) return undefined;
    const slash = path.indexOf('/');
    const party = this.parties.get(slash < 0 ? path : path.slice(0, slash));
    return party === undefined ? undefined : party + (slash < 0 ? '' : path.slice(slash));
  }
}

/** A record of a kind that we know, with nothing but what belongs to it. */
function readRecord(
  r: Record<string, unknown>,
  actor: string,
  at: number,
  path: (path: unknown) => string | undefined,
): FeedInput | undefined {
  const text = (value: unknown) => (isText(value) ? value : '');
  switch (r.kind) {
    case 'wire': {
      if (!isText(r.name) || !isNumber(r.size)) return undefined;
      return {
        ...{
          kind: 'wire',
          actor,
          at,
          direction: r.direction === 'in' ? 'in' : 'out',
          channel: text(r.channel),
          name: r.name,
        },
        ...{ size: r.size, peer: text(r.peer), path: r.path === 'data' ? 'data' : 'control' },
        ...(r.held === true ? { held: true } : {}),
      };
    }
    case 'event':
    case 'command': {
      if (!isText(r.type)) return undefined;
      const source = path(r.source);
      const detail = r.detail === undefined ? {} : { detail: r.detail };
      if (r.kind === 'command') return { kind: 'command', actor, at, type: r.type, ...detail };
      return { kind: 'event', actor, at, type: r.type, ...detail, ...(source === undefined ? {} : { source }) };
    }
    case 'handover': {
      const phase = phases.find((one) => one === r.phase);
      if (phase === undefined) return undefined;
      return {
        ...{ kind: 'handover', actor, at, phase, scheme: text(r.scheme), attempt: isNumber(r.attempt) ? r.attempt : 0 },
        ...{ from: text(r.from), to: text(r.to), channels: list(r.channels).filter(isText).slice(0, 200) },
        ...(isText(r.reason) ? { reason: r.reason } : {}),
        ...(isNumber(r.gapMs) ? { gapMs: r.gapMs } : {}),
        ...(isObject(r.gaps)
          ? { gaps: Object.fromEntries(Object.entries(r.gaps).filter((e): e is [string, number] => isNumber(e[1]))) }
          : {}),
      };
    }
    case 'reconnect': {
      const phase = reconnectPhases.find((one) => one === r.phase);
      if (phase === undefined) return undefined;
      return {
        ...{ kind: 'reconnect', actor, at, phase },
        ...(isNumber(r.try) ? { try: r.try } : {}),
        ...(isNumber(r.tries) ? { tries: r.tries } : {}),
        ...(isNumber(r.inMs) ? { inMs: r.inMs } : {}),
        ...(isText(r.reason) ? { reason: r.reason } : {}),
        ...(typeof r.returned === 'boolean' ? { returned: r.returned } : {}),
      };
    }
    case 'timer': {
      const state = r.state === 'set' || r.state === 'fired' ? r.state : 'stopped';
      return { kind: 'timer', actor, at, name: text(r.name), state, ...(isNumber(r.dueAt) ? { dueAt: r.dueAt } : {}) };
    }
    case 'log':
      return { kind: 'log', actor, at, line: text(r.line) };
    default:
      return undefined;
  }
}

const phases = ['begun', 'linked', 'relinking', 'switched', 'cancelled', 'failed', 'fell-back'] as const;

function parse(text: string): ToPage | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) && isText(value.t) ? (value as unknown as ToPage) : undefined;
  } catch {
    return undefined;
  }
}

const numbersOf = (skipped: Skipped): Skipped => {
  const of = (value: unknown) => (isNumber(value) ? value : 0);
  return { messages: of(skipped.messages), snapshots: of(skipped.snapshots), slow: of(skipped.slow), forgotten: 0 };
};

const isObject = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= mostText;
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const list = (value: unknown): readonly any[] =>
  Array.isArray(value) ? value.filter((item) => item !== null && item !== undefined) : [];
