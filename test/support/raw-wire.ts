/**
 * A connection as a stranger has it: bytes out, exact sizes in, and channel messages with either header, all written by
 * hand. It shares no code with the library, checks nothing, and sends whatever it is told to.
 */
import { connect, type Socket } from 'node:net';

export const u8 = (...values: number[]): Uint8Array => Uint8Array.from(values);
export const u16 = (...values: number[]): Uint8Array =>
  words(values, 2, (view, at, value) => view.setUint16(at, value, true));
export const u32 = (...values: number[]): Uint8Array =>
  words(values, 4, (view, at, value) => view.setUint32(at, value, true));
export const u64 = (...values: bigint[]): Uint8Array => {
  const bytes = new Uint8Array(values.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setBigUint64(i * 8, BigInt.asUintN(64, value), true);
  return bytes;
};
export const ascii = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0) & 0xff);

export const join = (...parts: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
};

function words(values: number[], size: number, set: (view: DataView, at: number, value: number) => void): Uint8Array {
  const bytes = new Uint8Array(values.length * size);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) set(view, i * size, value);
  return bytes;
}

export const readU16 = (bytes: Uint8Array, at = 0): number => bytes[at]! | (bytes[at + 1]! << 8);
export const readU32 = (bytes: Uint8Array, at = 0): number =>
  (readU16(bytes, at) | (readU16(bytes, at + 2) << 16)) >>> 0;

export interface RawMessage {
  readonly number: number;
  readonly body: Uint8Array;
}

/** The peer has closed before it sent what was read for. */
export class Hung extends Error {}

/** Real milliseconds that a read waits. */
const patience = 5_000;

export class RawSocket {
  readonly socket: Socket;
  /** Settles when the peer has closed its side or broken the connection off. Never rejects. */
  readonly closed: Promise<void>;
  over = false;
  private bytes = new Uint8Array(0);
  private readonly watchers = new Set<() => void>();

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.bytes = join(this.bytes, chunk) as Uint8Array<ArrayBuffer>;
      this.look();
    });
    this.closed = new Promise((resolve) => {
      const end = () => {
        this.over = true;
        resolve();
        this.look();
      };
      socket.on('end', end);
      socket.on('close', end);
    });
  }

  /** `from`: the address to come from; every 127.x.y.z is this machine's. */
  static async dial(port: number, from = '127.0.0.1'): Promise<RawSocket> {
    const socket = connect({ host: '127.0.0.1', port, localAddress: from });
    const raw = new RawSocket(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return raw;
  }

  write(...parts: readonly Uint8Array[]): void {
    if (!this.socket.destroyed) this.socket.write(join(...parts));
  }

  /** Bytes that have come and are not read. */
  get unread(): number {
    return this.bytes.length;
  }

  /** Exactly so many bytes. Throws Hung when the peer closes first. */
  async read(size: number, ms = patience): Promise<Uint8Array> {
    const deadline = Date.now() + ms;
    while (this.bytes.length < size) {
      if (this.over) throw new Hung(`closed after ${this.bytes.length} of ${size} bytes`);
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`only ${this.bytes.length} of ${size} bytes in ${ms} ms`);
      await new Promise<void>((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          this.watchers.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, left);
        this.watchers.add(wake);
      });
    }
    const taken = this.bytes.slice(0, size);
    this.bytes = this.bytes.slice(size);
    return taken;
  }

  /** Resolves when the peer has closed; rejects when it has not in `ms` real milliseconds. */
  async hungUp(ms = patience): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`the peer has not hung up in ${ms} ms`)), ms);
    });
    try {
      await Promise.race([this.closed, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  end(): void {
    this.socket.destroy();
  }

  private look(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}

/** A connection whose link stage is over: messages with full or mini headers. */
export class RawChannel {
  readonly raw: RawSocket;
  readonly mini: boolean;
  private serial = 0n;

  constructor(raw: RawSocket, mini: boolean) {
    this.raw = raw;
    this.mini = mini;
  }

  /** `size` is what the header claims, if that is not the truth. `subList` is for full headers. */
  send(number: number, body: Uint8Array = u8(), lies: { size?: number; subList?: number } = {}): void {
    this.raw.write(this.frame(number, body, lies));
  }

  frame(number: number, body: Uint8Array = u8(), lies: { size?: number; subList?: number } = {}): Uint8Array {
    const size = u32(lies.size ?? body.length);
    return this.mini
      ? join(u16(number), size, body)
      : join(u64(++this.serial), u16(number), size, u32(lies.subList ?? 0), body);
  }

  async next(ms?: number): Promise<RawMessage> {
    const header = await this.raw.read(this.mini ? 6 : 18, ms);
    const at = this.mini ? 0 : 8;
    const body = await this.raw.read(readU32(header, at + 2), ms);
    return { number: readU16(header, at), body };
  }

  /** Reads on until a message of this number comes; what came before it is dropped. */
  async until(number: number, ms?: number): Promise<RawMessage> {
    for (;;) {
      const message = await this.next(ms);
      if (message.number === number) return message;
    }
  }

  async hungUp(ms?: number): Promise<void> {
    await this.raw.hungUp(ms);
  }

  end(): void {
    this.raw.end();
  }
}
