/** Dialling: whom a client believes, and how each way of failing is told. */

import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, describe, expect, test } from 'vitest';
import { SumacError, UsageError } from '../../src/errors.ts';
import { type Listening, listen } from '../../src/transport/listen.ts';
import { closingPatience, type Pipe } from '../../src/transport/pipe.ts';
import { SocketPipe } from '../../src/transport/socket.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import type { TlsTrust } from '../../src/transport/trust.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { bytes, Reader, until } from './contract.ts';

const certificate = (name: string) => readFileSync(new URL(`../support/certs/${name}`, import.meta.url), 'utf8');
const ca = certificate('ca.pem');

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A server of Node that keeps what it accepts. */
async function serve(server: Server): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  server.on('connection', (socket) => {
    socket.on('error', () => {});
    sockets.push(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as { port: number }).port, sockets };
}

async function failure(dialled: Promise<Pipe>): Promise<SumacError> {
  const error = await dialled.then(
    (pipe) => {
      pipe.abort();
      throw new Error('It was let in');
    },
    (error) => error,
  );
  expect(error).toBeInstanceOf(SumacError);
  expect(error.message).not.toMatch(/\n|Error:|ERR_|_[A-Z]/);
  return error;
}

describe('TLS', () => {
  async function tlsServer(name: 'server' | 'awkward'): Promise<Listening> {
    const tls = { key: certificate(`${name}.key`), cert: certificate(`${name}.pem`), ca };
    const listening = await listen({ tlsPort: 0, tls }, (pipe, how) => {
      expect(how).toEqual({ secure: true, websocket: false });
      expect(pipe.secure).toBe(true);
      pipe.take({ onChunk: (chunk) => pipe.write(chunk.slice()), onClosed: () => {} });
    });
    cleanups.push(() => listening.close());
    return listening;
  }

  const spki = (name: string) =>
    new Uint8Array(new X509Certificate(certificate(name)).publicKey.export({ type: 'spki', format: 'der' }));

  const believed: [why: string, server: 'server' | 'awkward', host: string, trust: TlsTrust][] = [
    ['a chain and a host name', 'server', 'localhost', { ca }],
    ['a chain and an address', 'server', '127.0.0.1', { ca: [certificate('stranger.pem'), ca] }],
    ['a server name that is not the host', 'awkward', '127.0.0.1', { ca, servername: 'awkward.test' }],
    ['the right subject', 'server', 'localhost', { ca, hostSubject: 'O=Sumac,CN=localhost' }],
    [
      'the right subject, whatever the host name',
      'awkward',
      '127.0.0.1',
      { ca, hostSubject: 'OU=first, O=Sumac\\, the  Tree \\\\ Café, OU=second, CN=awkward.test' },
    ],
    ['a pinned key, whatever the chain and the name', 'awkward', '127.0.0.1', { pinned: spki('awkward.pem') }],
  ];
  test.each(believed)('believes %s', async (_why, server, host, trust) => {
    const { tlsPort } = await tlsServer(server);
    const pipe = await dialTcp({ host, tlsPort, port: 1 }, { tls: trust });
    expect(pipe).toMatchObject({ secure: true, peer: `${host}:${tlsPort}` });
    const echo = new Reader(pipe);
    pipe.write(bytes('REDQ'));
    await until(() => echo.text === 'REDQ', 'the echo');
    pipe.close();
    await until(() => echo.closed === 1, 'the end');
  });

  const doubted: [why: string, host: string, trust: TlsTrust, code: string, message: RegExp][] = [
    ['another CA', 'localhost', { ca: certificate('stranger.pem') }, 'transport.untrusted', /is not trusted/],
    ['a CA that nobody gave', 'localhost', {}, 'transport.untrusted', /is not trusted/],
    [
      'another CA, although the subject is right',
      'localhost',
      { ca: certificate('stranger.pem'), hostSubject: 'O=Sumac,CN=localhost' },
      'transport.untrusted',
      /is not trusted/,
    ],
    ['another host', '127.0.0.1', { ca, servername: 'elsewhere.test' }, 'transport.wrong-name', /for another host/],
    [
      'another subject',
      'localhost',
      { ca, hostSubject: 'O=Sumac,CN=elsewhere' },
      'transport.wrong-subject',
      /subject is "O=Sumac,CN=localhost", not "O=Sumac,CN=elsewhere"/,
    ],
    ['part of the subject', 'localhost', { ca, hostSubject: 'CN=localhost' }, 'transport.wrong-subject', /subject/],
    ['another key', 'localhost', { ca, pinned: spki('awkward.pem') }, 'transport.wrong-key', /not the pinned one/],
    ['no key at all', 'localhost', { ca, pinned: new Uint8Array(0) }, 'transport.wrong-key', /not the pinned one/],
  ];
  test.each(doubted)('does not believe %s', async (_why, host, trust, code, message) => {
    const listening = await tlsServer('server');
    const error = await failure(dialTcp({ host, tlsPort: listening.tlsPort }, { tls: trust }));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
    await until(() => listening.connections === 0, 'the server sees it go');
  });

  test('says so when the peer does not speak TLS, or an old one only', async () => {
    const echo = await serve(createServer((socket) => socket.on('data', (chunk) => socket.write(chunk))));
    const plain = await failure(dialTcp({ host: '127.0.0.1', tlsPort: echo.port }, { tls: { ca } }));
    expect(plain.code).toBe('transport.not-tls');

    const key = certificate('server.key');
    const cert = certificate('server.pem');
    const ciphers = 'DEFAULT:@SECLEVEL=0';
    const server = createTlsServer({ key, cert, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers });
    server.on('tlsClientError', () => {});
    const old = await serve(server);
    const error = await failure(dialTcp({ host: 'localhost', tlsPort: old.port }, { tls: { ca } }));
    expect(error.code).toBe('transport.not-tls');
  });

  test('accepts no old TLS itself', async () => {
    const { tlsPort } = await tlsServer('server');
    const socket = connectTls({
      host: '127.0.0.1',
      port: tlsPort!,
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT:@SECLEVEL=0',
      rejectUnauthorized: false,
    });
    const error = await new Promise<Error>((resolve, reject) => {
      socket.on('error', resolve);
      socket.on('secureConnect', () => reject(new Error('It was let in')));
    });
    expect(error.message).toMatch(/protocol version/);
  });

  test('keeps bytes that come together with the end of the handshake', async () => {
    const key = certificate('server.key');
    const cert = certificate('server.pem');
    // Before TLS 1.3 the server finishes last, and may speak in the same breath.
    const server = createTlsServer({ key, cert, maxVersion: 'TLSv1.2' }, (socket) => {
      socket.write('first words');
      socket.on('error', () => {});
    });
    const { port } = await serve(server);
    // A road that carries what the server says in few large pieces.
    const road = await serve(
      createServer((near) => {
        const far = connect(port, '127.0.0.1');
        cleanups.push(() => far.destroy());
        const saved: Buffer[] = [];
        let timer: NodeJS.Timeout | undefined;
        near.on('data', (chunk) => far.write(chunk));
        far.on('data', (chunk) => {
          saved.push(chunk);
          clearTimeout(timer);
          timer = setTimeout(() => near.write(Buffer.concat(saved.splice(0))), 30);
        });
        far.on('error', () => {});
      }),
    );
    const pipe = await dialTcp({ host: 'localhost', tlsPort: road.port }, { tls: { ca } });
    await new Promise((resolve) => setTimeout(resolve, 20));
    const reader = new Reader(pipe);
    await until(() => reader.text === 'first words', 'the first words');
    pipe.abort();
  });

  test('refuses what makes no sense before it dials', async () => {
    const tls = { ca, hostSubject: 'nonsense' };
    await expect(dialTcp({ host: 'localhost', tlsPort: 1 }, { tls })).rejects.toThrow(UsageError);
    await expect(dialTcp({ host: 'localhost', port: 1 }, { tls: { ca } })).rejects.toThrow(/no TLS port/);
    await expect(dialTcp({ host: 'localhost', tlsPort: 1 })).rejects.toThrow(/no plain port/);
    await expect(dialTcp({ host: 'localhost', port: 65_536 })).rejects.toThrow(/Not a port/);
    await expect(dialTcp({ host: '', path: '/x' }, { tls: {} })).rejects.toThrow(/No TLS over/);
    await expect(dialTcp({ host: 'localhost', tlsPort: 1 }, { tls: { ca: 'not PEM' } })).rejects.toThrow(SumacError);
  });
});

