/** A journal in memory: for tests and for looking at. It ends with the process; with `most` it forgets its oldest records. */
import type { Past, ReadableJournal, ResumableJournal } from './journal.ts';
import type { Entry, JournalRecord } from './record.ts';

export class MemoryJournal implements ReadableJournal, ResumableJournal {
  private records: JournalRecord[] = [];
  private dropped = 0;
  private readonly most: number;

  /** `most`: records to keep. */
  constructor(most = Number.POSITIVE_INFINITY) {
    this.most = most;
  }

  /** One that goes on behind these records. */
  static after(records: readonly JournalRecord[]): MemoryJournal {
    const journal = new MemoryJournal();
    journal.records = [...records];
    return journal;
  }

  async past(root: 'server' | 'client'): Promise<Past | undefined> {
    const { records } = this;
    const last = records.at(-1);
    if (last === undefined) return undefined;
    const parts = [{ name: root, records: () => [...records] }];
    return { name: 'memory', now: last.at, split: false, parts, goOn: async () => {} };
  }

  append(entry: Entry): void {
    const seq = this.dropped + this.records.length + 1;
    this.records.push(entry.kind === 'wire' ? { ...entry, seq, bytes: entry.bytes.slice() } : { ...entry, seq });
    if (this.records.length > this.most * 2) {
      const excess = this.records.length - this.most;
      this.records.splice(0, excess);
      this.dropped += excess;
    }
  }

  /** Nothing here outlives the program, and nobody asks for it. */
  durable(): Promise<void> {
    return Promise.resolve();
  }

  *read(from = 1): Iterable<JournalRecord> {
    for (const record of this.records) if (record.seq >= from) yield record;
  }
}
