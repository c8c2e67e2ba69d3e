/** Counts the work of charts while an input is given: see `workBudget`. It is the journal of what is fuzzed. */
import type { Journal } from '../../src/journal/journal.ts';
import type { Entry } from '../../src/journal/record.ts';
import { demand, workBudget } from './target.ts';

export class Counter implements Journal {
  /** Nothing of it is to be read again. */
  readonly checkpoints = { leastMs: 1e12, mostMs: 1e12, steps: 1e12, bytes: 1e15 };
  /** The most units that one input has cost, and its share of what it might have. */
  most = { units: 0, share: 0 };
  private inputs = 0;
  private bytes = 0;

  append(entry: Entry): void {
    if (entry.kind === 'event' || entry.kind === 'command') this.inputs++;
    else if (entry.kind === 'wire' && entry.direction === 'out') this.bytes += entry.bytes.length;
  }

  durable(): Promise<void> {
    return Promise.resolve();
  }

  /** Throws Found when what was counted since the last call is more than an input of so many bytes may cost. */
  check(size: number): void {
    const units = this.inputs + this.bytes / 1024;
    this.inputs = 0;
    this.bytes = 0;
    const allowed = workBudget.units + workBudget.perByte * size;
    if (units / allowed > this.most.share) this.most = { units, share: units / allowed };
    demand(units <= allowed, `${Math.round(units)} units of work for ${size} bytes`);
  }
}
