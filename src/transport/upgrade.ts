/**
 * Turns an accepted socket that begins with `GET ` into a pipe of WebSocket frames, through an HTTP server that listens
 * nowhere. It answers nothing but upgrades: no file, no page. The caller keeps the deadline.
 */

import { createServer, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { highWater, type Pipe } from './pipe.ts';
import { subprotocol, webSocketPipe } from './ws.ts';

export interface Upgrader {
  /** Owns the socket from now on; `onPipe` is called once if the upgrade comes about, else the socket is closed. */
  upgrade(socket: Socket, who: { peer: string; secure: boolean }, onPipe: (pipe: Pipe) => void): void;
  close(): void;
}

/** Path, names and values of headers together, in bytes; Node does not count what stands between them. */
const headerBytes = 8 * 1024;

/** `allowOrigin`: whether a page of this origin may connect; undefined is no browser. */
export function createUpgrader(allowOrigin: (origin: string | undefined) => boolean): Upgrader {
  const waiting = new WeakMap<Duplex, { peer: string; secure: boolean; onPipe: (pipe: Pipe) => void }>();
  const http = createServer({ maxHeaderSize: headerBytes });
  const frames = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Compression would cost more than the network it saves: measured 3,000 messages a second.
    perMessageDeflate: false,
    maxPayload: highWater,
    handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
  });

  http.on('request', (_request, response) => {
    response.writeHead(426, { connection: 'close', upgrade: 'websocket', 'content-type': 'text/plain' });
    response.end('This is a SPICE server: it takes WebSockets, and has no pages.\n');
  });
  http.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const status = error.code === 'HPE_HEADER_OVERFLOW' ? '431 Request Header Fields Too Large' : '400 Bad Request';
    refuse(socket, status);
  });
  http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const guest = waiting.get(socket);
    if (guest === undefined || !allowOrigin(request.headers.origin)) {
      refuse(socket, '403 Forbidden');
      return;
    }
    frames.handleUpgrade(request, socket, head, (webSocket) => {
      guest.onPipe(webSocketPipe(webSocket, { peer: guest.peer, secure: guest.secure }));
    });
  });

  return {
    upgrade(socket, who, onPipe) {
      waiting.set(socket, { ...who, onPipe });
      http.emit('connection', socket);
      socket.resume();
    },
    close() {
      frames.close();
      http.close();
    },
  };
}

function refuse(socket: Duplex, status: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
