/**
 * What happens in a scenario, as lines that a person can read: what crossed each connection, where each chart goes, what it
 * asks for and tells, which timers it sets and which are over, who dials and who hangs up. Nothing in it comes by chance, so
 * two runs of one scenario are the same to the letter. It never holds a ticket, a key of a link, or bytes of pictures.
 */
import type { AnyEventObject, AnyMachineSnapshot } from 'xstate';
import type { System } from '../../src/engine/system.ts';
import type { Watch } from '../../src/engine/watch.ts';
import { addressWord } from '../../src/protocol/address.ts';
import { channels, decodeMessage } from '../../src/protocol/index.ts';

/** A scenario that has no end says more. */
const mostLines = 6_000;

/** Fields that tell nobody anything: times, and what is in the name of the line already. */
const dull: ReadonlySet<string> = new Set(['timeStamp', 'type', 'channel', 'pubKey']);
/** Numbers that are drawn by chance, and are called by the order in which they came up. */
const ids: ReadonlySet<string> = new Set(['connectionId', 'sessionId', 'nonce']);
/** Messages that are too many to be looked into. */
const plain: ReadonlySet<string> = new Set([
  ...['msg.ping', 'msgc.pong', 'msg.set_ack', 'msgc.ack_sync', 'msgc.ack', 'msg.name', 'msg.uuid'],
  ...['msg.draw_fill', 'msg.draw_copy', 'msg.surface_create', 'msg.monitors_config', 'msgc.init', 'msg.cursor_init'],
]);
/** Delayed events that charts tell themselves. */
const own: ReadonlySet<string> = new Set([
  ...['channel.relink', 'channel.stranded', 'channel.steady', 'relink.late', 'session.astray'],
]);

/** Steps of a link that goes its usual way. */
const isRoutine =
  /\/link:\S+ (begins|ends|waits \d+ ms: link deadline|link\.(send_mess|send_mechanism|send_ticket|park)|link\.send_reply \{error: 0\}|link\.send_result \{code: 0\}|(linking\.[a-z ]+ )?→ (linking\.[a-z ]+|taken)$)/;

export class Transcript {
  readonly lines: string[] = [];
  /** Nothing is written down before. */
  open = false;
  /** Tell each step of links that are being made, not only what becomes of them. */
  closely = false;
  private readonly now: () => number;
  private began = 0;
  private last = '';
  private times = 1;
  private readonly known = new Map<number, string>();
  /** Ids of the states that charts were in, "up on channel.down" of what they heard there. Also before it begins. */
  readonly visited = new Set<string>();
  /** What it should be; as soon as it is not, there is no use in going on. */
  private readonly wanted: readonly string[] | undefined;

  constructor(now: () => number, wanted?: readonly string[]) {
    this.now = now;
    this.wanted = wanted;
  }

  /** It is not what it should be. The last line may still be counted on. */
  get astray(): boolean {
    return this.wrong;
  }

  private wrong = false;

  private put(line: string): void {
    const { lines, wanted } = this;
    if (wanted !== undefined && lines.length > 0 && lines.at(-1) !== wanted[lines.length - 1]) this.wrong = true;
    lines.push(line);
  }

  begin(): void {
    this.open = true;
    this.began = this.now();
  }

  /** `who`: "client", "a/session:1/main:0". The same line again is counted. */
  note(who: string, what: string): void {
    if (!this.open || (!this.closely && isRoutine.test(`${who} ${what}`))) return;
    const time = ((this.now() - this.began) / 1000).toFixed(3).padStart(9);
    const line = `${time}  ${who.padEnd(30)} ${what}`;
    if (line === this.last) {
      this.lines[this.lines.length - 1] = `${line} (${++this.times} times)`;
      return;
    }
    if (this.lines.length >= mostLines) throw new Error('it has no end');
    this.last = line;
    this.times = 1;
    this.put(line);
  }

  say(what: string): void {
    if (!this.open) return;
    if (this.lines.length > 0) this.put('');
    this.put(`--- ${what}`);
    this.last = '';
  }

  get text(): string {
    return `${this.lines.join('\n')}\n`;
  }

  /** A value in a line: "scheme: seamless, channels: [main:0, display:0]". */
  fields(value: object): string {
    return Object.entries(value)
      .filter(([key, one]) => one !== undefined && (!dull.has(key) || typeof one === 'number') && key !== 'timestamp')
      .map(([key, one]) => `${key}: ${this.value(key, one)}`)
      .join(', ');
  }

