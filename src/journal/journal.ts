/** What every journal promises: one writer, records numbered without a gap, in the order of their appending. */
import type { Entry, JournalRecord } from './record.ts';

export interface Journal {
  /**
   * Takes a record in, at once and without fail: what becomes of it, `durable` tells. The bytes of a wire record are the
   * caller's again when this returns; everything else in it must not change any more.
   */
  append(entry: Entry): void;
  /** Resolves when all that was appended would outlive this program. Rejects when some of it would not. */
  durable(): Promise<void>;
}

export interface ReadableJournal extends Journal {
  /** Records in their order, `from` (default 1) and after. */
  read(from?: number): Iterable<JournalRecord>;
}
