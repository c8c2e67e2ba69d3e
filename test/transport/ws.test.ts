/** What a pipe of WebSocket frames does beyond the contract: dialling, and living with a socket as a browser has it. */

import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { listen } from '../../src/transport/listen.ts';
import { highWater } from '../../src/transport/pipe.ts';
import { dialWebSocket, frameBytes, type WebSocketLike, webSocketPipe } from '../../src/transport/ws.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { bytes, Reader, until } from './contract.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A socket as a browser has it, whose network is the test. */
class PaperSocket implements WebSocketLike {
  binaryType = 'blob';
  readyState = 1;
  bufferedAmount = 0;
  readonly sent: Uint8Array[] = [];
  readonly closes: (number | undefined)[] = [];
  private readonly listeners: [string, (event: any) => void][] = [];

  send(data: Uint8Array): void {
    this.sent.push(data);
    this.bufferedAmount += data.length;
  }

  close(code?: number): void {
    this.closes.push(code);
    this.readyState = 2;
  }

  addEventListener(type: string, listener: (event: any) => void): void {
    this.listeners.push([type, listener]);
  }

  tell(type: string, event: object = {}): void {
    for (const [name, listener] of this.listeners) if (name === type) listener(event);
  }

  hear(text: string): void {
    this.tell('message', { data: new Uint8Array(bytes(text)).buffer });
  }
}

function paperPipe(options: { holdLimit?: number } = {}) {
  const clock = new VirtualClock();
  const socket = new PaperSocket();
  const pipe = webSocketPipe(socket, { peer: 'paper', clock, ...options });
  return { clock, socket, pipe, reader: new Reader(pipe) };
}

describe('a socket that cannot be paused', () => {
  test('asks for array buffers', () => {
    expect(paperPipe().socket.binaryType).toBe('arraybuffer');
  });

  test('keeps what comes during a pause, and gives up beyond the limit', async () => {
    const { clock, socket, pipe, reader } = paperPipe({ holdLimit: 10 });
    pipe.pause();
    socket.hear('12345');
    socket.hear('67890');
    await clock.settle();
    expect(reader.bytes).toBe(0);
    pipe.resume();
    await clock.settle();
    socket.hear('x');
    expect(reader.text).toBe('1234567890x');
    pipe.pause();
    socket.hear('1234567890');
    socket.hear('1');
    await clock.settle();
    expect(reader.error).toMatchObject({ code: 'transport.overrun' });
    expect([reader.closed, reader.text]).toEqual([1, '1234567890x']);
    expect(socket.closes).toEqual([undefined]);
    socket.hear('more');
    socket.tell('close', { code: 1006 });
    await clock.settle();
    expect([reader.closed, reader.bytes]).toEqual([1, 11]);
  });

  test('notices by looking that all has been sent', async () => {
    const { clock, socket, pipe, reader } = paperPipe();
    pipe.write(new Uint8Array(highWater));
    expect([pipe.pending, clock.waiting]).toEqual([highWater, 0]);
    pipe.write(new Uint8Array(1));
    await clock.advance(10_000);
    expect([reader.drained, clock.waiting]).toEqual([0, 1]);
    socket.bufferedAmount = 5;
    await clock.advance(100);
    expect(reader.drained).toBe(0);
    socket.bufferedAmount = 0;
    await clock.advance(64);
    expect([reader.drained, clock.waiting]).toEqual([1, 0]);
  });

  test('stops looking when the socket is no more', async () => {
    const { clock, socket, pipe, reader } = paperPipe();
    pipe.write(new Uint8Array(2 * highWater));
    socket.tell('close', { code: 1001 });
    await clock.advance(1_000);
    expect([reader.closed, reader.error, reader.drained, pipe.pending, clock.waiting]).toEqual([1, undefined, 0, 0, 0]);
  });

  test('cuts large writes into frames of a bounded size', () => {
    const { socket, pipe } = paperPipe();
    pipe.write(new Uint8Array(2 * frameBytes + 1));
    expect(socket.sent.map((frame) => frame.length)).toEqual([frameBytes, frameBytes, 1]);
  });

  test('ends an abort by itself, for a browser may keep the socket', async () => {
    const { clock, socket, pipe, reader } = paperPipe();
    pipe.write(bytes('x'));
    pipe.abort();
    await clock.settle();
    expect([reader.closed, reader.error, socket.closes.length]).toEqual([1, undefined, 1]);
    expect(clock.waiting).toBe(0);
  });

  test('gives up a close that the network does not carry out', async () => {
    const { clock, socket, pipe, reader } = paperPipe();
    pipe.write(bytes('never sent'));
    pipe.close();
    expect(socket.closes).toEqual([1000]);
    await clock.advance(60_000);
    expect(reader.error).toMatchObject({ code: 'transport.stalled' });
    expect([reader.closed, clock.waiting]).toEqual([1, 0]);
  });

  test.each([
    [1000, undefined],
    [1001, undefined],
    [1005, undefined],
    [1006, 'transport.lost'],
    [1002, 'transport.lost'],
    [4000, 'transport.lost'],
  ])('takes a close with code %i for %s', async (code, error) => {
    const { clock, socket, reader } = paperPipe();
    socket.tell('close', { code });
    await clock.settle();
    expect(reader.closed).toBe(1);
    expect((reader.error as { code?: string } | undefined)?.code).toBe(error);
  });

  test('refuses text', async () => {
    const { clock, socket, reader } = paperPipe();
    socket.tell('message', { data: 'text' });
    await clock.settle();
    expect(reader.error).toMatchObject({ code: 'transport.malformed', message: 'paper sent a text frame' });
    expect(socket.closes[0]).toBe(1003);
  });
});

