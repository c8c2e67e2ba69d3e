/**
 * What the inspector is told, and what it tells its page: records of things that happened, and the few messages around them.
 * Types and constants only, so that it runs anywhere. Nothing here knows an engine, a socket or a screen.
 */
import type { ChartDefinition, Json, JsonObject } from './chart-definition.ts';
import type { StateValue } from './chart-state.ts';

/**
 * One server, one client, or one program of somebody else. `id` has no slash and is unique in a feed; it is the first part of
 * the path of each of its actors.
 */
export interface Party {
  readonly id: string;
  readonly side: 'server' | 'client' | 'program';
  /** For people. */
  readonly name: string;
  /** Where a server can be reached, as "host:port": how hand-overs find their source and target. Several if it has several. */
  readonly addresses: readonly string[];
  /** It has closed, or its connection to the inspector is gone. */
  readonly gone?: boolean;
}

/** An actor. Its `id` is its path, beginning with its party: "server-1/session:3/display:0". */
export interface ActorInfo {
  readonly id: string;
  /** Path of its parent; undefined at a party's top. */
  readonly parent?: string;
  /** The last part of the path. */
  readonly name: string;
  /** Key of its chart among the feed's charts; undefined for an actor without states. */
  readonly chart?: string;
  /** Milliseconds since 1970, as all times here; fractions count. */
  readonly startedAt: number;
  readonly stoppedAt?: number;
}

interface Base {
  /** Counts all records of a feed, from 1. Records that were left out leave holes. */
  readonly seq: number;
  readonly at: number;
  /** Path of the actor that it happened to. */
  readonly actor: string;
}

/** A message of the wire, as its sender wrote it (`out`) or its receiver read it (`in`). */
export interface WireRecord extends Base {
  readonly kind: 'wire';
  readonly direction: 'in' | 'out';
  /** SPICE address of the channel, "display:0". */
  readonly channel: string;
  /** With its prefix: "msg.draw_copy" from a server, "msgc.ack" from a client. */
  readonly name: string;
  /** Bytes of the body. */
  readonly size: number;
  /** The address at the other end, "127.0.0.1:5900". At a client it tells which server. */
  readonly peer: string;
  /** `control` messages can change which messages are legal next; `data` messages may be left out when there are many. */
  readonly path: 'control' | 'data';
  /** Bytes of the body are kept and can be asked for. Missing where they are personal or were not kept. */
  readonly held?: boolean;
}
/** Something that a chart took in. */
export interface EventRecord extends Base {
  readonly kind: 'event';
  readonly type: string;
  /** Path of the actor that sent it. */
  readonly source?: string;
  readonly detail?: Json;
}
/** Something that a chart asked for. */
export interface CommandRecord extends Base {
  readonly kind: 'command';
  readonly type: string;
  readonly detail?: Json;
}
/** Where a chart is after an event. */
export interface SnapshotRecord extends Base {
  readonly kind: 'snapshot';
  readonly status: 'active' | 'done' | 'error' | 'stopped';
  readonly value?: StateValue;
  /** Type of the event that led here. */
  readonly on: string;
  readonly context?: Json;
  readonly tags?: readonly string[];
  readonly error?: string;
}
export type HandoverPhase = 'begun' | 'linked' | 'relinking' | 'switched' | 'cancelled' | 'failed' | 'fell-back';
/** News of a hand-over, from whichever party tells it. */
export interface HandoverRecord extends Base {
  readonly kind: 'handover';
  readonly phase: HandoverPhase;
  readonly scheme: string;
  readonly attempt: number;
  /** "host:port" of the server that lets go. */
  readonly from: string;
  /** "host:port" of the server that takes over. */
  readonly to: string;
  readonly channels: readonly string[];
  readonly reason?: string;
  /** From the last message handled from the source to the first from the target, in milliseconds. */
  readonly gapMs?: number;
  readonly gaps?: Readonly<Record<string, number>>;
}
/** A deadline that runs, ran out, or was called off. */
export interface TimerRecord extends Base {
  readonly kind: 'timer';
  /** Unique within its actor: setting it again moves it. */
  readonly name: string;
  readonly state: 'set' | 'fired' | 'stopped';
  /** When it runs out; for `set` only. */
  readonly dueAt?: number;
}
/** News of a client that has lost its server and looks for it. */
export interface ReconnectRecord extends Base {
  readonly kind: 'reconnect';
  readonly phase: ReconnectPhase;
  /** Counts from 1, and how many there may be. */
  readonly try?: number;
  readonly tries?: number;
  /** Milliseconds until it is tried. */
  readonly inMs?: number;
  readonly reason?: string;
  /** It is back with the session that it had. */
  readonly returned?: boolean;
}
export const reconnectPhases = ['waiting', 'session lost', 'back', 'given up'] as const;
export type ReconnectPhase = (typeof reconnectPhases)[number];
/** A line for people. */
export interface LogRecord extends Base {
  readonly kind: 'log';
  readonly line: string;
}
export type FeedRecord =
  | WireRecord
  | EventRecord
  | CommandRecord
  | SnapshotRecord
  | HandoverRecord
  | ReconnectRecord
  | TimerRecord
  | LogRecord;

type Unnumbered<R> = R extends { detail?: Json }
  ? Omit<R, 'seq' | 'at' | 'detail'> & { readonly at?: number | undefined; readonly detail?: unknown }
  : Omit<R, 'seq' | 'at'> & { readonly at?: number | undefined };
