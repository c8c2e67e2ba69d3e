/**
 * Cuts the messages out of one connection's bytes, as a journal holds them: the link stage first, then messages both ways,
 * whichever actor read them. It keeps no more than what was read ahead of the first message.
 */
import { Deframer } from '../src/engine/deframe.ts';
import { ticketSize } from '../src/protocol/link.ts';

type OnMessage = (direction: 'in' | 'out', number: number, body: Uint8Array) => void;

/** Bytes of the longest message that is cut out, and those read ahead; a journal may lie. */
const longest = 64 * 1024 * 1024;
const mostAhead = 256 * 1024;
const headerSize = 16;

export class LinkReader {
  mini = true;
  /** The actor whose messages these are now. */
  owner: string | undefined;
  private chunks: Uint8Array[] = [];
  private held = 0;
  /** Link messages, each of which says how long it is; and bytes of the stage besides them. */
  private messages = 0;
  private stage = 0;
  private onMessage: OnMessage = () => {};
  private deframers: Record<'in' | 'out', Deframer> | undefined;
  private broken = false;

  /** The link's chart took this event in: that much of the stage has been read. */
  heard(type: string): void {
    // A second reply comes after the first one asked for a secured connection.
    if (type === 'link.mess' || type === 'link.reply') this.messages++;
    else if (type === 'link.mechanism' || type === 'link.result') this.stage += 4;
    else if (type === 'link.ticket') this.stage += ticketSize;
  }

  /** Bytes that the link itself read: of its stage, and, while it is parked, of what comes after. */
  ahead(bytes: Uint8Array): void {
    if (this.held > mostAhead || this.deframers !== undefined) return;
    this.chunks.push(bytes);
    this.held += bytes.length;
  }

  /** Messages go to `onMessage` from now on. Throws when bytes read ahead are no messages. */
  begin(onMessage: OnMessage): void {
    this.onMessage = onMessage;
    if (this.deframers !== undefined) return;
    const cut = (direction: 'in' | 'out') =>
      new Deframer(this.mini, longest, (number, body) => this.onMessage(direction, number, body));
    this.deframers = { in: cut('in'), out: cut('out') };
    const read = joined(this.chunks.splice(0));
    const view = new DataView(read.buffer);
    let at = this.stage;
    for (let i = 0, message = 0; i < this.messages && message + headerSize <= read.length; i++) {
      const size = headerSize + view.getUint32(message + 12, true);
      message += size;
      at += size;
    }
    const rest = read.subarray(Math.min(read.length, at));
    if (rest.length > 0) this.push('in', rest);
  }

  /** Throws once when the bytes are no messages; after that they are passed over. */
  push(direction: 'in' | 'out', bytes: Uint8Array): void {
    if (this.broken || this.deframers === undefined) return;
    try {
      this.deframers[direction].push(bytes);
    } catch (error) {
      this.broken = true;
      throw error;
    }
  }
}

function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}
