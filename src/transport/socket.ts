/**
 * A pipe over one of Node's stream sockets: TCP, TLS or unix. It owns the socket, which must not be flowing. It never adds
 * bytes of its own.
 */

import type { Socket } from 'node:net';
import { PipeEnd, type PipeEndOptions } from './end.ts';
import { TransportError } from './failure.ts';

export interface SocketPipeOptions extends PipeEndOptions {
  /** The socket hands its bytes to `feed` through its `onread` option, instead of by 'data' events. */
  readonly fed?: boolean;
}

export class SocketPipe extends PipeEnd {
  readonly returns = true;
  private readonly socket: Socket;
  private error: Error | undefined;
  private corked = false;
  /** Over TLS: what waits until the chunk before it has become a record. */
  private readonly behind: { readonly bytes: Uint8Array; readonly taken: (() => void) | undefined }[] = [];
  private behindBytes = 0;
  private recording = false;
  private finishing = false;

  constructor(socket: Socket, options: SocketPipeOptions) {
    super(options);
    this.socket = socket;
    if (options.fed !== true) {
      // A listener for 'data' sets a socket going, unless it was paused by word.
      socket.pause();
      socket.on('data', (chunk: Buffer) => this.feed(chunk));
    }
    socket.on('end', () => this.peerFinished());
    socket.on('drain', () => {
      if (!this.recording) this.drained();
    });
    socket.on('error', (error) => {
      this.error ??= error;
    });
    socket.on('close', () => this.ended(this.lastWord()));
    if (socket.destroyed) queueMicrotask(() => this.ended(this.lastWord()));
  }

  /** Takes bytes that came from the socket. A Buffer goes no further: its `slice` would not copy. */
  feed(chunk: Uint8Array): void {
    this.arrived(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }

  protected override queued(): number {
    return this.socket.writableLength + this.behindBytes;
  }

  protected override send(bytes: Uint8Array, taken?: () => void): void {
    if (!this.socket.writable) {
      taken?.();
      return;
    }
    if (this.secure) {
      this.behind.push({ bytes, taken });
      this.behindBytes += bytes.length;
      if (!this.recording) this.record();
      return;
    }
    // Whatever is written in one turn of the loop leaves in one system call, and as few segments as it needs.
    if (!this.corked) {
      this.corked = true;
      this.socket.cork();
      process.nextTick(() => {
        this.corked = false;
        this.socket.uncork();
      });
    }
    this.socket.write(bytes, () => taken?.());
  }

  /**
   * Over TLS each chunk is a record of its own. The C clients look for more only where the socket does: of two messages in one
   * record they would leave the second lying until another record comes.
   */
  private record(): void {
    const next = this.behind.shift();
    this.recording = next !== undefined;
    if (next === undefined) {
      if (this.finishing) this.socket.end();
      else this.drained();
      return;
    }
    const { bytes, taken } = next;
    this.behindBytes -= bytes.length;
    this.socket.write(bytes, () => {
      taken?.();
      this.record();
    });
  }

  protected override read(on: boolean): void {
    if (on) this.socket.resume();
    else this.socket.pause();
  }

  protected override finish(): void {
    this.finishing = true;
    if (!this.recording) this.socket.end();
  }

  protected override destroy(): void {
    this.socket.destroy();
  }

  /** Why the socket closed. What happens after everything was sent at our own close is of no interest. */
  private lastWord(): Error | undefined {
    if (this.error === undefined || (this.finishing && this.socket.writableFinished)) return undefined;
    return new TransportError('lost', `The connection to ${this.peer} was lost`, { cause: this.error });
  }
}
