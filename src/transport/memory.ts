/**
 * Two joined pipes without a network, for tests and for a client and a server in one page. Runs anywhere.
 * Time is given in, so that with a virtual clock latency, stalls and deadlines are exact and cost nothing. A chunk is handed
 * over in a buffer that is scribbled over afterwards: a reader that keeps a chunk without copying it fails here first.
 */

import { type Clock, wallClock } from './clock.ts';
import { PipeEnd } from './end.ts';
import { TransportError } from './failure.ts';
import type { Pipe } from './pipe.ts';

export interface MemoryPairOptions {
  /** Milliseconds that each way takes. With 0, delivery is by microtask: then two ends that never stop talking starve timers. */
  readonly latencyMs?: number;
  /** Further milliseconds for this write, 0 or more. Order is kept: nothing overtakes. */
  readonly jitter?: () => number;
  readonly clock?: Clock;
  /** The largest chunk that is delivered, in bytes; 1 delivers byte by byte. Default 256 KiB. */
  readonly chunkBytes?: number;
  /** What `left` and `right` are called by the other end. */
  readonly names?: readonly [left: string, right: string];
  readonly secure?: boolean;
}

export interface MemoryPair {
  readonly left: Pipe;
  readonly right: Pipe;
  /** Both ends are done with. */
  readonly over: boolean;
  /** Breaks the connection: both ends are told `error` at once, and what is under way is lost. */
  cut(error?: Error): void;
  /** One end loses the connection and is told `error` at once; the other hears nothing any more, and is not told. */
  lose(end: 'left' | 'right', error?: Error): void;
  /** From now on nothing arrives, not even the end; what is written piles up in `pending`. */
  stall(): void;
  /** Ends a stall. */
  flow(): void;
}

/** Joins two pipes. `pending` of one end is what has not been delivered to the other: there is no network to take it. */
export function memoryPair(options: MemoryPairOptions = {}): MemoryPair {
  const [leftName, rightName] = options.names ?? ['memory:left', 'memory:right'];
  const left = new MemoryEnd(rightName, options);
  const right = new MemoryEnd(leftName, options);
  left.other = right;
  right.other = left;
  const ends = [left, right];
  return {
    left,
    right,
    get over() {
      return ends.every((end) => end.isOver);
    },
    cut(error = new TransportError('lost', 'The connection was cut')) {
      for (const end of ends) end.sever(error);
    },
    lose(end, error = new TransportError('lost', 'The connection was cut')) {
      for (const one of ends) one.hold(true);
      (end === 'left' ? left : right).sever(error);
    },
    stall() {
      for (const end of ends) end.hold(true);
    },
    flow() {
      for (const end of ends) end.hold(false);
    },
  };
}

/** Something under way to the other end. `at` is when it arrives. */
type Item = { at: number } & ({ bytes: Uint8Array } | { end: 'close' | 'abort' });

class MemoryEnd extends PipeEnd {
  other!: MemoryEnd;
  private readonly latency: number;
  private readonly jitter: () => number;
  private readonly scratch: Uint8Array;
  /** Under way from this end to the other. */
  private way: Item[] = [];
  private wayBytes = 0;
  private lastAt = 0;
  private wantsChunks = false;
  private stalled = false;
  private finishing = false;
  /** A delivery is due: a timer's id, or 'soon' for a microtask. */
  private due: unknown;

  constructor(peer: string, options: MemoryPairOptions) {
    super({ peer, secure: options.secure ?? false, clock: options.clock ?? wallClock });
    this.latency = options.latencyMs ?? 0;
    this.jitter = options.jitter ?? (() => 0);
    this.scratch = new Uint8Array(options.chunkBytes ?? 256 * 1024);
  }

  get isOver(): boolean {
    return this.gone;
  }

  /** Ends this end at once. */
  sever(error: Error): void {
    this.way = [];
    this.wayBytes = 0;
    this.unschedule();
    this.ended(error);
  }

  hold(stalled: boolean): void {
    this.stalled = stalled;
    if (stalled) this.unschedule();
    else this.nudge();
  }

  protected override queued(): number {
    return this.wayBytes;
  }

  protected override send(bytes: Uint8Array): void {
    this.wayBytes += bytes.length;
    this.put({ at: 0, bytes });
  }

  protected override read(on: boolean): void {
    this.wantsChunks = on;
    if (on) this.other.nudge();
  }

  protected override finish(): void {
    this.finishing = true;
    this.put({ at: 0, end: 'close' });
  }

  protected override destroy(): void {
    this.way = [];
    this.wayBytes = 0;
    this.put({ at: 0, end: 'abort' });
    this.other.forget();
    this.ended();
  }

  /** The other end is gone: what is under way to it goes nowhere. */
  private forget(): void {
    this.way = this.way.filter((item) => 'end' in item);
    this.wayBytes = 0;
  }

  private put(item: Item): void {
    this.lastAt = Math.max(this.lastAt, this.clock.now() + this.latency + this.jitter());
    item.at = this.lastAt;
    this.way.push(item);
    this.nudge();
  }

  /** Sees to it that the first item under way will be delivered, if it can be. */
  private nudge(): void {
    const first = this.way[0];
    if (this.stalled || this.due !== undefined || first === undefined) return;
    if ('bytes' in first && !this.other.wantsChunks) return;
    const wait = first.at - this.clock.now();
    if (wait > 0) {
      this.due = this.clock.setTimeout(() => this.deliver(), wait);
    } else {
      this.due = 'soon';
      queueMicrotask(() => this.deliver());
    }
  }

  private unschedule(): void {
    if (this.due === 'soon') return;
    this.clock.clearTimeout(this.due);
    this.due = undefined;
  }

  private deliver(): void {
    this.due = undefined;
    const now = this.clock.now();
    // What handlers write meanwhile waits for the next turn, so that the two ways take turns.
    let turns = this.way.length;
    while (turns-- > 0 && !this.stalled) {
      const first = this.way[0];
      if (first === undefined || first.at > now) break;
      if ('end' in first) {
        this.way = [];
        this.other.arriveEnd(first.end);
        return;
      }
      if (!this.handOver(first)) break;
    }
    this.nudge();
  }

  /** Delivers one item in as many chunks as it needs; false when the reader stopped before its end. */
  private handOver(item: Item & { bytes: Uint8Array }): boolean {
    // A handler may do anything, end this pipe included: then the item is not the first any more.
    while (this.way[0] === item) {
      if (!this.other.wantsChunks || this.stalled) return false;
      const piece = item.bytes.subarray(0, this.scratch.length);
      item.bytes = item.bytes.subarray(piece.length);
      if (item.bytes.length === 0) this.way.shift();
      this.wayBytes -= piece.length;
      const chunk = this.scratch.subarray(0, piece.length);
      chunk.set(piece);
      this.other.arrived(chunk);
      chunk.fill(0xdb);
    }
    if (this.wayBytes === 0) this.drained();
    return true;
  }

  private arriveEnd(how: 'close' | 'abort'): void {
    if (this.gone) return;
    this.forget();
    // A close is answered with a close; both are at their end then.
    if (how === 'close' && !this.finishing) this.put({ at: 0, end: 'close' });
    this.ended(how === 'abort' ? new TransportError('lost', `${this.peer} broke the connection off`) : undefined);
  }
}
