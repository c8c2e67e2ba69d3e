/** What every journal promises: one writer, records numbered without a gap, in the order of their appending. */
import type { Entry, JournalRecord } from './record.ts';

export interface Journal {
  /** Takes a record in. It must not keep arrays that the caller goes on using: the caller hands over copies. */
  append(entry: Entry): void;
}

export interface ReadableJournal extends Journal {
  /** Records in their order, `from` (default 1) and after. */
  read(from?: number): Iterable<JournalRecord>;
}
