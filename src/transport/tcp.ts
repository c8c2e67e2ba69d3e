/**
 * Dials a SPICE server from Node: plain TCP, TLS, or a unix socket. Every way of failing is one TransportError with one
 * sentence; a socket that did not become a pipe is closed before the promise rejects.
 */

import { connect as connectPlain, type OnReadOpts, type Socket, type TcpNetConnectOpts } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { UsageError } from '../errors.ts';
import { TransportError, type TransportFault } from './failure.ts';
import type { Address, Pipe } from './pipe.ts';
import { SocketPipe } from './socket.ts';
import { checkPinned, type TlsTrust, trustOptions } from './trust.ts';

export interface DialOptions {
  /** Dials `tlsPort` instead of `port`, and says whom to believe. */
  readonly tls?: TlsTrust | undefined;
  /** Milliseconds for everything: name, connection, TLS. Default 10,000 (spec §1.8). */
  readonly timeoutMs?: number | undefined;
  /** Gives the dialling up; a pipe that stands already is not touched. */
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds without traffic after which the network is asked whether the peer is still there. */
export const keepAliveIdle = 30_000;

/** One buffer for all that a socket ever reads: a quarter of the work of a new one for each chunk. */
const readBytes = 256 * 1024;

/** Another address of the host is tried when one has not answered after so many milliseconds; the last is given all the rest. */
const attemptMs = 1_000;

/**
 * Connects to `path` if there is one, else to `tlsPort` with `tls` and to `port` without. Throws TransportError, or UsageError
 * when the address has no such port.
 */
export async function dialTcp(address: Address, options: DialOptions = {}): Promise<Pipe> {
  const { tls, timeoutMs = 10_000, signal } = options;
  const route = routeTo(address, tls !== undefined);
  if (signal?.aborted) throw cancelled(route.peer, signal);

  // What comes before the pipe is handed out, it keeps.
  let pipe: SocketPipe | undefined;
  const onread: OnReadOpts = {
    buffer: new Uint8Array(readBytes),
    callback(size, buffer) {
      pipe?.feed(buffer.subarray(0, size));
      return true;
    },
  };
  const socket = open(route, tls, onread);
  pipe = new SocketPipe(socket, { peer: route.peer, secure: tls !== undefined, fed: true });
  try {
    await connected(socket, route, timeoutMs, signal);
    const fault = tls?.pinned && checkPinned(socket as TLSSocket, tls.pinned);
    if (fault) throw explained(fault, route, undefined);
  } catch (error) {
    socket.destroy();
    throw error;
  }
  // TLS has to read before it stands.
  socket.pause();
  if (route.path === undefined) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, keepAliveIdle);
  }
  return pipe;
}

interface Route {
  readonly peer: string;
  readonly host: string;
  readonly port: number;
  readonly path: string | undefined;
}

function routeTo(address: Address, secure: boolean): Route {
  const { host, path } = address;
  if (path !== undefined) {
    if (secure) throw new UsageError(`No TLS over the unix socket ${path}`);
    return { peer: `unix:${path}`, host, port: 0, path };
  }
  const port = secure ? address.tlsPort : address.port;
  if (port === undefined) throw new UsageError(`${host} has no ${secure ? 'TLS' : 'plain'} port`);
  if (!Number.isInteger(port) || port < 1 || port > 0xffff) throw new UsageError(`Not a port: ${port}`);
  return { peer: peerName(host, port), host, port, path: undefined };
}

