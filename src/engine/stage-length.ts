/**
 * How long the link stage is in the bytes that one side receives, and where the ticket lies in it: what stands behind it are
 * messages of the channel already. It reads no more than the sizes that it needs, however the bytes are cut.
 */
import { CommonCap, hasCap } from '../protocol/capabilities.ts';
import type { Side } from '../protocol/channel.ts';
import { linkHeaderSize, ticketSize } from '../protocol/link.ts';
import { ByteQueue } from './byte-queue.ts';
import { readMess } from './link-stage.ts';

export interface StagePiece {
  /** Bytes of the piece that belong to the stage. */
  readonly size: number;
  /** Those of them that are the ticket's. */
  readonly ticket: { readonly at: number; readonly size: number } | undefined;
}

export class StageLength {
  private readonly side: Side;
  private readonly queue = new ByteQueue();
  /** Bytes up to the ticket, or to the end; undefined while that is not known. */
  private before: number | undefined;
  private ticket: number;

  /** `side`: who receives. */
  constructor(side: Side) {
    this.side = side;
    this.ticket = side === 'server' ? ticketSize : 0;
  }

  push(bytes: Uint8Array): StagePiece {
    let at = 0;
    if (this.before === undefined) {
      this.queue.push(bytes);
      this.before = this.side === 'server' ? this.behindMess() : this.behindHeader();
      if (this.before === undefined) return { size: bytes.length, ticket: undefined };
      at = bytes.length - this.queue.takeAll().length;
    }
    const skipped = Math.min(this.before, bytes.length - at);
    this.before -= skipped;
    at += skipped;
    const size = Math.min(this.ticket, bytes.length - at);
    this.ticket -= size;
    return { size: at + size, ticket: size > 0 ? { at, size } : undefined };
  }

  /** Server: a mechanism may stand between the link message and the ticket. */
  private behindMess(): number | undefined {
    try {
      const mess = readMess(this.queue);
      return mess === undefined ? undefined : hasCap(mess.commonCaps, CommonCap.authSelection) ? 4 : 0;
    } catch {
      // The link is refused, and whatever else comes belongs to it.
      return Number.POSITIVE_INFINITY;
    }
  }

  /** Client: the rest of the reply, and the result. */
  private behindHeader(): number | undefined {
    const header = this.queue.take(linkHeaderSize);
    return header === undefined ? undefined : new DataView(header.buffer, header.byteOffset).getUint32(12, true) + 4;
  }
}
