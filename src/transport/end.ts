/**
 * The half of a pipe that is the same in every transport: who has taken it, what is kept for a reader that is not ready,
 * and how it ends. Runs anywhere. A transport adds how bytes leave and when bytes come; it never calls a handler itself.
 */

import { type Clock, wallClock } from './clock.ts';
import { TransportError } from './failure.ts';
import { closingPatience, highWater, type Pipe, type PipeHandlers } from './pipe.ts';

export interface PipeEndOptions {
  readonly peer: string;
  readonly secure: boolean;
  readonly clock?: Clock | undefined;
  /** Bytes kept for a reader that pauses before the pipe is given up. Only for networks that cannot be told to stop. */
  readonly holdLimit?: number | undefined;
}

export abstract class PipeEnd implements Pipe {
  readonly peer: string;
  readonly secure: boolean;
  protected readonly clock: Clock;
  private readonly holdLimit: number;

  private handlers: PipeHandlers | undefined;
  private paused = false;
  /** Chunks that wait for a reader. INVARIANT: while there is one, new chunks queue up behind it. */
  private held: Uint8Array[] = [];
  private heldBytes = 0;
  /** What the network was last told. */
  private reading = false;
  private pumping = false;
  /** A write has raised `pending` above the high-water mark, and `onDrained` is still due. */
  private raised = false;
  private writable = true;
  /** This side has closed or aborted: nothing more is delivered. */
  private left: 'closed' | 'aborted' | undefined;
  /** The network is done with. */
  private over = false;
  private told = false;
  private reason: Error | undefined;
  private patience: unknown;

  protected constructor(options: PipeEndOptions) {
    this.peer = options.peer;
    this.secure = options.secure;
    this.clock = options.clock ?? wallClock;
    this.holdLimit = options.holdLimit ?? Number.POSITIVE_INFINITY;
  }

  // What a transport must be able to do.

  /** Bytes written but not yet taken by the network. */
  protected abstract queued(): number;
  /** Queues bytes. Never called once `finish` or `destroy` has been. */
  protected abstract send(bytes: Uint8Array, taken?: () => void): void;
  /** Starts or stops reading. Called on changes only, first with true; never delivers before it returns. */
  protected abstract read(on: boolean): void;
  /** Sends what is queued, then closes. `ended` must follow when the peer has closed too. */
  protected abstract finish(): void;
  /** Closes at once. `ended` must follow, at once or later. */
  protected abstract destroy(): void;
  /** A write has raised `pending` above the high-water mark: call `drained` when it is back at zero. */
  protected swelled(): void {}

  // What a transport must tell.

  /** A chunk came; it is copied if it has to wait. */
  protected arrived(chunk: Uint8Array): void {
    if (this.left !== undefined || this.over || chunk.length === 0) return;
    if (this.handlers !== undefined && !this.paused && this.held.length === 0) {
      this.handlers.onChunk(chunk);
      return;
    }
    if (this.heldBytes + chunk.length > this.holdLimit) {
      this.fail(
        new TransportError('overrun', `${this.peer} sent more than ${this.holdLimit} bytes to a paused reader`),
      );
      return;
    }
    this.held.push(chunk.slice());
    this.heldBytes += chunk.length;
    this.settleReading();
  }

  /** The peer will send no more; what is queued for it still leaves. */
  protected peerFinished(): void {
    if (this.over || !this.writable) return;
    this.writable = false;
    this.watch();
  }

  /** Nothing is queued any more. */
  protected drained(): void {
    if (!this.raised || !this.writable) return;
    this.raised = false;
    this.handlers?.onDrained?.();
  }

  /** The network is done with; `error` tells why, if it was not a plain close. */
  protected ended(error?: Error): void {
    if (this.over) return;
    this.over = true;
    this.writable = false;
    this.reason ??= this.left === 'aborted' ? undefined : error;
    this.clock.clearTimeout(this.patience);
    this.schedule();
  }

  /** Gives the pipe up at once because of `error`. */
  protected fail(error: Error): void {
    if (this.over || this.left === 'aborted') return;
    this.reason ??= error;
    this.leave('aborted');
    this.destroy();
  }

  /** True from `ended` on. */
  protected get gone(): boolean {
    return this.over;
  }

  // What a pipe promises.

  get pending(): number {
    return this.over ? 0 : this.queued();
  }

  take(handlers: PipeHandlers, unread?: Uint8Array): void {
    this.handlers = handlers;
    this.paused = false;
    this.told = false;
    if (unread !== undefined && unread.length > 0 && this.left === undefined) {
      this.held.unshift(unread.slice());
      this.heldBytes += unread.length;
    }
    this.settleReading();
    this.schedule();
  }

  write(bytes: Uint8Array, taken?: () => void): void {
    if (!this.writable || bytes.length === 0) {
      taken?.();
      return;
    }
    this.send(bytes, taken);
    if (!this.raised && this.queued() > highWater) {
      this.raised = true;
      this.swelled();
    }
  }

  pause(): void {
    this.paused = true;
    this.settleReading();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    this.settleReading();
    if (this.held.length > 0) this.schedule();
  }

  close(): void {
    if (this.left !== undefined) return;
    this.leave('closed');
    if (this.over) return;
    this.finish();
    // What the peer still sends is read and dropped: closing a socket over unread bytes would destroy what was sent last.
    this.settleReading();
    this.watch();
  }

  abort(): void {
    if (this.left === 'aborted') return;
    this.leave('aborted');
    if (!this.over) this.destroy();
  }

  private leave(how: 'closed' | 'aborted'): void {
    this.left = how;
    this.writable = false;
    this.held = [];
    this.heldBytes = 0;
  }

  /** Tells the network whether to read, if that has changed. */
  private settleReading(): void {
    if (this.over) return;
    const ready = this.handlers !== undefined && !this.paused && this.held.length === 0;
    const on = ready || this.left === 'closed';
    if (on === this.reading) return;
    this.reading = on;
    this.read(on);
  }

  private schedule(): void {
    if (this.pumping) return;
    this.pumping = true;
    queueMicrotask(() => this.pump());
  }

  /** Delivers what was kept, then the end if there is one. */
  private pump(): void {
    this.pumping = false;
    try {
      while (this.held.length > 0 && this.handlers !== undefined && !this.paused) {
        const chunk = this.held.shift()!;
        this.heldBytes -= chunk.length;
        this.handlers.onChunk(chunk);
      }
    } finally {
      if (this.held.length > 0 && this.handlers !== undefined && !this.paused) this.schedule();
      else this.settleReading();
    }
    if (!this.over || this.told || this.handlers === undefined) return;
    // A plain end waits until what came before it was read; a reader that pauses is told of a broken pipe all the same.
    if (this.held.length > 0 && this.reason === undefined) return;
    this.held = [];
    this.heldBytes = 0;
    this.told = true;
    this.handlers.onClosed(this.reason);
  }

  /** Waits for the peer while the pipe closes, as long as bytes are still leaving. */
  private watch(): void {
    if (this.over) return;
    this.clock.clearTimeout(this.patience);
    const before = this.queued();
    this.patience = this.clock.setTimeout(() => {
      if (this.over) return;
      const left = this.queued();
      if (left < before) this.watch();
      else if (left === 0) this.destroy();
      else this.fail(new TransportError('stalled', `${this.peer} did not take the last ${left} bytes`));
    }, closingPatience);
  }
}