  private value(key: string, value: unknown): string {
    if (ids.has(key) && typeof value === 'number') return this.idOf(value);
    if (value instanceof Uint8Array) return `${value.length} bytes`;
    if (Array.isArray(value)) {
      return typeof value[0] === 'number' && value.length > 8
        ? `${value.length} numbers`
        : `[${value.map((one) => this.value('', one)).join(', ')}]`;
    }
    if (value instanceof Error) return value.message;
    if (typeof value === 'object' && value !== null) return `{${this.fields(value)}}`;
    return String(value);
  }

  private idOf(id: number): string {
    if (id === 0) return '0';
    if (!this.known.has(id)) this.known.set(id, `#${this.known.size + 1}`);
    return this.known.get(id)!;
  }

  /** Notes where a chart was when it heard something, and where it is now: returns that. */
  visit(before: readonly string[], event: AnyEventObject, snapshot: unknown): readonly string[] {
    for (const node of before) this.visited.add(`${node} on ${event.type}`);
    const here = (snapshot as any)._nodes.map(({ id }: { id: string }) => id) as string[];
    for (const node of here) this.visited.add(node);
    return here;
  }

  /** Listens to a program from now on. */
  watch(program: string, system: System): void {
    const nameOf = (address: string) => {
      const [, ...rest] = address.split('/');
      return [program, ...rest].join(' ').replaceAll(' ', '/');
    };
    const states = new Map<string, ReadonlySet<string>>();
    const nodes = new Map<string, readonly string[]>();
    const { scheduler } = (system.root as any).system as { scheduler: any };
    const { schedule } = scheduler;
    scheduler.schedule = (source: any, target: any, event: AnyEventObject, delay: number, id?: string) => {
      this.note(nameOf(system.addressOf(source)), `waits ${delay} ms: ${waitOf(event)}`);
      schedule(source, target, event, delay, id);
    };
    system.watch({
      born: (actor, chart) => {
        states.set(actor, new Set());
        this.note(nameOf(actor), `begins (${chart})`);
      },
      event: (actor, event) => {
        if (own.has(event.type) || event.type.startsWith('xstate.after.')) {
          this.note(nameOf(actor), `time is up: ${waitOf(event)}`);
        }
      },
      stepped: (actor, event, snapshot) => {
        nodes.set(actor, this.visit(nodes.get(actor) ?? [], event, snapshot));
        const before = states.get(actor);
        const after = leaves((snapshot as AnyMachineSnapshot).value);
        states.set(actor, after);
        const left = [...(before ?? [])].filter((one) => !after.has(one));
        const entered = [...after].filter((one) => before?.has(one) !== true);
        if (left.length + entered.length === 0) return;
        this.note(nameOf(actor), `${left.join(' + ')} → ${entered.join(' + ')}`.trim());
      },
      command: (actor, command) => {
        if (command.type !== 'send') this.note(nameOf(actor), this.command(command));
      },
      ended: (actor) => {
        states.delete(actor);
        this.note(nameOf(actor), 'ends');
      },
      channel: (actor, channel, side) => {
        const protocol = channels[addressWord(channel) as keyof typeof channels];
        let peer = '';
        return {
          over: (_link, address) => {
            peer = address;
          },
          message: (direction, number, body) => {
            if (direction === 'in') return;
            const { type, body: fields } = decodeMessage(protocol, side, number, body);
            const more = plain.has(type) ? '' : this.fields(fields);
            this.note(nameOf(actor), `──▶ ${peer}: ${type}${more === '' ? '' : ` {${more}}`}`);
          },
        };
      },
    } satisfies Watch);
  }

  private command(command: AnyEventObject): string {
    if (command.type === 'report') {
      const { event, phase, state, ...more } = command.news;
      return `tells: ${[event, phase, state].filter((one) => one !== undefined).join(' ')} {${this.fields({ ...more, channel: undefined, of: more.channel })}}`;
    }
    const { type, ...more } = command;
    const fields = this.fields(more);
    return `${type}${fields === '' ? '' : ` {${fields}}`}`;
  }
}

const waitOf = ({ type, channel }: AnyEventObject): string => {
  const [, delay] = /^xstate\.after\.(.*?)\.[^.]*\/|^xstate\.after\.(.*)$/.exec(type) ?? [];
  if (delay !== undefined) return delay;
  if (type.startsWith('xstate.after.')) return type.slice(13).split('.')[0]!;
  return channel === undefined ? type : `${type} ${channel}`;
};

/** The states that a chart is in, each with the path to it. */
function leaves(value: unknown, path = ''): ReadonlySet<string> {
  if (typeof value === 'string') return new Set([path === '' ? value : `${path}.${value}`]);
  const all = new Set<string>();
  for (const [key, inner] of Object.entries(value as object)) {
    const here = path === '' ? key : `${path}.${key}`;
    if (typeof inner === 'object' && Object.keys(inner).length === 0) continue;
    for (const leaf of leaves(inner, here)) all.add(leaf);
  }
  return all;
}