describe('failures', () => {
  test('refused: nobody listens', async () => {
    const { port } = await serve(createServer());
    for (const cleanup of cleanups.splice(0)) await cleanup();
    const error = await failure(dialTcp({ host: '127.0.0.1', port }));
    expect([error.code, error.message]).toEqual(['transport.refused', `127.0.0.1:${port} refused the connection`]);
    expect((await failure(dialTcp({ host: '127.0.0.1', tlsPort: port }, { tls: { ca } }))).code).toBe(
      'transport.refused',
    );
    expect((await failure(dialTcp({ host: 'localhost', port }))).code).toBe('transport.refused');
  });

  test('not found: no such name, no such path, no socket there', async () => {
    const name = await failure(dialTcp({ host: 'no..such.host', port: 5900 }));
    expect(name.code).toBe('transport.not-found');
    expect(name.message).toContain('no..such.host');

    const folder = mkdtempSync(join(tmpdir(), 'sumac-'));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    const path = join(folder, 'spice.sock');
    expect(await failure(dialTcp({ host: '', path }))).toMatchObject({
      code: 'transport.not-found',
      message: `There is no socket at ${path}`,
    });
    writeFileSync(path, '');
    expect((await failure(dialTcp({ host: '', path }))).code).toMatch(/transport\.(refused|not-found)/);
  });

  test('timed out: a peer that accepts and is silent', async () => {
    const silent = await serve(createServer((socket) => socket.resume()));
    const started = performance.now();
    const error = await failure(dialTcp({ host: '127.0.0.1', tlsPort: silent.port }, { tls: { ca }, timeoutMs: 100 }));
    expect([error.code, error.message]).toEqual([
      'transport.timed-out',
      `127.0.0.1:${silent.port} did not answer within 0.1 s`,
    ]);
    expect(performance.now() - started).toBeLessThan(2_000);
    await until(() => silent.sockets.every((socket) => socket.destroyed), 'the socket is closed');
    expect(silent.sockets).toHaveLength(1);
  });

  test('cancelled: before and while dialling', async () => {
    const silent = await serve(createServer((socket) => socket.resume()));
    const address = { host: '127.0.0.1', port: silent.port, tlsPort: silent.port };
    const reason = new Error('changed my mind');
    const before = await failure(dialTcp(address, { signal: AbortSignal.abort(reason) }));
    expect([before.code, before.cause]).toEqual(['transport.cancelled', reason]);
    expect(silent.sockets).toHaveLength(0);

    const controller = new AbortController();
    const dialling = failure(dialTcp(address, { tls: { ca }, signal: controller.signal }));
    await until(() => silent.sockets.length === 1, 'the connection');
    controller.abort(reason);
    const error = await dialling;
    expect([error.code, error.cause]).toEqual(['transport.cancelled', reason]);
    await until(() => silent.sockets[0]!.destroyed, 'the socket is closed');
  });

  test('a signal does not touch a pipe that stands', async () => {
    const echo = await serve(createServer((socket) => socket.pipe(socket)));
    const controller = new AbortController();
    const pipe = await dialTcp({ host: '127.0.0.1', port: echo.port }, { signal: controller.signal, timeoutMs: 50 });
    const reader = new Reader(pipe);
    controller.abort();
    await new Promise((resolve) => setTimeout(resolve, 80));
    pipe.write(bytes('still here'));
    await until(() => reader.text === 'still here', 'the echo');
    pipe.abort();
  });
});

