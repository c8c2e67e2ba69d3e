/**
 * Time that moves only when a test says so. It is an XState `clock` (give it to `createActor(machine, { clock })`) and the
 * transports' Clock. Timers run in the order of their times, those of one time in the order in which they were set, and
 * between two timers all promises that can settle do.
 */

import type { Clock } from '../../src/transport/clock.ts';

interface Timer {
  readonly id: number;
  readonly at: number;
  readonly fn: (...args: any[]) => void;
}

// Kept from the start, in case a test replaces the global timers.
const realSetImmediate = setImmediate;

export class VirtualClock implements Clock {
  private time: number;
  private lastId = 0;
  private readonly timers = new Map<number, Timer>();

  /** `start`: what `now()` says at first, in milliseconds. */
  constructor(start = 0) {
    this.time = start;
  }

  // Arrow functions, because XState and others call them without their object.
  readonly now = (): number => this.time;

  readonly setTimeout = (fn: (...args: any[]) => void, ms: number): number => {
    const id = ++this.lastId;
    this.timers.set(id, { id, at: this.time + Math.max(ms || 0, 0), fn });
    return id;
  };

  readonly clearTimeout = (id: unknown): void => {
    this.timers.delete(id as number);
  };

  /** How many timers are set: a test of leaks wants 0. */
  get waiting(): number {
    return this.timers.size;
  }

  /** Lets all promises settle that need no time. */
  async settle(): Promise<void> {
    await new Promise<void>((resolve) => realSetImmediate(resolve));
  }

  /** Moves on by `ms` milliseconds and runs every timer on the way, also those that are set on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await this.settle();
    for (let timer = this.next(end); timer !== undefined; timer = this.next(end)) {
      this.run(timer);
      await this.settle();
    }
    this.time = end;
  }

  /** Moves from timer to timer until `done()` is true; throws when it is not within `limitMs`. Returns what `now()` is then. */
  async until(done: () => boolean, limitMs = 60_000): Promise<number> {
    const end = this.time + limitMs;
    await this.settle();
    while (!done()) {
      const timer = this.next(end);
      if (timer === undefined) throw new Error(`Not so within ${limitMs} ms of virtual time: ${done}`);
      this.run(timer);
      await this.settle();
    }
    return this.time;
  }

  private run(timer: Timer): void {
    this.timers.delete(timer.id);
    this.time = Math.max(this.time, timer.at);
    timer.fn();
  }

  private next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers.values()) {
      if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer;
    }
    return first;
  }
}
