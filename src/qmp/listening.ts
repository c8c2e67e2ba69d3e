/**
 * Listens on a TCP port or a unix socket and hands out sockets as they come. Unlike the SPICE ports it waits for no first
 * byte, because here the server may speak first. A socket's error never ends the process.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { UsageError } from '../errors.ts';
import { removeDeadSocket } from '../transport/dead-socket.ts';
import { formatAddress, type SocketAddress } from './address.ts';

export interface ListeningSocket {
  /** With the port that was found where 0 was asked for. */
  readonly address: SocketAddress;
  /** Frees the address; sockets that were handed out stay as they are. */
  close(): Promise<void>;
}

/** Connections beyond `maxConnections` are closed at once. Throws UsageError when the address cannot be had. */
export async function listenOn(
  address: SocketAddress,
  maxConnections: number,
  onSocket: (socket: Socket) => void,
): Promise<ListeningSocket> {
  if ('path' in address) await removeDeadSocket(address.path);
  const server: Server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  server.maxConnections = maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const why = cause.code === 'EADDRINUSE' ? 'it is in use already' : cause.message;
      reject(new UsageError(`Cannot listen on ${formatAddress(address)}: ${why}`, { cause }));
    });
    server.listen(address, resolve);
  });
  // From now on an error is one connection that could not be accepted.
  server.on('error', () => {});
  const port = 'path' in address ? 0 : (server.address() as AddressInfo).port;
  return {
    address: 'path' in address ? address : { host: address.host, port },
    close: async () => {
      server.close();
      // The system frees a port in the next turn of the loop.
      await new Promise<void>((resolve) => setImmediate(resolve));
    },
  };
}
