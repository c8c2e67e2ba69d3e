/**
 * What every transport promises: a pipe of bytes, both ways, in order. Runs anywhere.
 * The chunk handed to `onChunk` is valid only until the handler returns: whoever keeps bytes copies them.
 */

export interface Pipe {
  /** Who is at the other end, for people: "127.0.0.1:5900". */
  readonly peer: string;
  readonly secure: boolean;
  /** Bytes written but not yet taken by the network. */
  readonly pending: number;
  /**
   * Takes the pipe over. Handlers of an earlier taker are forgotten. Chunks that came before anybody took the pipe are kept
   * and delivered first; a pipe that nobody has taken, or that is paused, reads no further than its high-water mark.
   */
  take(handlers: PipeHandlers): void;
  /** Queues bytes; the array belongs to the pipe from then on. Writing to a closed pipe does nothing. */
  write(bytes: Uint8Array): void;
  /** Stops reading; the peer feels it through the network's own back-pressure. */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. Safe to call twice. `onClosed` of the present taker is called once, later. */
  close(): void;
  /** Closes at once, dropping what is queued. */
  abort(): void;
}

export interface PipeHandlers {
  onChunk(chunk: Uint8Array): void;
  /** The pipe is no more; `error` tells why, if it was not a plain close. */
  onClosed(error?: Error): void;
  /** `pending` has fallen back to zero after a write had raised it above the high-water mark. */
  onDrained?(): void;
}

/** Bytes queued for writing above which a sender should wait for `onDrained`. */
export const highWater = 1024 * 1024;

/** Where to dial. `port` and `tlsPort` are undefined where there is none. */
export interface Address {
  readonly host: string;
  readonly port?: number | undefined;
  readonly tlsPort?: number | undefined;
  /** A unix socket's path; then host and ports do not count. */
  readonly path?: string | undefined;
}
