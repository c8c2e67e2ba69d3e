/**
 * Listens for SPICE clients from Node: a plain port, a TLS port and a unix socket at once, and WebSockets on each of them.
 * What a client sends first decides: `GET ` is a WebSocket, all else goes to the SPICE side untouched, the first byte
 * included. A connection becomes a pipe only once that is known, and has a deadline until then.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { UsageError } from '../errors.ts';
import { removeDeadSocket } from './dead-socket.ts';
import { TransportError } from './failure.ts';
import { originOf } from './origin.ts';
import type { Pipe } from './pipe.ts';
import { SocketPipe } from './socket.ts';
import { keepAliveIdle, peerName } from './tcp.ts';
import { createUpgrader, type Upgrader } from './upgrade.ts';

export interface ListenOptions {
  /** The address to listen on. Default 127.0.0.1. */
  readonly host?: string | undefined;
  /** The plain port; 0 for any that is free. */
  readonly port?: number | undefined;
  /** The TLS port; 0 for any that is free. Needs `tls`. */
  readonly tlsPort?: number | undefined;
  /** Key and certificate of the server, and the CA's certificate to send with it, in PEM. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string | undefined } | undefined;
  /** A unix socket's path. One that a dead process left behind is replaced. */
  readonly path?: string | undefined;
  /** Connections at one time, over all ports; the next one is closed at once. Default 1,000. */
  readonly maxConnections?: number | undefined;
  /**
   * Connections of one address (of one /64 network for IPv6) at one time. A client has one for each channel, and twice as many
   * while it is handed over; behind a proxy all clients have one address. Default 256.
   */
  readonly maxConnectionsPerAddress?: number | undefined;
  /** Milliseconds that a connection has for TLS, its first bytes and its upgrade. Default 10,000. */
  readonly helloMs?: number | undefined;
  /** Which web pages may connect, by their `Origin`; undefined is no browser. Default: all. */
  readonly allowOrigin?: ((origin: string | undefined) => boolean) | undefined;
  /** Asked of each connection before anything is made for it; false closes it at once, without a word. Default: all. */
  readonly admits?: ((address: string | undefined) => boolean) | undefined;
  /**
   * Told of each connection that did not become a pipe, but for those that `admits` closed, and of faults of the ports
   * themselves; for a log.
   */
  readonly onRefused?: ((why: Error, address?: string) => void) | undefined;
}

export interface PipeKind {
  readonly secure: boolean;
  readonly websocket: boolean;
}

export interface Listening {
  readonly port?: number;
  readonly tlsPort?: number;
  readonly path?: string;
  /** Connections open now, pipes included. */
  readonly connections: number;
  /** Frees the ports and drops connections that are no pipes yet. Pipes are their takers' and stay as they are. */
  close(): Promise<void>;
}

/**
 * Opens all ports, or none: then it throws UsageError. `onPipe` is called with each new pipe and must take it before it
 * returns, or keep it.
 */
export async function listen(options: ListenOptions, onPipe: (pipe: Pipe, how: PipeKind) => void): Promise<Listening> {
  const { host = '127.0.0.1', port, tlsPort, path } = options;
  const door = new Door(options, onPipe);
  try {
    const listening: { port?: number; tlsPort?: number; path?: string } = {};
    if (port !== undefined) listening.port = await door.open({ host, port }, false);
    if (tlsPort !== undefined) listening.tlsPort = await door.open({ host, port: tlsPort }, true);
    if (path !== undefined) {
      await removeDeadSocket(path);
      await door.open({ path }, false);
      listening.path = path;
    }
    if (Object.keys(listening).length === 0) throw new UsageError('Nothing to listen on: no port, TLS port or path');
    return Object.defineProperties(listening, {
      connections: { get: () => door.connections.size },
      close: { value: () => door.close() },
    }) as Listening;
  } catch (error) {
    await door.close();
    throw error;
  }
}

type Place = { host: string; port: number } | { path: string };

class Door {
  /** All sockets that are open, as they were accepted: under TLS, not over it. */
  readonly connections = new Set<Socket>();
  /** How many of them come from each address. */
  private readonly origins = new Map<string, number>();
  private readonly options: ListenOptions;
  private readonly onPipe: (pipe: Pipe, how: PipeKind) => void;
  private readonly servers: Server[] = [];
  /** Sockets that are no pipes yet. */
  private readonly guests = new Set<Socket>();
  private readonly upgrader: Upgrader;
  private closed = false;

  constructor(options: ListenOptions, onPipe: (pipe: Pipe, how: PipeKind) => void) {
    this.options = options;
    this.onPipe = onPipe;
    this.upgrader = createUpgrader(options.allowOrigin ?? (() => true));
  }

