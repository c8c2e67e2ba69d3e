/**
 * Drives a machine by the QEMU Machine Protocol: a real QEMU or another Sumac. Answers are matched to commands by their ids.
 * A lost connection ends everything that waits, at once; nothing is ever guessed or tried again.
 */

import { createConnection, type Socket } from 'node:net';
import { type Observable, Subject } from 'rxjs';
import { type Clock, wallClock } from '../transport/clock.ts';
import { formatAddress, type SocketAddress } from './address.ts';
import {
  encodeMessage,
  isObject,
  JsonStream,
  QmpError,
  type QmpEvent,
  type QmpObject,
  type QmpVersion,
} from './protocol.ts';

export interface QmpClientOptions {
  /** Milliseconds for connecting, greeting and negotiation together. Default 5000. */
  readonly connectMs?: number;
  /** Milliseconds for the answer to a command. Default 10,000. */
  readonly answerMs?: number;
  readonly clock?: Clock;
}

/** UTF-16 units of one answer; QEMU's description of all its commands has some 300,000. */
const maxMessage = 16 * 1024 * 1024;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: QmpError) => void;
}

export class QmpClient {
  private readonly socket: Socket;
  private readonly clock: Clock;
  private readonly answerMs: number;
  private readonly stream = new JsonStream(maxMessage);
  private readonly waiting = new Map<number, Waiting>();
  private readonly heard = new Subject<QmpEvent>();
  private greet: (greeting: QmpObject) => void = () => {};
  private server: QmpObject = {};
  private lastId = 0;
  private lost: QmpError | undefined;

  private constructor(socket: Socket, { clock = wallClock, answerMs = 10_000 }: QmpClientOptions) {
    this.socket = socket;
    this.clock = clock;
    this.answerMs = answerMs;
    socket.on('data', (chunk: Uint8Array) => this.take(chunk));
    socket.on('error', (cause) => this.lose(new QmpError('Disconnected', 'The QMP connection broke', { cause })));
    socket.on('close', () => this.lose(new QmpError('Disconnected', 'The QMP server closed the connection')));
  }

  /** Connects, reads the greeting and negotiates no capability. Throws QmpError of class Disconnected or TimedOut. */
  static async connect(address: SocketAddress, options: QmpClientOptions = {}): Promise<QmpClient> {
    const { connectMs = 5_000, clock = wallClock } = options;
    const where = formatAddress(address);
    const socket = createConnection({ ...address, noDelay: true });
    let timer: unknown;
    try {
      return await new Promise<QmpClient>((resolve, reject) => {
        timer = clock.setTimeout(
          () => reject(new QmpError('TimedOut', `${where} did not greet within ${connectMs} ms`)),
          connectMs,
        );
        socket.once('error', (cause) => {
          reject(new QmpError('Disconnected', `No connection to ${where}: ${cause.message}`, { cause }));
        });
        const client = new QmpClient(socket, options);
        client.greet = (greeting) => {
          client.server = greeting;
          client.execute('qmp_capabilities').then(() => resolve(client), reject);
        };
        client.heard.subscribe({ complete: () => reject(client.lost) });
      });
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clock.clearTimeout(timer);
    }
  }

  /** Who is at the other end; undefined where it did not say so in a form that is known. */
  get version(): QmpVersion | undefined {
    const { version } = this.server;
    return isObject(version) && isObject(version.qemu) ? (version as unknown as QmpVersion) : undefined;
  }

  get connected(): boolean {
    return this.lost === undefined;
  }

  /** What happens to the machine, from now on. Completes when the connection ends. */
  get events(): Observable<QmpEvent> {
    return this.heard.asObservable();
  }

  /**
   * Runs a command and returns what it returns. Throws QmpError: of QEMU's classes where the machine refuses, of class
   * TimedOut or Disconnected where it does not answer.
   */
  async execute<T = unknown>(command: string, args?: QmpObject, options: { answerMs?: number } = {}): Promise<T> {
    if (this.lost !== undefined) throw this.lost;
    const { answerMs = this.answerMs } = options;
    const id = ++this.lastId;
    let timer: unknown;
    try {
      return await new Promise<T>((resolve, reject) => {
        this.waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
        timer = this.clock.setTimeout(
          () => reject(new QmpError('TimedOut', `${command} was not answered within ${answerMs} ms`)),
          answerMs,
        );
        this.socket.write(encodeMessage({ execute: command, ...(args === undefined ? {} : { arguments: args }), id }));
      });
    } finally {
      this.clock.clearTimeout(timer);
      this.waiting.delete(id);
    }
  }

  /** Ends the connection; the machine goes on. */
  close(): void {
    this.lose(new QmpError('Disconnected', 'The QMP connection was closed here'));
  }

  private take(chunk: Uint8Array): void {
    for (const input of this.stream.push(chunk)) {
      if (this.lost !== undefined) return;
      if ('fault' in input || !isObject(input.value)) {
        this.lose(new QmpError('Disconnected', 'What answers there does not speak QMP'));
      } else this.hear(input.value);
    }
  }

  private hear(message: QmpObject): void {
    if (isObject(message.QMP)) {
      const { greet } = this;
      this.greet = () => {};
      greet(message.QMP);
    } else if (typeof message.event === 'string') {
      const data = isObject(message.data) ? message.data : {};
      this.heard.next({ event: message.event, data, at: timeOf(message.timestamp) });
    } else if (isObject(message.error)) {
      const { class: errorClass, desc } = message.error;
      this.waiting.get(message.id as number)?.reject(new QmpError(String(errorClass), String(desc)));
    } else if ('return' in message) this.waiting.get(message.id as number)?.resolve(message.return);
  }

  private lose(error: QmpError): void {
    if (this.lost !== undefined) return;
    this.lost = error;
    this.socket.destroy();
    for (const { reject } of this.waiting.values()) reject(error);
    this.heard.complete();
  }
}

function timeOf(stamp: unknown): number {
  if (!isObject(stamp)) return Number.NaN;
  return Number(stamp.seconds) * 1000 + Number(stamp.microseconds) / 1000;
}