/** An address for people: `127.0.0.1:5900`, `[::1]:5900`. */
export function peerName(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function open(route: Route, tls: TlsTrust | undefined, onread: OnReadOpts): Socket {
  if (route.path !== undefined) return connectPlain({ path: route.path, onread }).pause();
  const { host, port } = route;
  const to: TcpNetConnectOpts = { host, port, autoSelectFamilyAttemptTimeout: attemptMs };
  if (tls === undefined) return connectPlain({ ...to, onread }).pause();
  // The types do not know that a TLS socket can read by `onread` too.
  const toTls: ConnectionOptions = Object.assign(trustOptions(tls, host), to, { onread });
  try {
    return connectTls(toTls);
  } catch (error) {
    throw new UsageError(`The CA certificate for ${route.peer} cannot be read`, { cause: error });
  }
}

function connected(socket: Socket, route: Route, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  const secure = 'encrypted' in socket;
  return new Promise((resolve, reject) => {
    const done = (error?: Error) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      socket.off('close', onClose);
      socket.off(secure ? 'secureConnect' : 'connect', onConnect);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onConnect = () => done();
    const onError = (error: Error) => done(explained(error, route, secure ? (socket as TLSSocket) : undefined));
    const onClose = () => done(new TransportError('lost', `${route.peer} closed the connection at once`));
    const onAbort = () => done(cancelled(route.peer, signal!));
    const timer = setTimeout(() => {
      done(new TransportError('timed-out', `${route.peer} did not answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    signal?.addEventListener('abort', onAbort);
    socket.on('error', onError);
    socket.on('close', onClose);
    socket.on(secure ? 'secureConnect' : 'connect', onConnect);
  });
}

function cancelled(peer: string, signal: AbortSignal): TransportError {
  return new TransportError('cancelled', `Dialling ${peer} was given up`, { cause: signal.reason });
}

const faults: Readonly<Record<string, readonly [TransportFault, (route: Route) => string]>> = {
  ECONNREFUSED: ['refused', ({ peer }) => `${peer} refused the connection`],
  ENOTFOUND: ['not-found', ({ host }) => `There is no host called ${host}`],
  EAI_AGAIN: ['not-found', ({ host }) => `The name ${host} cannot be looked up now`],
  ENOENT: ['not-found', ({ path }) => `There is no socket at ${path}`],
  ENOTSOCK: ['not-found', ({ path }) => `${path} is no socket`],
  EACCES: ['refused', ({ peer }) => `Connecting to ${peer} is not permitted`],
  EPERM: ['refused', ({ peer }) => `Connecting to ${peer} is not permitted`],
  EHOSTUNREACH: ['unreachable', ({ peer }) => `${peer} cannot be reached`],
  EHOSTDOWN: ['unreachable', ({ peer }) => `${peer} cannot be reached`],
  ENETUNREACH: ['unreachable', ({ peer }) => `There is no network to ${peer}`],
  EADDRNOTAVAIL: ['unreachable', ({ peer }) => `There is no network to ${peer}`],
  ETIMEDOUT: ['timed-out', ({ peer }) => `${peer} did not answer`],
  ECONNRESET: ['lost', ({ peer }) => `${peer} broke the connection off`],
  EPIPE: ['lost', ({ peer }) => `${peer} broke the connection off`],
};

/** Puts what Node says into one sentence. `tls`: the socket, if TLS was wanted; it knows what its checks found. */
function explained(error: Error & { code?: string }, route: Route, tls: TLSSocket | undefined): TransportError {
  if (error instanceof TransportError) {
    return new TransportError(error.fault, `${route.peer} is not to be trusted: ${error.message}`);
  }
  const options = { cause: error };
  if (error.code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new TransportError('wrong-name', `The certificate of ${route.peer} is for another host`, options);
  }
  if (tls?.authorizationError) {
    return new TransportError(
      'untrusted',
      `The certificate of ${route.peer} is not trusted: ${error.message}`,
      options,
    );
  }
  // A host with several addresses: what the first one said.
  const code = error.code ?? (error instanceof AggregateError ? error.errors[0]?.code : undefined);
  const known = code === undefined ? undefined : faults[code];
  if (tls !== undefined && (known === undefined || known[0] === 'lost')) {
    return new TransportError('not-tls', `${route.peer} does not speak TLS, or no version that both know`, options);
  }
  if (known !== undefined) return new TransportError(known[0], known[1](route), options);
  return new TransportError('unreachable', `Connecting to ${route.peer} failed: ${error.message}`, options);
}
