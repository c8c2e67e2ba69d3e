/**
 * Serves the QEMU Machine Protocol, so that what drives QEMU drives a Sumac: greeting, negotiation, commands one after the
 * other, events to everybody. It interprets no command (commands.ts does) and changes nothing by itself. A client can end its
 * own connection, never the process, and never another client's.
 */

import type { Socket } from 'node:net';
import type { Subscription } from 'rxjs';
import { highWater } from '../transport/pipe.ts';
import type { SocketAddress } from './address.ts';
import { type CommandContext, runCommand } from './commands.ts';
import { type ListeningSocket, listenOn } from './listening.ts';
import type { VirtualMachine } from './machine.ts';
import {
  encodeMessage,
  isObject,
  JsonStream,
  QmpError,
  type QmpInput,
  type QmpObject,
  type QmpVersion,
} from './protocol.ts';
import type { Notice } from './spice-words.ts';

export interface QmpServerOptions {
  /** Port 0 finds a free one. A socket that a dead process left behind is replaced. */
  readonly listen: SocketAddress;
  readonly machine: VirtualMachine;
  /** What `query-version` says of the program, "sumac 0.1.0". */
  readonly package?: string;
  /** The time on events: milliseconds since 1970, with fractions. */
  readonly epoch?: () => number;
  /** Clients at one time; the next one is closed at once. Default 64. */
  readonly maxClients?: number;
  readonly log?: (line: string) => void;
}

export interface QmpServer {
  /** With the port that was found. */
  readonly address: SocketAddress;
  /** How many clients are connected. */
  readonly clients: number;
  /** Ends all connections, with what was sent, and frees the address. The machine goes on. */
  close(): Promise<void>;
}

/** UTF-16 units of one command. */
const maxCommand = 1024 * 1024;

/** Bytes that a client may leave unread before it is cut off. */
const maxUnread = 16 * 1024 * 1024;

/** QEMU, as which we speak. */
const spoken = { major: 7, minor: 2, micro: 0 };

/** Throws UsageError when the address cannot be had. */
export async function createQmpServer(options: QmpServerOptions): Promise<QmpServer> {
  const { machine, maxClients = 64, log } = options;
  const epoch = options.epoch ?? (() => performance.timeOrigin + performance.now());
  const version: QmpVersion = { qemu: spoken, package: options.package ?? 'sumac' };
  const clients = new Set<Client>();
  const subscription: Subscription = machine.events.subscribe((notice) => {
    const time = epoch();
    for (const client of clients) client.notify(notice, time);
  });
  const listening: ListeningSocket = await listenOn(options.listen, maxClients, (socket) => {
    const client = new Client(socket, { machine, version, epoch }, log);
    clients.add(client);
    socket.on('close', () => clients.delete(client));
  }).catch((error: unknown) => {
    subscription.unsubscribe();
    throw error;
  });
  return {
    address: listening.address,
    get clients() {
      return clients.size;
    },
    close: async () => {
      subscription.unsubscribe();
      for (const client of clients) client.end();
      await listening.close();
    },
  };
}

class Client {
  private readonly socket: Socket;
  private readonly context: Omit<CommandContext, 'answered'>;
  private readonly log: ((line: string) => void) | undefined;
  private readonly stream = new JsonStream(maxCommand);
  private readonly waiting: QmpInput[] = [];
  private negotiated = false;
  private busy = false;

  constructor(socket: Socket, context: Omit<CommandContext, 'answered'>, log?: (line: string) => void) {
    this.socket = socket;
    this.context = context;
    this.log = log;
    socket.on('data', (chunk: Uint8Array) => {
      this.waiting.push(...this.stream.push(chunk));
      if (this.waiting.length > 0 && !this.busy) void this.work();
    });
    this.send({ QMP: { version: context.version, capabilities: [] } });
  }

  /** Clients that have not negotiated yet are told of no event. */
  notify(notice: Notice, time: number): void {
    if (!this.negotiated) return;
    const seconds = Math.floor(time / 1000);
    const microseconds = Math.floor((time - seconds * 1000) * 1000);
    this.send({ timestamp: { seconds, microseconds }, ...notice });
  }

