/**
 * A small QEMU Machine Protocol client of the tests' own: JSON lines over a socket. It knows nothing of what it talks
 * to, so one script drives a QEMU and a Sumac server alike. It shares no code with the library, and never guesses an
 * answer: a lost connection rejects everything that waits.
 */
import { createConnection, type NetConnectOpts, type Socket } from 'node:net';

export type QmpData = Record<string, unknown>;

export interface QmpEvent {
  readonly event: string;
  readonly data: QmpData;
  /** The sender's time stamp, milliseconds since 1970 with microseconds as the fraction. */
  readonly at: number;
  /** When it came in here, on the same scale. */
  readonly seenAt: number;
}

/** An error answer; `class` is QEMU's, e.g. `GenericError` or `CommandNotFound`. */
export class QmpError extends Error {
  readonly class: string;
  constructor(command: string, kind: string, description: string) {
    super(`${command}: ${description} (${kind})`);
    this.name = 'QmpError';
    this.class = kind;
  }
}

/** Where a QMP server listens. */
export type QmpAddress = { readonly path: string } | { readonly host: string; readonly port: number };

interface Pending {
  readonly command: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class QmpPeer {
  /** The `QMP` member of the greeting: version and capabilities. */
  greeting: QmpData = {};
  /** Every event so far, oldest first. */
  readonly events: QmpEvent[] = [];
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #watchers = new Set<() => void>();
  #nextId = 1;
  #lost: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  /**
   * Connects, reads the greeting and leaves negotiation mode. Tries again until `timeoutMs` (default 10 s) while nobody
   * listens yet; `abandon` ends that early, e.g. when the server's process has died.
   */
  static async connect(address: QmpAddress, timeoutMs = 10_000, abandon?: () => Error | undefined): Promise<QmpPeer> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      try {
        const socket = await open('path' in address ? { path: address.path } : { ...address });
        const peer = new QmpPeer(socket);
        await peer.#greet(Math.max(1, deadline - Date.now()));
        return peer;
      } catch (error) {
        const reason = abandon?.();
        if (reason !== undefined) throw reason;
        const code = (error as NodeJS.ErrnoException).code;
        if ((code !== 'ENOENT' && code !== 'ECONNREFUSED') || Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  get connected(): boolean {
    return this.#lost === undefined;
  }

  /** Runs a command and returns what it returns. Throws a QmpError for an error answer. */
  async execute<T = unknown>(command: string, args?: QmpData, timeoutMs = 20_000): Promise<T> {
    if (this.#lost !== undefined) throw this.#lost;
    const id = this.#nextId++;
    return await new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new Error(`${command}: no answer for ${timeoutMs} ms`));
      }, timeoutMs);
      this.#pending.set(id, {
        command,
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value as T);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#socket.write(`${JSON.stringify({ execute: command, ...(args && { arguments: args }), id })}\n`);
    });
  }

  /** As `execute`, but returns undefined where the server does not know the command. */
  async tryExecute<T = unknown>(command: string, args?: QmpData): Promise<T | undefined> {
    try {
      return await this.execute<T>(command, args);
    } catch (error) {
      if (error instanceof QmpError && error.class === 'CommandNotFound') return undefined;
      throw error;
    }
  }

  /** A place in `events`, for `since`: only events after now. */
  mark(): number {
    return this.events.length;
  }

  /**
   * Waits for an event of this name for which `where` holds and returns it. Events from place `since` on count, even if
   * they came before the call. Throws when the time (default 10 s) is over or the connection is lost.
   */
  async waitFor(
    name: string,
    where: (data: QmpData) => boolean = () => true,
    options: { readonly since?: number; readonly timeoutMs?: number } = {},
  ): Promise<QmpEvent> {
    const find = (): QmpEvent | undefined =>
      this.events.slice(options.since ?? 0).find((event) => event.event === name && where(event.data));
    await this.waitUntil(() => find() !== undefined, `event ${name}`, options.timeoutMs);
    return find()!;
  }

  /** Waits until the test holds; it is asked again at every event. Throws as `waitFor` does. */
  async waitUntil(holds: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
    if (holds()) return;
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => {
        done();
        const seen = this.events.slice(-12).map((event) => `  ${event.event} ${JSON.stringify(event.data)}`);
        reject(new Error(`QMP: ${why} while waiting for ${what}; last events:\n${seen.join('\n')}`));
      };
      const look = (): void => {
        if (holds()) {
          done();
          resolve();
        } else if (this.#lost !== undefined) fail(this.#lost.message);
      };
      const timer = setTimeout(() => fail(`not within ${timeoutMs} ms`), timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
      };
      this.#watchers.add(look);
      look();
    });
  }

  /** Closes the connection; the server goes on. */
  close(): void {
    this.#socket.destroy();
    this.#lose(new Error('the QMP connection was closed here'));
  }

  async #greet(timeoutMs: number): Promise<void> {
    let greeted = false;
    let rest = '';
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text) => {
      const lines = (rest + String(text)).split('\n');
      rest = lines.pop()!;
      for (const line of lines) {
        if (line.trim() === '') continue;
        const message = JSON.parse(line) as QmpData;
        if ('QMP' in message) {
          this.greeting = message.QMP as QmpData;
          greeted = true;
        } else this.#take(message);
      }
      this.#wake();
    });
    this.#socket.on('error', (error) => this.#lose(error));
    this.#socket.on('close', () => this.#lose(new Error('the QMP server closed the connection')));
    try {
      await this.waitUntil(() => greeted, 'the greeting', timeoutMs);
      await this.execute('qmp_capabilities', undefined, timeoutMs);
    } catch (error) {
      this.#socket.destroy();
      throw error;
    }
  }

  #take(message: QmpData): void {
    if (typeof message.event === 'string') {
      const stamp = message.timestamp as { seconds: number; microseconds: number } | undefined;
      this.events.push({
        event: message.event,
        data: (message.data ?? {}) as QmpData,
        at: stamp === undefined ? Number.NaN : stamp.seconds * 1000 + stamp.microseconds / 1000,
        seenAt: Date.now(),
      });
      return;
    }
    const pending = this.#pending.get(Number(message.id));
    if (pending === undefined) return;
    this.#pending.delete(Number(message.id));
    const error = message.error as { class?: string; desc?: string } | undefined;
    if (error === undefined) pending.resolve(message.return);
    else pending.reject(new QmpError(pending.command, error.class ?? '', error.desc ?? ''));
  }

  #lose(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    this.#wake();
  }

  #wake(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }
}

async function open(options: NetConnectOpts): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = createConnection(options, () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