  /** Opens a port and returns its number, 0 for a unix socket. */
  async open(place: Place, secure: boolean): Promise<number> {
    const path = 'path' in place ? `unix:${place.path}` : undefined;
    const welcome = secure ? this.welcomeSecure() : (socket: Socket) => this.greet(socket, path, false);
    // One that is turned away is not read from first, nor told how to behave: that would be half of what it costs.
    const server = createServer({ pauseOnConnect: true }, (socket) => {
      if (!this.admit(socket)) return;
      socket.setNoDelay(true);
      socket.setKeepAlive(true, keepAliveIdle);
      welcome(socket);
    });
    this.servers.push(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(cannotListen(place, error)));
      server.listen(place, resolve);
    });
    // From now on an error is one connection that could not be accepted.
    server.on('error', (error) => this.refused(error));
    return path !== undefined ? 0 : (server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.closed = true;
    for (const server of this.servers) server.close();
    for (const guest of this.guests) guest.destroy();
    this.upgrader.close();
    // The system frees a port in the next turn of the loop.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** A TLS server that listens nowhere, and is handed its connections. */
  private welcomeSecure(): (socket: Socket) => void {
    const { tls, helloMs = 10_000 } = this.options;
    if (tls === undefined) throw new UsageError('A TLS port needs a key and a certificate');
    const { key, cert, ca } = tls;
    try {
      const server = createTlsServer({ key, cert, ...(ca === undefined ? {} : { ca }), handshakeTimeout: helloMs });
      server.on('tlsClientError', (error, socket) => {
        const peer = peerName(socket.remoteAddress ?? '?', socket.remotePort ?? 0);
        // After a handshake that took too long it would be left open.
        socket.destroy();
        const why = new TransportError('not-tls', `${peer} did not get through TLS`, { cause: error });
        this.refused(why, socket.remoteAddress);
      });
      server.on('secureConnection', (socket) => this.greet(socket, undefined, true));
      return (socket) => server.emit('connection', socket);
    } catch (error) {
      throw new UsageError('The key or certificate of the TLS port cannot be used', { cause: error });
    }
  }

  /** Counts a connection, or turns it away. */
  private admit(socket: Socket): boolean {
    const { maxConnections = 1_000, maxConnectionsPerAddress = 256 } = this.options;
    // A socket that breaks while nobody listens to it must not end the process.
    socket.on('error', () => {});
    const address = socket.remoteAddress;
    if (this.options.admits?.(address) === false) {
      socket.destroy();
      return false;
    }
    if (this.connections.size >= maxConnections) {
      socket.destroy();
      this.refused(new TransportError('crowded', `More than ${maxConnections} connections`), address);
      return false;
    }
    const origin = originOf(address);
    const count = origin === undefined ? 0 : (this.origins.get(origin) ?? 0);
    if (count >= maxConnectionsPerAddress) {
      const why = `More than ${maxConnectionsPerAddress} connections from ${origin}`;
      socket.destroy();
      this.refused(new TransportError('crowded', why), address);
      return false;
    }
    this.connections.add(socket);
    if (origin !== undefined) this.origins.set(origin, count + 1);
    socket.on('close', () => {
      this.connections.delete(socket);
      if (origin !== undefined) this.leaves(origin);
    });
    return true;
  }

  private leaves(origin: string): void {
    const count = this.origins.get(origin)! - 1;
    if (count === 0) this.origins.delete(origin);
    else this.origins.set(origin, count);
  }

  /** Reads the first bytes of a connection and sends it where it belongs. */
  private greet(socket: Socket, path: string | undefined, secure: boolean): void {
    // TLS may take until after `close`.
    if (this.closed) {
      socket.destroy();
      return;
    }
    const { helloMs = 10_000 } = this.options;
    const address = socket.remoteAddress;
    const peer = path ?? peerName(socket.remoteAddress ?? '?', socket.remotePort ?? 0);
    const deadline = setTimeout(() => {
      socket.destroy(new TransportError('timed-out', `${peer} said nothing of use within ${helloMs / 1000} s`));
    }, helloMs);
    let error: Error | undefined;
    const onError = (why: Error) => {
      error ??= why;
    };
    const onClose = () => {
      leave();
      this.refused(error ?? new TransportError('lost', `${peer} was gone before it had said what it wants`), address);
    };
    const leave = () => {
      clearTimeout(deadline);
      this.guests.delete(socket);
      socket.off('error', onError).off('close', onClose).off('data', onData);
    };
    const become = (pipe: Pipe, websocket: boolean) => {
      leave();
      this.onPipe(pipe, { secure, websocket });
    };
    let first: Buffer = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      first = first.length === 0 ? chunk : Buffer.concat([first, chunk]);
      const isGet = startsLikeGet(first);
      if (isGet === undefined) return;
      socket.off('data', onData);
      socket.pause();
      if (isGet) {
        socket.unshift(first);
        this.upgrader.upgrade(socket, { peer, secure }, (pipe) => become(pipe, true));
      } else {
        // It reads by 'data' events. Node has no public way of giving an accepted socket a buffer as `dialTcp` does, and what
        // clients send is little: measured, a second of processor time carries 3 to 5 GB.
        const pipe = new SocketPipe(socket, { peer, secure });
        pipe.feed(first);
        become(pipe, false);
      }
    };
    this.guests.add(socket);
    socket.on('error', onError).on('close', onClose).on('data', onData).resume();
  }

  private refused(why: Error, address?: string): void {
    this.options.onRefused?.(why, address);
  }
}

/** Undefined while it cannot be told yet. */
function startsLikeGet(bytes: Buffer): boolean | undefined {
  const expected = 'GET ';
  for (let i = 0; i < expected.length; i++) {
    if (i === bytes.length) return undefined;
    if (bytes[i] !== expected.charCodeAt(i)) return false;
  }
  return true;
}

function cannotListen(place: Place, cause: NodeJS.ErrnoException): UsageError {
  const where = 'path' in place ? place.path : peerName(place.host, place.port);
  const why = cause.code === 'EADDRINUSE' ? 'it is in use already' : cause.message;
  return new UsageError(`Cannot listen on ${where}: ${why}`, { cause });
}
