/**
 * A pipe over a WebSocket object of the browser's API, binary frames only; `ws` objects of Node have the same shape. Runs
 * anywhere. Frame borders mean nothing: a peer may cut its bytes as it likes.
 *
 * A browser's WebSocket cannot be paused. There a pipe that is paused keeps what comes, up to `holdLimit`, and is given up
 * beyond it; SPICE's own windows (acks, agent tokens) must keep a server from sending that much.
 */

import { UsageError } from '../errors.ts';
import { type Clock, wallClock } from './clock.ts';
import { PipeEnd } from './end.ts';
import { TransportError } from './failure.ts';
import { highWater, type Pipe } from './pipe.ts';

/** What a pipe needs of a WebSocket. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'error', listener: (event: unknown) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; wasClean: boolean }) => void): void;
  /** What the `ws` package can do and a browser cannot. */
  pause?(): void;
  resume?(): void;
  terminate?(): void;
}

export interface WebSocketPipeOptions {
  /** Who is at the other end, for people. */
  readonly peer: string;
  readonly secure?: boolean;
  readonly clock?: Clock;
  /** Bytes kept for a paused reader when the socket cannot be paused. Default 64 MiB. */
  readonly holdLimit?: number;
}

/** What a WebSocket of SPICE calls itself; offered by every client. */
export const subprotocol = 'binary';

/** The largest frame that a pipe sends, in bytes. */
export const frameBytes = 256 * 1024;

const connecting = 0;
const open = 1;

/** Makes a pipe of a socket that is open, and from then on owns it. */
export function webSocketPipe(socket: WebSocketLike, options: WebSocketPipeOptions): Pipe {
  return new WebSocketPipe(socket, options);
}

export interface WebSocketDialOptions {
  /** Default: the browser's own. In Node: `(url, protocols) => new WebSocket(url, protocols)` with that of `ws`. */
  readonly open?: (url: string, protocols: string[]) => WebSocketLike;
  /** Milliseconds until the socket must be open. Default 10,000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly holdLimit?: number;
  readonly clock?: Clock;
}

/**
 * Connects to `ws://…` or `wss://…`. Throws TransportError, or UsageError for an address of another kind; a browser does not
 * tell why a connection failed.
 */
export async function dialWebSocket(url: string, options: WebSocketDialOptions = {}): Promise<Pipe> {
  const { timeoutMs = 10_000, signal, clock = wallClock } = options;
  const where = URL.canParse(url) ? new URL(url) : undefined;
  if (where === undefined || !/^wss?:/.test(where.protocol)) throw new UsageError(`Not a WebSocket address: ${url}`);
  if (signal?.aborted) throw new TransportError('cancelled', `Dialling ${url} was given up`, { cause: signal.reason });
  const create = options.open ?? ((to: string, protocols: string[]) => new WebSocket(to, protocols));
  const socket: WebSocketLike = create(url, [subprotocol]);
  const pipe = new WebSocketPipe(socket, { ...options, peer: where.host, secure: where.protocol === 'wss:' });
  let timer: unknown;
  let onAbort = () => {};
  try {
    await new Promise<void>((resolve, reject) => {
      timer = clock.setTimeout(() => {
        reject(new TransportError('timed-out', `${where.host} did not answer within ${timeoutMs / 1000} s`));
      }, timeoutMs);
      onAbort = () => {
        reject(new TransportError('cancelled', `Dialling ${url} was given up`, { cause: signal?.reason }));
      };
      signal?.addEventListener('abort', onAbort);
      socket.addEventListener('open', () => resolve());
      socket.addEventListener('close', () => {
        reject(new TransportError('refused', `No WebSocket at ${url}`, { cause: pipe.error }));
      });
    });
  } catch (error) {
    pipe.abort();
    throw error;
  } finally {
    clock.clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
  return pipe;
}

class WebSocketPipe extends PipeEnd {
  /** What the socket last complained of. */
  error: unknown;
  private readonly socket: WebSocketLike;
  private wantsChunks = false;

  constructor(socket: WebSocketLike, options: WebSocketPipeOptions) {
    const { peer, secure = false, clock, holdLimit = 64 * highWater } = options;
    super({ peer, secure, clock, holdLimit: socket.pause === undefined ? holdLimit : undefined });
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', ({ data }) => {
      if (data instanceof ArrayBuffer) this.arrived(new Uint8Array(data));
      else this.refuseText();
    });
    socket.addEventListener('error', (event) => {
      this.error ??= event instanceof Object && 'error' in event ? event.error : undefined;
    });
    socket.addEventListener('close', ({ code }) => this.closed(code));
    if (socket.readyState === connecting) socket.addEventListener('open', () => this.read(this.wantsChunks));
    else if (socket.readyState === open) this.read(false);
    else queueMicrotask(() => this.ended());
  }

  protected override queued(): number {
    return this.socket.bufferedAmount;
  }

  protected override send(bytes: Uint8Array): void {
    if (this.socket.readyState !== open) return;
    for (let at = 0; at < bytes.length; at += frameBytes) {
      this.socket.send(bytes.subarray(at, at + frameBytes) as Uint8Array<ArrayBuffer>);
    }
  }

  protected override read(on: boolean): void {
    this.wantsChunks = on;
    if (on) this.socket.resume?.();
    else this.socket.pause?.();
  }

  protected override finish(): void {
    this.socket.close(1000);
  }

  protected override destroy(): void {
    if (this.socket.terminate !== undefined) {
      this.socket.terminate();
      return;
    }
    // A browser sends what is queued all the same, and keeps the socket for as long as it likes; for us it is no more.
    this.socket.close();
    this.ended();
  }

  /** No event tells when `bufferedAmount` has fallen: look, ever less often while it does not. */
  protected override swelled(): void {
    let before = this.queued();
    let wait = 1;
    const look = () => {
      if (this.gone) return;
      const left = this.queued();
      if (left === 0) {
        this.drained();
        return;
      }
      wait = left < before ? 1 : Math.min(wait * 2, 64);
      before = left;
      this.clock.setTimeout(look, wait);
    };
    this.clock.setTimeout(look, wait);
  }

  private refuseText(): void {
    this.socket.close(1003, 'binary frames only');
    this.fail(new TransportError('malformed', `${this.peer} sent a text frame`));
  }

  /** 1000, 1001 and 1005 are plain closes: done, going away, no code given (RFC 6455 §7.4.1). */
  private closed(code: number): void {
    const plain = code === 1000 || code === 1001 || code === 1005;
    const message = `The WebSocket to ${this.peer} was lost (${code})`;
    this.ended(plain ? undefined : new TransportError('lost', message, { cause: this.error }));
  }
}
