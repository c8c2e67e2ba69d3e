/**
 * How a channel is declared: its messages in both directions, each with its number, layout and meaning.
 * Types, encoder, decoder and documentation all come from the declaration (see main.ts for an example).
 */
import { WireError } from '../errors.ts';
import { type Codec, decode, encode, type Fields, type Struct, struct } from '../wire/codec.ts';

/** `control` messages are chart inputs; `data` messages take the fast path past the chart. */
export type Lane = 'control' | 'data';

export interface Message<Body = any, P extends Lane = Lane> {
  readonly number: number;
  readonly codec: Codec<Body>;
  readonly path: P;
  readonly doc: string;
}

export type Messages = Readonly<Record<string, Message>>;

/** A message that can change which messages are legal next. */
export const message = <F extends Fields>(number: number, fields: F, doc: string): Message<Struct<F>, 'control'> => ({
  number,
  codec: struct(fields),
  path: 'control',
  doc,
});

/** A message that changes nothing about what is legal next. */
export const data = <F extends Fields>(number: number, fields: F, doc: string): Message<Struct<F>, 'data'> => ({
  number,
  codec: struct(fields),
  path: 'data',
  doc,
});

/** A data message whose layout is more than named fields. */
export const laidOut = <T>(number: number, codec: Codec<T>, doc: string): Message<T, 'data'> => ({
  number,
  codec,
  path: 'data',
  doc,
});

type Event<Prefix extends string, M extends Messages> = {
  [K in keyof M & string]: { type: `${Prefix}.${K}`; body: M[K] extends Message<infer B> ? B : never };
}[keyof M & string];
type OnPath<M extends Messages, P extends Lane> = {
  [K in keyof M as M[K] extends Message<any, P> ? K : never]: M[K];
};

export type Side = 'server' | 'client';
/** Prefix of the events of messages that a side sends: `msg.` from a server, `msgc.` from a client. */
export const prefix = { server: 'msg', client: 'msgc' } as const;

export interface Channel<
  Name extends string = string,
  Server extends Messages = Messages,
  Client extends Messages = Messages,
> {
  readonly name: Name;
  /** SPICE_CHANNEL_* number; 0 for the base that every channel shares. */
  readonly type: number;
  readonly server: Server;
  readonly client: Client;
  readonly tables: { readonly server: Table; readonly client: Table };
}

export interface Entry extends Message {
  readonly name: string;
  readonly type: string;
}

/** The messages that one side sends, by number and by event type. */
export interface Table {
  readonly byNumber: ReadonlyMap<number, Entry>;
  readonly byType: ReadonlyMap<string, Entry>;
}

/** Events of the messages that `side` receives on a channel. */
export type Received<C extends Channel, S extends Side, P extends Lane = Lane> = S extends 'client'
  ? Event<'msg', OnPath<C['server'], P>>
  : Event<'msgc', OnPath<C['client'], P>>;
/** Events of the messages that `side` sends on a channel. */
export type Sent<C extends Channel, S extends Side> = S extends 'client'
  ? Event<'msgc', C['client']>
  : Event<'msg', C['server']>;

const table = (side: Side, messages: Messages): Table => {
  const entries = Object.entries(messages).map(([name, m]): Entry => ({ ...m, name, type: `${prefix[side]}.${name}` }));
  const byNumber = new Map(entries.map((e) => [e.number, e]));
  if (byNumber.size !== entries.length) throw new RangeError('two messages share a number');
  return { byNumber, byType: new Map(entries.map((e) => [e.type, e])) };
};

export function channel<
  Name extends string,
  BS extends Messages,
  BC extends Messages,
  S extends Messages,
  C extends Messages,
>(name: Name, type: number, base: { server: BS; client: BC }, own: { server: S; client: C }) {
  const server = { ...base.server, ...own.server } as BS & S;
  const client = { ...base.client, ...own.client } as BC & C;
  return { name, type, server, client, tables: { server: table('server', server), client: table('client', client) } };
}

/** Reads the body of message `number` that `sender` sent. Throws WireError; an unknown number is a `value` fault. */
export function decodeMessage(ch: Channel, sender: Side, number: number, body: Uint8Array): AnyMessage {
  const entry = ch.tables[sender].byNumber.get(number);
  if (entry === undefined) throw new WireError('value', 0, `${ch.name} has no message ${number} from the ${sender}`);
  try {
    return { type: entry.type, body: decode(entry.codec, body) };
  } catch (error) {
    throw error instanceof WireError ? error.within(`${ch.name}.${entry.name}`) : error;
  }
}

/**
 * Writes the body of a message, which has `headroom` free bytes before it in its own memory, or in that which `memory` gives (an
 * array of at least so many bytes). `apart`: bytes of the value's last field, which whoever sends the message writes behind it
 * from where they are. Throws WireError when a value does not fit its field.
 */
export function encodeMessage(
  ch: Channel,
  sender: Side,
  event: AnyMessage,
  headroom = 0,
  memory?: (size: number) => Uint8Array,
  apart?: Uint8Array,
): { number: number; body: Uint8Array } {
  const entry = ch.tables[sender].byType.get(event.type);
  if (entry === undefined) throw new WireError('value', 0, `${ch.name} has no ${event.type} from the ${sender}`);
  try {
    return { number: entry.number, body: encode(entry.codec, event.body, headroom, memory, apart) };
  } catch (error) {
    throw error instanceof WireError ? error.within(`${ch.name}.${entry.name}`) : error;
  }
}

export interface AnyMessage {
  readonly type: string;
  readonly body: any;
}
