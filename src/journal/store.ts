/**
 * Where journals are kept: streams of chunks, one stream a session. `test/journal/contract.ts` holds every store to each
 * sentence here. A store knows nothing of what is in a chunk but its numbers, and never changes one.
 */
import type { Chunk, FarBytes, Place } from './chunk.ts';
import type { Shelf } from './shelf.ts';
import type { Tail } from './tail.ts';

/** What is told about a stream when it begins. */
export interface Birth {
  /** Milliseconds since 1970. */
  readonly born: number;
  /** Milliseconds since 1970 at which the clock of its records stood at 0. */
  readonly epoch: number;
  /** The program that writes it: "sumac 0.1.0". */
  readonly program: string;
  /** Nothing was left out of it. */
  readonly secrets: boolean;
}

export interface StreamHead extends Birth {
  readonly name: string;
  /** The number of its first record, if those before it were cut off: a checkpoint. */
  readonly first?: number | undefined;
  /** The number of its last record, 0 if there is none. */
  readonly last: number;
  /** Checksum of its last record. */
  readonly checksum: number;
  /** Bytes of its chunks, and of those that lie beside them. */
  readonly bytes: number;
  /** When it was last written to, milliseconds since 1970. */
  readonly touched: number;
  /** Its session has come to its end: there will be no more. */
  readonly finished: boolean;
  /** Somebody has it open for writing, as far as one can tell from here. */
  readonly open: boolean;
}

/** The only one who writes to a stream. */
export interface StreamWriter {
  /** The stream as it was when it was opened. */
  readonly head: StreamHead;
  /**
   * Adds a chunk behind the last one; chunks are handed over in order, and several may be under way. Resolves when it would
   * outlive the machine; then the chunk may be given back. Rejects with JournalError: `locked` when somebody else has written
   * meanwhile, `unwritable` when it cannot be kept. After a rejection nothing more is written.
   */
  append(chunk: Chunk, how?: { readonly finished?: boolean }): Promise<void>;
  /**
   * Writes large bytes of record `seq`, which is in none of the chunks yet, beside them, at once: they outlive the program when
   * it returns, and the machine when the chunk that names them does. Undefined where that cannot be: then they belong into
   * the chunk.
   */
  attach?(seq: number, bytes: Uint8Array): Place | undefined;
  /**
   * Removes what stands before the chunk that begins with record `first`, `bytes` in all; the numbers of the others stay. It
   * may be gone somewhat later than this resolves, when more is written.
   */
  cut(first: number, bytes: number): Promise<void>;
  /** Waits for what is under way, and gives the stream up. */
  close(): Promise<void>;
}

export interface Store {
  /** For people: a folder, an address. */
  readonly place: string;
  /** Where things that were worked out of its streams may be kept. */
  readonly shelf?: Shelf | undefined;
  /**
   * Waits until it is known of everybody who seems to write here whether they do. Those who have ended without a word may
   * look as if they did, for some seconds.
   */
  settled?(): Promise<void>;
  /** Where chunks that are on their way may be written down at once. */
  readonly tail?: Tail | undefined;
  /** Opens a stream for writing; it begins if there is none. Throws JournalError `locked` when somebody else has it open. */
  write(name: string, birth: Birth): Promise<StreamWriter>;
  /** All streams, oldest first. */
  list(): Promise<StreamHead[]>;
  /** Undefined if there is no such stream. */
  head(name: string): Promise<StreamHead | undefined>;
  /** The chunks of a stream, from the one that holds record `from` (default 1) on. */
  read(name: string, from?: number): AsyncIterable<Uint8Array>;
  /** Reads the bytes of a stream that lie beside its chunks; where there is none of this, there are none. */
  far?(name: string): { readonly read: FarBytes; close(): void };
  /** Removes what belongs to no stream: what a program left that ended in the middle of removing one. */
  tidy?(): void;
  /** Removes a stream with all that is in it. Does nothing when it is open for writing, or not there. */
  remove(name: string): Promise<void>;
  /** Writers must be closed before. */
  close(): Promise<void>;
}

/** What is left of a stream's head when what stands before record `first` is gone. */
export const headAfterCut = (head: StreamHead, first: number, bytes: number): StreamHead => ({
  ...head,
  first,
  bytes: head.bytes - bytes,
});

/** Bytes of a chunk, and of those that it names. */
export const sizeOf = ({ bytes, far = 0 }: Pick<Chunk, 'bytes' | 'far'>): number => bytes.length + far;

/** What was added to a stream's head by a chunk. */
export const headAfter = (
  head: StreamHead,
  chunk: Pick<Chunk, 'last' | 'checksum' | 'bytes' | 'far'>,
  touched: number,
  finished: boolean,
): StreamHead => ({
  ...head,
  last: chunk.last,
  checksum: chunk.checksum,
  bytes: head.bytes + sizeOf(chunk),
  touched,
  finished: head.finished || finished,
});

export const headAtBirth = (name: string, birth: Birth): StreamHead => ({
  name,
  ...{ born: birth.born, epoch: birth.epoch, program: birth.program, secrets: birth.secrets },
  ...{ last: 0, checksum: 0, bytes: 0, touched: birth.born, finished: false, open: true },
});

/** Oldest first, and the same at all times for those that began together. */
export const byAge = (a: StreamHead, b: StreamHead): number => a.born - b.born || (a.name < b.name ? -1 : 1);
