/** What every journal promises: one writer, records numbered without a gap, in the order of their appending. */
import type { Entry, JournalRecord } from './record.ts';

/**
 * How often a journal is told where all charts are: no sooner than `leastMs` after the last time, and when one of the others
 * is reached.
 */
export interface CheckpointRate {
  readonly leastMs: number;
  readonly mostMs: number;
  /** Records of charts: events and commands. */
  readonly steps: number;
  /** Bytes sent and received. */
  readonly bytes: number;
}

export interface Journal {
  /** Default: every minute in which something happens, and sooner when it is a lot. */
  readonly checkpoints?: CheckpointRate | undefined;
  /** What is durable outlives the program, so that it is worth waiting for. */
  readonly outlives?: boolean | undefined;
  /**
   * Takes a record in, at once and without fail: what becomes of it, `durable` tells. The bytes of a wire record are the
   * caller's again when this returns; everything else in it must not change any more.
   */
  append(entry: Entry): void;
  /** Resolves when all that was appended would outlive the machine. Rejects when some of it would not. */
  durable(): Promise<void>;
  /**
   * Resolves when all that was appended would outlive this program, which may be a lot sooner than `durable`, and is so
   * where there is none of this. Rejects when some of it would not.
   */
  kept?(): Promise<void>;
}

export interface ReadableJournal extends Journal {
  /** Records in their order, `from` (default 1) and after. */
  read(from?: number): Iterable<JournalRecord>;
}

/** One of the journals that a program wrote: of its root, or of one of its sessions. */
export interface PastPart {
  /** "server", "session:3", "client" */
  readonly name: string;
  /** What has to be known to go on: its records from the last checkpoint, or from the first one. Throws JournalError. */
  records(): AsyncIterable<JournalRecord> | Iterable<JournalRecord>;
}

/** A part that is gone on with. */
export interface GoOn {
  readonly part: PastPart;
  /** Charts that live in it, each with its name ("main/server") and what it knows. */
  readonly actors: readonly { readonly actor: string; readonly chart: string; readonly context: unknown }[];
  /** How many charts have begun in it and not ended, by what is in it already. */
  readonly alive: number;
}

/** What a program left unfinished when it ended without a word. */
export interface Past {
  /** For people: which run of a program it was. */
  readonly name: string;
  /** What the clock of its records says now, in milliseconds. */
  readonly now: number;
  /** Its sessions have journals of their own. */
  readonly split: boolean;
  /** The root's, and those of its sessions that were not over. */
  readonly parts: readonly PastPart[];
  /**
   * From now on, what is appended goes behind these parts. Until then, what is appended begins a journal of its own. Rejects
   * with JournalError, `locked` when somebody else was quicker.
   */
  goOn(parts: readonly GoOn[]): Promise<void>;
}

/** A journal that can go on where another program broke off. */
export interface ResumableJournal extends Journal {
  /** What the newest program that wrote here, and whose root had this name, left. Undefined: nothing. Rejects with JournalError. */
  past(root: 'server' | 'client'): Promise<Past | undefined>;
}

export const isResumable = (journal: Journal | undefined): journal is ResumableJournal =>
  typeof (journal as Partial<ResumableJournal> | undefined)?.past === 'function';
