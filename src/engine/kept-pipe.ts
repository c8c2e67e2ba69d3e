/**
 * A pipe that holds back what a peer would rely on until the journal holds what caused it: whoever has been told a connection
 * id, or that its ticket is good, must find a server that knows of it, even after a crash. INVARIANT: bytes leave in the
 * order in which they were written. It never waits for drawing, and does nothing where the journal would not outlive us.
 */
import type { Journal } from '../journal/journal.ts';
import { highWater, type Pipe, type PipeHandlers } from '../transport/pipe.ts';

/** Messages of charts that the other side builds on. In the gap of a hand-over nothing waits: see the README, Decisions. */
const reliedOn: ReadonlySet<string> = new Set([
  'msg.init',
  'msg.migrate_begin',
  'msg.migrate_begin_seamless',
  'msg.migrate_switch_host',
  'msg.migrate_dst_seamless_ack',
  'msg.migrate_dst_seamless_nack',
  'msgc.migrate_connected',
  'msgc.migrate_connected_seamless',
  'msgc.migrate_connect_error',
  'msgc.migrate_dst_do_seamless',
]);

/**
 * Whether a peer relies on this message of a chart: "msg.init". `received`: messages that it has sent on this link. A client
 * that was handed over knows its connection id already, and its init must not wait.
 */
export const isReliedOn = (type: string, received: number): boolean =>
  reliedOn.has(type) && (type !== 'msg.init' || received === 0);

/** Writes what a peer relies on: at once, unless there is a journal that it has to wait for. */
export function writeRelied(pipe: Pipe, bytes: Uint8Array): void {
  if (pipe instanceof KeptPipe) pipe.writeRelied(bytes);
  else pipe.write(bytes);
}

/** The same pipe, or one that can wait for the journal. */
export const keptPipe = (pipe: Pipe, journal: Journal | undefined): Pipe =>
  journal?.outlives === true ? new KeptPipe(pipe, journal) : pipe;

interface Held {
  readonly bytes: Uint8Array;
  readonly taken?: (() => void) | undefined;
  /** What caused it is kept. */
  ready: boolean;
}

class KeptPipe implements Pipe {
  private readonly pipe: Pipe;
  private readonly journal: Journal;
  private handlers: PipeHandlers | undefined;
  private held: Held[] = [];
  private heldBytes = 0;
  /** More was held than a sender should queue, and the taker may wait to hear that it is over. */
  private swelled = false;
  private closing = false;

  constructor(pipe: Pipe, journal: Journal) {
    this.pipe = pipe;
    this.journal = journal;
  }

  get peer(): string {
    return this.pipe.peer;
  }

  get secure(): boolean {
    return this.pipe.secure;
  }

  get pending(): number {
    return this.pipe.pending + this.heldBytes;
  }

  take(handlers: PipeHandlers, unread?: Uint8Array): void {
    this.handlers = handlers;
    this.pipe.take(this.closing ? deafened(handlers) : handlers, unread);
  }

  write(bytes: Uint8Array, taken?: () => void): void {
    if (this.closing) return;
    if (this.held.length === 0) this.pipe.write(bytes, taken);
    else this.hold({ bytes, taken, ready: true });
  }

  writeRelied(bytes: Uint8Array): void {
    if (this.closing) return;
    const held: Held = { bytes, ready: false };
    this.hold(held);
    const { journal } = this;
    (journal.kept?.() ?? journal.durable()).then(
      () => {
        held.ready = true;
        this.release();
      },
      // There must be a journal, and there is none any more: nothing may be built on what is not in it.
      () => this.abort(),
    );
  }

  pause(): void {
    this.pipe.pause();
  }

  resume(): void {
    this.pipe.resume();
  }

  close(): void {
    if (this.held.length === 0) {
      this.pipe.close();
      return;
    }
    if (this.closing) return;
    this.closing = true;
    if (this.handlers !== undefined) this.pipe.take(deafened(this.handlers));
  }

  abort(): void {
    this.held = [];
    this.heldBytes = 0;
    this.pipe.abort();
  }

  private hold(held: Held): void {
    this.held.push(held);
    this.heldBytes += held.bytes.length;
    this.swelled ||= this.pending >= highWater;
  }

  private release(): void {
    while (this.held[0]?.ready) {
      const { bytes, taken } = this.held.shift()!;
      this.heldBytes -= bytes.length;
      this.pipe.write(bytes, taken);
    }
    if (this.held.length > 0) return;
    if (this.closing) this.pipe.close();
    else if (this.swelled && this.pipe.pending < highWater) this.handlers?.onDrained?.();
    this.swelled = false;
  }
}

/** For one who has closed: no chunk comes any more, but the end does. */
const deafened = (handlers: PipeHandlers): PipeHandlers => ({
  onChunk: () => {},
  onClosed: (error) => handlers.onClosed(error),
});