describe('a pipe that stands', () => {
  test('tells of a reset as an error', async () => {
    const server = await serve(createServer());
    const pipe = await dialTcp({ host: '127.0.0.1', port: server.port });
    const reader = new Reader(pipe);
    await until(() => server.sockets.length === 1, 'the connection');
    server.sockets[0]!.resetAndDestroy();
    await until(() => reader.closed === 1, 'the end');
    expect(reader.error).toMatchObject({
      code: 'transport.lost',
      message: `The connection to 127.0.0.1:${server.port} was lost`,
    });
    pipe.write(bytes('nobody'));
    pipe.close();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reader.closed).toBe(1);
  });

  test('sends small writes of one turn together', async () => {
    const got: Buffer[] = [];
    const server = await serve(createServer((socket) => socket.on('data', (chunk) => got.push(chunk))));
    const pipe = await dialTcp({ host: '127.0.0.1', port: server.port });
    new Reader(pipe);
    for (let i = 0; i < 100; i++) pipe.write(new Uint8Array(10).fill(i));
    expect(pipe.pending).toBe(1000);
    await until(() => Buffer.concat(got).length === 1000, 'all bytes');
    expect(got).toHaveLength(1);
    pipe.abort();
  });

  test('cuts off a peer that does not read while the pipe closes', async () => {
    const clock = new VirtualClock();
    const server = await serve(createServer({ pauseOnConnect: true }));
    const socket = connect(server.port, '127.0.0.1');
    await new Promise<void>((resolve) => socket.on('connect', resolve));
    const pipe = new SocketPipe(socket, { peer: 'sleeper', secure: false, clock });
    const reader = new Reader(pipe);
    pipe.write(new Uint8Array(64 * 1024 * 1024));
    pipe.close();
    // The network takes what it can.
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(pipe.pending).toBeGreaterThan(0);
    await clock.advance(2 * closingPatience);
    await until(() => reader.closed === 1, 'the end');
    expect(reader.error).toMatchObject({ code: 'transport.stalled' });
    expect([pipe.pending, clock.waiting]).toEqual([0, 0]);
  });

  test('is told of an end that came before it was made', async () => {
    const server = await serve(createServer());
    const socket = connect(server.port, '127.0.0.1');
    await new Promise<void>((resolve) => socket.on('connect', resolve));
    socket.destroy();
    await new Promise<void>((resolve) => socket.on('close', () => resolve()));
    const reader = new Reader(new SocketPipe(socket, { peer: 'gone', secure: false }));
    await until(() => reader.closed === 1, 'the end');
  });
});
