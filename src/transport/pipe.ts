/**
 * What every transport promises: a pipe of bytes, both ways, in order. Runs anywhere.
 * `test/transport/contract.ts` holds every transport to each sentence here.
 * The chunk handed to `onChunk` is valid only until the handler returns: whoever keeps bytes copies them.
 */

export interface Pipe {
  /** Who is at the other end, for people: "127.0.0.1:5900". */
  readonly peer: string;
  readonly secure: boolean;
  /** Bytes written but not yet taken by the network; 0 once the pipe is no more. */
  readonly pending: number;
  /**
   * Takes the pipe over. Handlers of an earlier taker are forgotten, and so is its pause. Chunks that came before anybody
   * took the pipe are kept and delivered first; a pipe that nobody has taken, or that is paused, reads no further than its
   * high-water mark. Nothing is delivered before this call returns. Whoever takes a pipe that is no more is told so.
   *
   * `unread`: bytes that the earlier taker was given and has no use for; the new one is given them before all others.
   */
  take(handlers: PipeHandlers, unread?: Uint8Array): void;
  /** `taken` is called for each array that is written, at the latest when the pipe is no more. */
  readonly returns?: boolean;
  /**
   * Queues bytes; the array belongs to the pipe from then on, until `taken` is called, if it ever is: then the pipe needs it no
   * more. Writing to a closed pipe does nothing.
   */
  write(bytes: Uint8Array, taken?: () => void): void;
  /**
   * Stops reading; the peer feels it through the network's own back-pressure. A pipe that does not read may not notice its
   * peer's end until it is resumed or written to.
   */
  pause(): void;
  resume(): void;
  /**
   * Sends what is queued, then closes. Safe to call twice. No chunk is delivered after this call; `onClosed` of the present
   * taker is called once, later. A peer that takes nothing for `closingPatience` is cut off: then `onClosed` has an error if
   * bytes were left.
   */
  close(): void;
  /**
   * Closes at once, dropping what is queued (a browser's WebSocket sends it all the same); the rest is as with `close`. What
   * the peer sees is up to the network: a plain close or an error.
   */
  abort(): void;
}

export interface PipeHandlers {
  /** `chunk` is a plain Uint8Array of at least one byte. */
  onChunk(chunk: Uint8Array): void;
  /** The pipe is no more; `error` tells why, if it was not a plain close. The last call, after every chunk. */
  onClosed(error?: Error): void;
  /** `pending` has fallen back to zero after a write had raised it above the high-water mark. */
  onDrained?(): void;
}

/** Bytes queued for writing above which a sender should wait for `onDrained`. */
export const highWater = 1024 * 1024;

/** Milliseconds that a closing pipe waits for its peer to take another byte, or to close too, before it cuts it off. */
export const closingPatience = 5_000;

/** Where to dial. `port` and `tlsPort` are undefined where there is none. */
export interface Address {
  readonly host: string;
  readonly port?: number | undefined;
  readonly tlsPort?: number | undefined;
  /** A unix socket's path; then host and ports do not count. */
  readonly path?: string | undefined;
}
