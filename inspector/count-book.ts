/** How many messages of each name went over each channel: counted here, or told by another process. Runs anywhere. */
import type { Count } from './feed.ts';
import type { Counter } from './message-tap.ts';

export class CountBook {
  private readonly counters = new Set<Counter>();
  private readonly changed = new Set<Counter>();
  private readonly told = new Map<string, Count>();
  private readonly changedTold = new Map<string, Count>();

  /** A counter has changed since it was last read. */
  note(counter: Counter): void {
    this.counters.add(counter);
    this.changed.add(counter);
  }

  /** Another process has counted. */
  tell(count: Count): void {
    const key = `${count.actor} ${count.channel} ${count.direction} ${count.name}`;
    this.told.set(key, count);
    this.changedTold.set(key, count);
  }

  all(): Count[] {
    return [...[...this.counters].map(read), ...this.told.values()];
  }

  /** What has changed since the last call. */
  takeChanged(): Count[] {
    const counts = [...[...this.changed].map(read), ...this.changedTold.values()];
    this.dropChanged();
    return counts;
  }

  /** Nobody wants to know what has changed. */
  dropChanged(): void {
    this.changed.clear();
    this.changedTold.clear();
  }

  forget(actor: string): void {
    for (const counter of this.counters) if (counter.of.actor === actor) this.counters.delete(counter);
    for (const [key, count] of this.told) if (count.actor === actor) this.told.delete(key);
  }
}

const read = (counter: Counter): Count => counter.read();
