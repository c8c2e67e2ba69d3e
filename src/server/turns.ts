/**
 * Work that strangers cause before they are anybody: one piece of it, then a look at what has come for the sessions, and after a
 * few pieces a rest. Addresses take turns; those that are known come first, and those that are suspected last. It never does two
 * pieces at once, and forgets nothing.
 */
import type { Clock } from '../engine/clock.ts';

/** What may be done until there is a rest, see `price`. */
const mostUnits = 8;
/** Milliseconds until there is a rest, and those that it takes. */
const mostTime = 1;
const others = 3;

/** What the steps of a link cost, in units of about 0.1 ms; a main link begins a session, with all its charts. */
export const price = { accept: 1, message: 1, ticket: 4, session: 8, end: 1 } as const;

/** What an address is taken for, best first. */
export const ranks = ['known', 'new', 'suspected'] as const;
export type Rank = (typeof ranks)[number];

interface Job {
  readonly cost: number;
  readonly run: () => void;
}

type Line = Map<string, Job[]>;

export class Turns {
  private readonly clock: Clock;
  private readonly afterOthers: (run: () => void) => void;
  private readonly lines: Readonly<Record<Rank, Line>> = { known: new Map(), new: new Map(), suspected: new Map() };
  private began = Number.NEGATIVE_INFINITY;
  private units = 0;
  private timer: unknown;
  private waiting = 0;
  /** Something was done, and nobody has looked at the network since. */
  private looking = false;

  /** `afterOthers`: runs something when all that has come over the network by now was handled. */
  constructor(clock: Clock, afterOthers: (run: () => void) => void) {
    this.clock = clock;
    this.afterOthers = afterOthers;
  }

  /** Jobs that wait. */
  get size(): number {
    return this.waiting;
  }

  /** Does it at once if nothing else was done since the last look at the network, else later. It must not throw. */
  do(origin: string, rank: Rank, cost: number, run: () => void): void {
    if (this.waiting === 0 && !this.looking && this.mayGoOn()) {
      this.perform({ cost, run });
      return;
    }
    const line = this.lines[rank];
    const jobs = line.get(origin);
    if (jobs === undefined) line.set(origin, [{ cost, run }]);
    else jobs.push({ cost, run });
    this.waiting++;
    this.goOn();
  }

  /** Drops what waits. */
  close(): void {
    this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    for (const rank of ranks) this.lines[rank].clear();
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

  private perform({ cost, run }: Job): void {
    this.units += cost;
    this.looking = true;
    this.afterOthers(() => {
      this.looking = false;
      this.goOn();
    });
    run();
  }

  /** Does the next, if it may be done now; else sees to it that it will be. */
  private goOn(): void {
    if (this.waiting === 0 || this.looking || this.timer !== undefined) return;
    if (this.mayGoOn()) {
      this.perform(this.next());
      return;
    }
    this.timer = this.clock.setTimeout(() => {
      this.timer = undefined;
      this.began = Number.NEGATIVE_INFINITY;
      this.goOn();
    }, others);
  }

  private next(): Job {
    const line = this.lines[ranks.find((rank) => this.lines[rank].size > 0)!];
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
