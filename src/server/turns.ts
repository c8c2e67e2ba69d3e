/**
 * Work that strangers cause before they are anybody: a little of it in each turn, so that running sessions go first. Addresses
 * take turns, and those that are suspected come last. It never does more in a turn than it may, and forgets nothing.
 */
import type { Clock } from '../engine/clock.ts';

/** What one turn may cost, see `price`. */
const mostUnits = 8;
/** Milliseconds that one turn may take, and those that belong to others before the next. */
const mostTime = 2;
const others = 2;

/** What the steps of a link cost, in units of about 0.2 ms; a main link begins a session, with all its charts. */
export const price = { accept: 1, message: 1, ticket: 2, session: 8 } as const;

interface Job {
  readonly cost: number;
  readonly run: () => void;
}

type Line = Map<string, Job[]>;

export class Turns {
  private readonly clock: Clock;
  private readonly honest: Line = new Map();
  private readonly suspected: Line = new Map();
  private began = Number.NEGATIVE_INFINITY;
  private units = 0;
  private timer: unknown;
  private waiting = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Jobs that wait. */
  get size(): number {
    return this.waiting;
  }

  /** Does it at once if this turn has room and nobody waits, else in a later turn. It must not throw. */
  do(origin: string, suspected: boolean, cost: number, run: () => void): void {
    if (this.waiting === 0 && this.mayGoOn()) {
      this.units += cost;
      run();
      return;
    }
    const line = suspected ? this.suspected : this.honest;
    const jobs = line.get(origin);
    if (jobs === undefined) line.set(origin, [{ cost, run }]);
    else jobs.push({ cost, run });
    this.waiting++;
    this.arm();
  }

  /** Drops what waits. */
  close(): void {
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.honest.clear();
    this.suspected.clear();
    this.waiting = 0;
  }

  private mayGoOn(): boolean {
    const now = this.clock.now();
    if (now - this.began >= mostTime + others) {
      this.began = now;
      this.units = 0;
    }
    return this.units < mostUnits && now - this.began <= mostTime;
  }

  private arm(): void {
    if (this.timer !== undefined || this.waiting === 0) return;
    this.timer = this.clock.setTimeout(() => {
      this.timer = undefined;
      this.began = this.clock.now();
      this.units = 0;
      while (this.waiting > 0 && this.mayGoOn()) {
        const { cost, run } = this.next();
        this.units += cost;
        run();
      }
      this.arm();
    }, others);
  }

  private next(): Job {
    const line = this.honest.size > 0 ? this.honest : this.suspected;
    const [turn] = line;
    const [origin, jobs] = turn!;
    const job = jobs.shift()!;
    // To the end of the line.
    line.delete(origin);
    if (jobs.length > 0) line.set(origin, jobs);
    this.waiting--;
    return job;
  }
}
