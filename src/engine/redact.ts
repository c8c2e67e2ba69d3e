/**
 * Leaves out of a journal what is personal or opens a server: keystrokes, what is said to the guest's agent (the clipboard),
 * what the microphone hears, tickets and passwords. Bytes become zeros of the same number, values say what stood there and
 * how long it was. Never changes what it is handed, and whatever it cannot read on a channel that may hold secrets, it
 * leaves out.
 */
import { type Entry, LeftOut, type LeftRange } from '../journal/record.ts';
import { type Channel, channels, fullHeaderSize, miniHeaderSize, type Side } from '../protocol/index.ts';
import { StageLength, type StagePiece } from './stage-length.ts';

type WireEntry = Extract<Entry, { kind: 'wire' }>;
type EventEntry = Extract<Entry, { kind: 'event' }>;
type CommandEntry = Extract<Entry, { kind: 'command' }>;

/**
 * Messages whose bodies are left out, by channel: those of the agent carry the clipboard, and main's migrate data pieces of it;
 * record's are what the microphone hears.
 */
const secretMessages: Readonly<Record<string, RegExp>> = {
  main: /^(agent_data|migrate_data)$/,
  inputs: /^key_/,
  record: /^data$/,
};

/** What an actor's bytes are read with; none of the charts without a connection, or without secrets. */
type Reading =
  | {
      readonly kind: 'channel';
      readonly channel: Channel;
      readonly side: Side;
      framing: Framing | undefined;
      mini: boolean;
    }
  /** `keeps`: messages of its channel that come before the channel reads them are no secret. */
  | { readonly kind: 'link'; readonly side: Side; readonly keeps: boolean; stage: StageLength };

/** Redacts the entries of one journal, in their order. */
export class Redactor {
  private readonly reading = new Map<string, Reading>();
  /** A ticket is sent with the next bytes of this actor. */
  private ticketOf: string | undefined;

  redact(entry: Entry): Entry {
    switch (entry.kind) {
      case 'event':
        return this.event(entry);
      case 'command':
        return this.command(entry);
      case 'wire':
        return this.wire(entry);
      case 'link': {
        const reading = this.reading.get(entry.actor);
        if (reading?.kind === 'channel') {
          reading.mini = entry.mini ?? true;
          reading.framing = new Framing(reading.mini, (number) =>
            secretOf(reading.channel, reading.side, 'in', number),
          );
        }
        return entry;
      }
      case 'checkpoint':
        return { ...entry, snapshot: withoutBytesOfPromises(entry.snapshot) };
      case 'resume':
        this.ticketOf = undefined;
        return entry;
      case 'end':
        this.reading.delete(entry.actor);
        return entry;
    }
  }

  private event(entry: EventEntry): Entry {
    const { actor, chart, event } = entry;
    if (chart !== undefined) {
      this.begin(actor, chart, event.input);
      return entry;
    }
    const reading = this.reading.get(actor);
    if (reading === undefined) return entry;
    if (event.type === 'link.ticket') return { ...entry, event: { ...event, ticket: leftOut('ticket', event.ticket) } };
    if (reading.kind === 'link' && reading.side === 'server') return entry;
    const { output } = event;
    if (output instanceof Uint8Array) {
      const isTicket = reading.kind !== 'channel';
      if (!isTicket && reading.channel.name !== 'main') return entry;
      return { ...entry, event: { ...event, output: leftOut(isTicket ? 'ticket' : 'migrate data', output) } };
    }
    return reading.kind === 'channel' && /\.migrate_data$/.test(event.type) && reading.channel.name === 'main'
      ? { ...entry, event: { ...event, body: withoutData(event.body) } }
      : entry;
  }

  private command(entry: CommandEntry): Entry {
    const { actor, command } = entry;
    const reading = this.reading.get(actor);
    if (reading === undefined) return entry;
    // A client may dial twice: the second time because the server wants a secured link.
    if (command.type === 'link.send_mess' && reading.kind === 'link') reading.stage = new StageLength('client');
    if (command.type === 'link.send_ticket') {
      this.ticketOf = actor;
      return { ...entry, command: { ...command, ticket: leftOut('ticket', command.ticket) } };
    }
    if (reading.kind !== 'channel' || reading.channel.name !== 'main') return entry;
    if (command.type === 'carry')
      return { ...entry, command: { ...command, data: leftOut('migrate data', command.data) } };
    const message = command.message as { type: string; body: unknown } | undefined;
    if (command.type !== 'send' || !/\.(migrate_data|agent_data)$/.test(message?.type ?? '')) return entry;
    return { ...entry, command: { ...command, message: { ...message, body: withoutData(message!.body) } } };
  }

  private wire(entry: WireEntry): Entry {
    const reading = this.reading.get(entry.actor);
    if (reading === undefined) return entry;
    const left = this.rangesOf(entry, reading);
    return left.length === 0 ? entry : { ...entry, left };
  }

