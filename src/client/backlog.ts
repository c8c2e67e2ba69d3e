/**
 * Keeps messages in their order where one of them has to wait: those behind it are copied and queue up. INVARIANT: the queue
 * is bounded; when it is full the wait is given up, never a message.
 */
import type { AnyMessage } from '../protocol/channel.ts';

/** A copy of a value with all bytes in it, for what is used after the message that it came with is gone. */
export const keep = <T>(value: T): T => {
  if (value instanceof Uint8Array) return value.slice() as T;
  if (Array.isArray(value)) return (typeof value[0] === 'number' ? [...value] : value.map(keep)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const copy: Record<string, unknown> = {};
  for (const name in value) copy[name] = keep(value[name]);
  return copy as T;
};

/** About how many bytes a value takes. */
function sizeOf(value: unknown): number {
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== 'object' || value === null) return 8;
  let size = 32;
  for (const part of Object.values(value)) size += sizeOf(part);
  return size;
}

/** What becomes of a wait: exactly one of these is called, and never before `wait` has returned. */
export interface Outcome {
  done(): void;
  failed(error: Error): void;
  /** The backlog was dropped meanwhile: nothing may have an effect any more. */
  dropped?(): void;
}

export class Backlog {
  private readonly take: (message: AnyMessage) => void;
  private readonly limit: number;
  private queue: AnyMessage[] = [];
  private bytes = 0;
  private end: ((how: 'given up' | 'dropped') => void) | undefined;
  private idle: (() => void)[] = [];

  /** `take` handles one message and may call `wait`; it must not throw. `limit` is in bytes. */
  constructor(take: (message: AnyMessage) => void, limit: number) {
    this.take = take;
    this.limit = limit;
  }

  /** Messages that are not done with. */
  get pending(): number {
    return this.queue.length + (this.end === undefined ? 0 : 1);
  }

  /** Resolves when nothing is pending. */
  settled(): Promise<void> {
    if (this.end === undefined) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  /** Handles a message now, or after those that are pending. */
  push(message: AnyMessage): void {
    if (this.end === undefined) {
      this.take(message);
      return;
    }
    const own = keep(message);
    this.queue.push(own);
    this.bytes += sizeOf(own);
    if (this.bytes > this.limit) this.giveUp();
  }

  /** Holds all messages until `ready` is settled. */
  wait(ready: Promise<unknown>, outcome: Outcome): void {
    const finish = (act: () => void) => {
      if (this.end !== end) return;
      this.end = undefined;
      act();
      this.drain();
    };
    const end = (how: 'given up' | 'dropped') => {
      finish(() =>
        how === 'dropped' ? outcome.dropped?.() : outcome.failed(new Error('a picture that did not come')),
      );
    };
    this.end = end;
    ready.then(
      () => finish(() => outcome.done()),
      (error) => finish(() => outcome.failed(error instanceof Error ? error : new Error(String(error)))),
    );
  }

  /** Stops waiting, as if what was waited for had failed. */
  giveUp(): void {
    this.end?.('given up');
  }

  /** Forgets all messages that are pending. */
  drop(): void {
    this.queue = [];
    this.bytes = 0;
    this.end?.('dropped');
  }

  private drain(): void {
    while (this.end === undefined) {
      const next = this.queue.shift();
      if (next === undefined) break;
      this.bytes -= sizeOf(next);
      this.take(next);
    }
    if (this.end !== undefined) return;
    const idle = this.idle;
    this.idle = [];
    for (const resolve of idle) resolve();
  }
}
