/** The password of a server and how long it is good for (spec §1.5). */
import { timingSafeEqual } from 'node:crypto';
import { UsageError } from '../errors.ts';
import { longestPassword } from '../protocol/link.ts';

export class Password {
  /** Undefined: everybody may link. */
  private text: string | undefined;
  private expires = Number.POSITIVE_INFINITY;
  private readonly now: () => number;

  /** `now`: milliseconds since the epoch. */
  constructor(text: string | undefined, now: () => number) {
    this.now = now;
    this.set(text);
  }

  get required(): boolean {
    return this.text !== undefined;
  }

  /** Throws UsageError when it is longer than SPICE allows. */
  set(text: string | undefined): void {
    if (text !== undefined && new TextEncoder().encode(text).length > longestPassword) {
      throw new UsageError(`a SPICE password has at most ${longestPassword} bytes`);
    }
    this.text = text;
    this.expires = Number.POSITIVE_INFINITY;
  }

  /** `at`: milliseconds since the epoch. Links that are up stay up. */
  expire(at: number): void {
    this.expires = at;
  }

  /** An empty password admits nobody, an expired one neither. */
  admits(given: string): boolean {
    if (this.text === undefined) return true;
    const encoder = new TextEncoder();
    const [a, b] = [
      encoder.encode(given.padEnd(longestPassword, '\0')),
      encoder.encode(this.text.padEnd(longestPassword, '\0')),
    ];
    return this.text !== '' && this.now() < this.expires && a.length === b.length && timingSafeEqual(a, b);
  }
}
