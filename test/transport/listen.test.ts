/** Listening: SPICE and WebSockets on the same ports, and peers that mean no good. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { UsageError } from '../../src/errors.ts';
import { type Listening, type ListenOptions, listen, type PipeKind } from '../../src/transport/listen.ts';
import type { Pipe } from '../../src/transport/pipe.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { dialWebSocket } from '../../src/transport/ws.ts';
import { bytes, pauseMs, Reader, until } from './contract.ts';

const certificate = (name: string) => readFileSync(new URL(`../support/certs/${name}`, import.meta.url), 'utf8');
const ca = certificate('ca.pem');
const tls = { key: certificate('server.key'), cert: certificate('server.pem') };

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'sumac-'));
  cleanups.push(() => rmSync(made, { recursive: true }));
  return made;
}

interface Guest {
  readonly pipe: Pipe;
  readonly how: PipeKind;
  readonly reader: Reader;
}

/** Listens; every pipe that comes is read. */
async function host(options: ListenOptions): Promise<Listening & { guests: Guest[]; refused: Error[] }> {
  const guests: Guest[] = [];
  const refused: Error[] = [];
  const listening = await listen({ onRefused: (why) => refused.push(why), ...options }, (pipe, how) => {
    guests.push({ pipe, how, reader: new Reader(pipe) });
  });
  cleanups.push(async () => {
    for (const { pipe } of guests) pipe.abort();
    await listening.close();
  });
  return Object.assign(listening, { guests, refused });
}

/** A bare socket that keeps what it hears. */
async function stranger(
  port: number | undefined,
): Promise<{ socket: Socket; heard: () => string; closed: () => boolean }> {
  const socket = connect(port!, '127.0.0.1');
  cleanups.push(() => socket.destroy());
  socket.setNoDelay(true);
  let heard = '';
  let closed = false;
  socket.on('data', (chunk) => {
    heard += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed = true;
  });
  await new Promise((resolve) => socket.on('connect', resolve));
  return { socket, heard: () => heard, closed: () => closed };
}

