/**
 * Lines about strangers who were turned away: the first of an address at once, and then one in each second that counts the
 * others. It never writes more than that, however many come.
 */
import type { Clock } from '../engine/clock.ts';
import { originOf } from '../transport/origin.ts';

/** Milliseconds. */
const window = 1_000;
/** Addresses that have lines of their own within one window. */
const mostOrigins = 100;

interface Recent {
  line: string;
  count: number;
  readonly timer: unknown;
}

export class Refusals {
  private readonly recent = new Map<string, Recent>();
  private readonly clock: Clock;
  private readonly log: (line: string) => void;

  constructor(clock: Clock, log: (line: string) => void) {
    this.clock = clock;
    this.log = log;
  }

  /** `address`: who was refused; undefined for what has no IP address. */
  note(address: string | undefined, line: string): void {
    const own = originOf(address) ?? '';
    const origin = this.recent.size < mostOrigins || this.recent.has(own) ? own : 'others';
    const known = this.recent.get(origin);
    if (known !== undefined) {
      known.line = line;
      known.count++;
      return;
    }
    const timer = this.clock.setTimeout(() => {
      const { line: last, count } = this.recent.get(origin)!;
      this.recent.delete(origin);
      if (count > 0) this.log(count === 1 ? last : `${last} (and ${count - 1} more like it within a second)`);
    }, window);
    this.recent.set(origin, { line, count: 0, timer });
    this.log(line);
  }

  /** Nothing more is told. */
  close(): void {
    for (const { timer } of this.recent.values()) this.clock.clearTimeout(timer);
    this.recent.clear();
  }
}