describe('dialling', () => {
  const open = (url: string, protocols: string[]) => {
    const socket = new WebSocket(url, protocols);
    cleanups.push(() => socket.terminate());
    return socket;
  };

  async function portOf(onSocket: (socket: import('node:net').Socket) => void): Promise<number> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      cleanups.push(() => socket.destroy());
      onSocket(socket);
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.on('listening', resolve));
    cleanups.push(() => server.close());
    return (server.address() as { port: number }).port;
  }

  test('offers the subprotocol "binary" and names its peer', async () => {
    const listening = await listen({ port: 0 }, (pipe) => pipe.take({ onChunk: () => {}, onClosed: () => {} }));
    cleanups.push(() => listening.close());
    let socket: WebSocket | undefined;
    const pipe = await dialWebSocket(`ws://127.0.0.1:${listening.port}/`, {
      open: (url, protocols) => (socket = open(url, protocols)),
    });
    expect(pipe).toMatchObject({ peer: `127.0.0.1:${listening.port}`, secure: false, pending: 0 });
    expect(socket?.protocol).toBe('binary');
    const reader = new Reader(pipe);
    pipe.close();
    await until(() => reader.closed === 1, 'the end');
    expect(reader.error).toBeUndefined();
  });

  test('tells a refusal, a server that takes no WebSockets, a silent one and a change of mind apart', async () => {
    const gone = await portOf(() => {});
    await cleanups.pop()?.();
    await expect(dialWebSocket(`ws://127.0.0.1:${gone}/`, { open })).rejects.toMatchObject({
      code: 'transport.refused',
    });

    const rude = await portOf((socket) => socket.end('HTTP/1.1 404 Not Found\r\n\r\n'));
    await expect(dialWebSocket(`ws://127.0.0.1:${rude}/`, { open })).rejects.toMatchObject({
      code: 'transport.refused',
    });

    let connections = 0;
    const silent = await portOf((socket) => {
      connections++;
      socket.resume();
      socket.on('close', () => connections--);
    });
    const url = `ws://127.0.0.1:${silent}/`;
    await expect(dialWebSocket(url, { open, timeoutMs: 50 })).rejects.toMatchObject({ code: 'transport.timed-out' });
    const controller = new AbortController();
    const dialling = dialWebSocket(url, { open, signal: controller.signal });
    setTimeout(() => controller.abort(), 20);
    await expect(dialling).rejects.toMatchObject({ code: 'transport.cancelled' });
    await expect(dialWebSocket(url, { open, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'transport.cancelled',
    });
    await until(() => connections === 0, 'no socket is left');
  });

  test('needs a WebSocket address', async () => {
    await expect(dialWebSocket('nonsense', { open })).rejects.toThrow(/Not a WebSocket address/);
    await expect(dialWebSocket('http://localhost/', { open })).rejects.toThrow(/Not a WebSocket address/);
  });
});
