/** What a journal holds: facts about one session, in the order in which they came to be. */

interface Common {
  /** Counts from 1 within a journal. */
  readonly seq: number;
  /** Milliseconds of the engine's clock. */
  readonly at: number;
  /** The actor that it concerns: "server/session:3/display:0". */
  readonly actor: string;
}

/** Bytes as they were read from or written to a connection. */
export interface WireRecord extends Common {
  readonly kind: 'wire';
  readonly link: string;
  readonly direction: 'in' | 'out';
  readonly bytes: Uint8Array;
}

/** An input of a chart. The first one of an actor is its birth: `chart` names the machine, `event.input` its input. */
export interface EventRecord extends Common {
  readonly kind: 'event';
  readonly event: { readonly type: string; readonly [key: string]: unknown };
  readonly chart?: string;
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

export type JournalRecord = WireRecord | EventRecord | CommandRecord | EndRecord;

/** A record before the journal numbers it. */
export type Entry = JournalRecord extends infer R ? (R extends JournalRecord ? Omit<R, 'seq'> : never) : never;
