/**
 * What a journal holds: facts about one session, in the order in which they came to be. From the facts that came from
 * outside all others can be worked out again; those are in it so that they can be compared. A record never changes.
 */

/**
 * The layout of records that is written now. Older ones are brought up to it when they are read (upcast.ts):
 * 1: bytes sent did not tell from whom they are.
 * 2: there were no `resume` and `checkpoint`.
 */
export const recordVersion = 3;

interface Common {
  /** Counts from 1 within a journal, without a gap. */
  readonly seq: number;
  /** Milliseconds of the engine's clock. */
  readonly at: number;
  /** The actor that it concerns: "server/session:3/display:0". */
  readonly actor: string;
}

/**
 * From whom bytes are that were sent. What a chart's command asks for and what the data plane answers can be worked out
 * again, byte by byte. What the application says (drawing, sound, input, pings) is a fact, as bytes received are.
 */
export type Origin = 'chart' | 'plane' | 'application';

/** Bytes as they were read from or written to a connection; each message that is sent has a record of its own. */
export interface WireRecord extends Common {
  readonly kind: 'wire';
  readonly link: string;
  readonly direction: 'in' | 'out';
  /** Of bytes sent. */
  readonly from?: Origin | undefined;
  readonly bytes: Uint8Array;
  /** Bytes that are personal, or open a server, and were written as zeros. */
  readonly left?: readonly LeftRange[] | undefined;
}

/** A part of the bytes of a record that was left out of it: `size` bytes from `at` on. */
export interface LeftRange {
  readonly at: number;
  readonly size: number;
  /** What stood there: "msgc.key_down", "ticket". */
  readonly what: string;
}

/** A channel goes on over this link, from its first byte not yet read; or it wanted to, and the link was gone. */
export interface LinkRecord extends Common {
  readonly kind: 'link';
  readonly link: string;
  readonly found: boolean;
  /** Whether messages have the mini header; of a link that was found. */
  readonly mini?: boolean | undefined;
}

/** An input of a chart. The first one of an actor is its birth: `chart` names the machine, `event.input` its input. */
export interface EventRecord extends Common {
  readonly kind: 'event';
  readonly event: { readonly type: string; readonly [key: string]: unknown };
  readonly chart?: string | undefined;
}

/** What a chart asked for. Compared on replay, never replayed. */
export interface CommandRecord extends Common {
  readonly kind: 'command';
  readonly command: { readonly type: string; readonly [key: string]: unknown };
}

/** An actor has ended. */
export interface EndRecord extends Common {
  readonly kind: 'end';
}

/**
 * The program had ended without a word, and another one goes on from here: each connection of the actors below is gone, and
 * what they had asked the world is asked again. `actor` is the root of the journal.
 */
export interface ResumeRecord extends Common {
  readonly kind: 'resume';
}

/** A timer of a chart that runs. */
export interface ArmedTimer {
  /** "server/session:3/main:0" */
  readonly actor: string;
  readonly id: string;
  readonly event: { readonly type: string; readonly [key: string]: unknown };
  /** When it is due, in milliseconds of the clock of the journal; it may be over. */
  readonly dueAt: number;
}

/**
 * Where all charts of this journal were, so that nobody need fold what came before. It is written between two steps: nothing
 * that a chart asked for is still to be done. `actor` is the root of the journal.
 */
export interface CheckpointRecord extends Common {
  readonly kind: 'checkpoint';
  /** As XState writes it down (`getPersistedSnapshot`), the children in it. */
  readonly snapshot: unknown;
  readonly timers: readonly ArmedTimer[];
}

export type JournalRecord =
  | WireRecord
  | LinkRecord
  | EventRecord
  | CommandRecord
  | EndRecord
  | ResumeRecord
  | CheckpointRecord;

/** A record before the journal numbers it. */
export type Entry = JournalRecord extends infer R ? (R extends JournalRecord ? Omit<R, 'seq'> : never) : never;

/** Stands in an event or a command for a value that was left out. */
export class LeftOut {
  /** "ticket", "password". */
  readonly what: string;
  /** Bytes, or characters of a text. */
  readonly size: number;

  constructor(what: string, size: number) {
    this.what = what;
    this.size = size;
  }
}
