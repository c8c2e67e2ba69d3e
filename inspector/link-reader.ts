/**
 * Cuts the messages out of one connection's bytes, as a journal holds them, whichever actor read them. Who takes a link over
 * is given what was read ahead and not used, and writes it down as its own: so only the records of the present owner count,
 * from where it took the link over. It keeps no more than a message that is not all there.
 */
import { Deframer } from '../src/engine/deframe.ts';

type OnMessage = (direction: 'in' | 'out', number: number, body: Uint8Array) => void;

/** Bytes of the longest message that is cut out; a journal may lie. */
const longest = 64 * 1024 * 1024;

export class LinkReader {
  /** Whether messages have the mini header. */
  mini = true;
  /** The actor whose messages these are now. */
  owner: string | undefined;
  private deframers: Record<'in' | 'out', Deframer> | undefined;

  /** An actor takes the link over: what comes is cut anew, and its messages go to `onMessage`. */
  begin(owner: string, onMessage: OnMessage): void {
    this.owner = owner;
    const cut = (direction: 'in' | 'out') =>
      new Deframer(this.mini, longest, (number, body) => onMessage(direction, number, body));
    this.deframers = { in: cut('in'), out: cut('out') };
  }

  /** Throws once when the bytes are no messages; after that they are passed over, until somebody takes the link over. */
  push(direction: 'in' | 'out', bytes: Uint8Array): void {
    if (this.deframers === undefined) return;
    try {
      this.deframers[direction].push(bytes);
    } catch (error) {
      this.deframers = undefined;
      throw error;
    }
  }
}
