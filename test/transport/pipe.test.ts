/** The one contract of all pipes, run against every transport. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import { type Listening, type ListenOptions, listen } from '../../src/transport/listen.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import type { Pipe } from '../../src/transport/pipe.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { dialWebSocket, type WebSocketLike } from '../../src/transport/ws.ts';
import { type Joined, pipeContract } from './contract.ts';

const certificate = (name: string) => readFileSync(new URL(`../support/certs/${name}`, import.meta.url), 'utf8');
const ca = certificate('ca.pem');
const tls = { key: certificate('server.key'), cert: certificate('server.pem') };

/** Listens, dials, and waits for both ends. A listener sees a connection only once its peer has spoken: one byte of greeting. */
async function joinOver(
  options: ListenOptions,
  dial: (listening: Listening) => Promise<Pipe>,
  greets: boolean,
): Promise<Joined> {
  let found: (pipe: Pipe) => void;
  const accepted = new Promise<Pipe>((resolve) => {
    found = resolve;
  });
  const listening = await listen(options, (pipe) => found(pipe));
  const near = await dial(listening);
  if (greets) near.write(new Uint8Array([0x52]));
  const far = await accepted;
  if (greets) await swallow(far, 1);
  return { near, far, dispose: () => listening.close() };
}

/** Takes the greeting off again. */
function swallow(pipe: Pipe, size: number): Promise<void> {
  return new Promise((resolve) => {
    pipe.take({
      onChunk: (chunk) => {
        if (chunk.length !== size) throw new Error(`${chunk.length} bytes of greeting`);
        pipe.pause();
        resolve();
      },
      onClosed: () => {},
    });
  });
}

pipeContract(
  'memory',
  async () => {
    const { left, right } = memoryPair();
    return { near: left, far: right, dispose: () => {} };
  },
  { reusesChunks: true },
);

pipeContract(
  'memory with latency, in small chunks',
  async () => {
    let turn = 0;
    const { left, right } = memoryPair({ latencyMs: 1, jitter: () => turn++ % 2, chunkBytes: 8191 });
    return { near: left, far: right, dispose: () => {} };
  },
  { reusesChunks: true },
);

pipeContract('tcp', () => joinOver({ port: 0 }, ({ port }) => dialTcp({ host: '127.0.0.1', port }), true), {
  reusesChunks: true,
  saysTaken: true,
});

pipeContract(
  'tls',
  () => joinOver({ tlsPort: 0, tls }, ({ tlsPort }) => dialTcp({ host: 'localhost', tlsPort }, { tls: { ca } }), true),
  { saysTaken: true },
);

const joinOverUnix = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sumac-'));
  const joined = await joinOver({ path: join(folder, 'spice.sock') }, ({ path }) => dialTcp({ host: '', path }), true);
  const dispose = async () => {
    await joined.dispose();
    rmSync(folder, { recursive: true });
  };
  return { ...joined, dispose };
};
pipeContract('unix', joinOverUnix, { saysTaken: true });

pipeContract('ws', () =>
  joinOver(
    { port: 0 },
    ({ port }) => dialWebSocket(`ws://127.0.0.1:${port}/`, { open: (url, protocols) => new WebSocket(url, protocols) }),
    false,
  ),
);

pipeContract(
  'ws as a browser has it, over tls',
  () =>
    joinOver(
      { tlsPort: 0, tls },
      ({ tlsPort }) => dialWebSocket(`wss://localhost:${tlsPort}/`, { open: likeABrowser }),
      false,
    ),
  { nearIsBrowser: true },
);

/** A socket of `ws` that can do no more than a browser's. */
function likeABrowser(url: string, protocols: string[]): WebSocketLike {
  const socket = new WebSocket(url, protocols, { ca });
  return {
    get binaryType() {
      return socket.binaryType;
    },
    set binaryType(type) {
      socket.binaryType = type as 'arraybuffer';
    },
    get readyState() {
      return socket.readyState;
    },
    get bufferedAmount() {
      return socket.bufferedAmount;
    },
    send: (data) => socket.send(data),
    close: (code, reason) => socket.close(code, reason),
    addEventListener: (type: string, listener: (event: any) => void) =>
      socket.addEventListener(type as 'close', listener),
  };
}
