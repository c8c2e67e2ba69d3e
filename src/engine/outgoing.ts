/**
 * The way out of a channel: a message becomes a frame, is counted, written to the journal and then to the pipe. It never
 * writes more to a peer that takes nothing than it may, and what the peer relies on waits until the journal holds it.
 */
import type { LinkName } from '../../machines/contract.ts';
import type { Origin } from '../journal/record.ts';
import {
  type AnyMessage,
  type Channel,
  encodeMessage,
  fullHeaderSize,
  miniHeaderSize,
  type Side,
} from '../protocol/index.ts';
import { highWater, type Pipe } from '../transport/pipe.ts';
import { BufferPool } from '../wire/pool.ts';
import type { DataPlane } from './data-plane.ts';
import { frame } from './deframe.ts';
import { isReliedOn, writeRelied } from './kept-pipe.ts';
import type { System } from './system.ts';
import type { ChannelWatch } from './watch.ts';

/** Bytes that may be written while the peer takes none: answers, news. More than that, and it is let go. */
const usualOverdraft = 16 * 1024 * 1024;

/** Frames of pictures are written into memory that was used before: new memory has the garbage collector run all the time. */
const pool = new BufferPool(16 * 1024 * 1024);
const pooled = 64 * 1024;

/** Short frames lie side by side in memory that is made once for many of them, and forgotten with the last. */
const shelfBytes = 16 * 1024;
const mostShelved = 1024;
let shelf = new Uint8Array(shelfBytes);
let shelved = 0;

function memory(size: number): Uint8Array {
  if (size >= pooled) return pool.take(size);
  if (size > mostShelved) return new Uint8Array(size);
  if (shelved + size > shelfBytes) {
    shelf = new Uint8Array(shelfBytes);
    shelved = 0;
  }
  const at = shelved;
  shelved += size;
  return shelf.subarray(at, shelved);
}

/** Longer frames are not remembered. */
const mostRemembered = 4 * 1024;
/** The last short frame without a serial, whatever channel it went to: what many are told alike is one value, written once. */
let last:
  | { readonly protocol: Channel; readonly message: AnyMessage; readonly number: number; readonly bytes: Uint8Array }
  | undefined;

export interface OutgoingOptions {
  readonly system: System;
  /** "server/session:3/display:0" */
  readonly address: string;
  readonly side: Side;
  readonly protocol: Channel;
  readonly plane: DataPlane;
  /** Bytes that are written while the peer takes none. Default 16 MiB. */
  readonly overdraft: number | undefined;
  /** It was too much. Told once of each link. */
  readonly onOverdrawn: () => void;
}

/** Bytes of a message's last field that may be sent from where they lie. */
export interface Lent {
  readonly bytes: Uint8Array;
  /** They stay as they are until what this returns is called. */
  readonly hold: () => () => void;
}

/** What frames are written to. */
export interface Exit {
  readonly pipe: Pipe;
  readonly link: LinkName;
  /** Frames have headers of six bytes. */
  readonly mini: boolean;
}

export class Outgoing {
  watch: ChannelWatch | undefined;
  private readonly options: OutgoingOptions;
  private exit: Exit | undefined;
  /** Bytes that were written although the peer takes none. */
  private overdrawn = 0;

  constructor(options: OutgoingOptions) {
    this.options = options;
  }

  /** Another link is written to from now on, or none. */
  use(exit: Exit | undefined): void {
    this.exit = exit;
    this.overdrawn = 0;
  }

  /**
   * `at`: milliseconds of the engine's clock, where the message tells the time. `lent`: of the message, for who can do without a
   * copy. Throws WireError when a value does not fit.
   */
  write(message: AnyMessage, from: Origin, at?: number, lent?: Lent): void {
    if (this.exit === undefined) return;
    const { pipe, link, mini } = this.exit;
    const { system, address, side, protocol, plane } = this.options;
    // Who watches may look at a body later.
    const isOurs = this.watch === undefined;
    if (lent !== undefined && isOurs && system.journal === undefined && pipe.returns === true) {
      this.writeLent(this.exit, message, lent);
      return;
    }
    const again = mini && last?.message === message && last.protocol === protocol ? last : undefined;
    const { number, body } =
      again === undefined
        ? encodeMessage(protocol, side, message, fullHeaderSize, isOurs ? memory : undefined)
        : { number: again.number, body: again.bytes.subarray(miniHeaderSize) };
    if (!this.mayDraw(pipe, fullHeaderSize + body.length)) return;
    plane.countSent();
    this.watch?.message('out', number, body);
    const bytes = again?.bytes ?? frame(mini, plane.sent, number, body, fullHeaderSize);
    if (mini && again === undefined && bytes.length <= mostRemembered) last = { protocol, message, number, bytes };
    if (system.journal !== undefined) {
      const when = at ?? system.clock.now();
      system.write({ kind: 'wire', at: when, actor: address, link, direction: 'out', from, bytes });
    }
    if (from === 'chart' && isReliedOn(message.type, plane.received)) writeRelied(pipe, bytes);
    else if (isOurs && bytes.buffer.byteLength >= pooled)
      pipe.write(bytes, () => pool.give(new Uint8Array(bytes.buffer as ArrayBuffer)));
    else pipe.write(bytes);
  }

  /** The frame but for what was lent, and that behind it. */
  private writeLent({ pipe, mini }: Exit, message: AnyMessage, { bytes, hold }: Lent): void {
    const { side, protocol, plane } = this.options;
    const { number, body } = encodeMessage(protocol, side, message, fullHeaderSize, undefined, bytes);
    if (!this.mayDraw(pipe, fullHeaderSize + body.length + bytes.length)) return;
    plane.countSent();
    pipe.write(frame(mini, plane.sent, number, body, fullHeaderSize, bytes.length));
    pipe.write(bytes, hold());
  }

  /** Counts what is written to a peer that takes nothing; false when it is too much. */
  private mayDraw(pipe: Pipe, size: number): boolean {
    this.overdrawn = pipe.pending > highWater ? this.overdrawn + size : 0;
    if (this.overdrawn <= (this.options.overdraft ?? usualOverdraft)) return true;
    this.overdrawn = Number.NEGATIVE_INFINITY;
    this.options.onOverdrawn();
    return false;
  }
}