  private rangesOf({ actor, direction, bytes }: WireEntry, reading: Reading): readonly LeftRange[] {
    if (reading.kind === 'channel') {
      if (direction === 'in') return reading.framing?.push(bytes) ?? everything(bytes, 'what nobody reads');
      const size = reading.mini ? miniHeaderSize : fullHeaderSize;
      const at = reading.mini ? 0 : 8;
      const what = secretOf(reading.channel, reading.side, 'out', bytes[at]! | (bytes[at + 1]! << 8));
      return what === undefined || bytes.length <= size ? [] : [{ at: size, size: bytes.length - size, what }];
    }
    if (direction === 'in') return secretsOfStage(reading.stage.push(bytes), bytes.length, reading.keeps);
    if (this.ticketOf !== actor) return [];
    this.ticketOf = undefined;
    return everything(bytes, 'ticket');
  }

  private begin(actor: string, chart: string, input: unknown): void {
    const slash = chart.indexOf('/');
    const word = chart.slice(0, slash);
    const side = chart.slice(slash + 1) as Side;
    if (word === 'link') {
      const channel = (input as { channel?: string } | undefined)?.channel ?? '';
      const keeps = !Object.hasOwn(secretMessages, channel.slice(0, channel.indexOf(':')));
      // A server does not know yet which channel it will be.
      this.reading.set(actor, { kind: 'link', side, keeps: side === 'client' && keeps, stage: new StageLength(side) });
    } else if (Object.hasOwn(secretMessages, word)) {
      const channel = channels[word as keyof typeof channels];
      this.reading.set(actor, { kind: 'channel', channel, side, framing: undefined, mini: true });
    }
  }
}

const leftOut = (what: string, value: unknown): LeftOut =>
  new LeftOut(what, value instanceof Uint8Array || typeof value === 'string' ? value.length : 0);

const withoutData = (body: unknown): object => {
  const { data, ...rest } = body as { data?: unknown };
  return { ...rest, data: leftOut('migrate data', data) };
};

function secretsOfStage({ size, ticket }: StagePiece, all: number, keeps: boolean): readonly LeftRange[] {
  const left: LeftRange[] = ticket === undefined ? [] : [{ ...ticket, what: 'ticket' }];
  if (size < all && !keeps) left.push({ at: size, size: all - size, what: 'messages, which the channel has too' });
  return left;
}

const everything = (bytes: Uint8Array, what: string): readonly LeftRange[] => [{ at: 0, size: bytes.length, what }];

/** The name of a message whose body is left out: "msgc.key_down". */
function secretOf(channel: Channel, side: Side, direction: 'in' | 'out', number: number): string | undefined {
  const sender = (side === 'client') === (direction === 'out') ? 'client' : 'server';
  // What a server says of the locks is no keystroke.
  if (channel.name === 'inputs' && sender === 'server') return undefined;
  const entry = channel.tables[sender].byNumber.get(number);
  return entry !== undefined && secretMessages[channel.name]!.test(entry.name) ? entry.type : undefined;
}

/** A promise may have been asked about a ticket or the agent's state: bytes that it was handed, or came to, are left out. */
function withoutBytesOfPromises(snapshot: any): unknown {
  const { children, input, output } = snapshot ?? {};
  return {
    ...snapshot,
    ...(input === undefined ? {} : { input: withoutBytes(input) }),
    ...(output === undefined ? {} : { output: withoutBytes(output) }),
    ...(children === undefined
      ? {}
      : {
          children: Object.fromEntries(
            Object.entries<any>(children).map(([id, child]) => [
              id,
              { ...child, snapshot: withoutBytesOfPromises(child.snapshot) },
            ]),
          ),
        }),
  };
}

function withoutBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return leftOut('bytes of a promise', value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      key,
      one instanceof Uint8Array ? leftOut('bytes of a promise', one) : one,
    ]),
  );
}

/** Finds messages in what is received, however it is cut. */
class Framing {
  private readonly size: number;
  private readonly numberAt: number;
  private readonly secret: (number: number) => string | undefined;
  private readonly header: Uint8Array;
  private fill = 0;
  private body = 0;
  private what: string | undefined;

  constructor(mini: boolean, secret: (number: number) => string | undefined) {
    this.size = mini ? miniHeaderSize : fullHeaderSize;
    this.numberAt = mini ? 0 : 8;
    this.secret = secret;
    this.header = new Uint8Array(this.size);
  }

  push(bytes: Uint8Array): readonly LeftRange[] {
    const left: LeftRange[] = [];
    for (let at = 0; at < bytes.length; ) {
      if (this.body > 0) {
        const size = Math.min(this.body, bytes.length - at);
        if (this.what !== undefined) left.push({ at, size, what: this.what });
        this.body -= size;
        at += size;
        continue;
      }
      this.header[this.fill++] = bytes[at++]!;
      if (this.fill < this.size) continue;
      this.fill = 0;
      const view = new DataView(this.header.buffer);
      this.what = this.secret(view.getUint16(this.numberAt, true));
      this.body = view.getUint32(this.numberAt + 2, true);
    }
    return left;
  }
}
