/**
 * Who comes from where. An address that has too many links under way, or sends too many wrong passwords, is turned away, and
 * no other one notices. Knows no socket and no chart; keeps nothing for long of an address that behaves and has left.
 */
import { originOf } from '../transport/origin.ts';
import type { Rank } from './turns.ts';

export interface VisitorLimits {
  /** Links of one address that are not finished, at one time; the next one is closed at once. Default 64. */
  readonly maxUnfinishedLinks?: number | undefined;
  /**
   * Links that an address may begin each second in the long run, and ten times as many at once; the next one is closed at
   * once. Where too many wrong passwords came from it is a tenth of that. Default 50.
   */
  readonly maxLinksPerSecond?: number | undefined;
  /**
   * Wrong passwords that an address may send before it is refused, whatever it says; one is forgiven every six seconds.
   * Infinity where all clients come through one proxy. Default 10.
   */
  readonly maxWrongPasswords?: number | undefined;
}

/** A bucket that leaks: how full it was at a time. */
interface Bucket {
  level: number;
  at: number;
}

interface Visitor {
  unfinished: number;
  readonly begun: Bucket;
  /** Wrong passwords that are not forgiven yet. */
  readonly wrong: Bucket;
  /** When a good ticket came from there last. */
  provenAt: number;
  /** The log knows that it is turned away. */
  told: boolean;
}

/** Wrong passwords that are forgiven in a millisecond: one in six seconds. */
const forgiven = 1 / 6_000;
/** Links that may be begun at once, in seconds of the rate. */
const burst = 10;
/** So many links one counts for that comes from where too many wrong passwords came from. */
const dear = 10;
/** Milliseconds for which an address is known after a good ticket. */
const knownFor = 600_000;
/** Addresses that are remembered. */
const mostRemembered = 10_000;

export class Visitors {
  private readonly all = new Map<string, Visitor>();
  /** Unfinished links, and where they are from. */
  private readonly links = new Map<string, string>();
  private readonly maxUnfinished: number;
  private readonly maxWrong: number;
  private readonly maxRate: number;
  private readonly now: () => number;
  private readonly log: (line: string) => void;

  /** `now`: milliseconds. `log`: told once of each address that is turned away, until it is let in again. */
  constructor(limits: VisitorLimits, now: () => number, log: (line: string) => void) {
    this.maxUnfinished = limits.maxUnfinishedLinks ?? 64;
    this.maxWrong = limits.maxWrongPasswords ?? 10;
    this.maxRate = limits.maxLinksPerSecond ?? 50;
    this.now = now;
    this.log = log;
  }

  /** A connection has come; false: there is no room for another link from there. `address` is undefined for what is no IP. */
  enter(link: string, address: string | undefined): boolean {
    const origin = originOf(address);
    if (origin === undefined) return true;
    const visitor = this.of(origin);
    if (!this.hasRoom(origin, visitor)) return false;
    this.fill(visitor.begun, this.level(visitor.begun, this.maxRate / 1000) + this.priceFor(visitor));
    visitor.unfinished++;
    this.links.set(link, origin);
    return true;
  }

  /** Whether `enter` would let a link in from there: to be asked before anything is made for it. */
  welcomes(address: string | undefined): boolean {
    const origin = originOf(address);
    const visitor = origin === undefined ? undefined : this.all.get(origin);
    return visitor === undefined || this.hasRoom(origin!, visitor);
  }

  private hasRoom(origin: string, visitor: Visitor): boolean {
    if (visitor.unfinished >= this.maxUnfinished) {
      this.tell(visitor, `${origin} has ${visitor.unfinished} links that are not finished: more are turned away`);
      return false;
    }
    if (this.level(visitor.begun, this.maxRate / 1000) + this.priceFor(visitor) > this.maxRate * burst) {
      this.tell(visitor, `${origin} begins too many links: more are turned away for a while`);
      return false;
    }
    return true;
  }

  /** A link that will be refused whatever it says is still told so, but not often. */
  private priceFor({ wrong }: Visitor): number {
    return this.level(wrong, forgiven) > this.maxWrong - 1 ? Math.min(dear, this.maxRate * burst) : 1;
  }

  /** The ticket that came over this unfinished link was good. */
  proven(link: string): void {
    const visitor = this.all.get(this.links.get(link) ?? '');
    if (visitor !== undefined) visitor.provenAt = this.now();
  }

  /** The link is up, or over. */
  finished(link: string): void {
    const origin = this.links.get(link);
    if (origin === undefined) return;
    this.links.delete(link);
    const visitor = this.all.get(origin)!;
    visitor.unfinished--;
    if (visitor.unfinished === 0 && this.isClean(visitor)) this.all.delete(origin);
  }

  /** The password that came over this unfinished link was wrong. */
  wrongPassword(link: string): void {
    const origin = this.links.get(link);
    if (origin === undefined) return;
    const visitor = this.of(origin);
    const wrong = this.level(visitor.wrong, forgiven) + 1;
    if (wrong === 1) visitor.told = false;
    this.fill(visitor.wrong, wrong);
    if (wrong > this.maxWrong - 1) {
      this.tell(visitor, `${origin} sends wrong passwords: it is refused for a while`);
    }
  }

  /** What those are taken for who are where this unfinished link is from, by the tickets that came from there of late. */
  rankOf(link: string): Rank {
    const visitor = this.all.get(this.links.get(link) ?? '');
    if (visitor === undefined) return 'new';
    if (this.level(visitor.wrong, forgiven) > 0) return 'suspected';
    return this.isKnown(visitor) ? 'known' : 'new';
  }

  /** Too many wrong passwords came from where this unfinished link is from. */
  isRefused(link: string): boolean {
    const visitor = this.all.get(this.links.get(link) ?? '');
    return visitor !== undefined && this.level(visitor.wrong, forgiven) > this.maxWrong - 1;
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
      const at = this.now();
      visitor = {
        unfinished: 0,
        begun: { level: 0, at },
        wrong: { level: 0, at },
        provenAt: Number.NEGATIVE_INFINITY,
        told: false,
      };
      this.all.set(origin, visitor);
    }
    return visitor;
  }

  /** How full a bucket is now, if so much leaks out of it in a millisecond. */
  private level({ level, at }: Bucket, leak: number): number {
    return Math.max(0, level - (this.now() - at) * leak);
  }

  private fill(bucket: Bucket, level: number): void {
    bucket.level = level;
    bucket.at = this.now();
  }

  /** There is nothing to hold against it, nor for it. */
  private isClean(visitor: Visitor): boolean {
    const { begun, wrong } = visitor;
    return this.level(wrong, forgiven) === 0 && this.level(begun, this.maxRate / 1000) === 0 && !this.isKnown(visitor);
  }

  private isKnown({ provenAt }: Visitor): boolean {
    return this.now() - provenAt < knownFor;
  }

  /** Drops those that are forgiven, or the oldest: what has links under way stays. */
  private makeRoom(): void {
    let excess = this.all.size - mostRemembered / 2;
    for (const [origin, visitor] of this.all) {
      if (visitor.unfinished > 0) continue;
      if (this.isClean(visitor) || excess > 0) {
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