const upgrade = (more = '', path = '/') =>
  `GET ${path} HTTP/1.1\r\nHost: sumac\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
  `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${more}\r\n`;

/** A frame as a client sends it, masked with zeros. */
function frame(opcode: number, payload: string, fin = true): string {
  const head = String.fromCharCode((fin ? 0x80 : 0) | opcode);
  const size =
    payload.length < 126
      ? String.fromCharCode(0x80 | payload.length)
      : `\xfe${String.fromCharCode(payload.length >> 8, payload.length & 0xff)}`;
  return `${head + size}\0\0\0\0${payload}`;
}

const webSocket = (url: string, protocols?: string[]) => {
  const socket = new WebSocket(url, protocols, { ca });
  cleanups.push(() => socket.terminate());
  return socket;
};

describe('one door', () => {
  test('takes SPICE and WebSockets on a plain port, a TLS port and a unix socket at once', async () => {
    const path = join(folder(), 'spice.sock');
    const { port, tlsPort, guests } = await host({ port: 0, tlsPort: 0, tls, path });
    const plain = await dialTcp({ host: '127.0.0.1', port });
    const secure = await dialTcp({ host: 'localhost', tlsPort }, { tls: { ca } });
    const unix = await dialTcp({ host: '', path });
    const open = (url: string, protocols: string[]) => webSocket(url, protocols);
    const ws = await dialWebSocket(`ws://127.0.0.1:${port}/`, { open });
    const wss = await dialWebSocket(`wss://localhost:${tlsPort}/`, { open });
    const wsUnix = await dialWebSocket('ws://unix/', { open: () => webSocket(`ws+unix://${path}:/`, ['binary']) });
    const kinds: [Pipe, string, PipeKind][] = [
      [plain, 'plain', { secure: false, websocket: false }],
      [secure, 'secure', { secure: true, websocket: false }],
      [unix, 'unix', { secure: false, websocket: false }],
      [ws, 'ws', { secure: false, websocket: true }],
      [wss, 'wss', { secure: true, websocket: true }],
      [wsUnix, 'wsUnix', { secure: false, websocket: true }],
    ];
    for (const [pipe, name] of kinds) {
      new Reader(pipe);
      pipe.write(bytes(`REDQ${name}`));
    }
    await until(() => guests.filter(({ reader }) => reader.bytes > 4).length === kinds.length, 'everybody has spoken');
    for (const [, name, how] of kinds) {
      const guest = guests.find(({ reader }) => reader.text === `REDQ${name}`);
      expect(guest?.how).toEqual(how);
      expect(guest?.pipe.secure).toBe(how.secure);
      expect(guest?.pipe.peer).toMatch(name.endsWith('nix') ? `unix:${path}` : /^127\.0\.0\.1:\d+$/);
    }
  });

  test('hands on every byte of SPICE, however it is cut', async () => {
    const { port, guests } = await host({ port: 0 });
    for (const said of ['REDQ link', 'GREDQ', 'GE\0', 'GETX', '\0\0\0\0', '\x16\x03\x01']) {
      const { socket } = await stranger(port);
      for (const letter of said) {
        socket.write(letter, 'latin1');
        await pauseMs(2);
      }
      await until(() => guests.some(({ reader }) => reader.text === said), `${JSON.stringify(said)} in whole`);
    }
    expect(guests.every(({ how }) => !how.websocket)).toBe(true);
  });

  test('recognises an upgrade that comes byte by byte', async () => {
    const { port, guests } = await host({ port: 0 });
    const { socket, heard } = await stranger(port);
    for (const letter of upgrade() + frame(2, 'REDQ')) {
      socket.write(letter, 'latin1');
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => guests[0]?.reader.text === 'REDQ', 'the frame');
    expect(heard()).toMatch(/^HTTP\/1\.1 101 /);
  });

  test('loses nothing of frames that come together with the upgrade', async () => {
    const { port, guests } = await host({ port: 0 });
    const { socket } = await stranger(port);
    const long = 'x'.repeat(50_000);
    // Two frames, then one in two fragments with a ping between them.
    const frames = frame(2, 'RED') + frame(2, `Q${long}`) + frame(2, 'to', false) + frame(9, '') + frame(0, 'gether');
    socket.write(upgrade() + frames, 'latin1');
    await until(() => guests[0]?.reader.bytes === 50_012, 'all frames');
    expect(guests[0]?.reader.text).toBe(`REDQ${long}together`);
  });

  test('picks the subprotocol "binary" when it is offered', async () => {
    const { port } = await host({ port: 0 });
    const chosen = async (protocols: string[]) => {
      const socket = webSocket(`ws://127.0.0.1:${port}/`, protocols);
      await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
      return socket.protocol;
    };
    expect(await chosen([])).toBe('');
    expect(await chosen(['binary'])).toBe('binary');
    expect(await chosen(['base64', 'binary'])).toBe('binary');
    // The client's own rule: a server that picks none of those offered is not for it.
    await expect(chosen(['base64'])).rejects.toThrow(/no subprotocol/);
  });

  test('never compresses', async () => {
    const { port } = await host({ port: 0 });
    const { socket, heard } = await stranger(port);
    socket.write(upgrade('Sec-WebSocket-Extensions: permessage-deflate\r\n'));
    await until(() => heard().includes('\r\n\r\n'), 'the answer');
    expect(heard()).toMatch(/^HTTP\/1\.1 101 /);
    expect(heard().toLowerCase()).not.toContain('deflate');
  });

  test('lets a page in by its origin, when asked to look', async () => {
    const allowOrigin = (origin: string | undefined) => origin === undefined || origin === 'https://good.test';
    const { port, guests } = await host({ port: 0, allowOrigin });
    const answer = async (more: string) => {
      const { socket, heard } = await stranger(port);
      socket.write(upgrade(more));
      await until(() => heard().includes('\r\n\r\n'), 'the answer');
      return heard().slice(9, 12);
    };
    expect(await answer('')).toBe('101');
    expect(await answer('Origin: https://good.test\r\n')).toBe('101');
    expect(await answer('Origin: https://evil.test\r\n')).toBe('403');
    expect(guests).toHaveLength(2);
  });
});