/**
 * A record as it is handed in: the hub numbers it, takes the present time where there is none, and makes details presentable.
 */
export type FeedInput = Each<FeedRecord>;
type Each<R> = R extends FeedRecord ? Unnumbered<R> : never;

/** How many messages of one name went one way over a channel, and their bytes. */
export interface Count {
  readonly actor: string;
  readonly channel: string;
  readonly direction: 'in' | 'out';
  readonly name: string;
  readonly count: number;
  readonly bytes: number;
}

/** What was left out, in records, since the feed began. */
export interface Skipped {
  /** Data messages that were counted but not recorded one by one. */
  readonly messages: number;
  /** Snapshots that a newer one of the same actor replaced before anybody could see them. */
  readonly snapshots: number;
  /** Records that this page did not get because it was too slow. */
  readonly slow: number;
  /** Records that made room for newer ones. */
  readonly forgotten: number;
}

/** What the embedding program lets the page do. `fields` are shown as a form; `choices` as a list. */
export interface Control {
  readonly name: string;
  readonly title: string;
  /** Asks before it does it. */
  readonly harsh?: boolean;
  readonly fields?: readonly ControlField[];
}

export interface ControlField {
  readonly name: string;
  /** For people; the name where there is none. */
  readonly title?: string;
  readonly choices?: readonly string[];
  readonly value?: string;
}

/** A field of a message's body; `offset` and `size` are bytes. */
export interface DetailField {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
  readonly value: string;
  readonly meaning?: string;
}

/** What a hub tells a page. A picture goes as a binary message: see `pictureHead`. */
export type ToPage =
  | {
      readonly t: 'hello';
      readonly version: number;
      readonly mode: 'live' | 'journal';
      readonly name: string;
      readonly now: number;
      readonly controls: readonly Control[];
      readonly parties: readonly Party[];
      readonly actors: readonly ActorInfo[];
      readonly records: readonly FeedRecord[];
      /** Records from this number on are all here; of older ones, only the present snapshots. */
      readonly since: number;
      readonly counts: readonly Count[];
      readonly skipped: Skipped;
      readonly charts: Readonly<Record<string, ChartDefinition>>;
    }
  | {
      readonly t: 'batch';
      readonly now: number;
      readonly parties?: readonly Party[];
      readonly actors?: readonly ActorInfo[];
      /** Paths of actors that are forgotten. */
      readonly lost?: readonly string[];
      readonly records?: readonly FeedRecord[];
      readonly counts?: readonly Count[];
      readonly skipped: Skipped;
      readonly charts?: Readonly<Record<string, ChartDefinition>>;
    }
  | {
      readonly t: 'detail';
      readonly seq: number;
      readonly fields: readonly DetailField[];
      /** Base64 of the bytes that are kept, from the body's start. */
      readonly bytes: string;
      readonly error?: string;
    }
  | { readonly t: 'older'; readonly before: number; readonly records: readonly FeedRecord[]; readonly end: boolean }
  /** The pictures of this time have been sent, as far as they are known; each bears it. `rough`: ask again for exact ones. */
  | { readonly t: 'looked'; readonly at: number; readonly rough?: boolean }
  | { readonly t: 'done'; readonly id: number; readonly error?: string };

/** What a page asks of its hub. */
export type FromPage =
  | { readonly t: 'detail'; readonly seq: number }
  | { readonly t: 'older'; readonly before: number }
  | { readonly t: 'pictures'; readonly on: boolean }
  /** The pictures of a time: at once, from somewhat before if need be, or `exact`, which may take a while. */
  | { readonly t: 'look'; readonly at: number; readonly exact?: boolean }
  | { readonly t: 'control'; readonly id: number; readonly name: string; readonly fields: JsonObject };

/** Goes up when a page of another version could misunderstand. */
export const feedVersion = 2;

/** A picture's message: u16 length of the party's id, the id in UTF-8, u16 width, u16 height, f64 time, then RGBA rows. */
export interface Picture {
  readonly party: string;
  readonly width: number;
  readonly height: number;
  readonly at: number;
  readonly pixels: Uint8Array;
}

export function writePicture(picture: Picture): Uint8Array {
  const id = new TextEncoder().encode(picture.party);
  const out = new Uint8Array(2 + id.length + 12 + picture.pixels.length);
  const view = new DataView(out.buffer);
  view.setUint16(0, id.length);
  out.set(id, 2);
  view.setUint16(2 + id.length, picture.width);
  view.setUint16(4 + id.length, picture.height);
  view.setFloat64(6 + id.length, picture.at);
  out.set(picture.pixels, 14 + id.length);
  return out;
}

/** Undefined for bytes that are no picture. */
export function readPicture(bytes: Uint8Array): Picture | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 14) return undefined;
  const length = view.getUint16(0);
  if (bytes.length < 14 + length) return undefined;
  const party = new TextDecoder().decode(bytes.subarray(2, 2 + length));
  const [width, height] = [view.getUint16(2 + length), view.getUint16(4 + length)];
  const pixels = bytes.subarray(14 + length);
  if (pixels.length !== width * height * 4) return undefined;
  return { party, width, height, at: view.getFloat64(6 + length), pixels };
}

/** The party of an actor's path. */
export const partyOf = (actor: string): string => {
  const slash = actor.indexOf('/');
  return slash < 0 ? actor : actor.slice(0, slash);
};
