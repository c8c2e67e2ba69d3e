/**
 * Who comes from where. An address that has too many links under way, or sends too many wrong passwords, is turned away, and
 * no other one notices. Knows no socket and no chart; keeps nothing of an address that behaves and has left.
 */
import { originOf } from '../transport/origin.ts';

export interface VisitorLimits {
  /** Links of one address that are not finished, at one time; the next one is closed at once. Default 64. */
  readonly maxUnfinishedLinks?: number | undefined;
  /**
   * Wrong passwords that an address may send before it is refused, whatever it says; one is forgiven every six seconds.
   * Infinity where all clients come through one proxy. Default 10.
   */
  readonly maxWrongPasswords?: number | undefined;
}

interface Visitor {
  unfinished: number;
  /** Wrong passwords that are not forgiven yet, at the time `at`. */
  wrong: number;
  at: number;
  /** The log knows that it is turned away. */
  told: boolean;
}

/** Milliseconds. */
const forgiven = 6_000;
/** Addresses with wrong passwords that are remembered. */
const mostRemembered = 10_000;

export class Visitors {
  private readonly all = new Map<string, Visitor>();
  /** Unfinished links, and where they are from. */
  private readonly links = new Map<string, string>();
  private readonly maxUnfinished: number;
  private readonly maxWrong: number;
  private readonly now: () => number;
  private readonly log: (line: string) => void;

  /** `now`: milliseconds. `log`: told once of each address that is turned away, until it is let in again. */
  constructor(limits: VisitorLimits, now: () => number, log: (line: string) => void) {
    this.maxUnfinished = limits.maxUnfinishedLinks ?? 64;
    this.maxWrong = limits.maxWrongPasswords ?? 10;
    this.now = now;
    this.log = log;
  }

  /** A connection has come; false: there is no room for another link from there. `address` is undefined for what is no IP. */
  enter(link: string, address: string | undefined): boolean {
    const origin = originOf(address);
    if (origin === undefined) return true;
    const visitor = this.of(origin);
    if (visitor.unfinished >= this.maxUnfinished) {
      this.tell(visitor, `${origin} has ${visitor.unfinished} links that are not finished: more are turned away`);
      return false;
    }
    visitor.unfinished++;
    this.links.set(link, origin);
    return true;
  }

  /** The link is up, or over. */
  finished(link: string): void {
    const origin = this.links.get(link);
    if (origin === undefined) return;
    this.links.delete(link);
    const visitor = this.all.get(origin)!;
    visitor.unfinished--;
    if (visitor.unfinished === 0) this.forget(origin, visitor);
  }

  /** The password that came over this unfinished link was wrong. */
  wrongPassword(link: string): void {
    const origin = this.links.get(link);
    if (origin === undefined) return;
    const visitor = this.of(origin);
    const level = this.level(visitor);
    if (level === 0) visitor.told = false;
    visitor.wrong = level + 1;
    visitor.at = this.now();
    if (visitor.wrong > this.maxWrong - 1) {
      this.tell(visitor, `${origin} sends wrong passwords: it is refused for a while`);
    }
  }

  /** Too many wrong passwords came from where this unfinished link is from. */
  isRefused(link: string): boolean {
    const visitor = this.all.get(this.links.get(link) ?? '');
    return visitor !== undefined && this.level(visitor) > this.maxWrong - 1;
  }

  /** Where an unfinished link is from; undefined where that is no IP address. */
  originOf(link: string): string | undefined {
    return this.links.get(link);
  }

  /** Addresses that are remembered. */
  get size(): number {
    return this.all.size;
  }

  private of(origin: string): Visitor {
    let visitor = this.all.get(origin);
    if (visitor === undefined) {
      if (this.all.size >= mostRemembered) this.makeRoom();
      visitor = { unfinished: 0, wrong: 0, at: this.now(), told: false };
      this.all.set(origin, visitor);
    }
    return visitor;
  }

  private level(visitor: Visitor): number {
    return Math.max(0, visitor.wrong - (this.now() - visitor.at) / forgiven);
  }

  private forget(origin: string, visitor: Visitor): void {
    if (this.level(visitor) === 0) this.all.delete(origin);
  }

  /** Drops those that are forgiven, or the oldest: what has links under way stays. */
  private makeRoom(): void {
    let excess = this.all.size - mostRemembered / 2;
    for (const [origin, visitor] of this.all) {
      if (visitor.unfinished > 0) continue;
      if (this.level(visitor) === 0 || excess > 0) {
        this.all.delete(origin);
        excess--;
      }
    }
  }

  private tell(visitor: Visitor, line: string): void {
    if (!visitor.told) this.log(line);
    visitor.told = true;
  }
}