describe('peers that mean no good', () => {
  test('gives a plain GET a short answer and closes', async () => {
    const listening = await host({ port: 0 });
    const { socket, heard, closed } = await stranger(listening.port);
    // Two requests at once: the second gets nothing.
    socket.write('GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(closed, 'the close');
    expect(heard()).toMatch(/^HTTP\/1\.1 426 Upgrade Required\r\n/);
    expect(heard().match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(heard().length).toBeLessThan(400);
    await until(() => listening.connections === 0, 'the connection is forgotten');
    expect(listening.guests).toHaveLength(0);
    expect(listening.refused).toHaveLength(1);
  });

  const bad: [what: string, sent: string, answer: RegExp][] = [
    ['no HTTP', 'GET \0\x01\x02\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a header that is none', 'GET / HTTP/1.1\r\nHost: x\r\nnonsense\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['HTTP 0.9', 'GET /\r\n\r\n', /^HTTP\/1\.1 4\d\d /],
    ['a header without end', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`, /^(HTTP\/1\.1 431 .*)?$/s],
    ['headers without end', `GET / HTTP/1.1\r\n${'X-Name: a value\r\n'.repeat(1_000)}`, /^(HTTP\/1\.1 431 .*)?$/s],
    ['a path without end', `GET /${'x'.repeat(20_000)}`, /^(HTTP\/1\.1 431 .*)?$/s],
    ['another upgrade', upgrade().replace('websocket', 'h2c'), /^HTTP\/1\.1 400 /],
    ['another version', upgrade().replace('Version: 13', 'Version: 7'), /^HTTP\/1\.1 4\d\d /],
    ['no key', upgrade().replace(/Sec-WebSocket-Key.*\r\n/, ''), /^HTTP\/1\.1 400 /],
    ['a short key', upgrade().replace('dGhlIHNhbXBsZSBub25jZQ==', 'AAAA'), /^HTTP\/1\.1 400 /],
    ['a bad list of protocols', upgrade('Sec-WebSocket-Protocol: a,,b\r\n'), /^HTTP\/1\.1 400 /],
    ['an upgrade that expects', upgrade('Expect: 100-continue\r\nContent-Length: 5\r\n'), /^HTTP\/1\.1 /],
    ['an upgrade with a body', upgrade('Transfer-Encoding: chunked\r\n').concat('5\r\nhello'), /^HTTP\/1\.1 /],
  ];
  test.each(bad)('answers %s with an error or nothing, and goes on', async (_what, sent, answer) => {
    const listening = await host({ port: 0, helloMs: 300 });
    const { socket, heard, closed } = await stranger(listening.port);
    socket.write(sent, 'latin1');
    await until(() => closed() || heard() !== '', 'an outcome');
    expect(heard()).toMatch(answer);
    if (!/^HTTP\/1\.1 101 /.test(heard())) expect(listening.guests).toHaveLength(0);
    const pipe = await dialTcp({ host: '127.0.0.1', port: listening.port });
    pipe.write(bytes('REDQ'));
    await until(() => listening.guests.some(({ reader }) => reader.text === 'REDQ'), 'the next client');
    pipe.abort();
  });

  test('closes a connection that says nothing, too little, or its upgrade too slowly', async () => {
    const listening = await host({ port: 0, tlsPort: 0, tls, helloMs: 150 });
    const started = performance.now();
    const silent = await stranger(listening.port);
    const hesitant = await stranger(listening.port);
    hesitant.socket.write('GET');
    const slow = await stranger(listening.port);
    slow.socket.write('GET / HTTP/1.1\r\n');
    const drip = setInterval(() => slow.socket.write('X: y\r\n'), 10);
    cleanups.push(() => clearInterval(drip));
    const silentTls = await stranger(listening.tlsPort);
    const handshaken = connectTls({ port: listening.tlsPort!, host: '127.0.0.1', ca });
    let over = false;
    handshaken.resume();
    handshaken
      .on('error', () => {})
      .on('close', () => {
        over = true;
      });
    const all = [silent, hesitant, slow, silentTls];
    await until(() => all.every(({ closed }) => closed()) && over, 'all are closed');
    expect(performance.now() - started).toBeGreaterThan(140);
    await until(() => listening.connections === 0, 'all are forgotten');
    expect(listening.guests).toHaveLength(0);
    const said = (what: RegExp) => listening.refused.filter(({ message }) => what.test(message)).length;
    expect(said(/^127\.0\.0\.1:\d+ said nothing of use within 0\.15 s$/)).toBe(4);
    expect(said(/^127\.0\.0\.1:\d+ did not get through TLS$/)).toBe(1);
    expect(listening.refused).toHaveLength(5);
  });

  test('does not hurry a client that has spoken', async () => {
    const listening = await host({ port: 0, helloMs: 60 });
    const pipe = await dialTcp({ host: '127.0.0.1', port: listening.port });
    const reader = new Reader(pipe);
    pipe.write(bytes('REDQ'));
    const ws = webSocket(`ws://127.0.0.1:${listening.port}/`);
    await pauseMs(150);
    expect(reader.closed).toBe(0);
    expect(ws.readyState).toBe(WebSocket.OPEN);
  });

  test('allows so many connections and no more, over all ports', async () => {
    const listening = await host({ port: 0, tlsPort: 0, tls, maxConnections: 3 });
    const inside = [await stranger(listening.port), await stranger(listening.tlsPort), await stranger(listening.port)];
    await until(() => listening.connections === 3, 'three');
    const outside = [await stranger(listening.port), await stranger(listening.tlsPort)];
    await until(() => outside.every(({ closed }) => closed()), 'two are turned away');
    expect(inside.some(({ closed }) => closed())).toBe(false);
    expect(listening.refused).toHaveLength(2);
    expect(listening.refused[0]).toMatchObject({ code: 'transport.crowded' });
    inside[1]!.socket.destroy();
    await until(() => listening.connections === 2, 'one has left');
    const pipe = await dialTcp({ host: 'localhost', tlsPort: listening.tlsPort }, { tls: { ca } });
    pipe.write(bytes('REDQ'));
    await until(() => listening.guests.length === 1, 'there is room again');
    pipe.close();
    listening.guests[0]!.pipe.close();
    await until(() => listening.connections === 2, 'pipes count too');
  });

  test('survives garbage on the TLS port', async () => {
    const listening = await host({ tlsPort: 0, tls });
    for (const garbage of ['GET / HTTP/1.1\r\n\r\n', 'REDQ\x02\0\0\0', '\x16\x03\x01\xff\xff', '\0'.repeat(70_000)]) {
      const { socket } = await stranger(listening.tlsPort);
      socket.end(garbage, 'latin1');
    }
    await until(() => listening.refused.length === 4 && listening.connections === 0, 'four are turned away');
    const pipe = await dialTcp({ host: 'localhost', tlsPort: listening.tlsPort }, { tls: { ca } });
    pipe.write(bytes('REDQ'));
    await until(() => listening.guests[0]?.reader.text === 'REDQ', 'the next client');
    pipe.abort();
  });

  test('refuses text frames', async () => {
    const { port, guests } = await host({ port: 0 });
    const ws = webSocket(`ws://127.0.0.1:${port}/`);
    let code = 0;
    ws.on('error', () => {}).on('close', (why) => {
      code = why;
    });
    await new Promise((resolve) => ws.on('open', resolve));
    ws.send(bytes('REDQ'));
    ws.send('hello');
    ws.send(bytes('more'));
    await until(() => guests[0]?.reader.closed === 1 && code !== 0, 'the end');
    expect(guests[0]?.reader.error).toMatchObject({ code: 'transport.malformed' });
    expect(guests[0]?.reader.text).toBe('REDQ');
    expect(code).toBe(1003);
  });

  const badFrames: [what: string, sent: string][] = [
    ['a frame of 4 GiB', '\x82\xff\0\0\0\x01\0\0\0\0\0\0\0\0'],
    ['a frame larger than may be kept', '\x82\xff\0\0\0\0\x00\x20\0\0\0\0\0\0'],
    ['a frame without a mask', '\x82\x04REDQ'],
    ['an unknown kind of frame', frame(3, 'x')],
    ['a compressed frame', `\xc2${frame(2, 'x').slice(1)}`],
    ['a fragment of nothing', frame(0, 'x')],
    ['fragments without end', frame(2, '', false) + frame(0, '', false).repeat(20_000)],
    ['a fragmented ping', frame(9, 'x', false)],
    ['a close with a code that is none', frame(8, '\x03\xed')],
  ];
  test.each(badFrames)('ends the pipe on %s', async (_what, sent) => {
    const { port, guests } = await host({ port: 0 });
    const { socket, closed } = await stranger(port);
    socket.write(upgrade() + frame(2, 'REDQ'), 'latin1');
    await until(() => guests[0]?.reader.text === 'REDQ', 'the pipe');
    socket.write(sent, 'latin1');
    await until(() => guests[0]?.reader.closed === 1, 'the end');
    expect(guests[0]?.reader.error).toMatchObject({ code: 'transport.lost' });
    expect(guests[0]?.reader.text).toBe('REDQ');
    socket.end();
    await until(closed, 'the close');
  });

  test('keeps little for a reader that pauses, whatever comes', async () => {
    const { port, guests } = await host({ port: 0 });
    const ws = webSocket(`ws://127.0.0.1:${port}/`);
    await new Promise((resolve) => ws.on('open', resolve));
    await until(() => guests.length === 1, 'the pipe');
    guests[0]!.pipe.pause();
    const piece = new Uint8Array(1000);
    for (let i = 0; i < 64_000; i++) ws.send(piece);
    await pauseMs(200);
    expect(guests[0]!.reader.bytes).toBe(0);
    expect(ws.bufferedAmount).toBeGreaterThan(32_000_000);
    guests[0]!.pipe.resume();
    await until(() => guests[0]!.reader.bytes === 64_000_000, 'all of it');
  });
});

describe('ports', () => {
  test('opens all or none, and says what is wrong', async () => {
    const busy = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => busy.on('listening', resolve));
    cleanups.push(() => busy.close());
    const taken = (busy.address() as { port: number }).port;
    const path = join(folder(), 'spice.sock');
    const none = () => {
      throw new Error('No pipe can come');
    };
    await expect(listen({ port: taken }, none)).rejects.toThrow(
      new UsageError(`Cannot listen on 127.0.0.1:${taken}: it is in use already`),
    );
    const free = await listen({ port: 0 }, none);
    await free.close();
    await expect(listen({ port: free.port, tlsPort: taken, tls }, none)).rejects.toThrow(UsageError);
    await expect(listen({ port: free.port, tlsPort: 0, tls: { key: 'no', cert: 'no' } }, none)).rejects.toThrow(
      /key or certificate/,
    );
    await expect(listen({ port: free.port, tlsPort: 0 }, none)).rejects.toThrow(/needs a key/);
    await expect(listen({ host: 'no..such.host', port: 0 }, none)).rejects.toThrow(UsageError);
    await expect(listen({}, none)).rejects.toThrow(/Nothing to listen on/);
    await expect(listen({ port: free.port, path: join(path, 'not', 'there') }, none)).rejects.toThrow(UsageError);
    // None of them has kept the port.
    const again = await listen({ port: free.port }, none);
    await again.close();
  });

  test('replaces a unix socket that nobody listens on, but nothing else', async () => {
    const path = join(folder(), 'spice.sock');
    const first = await host({ path });
    await expect(listen({ path }, () => {})).rejects.toThrow(/in use already/);
    await first.close();
    expect(existsSync(path)).toBe(false);

    // A process that dies leaves its socket behind.
    const { execFileSync } = await import('node:child_process');
    const die = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(() => execFileSync(process.execPath, ['-e', die], { stdio: 'ignore' })).toThrow();
    expect(existsSync(path)).toBe(true);
    const second = await host({ path });
    const pipe = await dialTcp({ host: '', path });
    pipe.write(bytes('REDQ'));
    await until(() => second.guests[0]?.reader.text === 'REDQ', 'the client');
    pipe.abort();

    const file = join(folder(), 'precious');
    writeFileSync(file, 'data');
    await expect(listen({ path: file }, () => {})).rejects.toThrow(/in use already/);
    expect(readFileSync(file, 'utf8')).toBe('data');
  });

  test('frees its ports at once, drops the undecided, and leaves pipes to their takers', async () => {
    const listening = await host({ port: 0 });
    const { port } = listening;
    const pipe = await dialTcp({ host: '127.0.0.1', port });
    const echo = new Reader(pipe);
    pipe.write(bytes('REDQ'));
    const ws = webSocket(`ws://127.0.0.1:${port}/`);
    await new Promise((resolve) => ws.on('open', resolve));
    const undecided = await stranger(port);
    await until(() => listening.guests.length === 2 && listening.connections === 3, 'three');
    await listening.close();
    const next = await host({ port: port! });
    await until(undecided.closed, 'the undecided one is closed');
    await until(() => listening.connections === 2, 'two are left');
    listening.guests.find(({ how }) => !how.websocket)!.pipe.write(bytes('still here'));
    await until(() => echo.text === 'still here', 'the pipe');
    expect(ws.readyState).toBe(WebSocket.OPEN);
    pipe.close();
    await until(() => listening.connections === 1, 'one is left');
    expect(next.connections).toBe(0);
    await listening.close();
  });
});