  end(): void {
    this.socket.setTimeout(1_000, () => this.socket.destroy());
    this.socket.end();
  }

  /** Answers what has come, in its order; nothing more is read meanwhile. */
  private async work(): Promise<void> {
    this.busy = true;
    this.socket.pause();
    for (
      let input = this.waiting.shift();
      input !== undefined && !this.socket.destroyed;
      input = this.waiting.shift()
    ) {
      if ('fault' in input) {
        this.send({ error: { class: 'GenericError', desc: input.fault } });
        if (input.fatal) return this.end();
      } else await this.answer(input.value);
      if (this.socket.writableLength > highWater) await this.drained();
    }
    this.busy = false;
    this.socket.resume();
  }

  private async answer(message: unknown): Promise<void> {
    // What was asked with an id is answered with it, errors too.
    const id = isObject(message) && Object.hasOwn(message, 'id') ? { id: message.id } : {};
    let told: () => void = () => {};
    const answered = () =>
      new Promise<void>((resolve) => {
        told = resolve;
        this.socket.once('close', resolve);
      });
    try {
      const { name, given } = readMessage(message);
      const result = await this.execute(name, given, answered);
      this.send({ return: result, ...id }, () => told());
    } catch (error) {
      const { class: errorClass, desc, cause } = error as QmpError;
      // Only what nobody foresaw has a cause here.
      if (cause !== undefined) this.log?.(`${desc}: ${String(cause)}`);
      this.send({ ...id, error: { class: errorClass, desc } });
    }
  }

  private async execute(name: string, given: QmpObject, answered: CommandContext['answered']): Promise<unknown> {
    if (this.negotiated) {
      if (name === 'qmp_capabilities') {
        const desc = 'Capabilities negotiation is already complete, command ignored';
        throw new QmpError('CommandNotFound', desc);
      }
      return await runCommand(name, { ...this.context, answered }, given);
    }
    if (name !== 'qmp_capabilities') {
      throw new QmpError('CommandNotFound', "Expecting capabilities negotiation with 'qmp_capabilities'");
    }
    negotiate(given);
    this.negotiated = true;
    return {};
  }

  private send(message: QmpObject, sent?: () => void): void {
    if (this.socket.destroyed || this.socket.writableEnded) return;
    if (this.socket.writableLength > maxUnread) {
      this.log?.('a QMP client reads nothing and was cut off');
      this.socket.destroy();
      return;
    }
    this.socket.write(encodeMessage(message), () => sent?.());
  }

  private async drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        this.socket.off('drain', done).off('close', done);
        resolve();
      };
      this.socket.on('drain', done).on('close', done);
    });
  }
}

/** Throws QmpError for what is no command. */
function readMessage(message: unknown): { name: string; given: QmpObject } {
  const wrong = (desc: string) => new QmpError('GenericError', `QMP input ${desc}`);
  if (!isObject(message)) throw wrong('must be a JSON object');
  for (const [member, value] of Object.entries(message)) {
    if (member === 'execute') {
      if (typeof value !== 'string') throw wrong("member 'execute' must be a string");
    } else if (member === 'arguments') {
      if (!isObject(value)) throw wrong("member 'arguments' must be an object");
    } else if (member !== 'id') throw wrong(`member '${member.slice(0, 100)}' is unexpected`);
  }
  if (!Object.hasOwn(message, 'execute')) throw wrong("lacks member 'execute'");
  const given = Object.hasOwn(message, 'arguments') ? (message.arguments as QmpObject) : {};
  return { name: message.execute as string, given };
}

/** There is no capability to be had. */
function negotiate(given: QmpObject): void {
  for (const name of Object.keys(given)) {
    if (name !== 'enable') throw new QmpError('GenericError', `Parameter '${name.slice(0, 100)}' is unexpected`);
  }
  const { enable = [] } = given;
  if (!Array.isArray(enable))
    throw new QmpError('GenericError', "Invalid parameter type for 'enable', expected: array");
  if (enable.length > 0)
    throw new QmpError('GenericError', `Capability '${String(enable[0]).slice(0, 100)}' is not available`);
}
