/**
 * What strangers cost a healthy client: how long its key takes to the guest and its picture back, alone and beside each kind
 * of abuse and load, all in one run. The server is a process of its own and so is the load, so that what is measured is what
 * the server makes of it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { connect } from '../../src/client/client.ts';
import { createServer } from '../../src/server/server.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import { link, linkMessage, readReply, session, tryLink } from '../support/raw-client.ts';
import { RawSocket, u16, u32 } from '../support/raw-wire.ts';
import type { BenchRow } from './main.ts';

/** Round trips that a figure is the median of, and the share of them that its 95 % are. */
const trips = 150;

const loads = [
  'nothing',
  '900 links that stop halfway',
  'links by a byte a second',
  'a flood of links',
  'a flood of wrong passwords',
  'a flood of messages',
  'sizes of 4 GiB',
  '1,000 sessions, idle',
  '200 sessions, drawn for 10 times a second',
] as const;
type Load = (typeof loads)[number];

export async function benches(): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  let alone = 0;
  for (const load of loads) {
    const { median, p95 } = await measure(load);
    if (load === 'nothing') alone = median;
    rows.push({ name: `beside ${load}: median`, value: round(median), unit: 'ms' });
    rows.push({ name: `beside ${load}: 95 % within`, value: round(p95), unit: 'ms' });
    if (load !== 'nothing')
      rows.push({ name: `beside ${load}: of alone`, value: round(median / alone), unit: 'times' });
  }
  return rows;
}

const round = (value: number) => Math.round(value * 100) / 100;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function measure(load: Load): Promise<{ median: number; p95: number }> {
  const server = child('server', load);
  const port = await answer(server);
  const abuser = load === 'nothing' ? undefined : child('abuser', load, String(port));
  if (abuser !== undefined) await answer(abuser);
  const client = connect({
    destination: { host: '127.0.0.1', port },
    password: 'right',
    dial: (to, _secure, signal) => dialTcp(to, { signal }),
  });
  const times: number[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      client.events.subscribe((event) => {
        if (event.event === 'frame') resolve();
        if (event.event === 'closed') reject(new Error(`${load}: ${event.reason}`));
      });
    });
    while (!client.channels.has('inputs:0')) await pause(5);
    await pause(300);
    const colour = () => client.screens.get('display:0')?.primary()?.data[0];
    for (let i = 0; i < trips; i++) {
      const wanted = 1 + (i % 200);
      const start = performance.now();
      client.input.keyDown(wanted);
      // Ten seconds: then it is no latency any more.
      while (colour() !== wanted && performance.now() - start < 10_000)
        await new Promise((resolve) => setImmediate(resolve));
      times.push(performance.now() - start);
      await pause(10);
    }
  } finally {
    client.close();
    abuser?.kill('SIGKILL');
    server.kill('SIGKILL');
  }
  times.sort((a, b) => a - b);
  return { median: times[times.length >> 1]!, p95: times[Math.floor(times.length * 0.95)]! };
}

function child(...args: string[]): ChildProcess {
  return fork(new URL(import.meta.url), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

/** The first number that a child sends. */
const answer = (process: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    process.once('message', (value) => resolve(value as number));
    process.once('exit', (code) => reject(new Error(`a child ended with ${code}`)));
  });

// ------------------------------------------------------------------------------------------------ in the children

/** A key is answered with a picture of its colour. The limits are those that a server has by itself, but for crowds. */
async function runServer(load: Load): Promise<void> {
  const crowded = load.includes('sessions');
  const server = await createServer({
    port: 0,
    width: 320,
    height: 200,
    password: 'right',
    ...(crowded
      ? { mostSessions: 2_000, maxConnections: 10_000, maxConnectionsPerAddress: 10_000, maxLinksPerSecond: 1_000 }
      : {}),
  });
  server.input.subscribe((event) => {
    if (event.type === 'key' && event.down) {
      server.display.fill({ left: 0, top: 0, right: 320, bottom: 200 }, event.code);
    }
  });
  if (load.includes('drawn')) {
    let tick = 0;
    setInterval(() => {
      const at = ++tick % 190;
      server.display.fill({ left: 200, top: at, right: 300, bottom: at + 10 }, tick & 0xffffff);
    }, 100);
  }
  process.send!(server.addresses.port);
}

/** Addresses that a flood comes from: each has limits of its own. */
const few = 3;

/** An address of this machine, of which there are many. */
const from = (i: number) => `127.0.${1 + (i >> 8)}.${1 + (i & 127)}`;

async function runAbuser(load: Load, port: number): Promise<void> {
  const ready = () => process.send!(0);
  process.on('uncaughtException', () => {});
  process.on('unhandledRejection', () => {});
  const forEver = async (act: (i: number) => Promise<void>, atOnce: number) => {
    let i = 0;
    await Promise.all(
      Array.from({ length: atOnce }, async () => {
        for (;;) await act(i++).catch(() => pause(1));
      }),
    );
  };
  switch (load) {
    case '900 links that stop halfway': {
      ready();
      await forEver(async (i) => {
        const raw = await RawSocket.dial(port, from(i % 20));
        raw.write(linkMessage());
        await raw.closed;
      }, 900);
      break;
    }
    case 'links by a byte a second':
      ready();
      await forEver(async (i) => {
        const raw = await RawSocket.dial(port, from(i % 20));
        for (const byte of linkMessage()) {
          if (raw.over) return;
          raw.write(Uint8Array.of(byte));
          await pause(1_000);
        }
      }, 500);
      break;
    case 'a flood of links':
      ready();
      await forEver(async (i) => {
        const raw = await RawSocket.dial(port, from(i % few));
        raw.write(linkMessage());
        await readReply(raw);
        raw.end();
      }, 50);
      break;
    case 'a flood of wrong passwords':
      ready();
      await forEver(async (i) => (await tryLink(port, { from: from(i % few), password: `guess ${i}` })).raw.end(), 50);
      break;
    case 'a flood of messages': {
      ready();
      await forEver(async (i) => {
        const { main } = await session(port, { password: 'right', from: from(i % few) });
        const chunk = new Uint8Array(6 * 5_000);
        for (let at = 0; at < chunk.length; at += 6) chunk.set(u16(104), at);
        while (!main.raw.over) {
          main.raw.write(chunk);
          await pause(5);
        }
      }, 4);
      break;
    }
    case 'sizes of 4 GiB':
      ready();
      await forEver(async (i) => {
        const { main } = await session(port, { password: 'right', from: from(i % few) });
        main.send(107, u32(0), { size: 0xffffffff });
        await main.raw.closed;
      }, 20);
      break;
    default: {
      const count = load.startsWith('200') ? 200 : 1_000;
      for (let done = 0; done < count; done += 20) {
        await Promise.all(
          Array.from({ length: 20 }, async (_, i) => {
            const { main, connectionId } = await session(port, { password: 'right', from: from((done + i) % 100) });
            main.raw.socket.resume();
            if (!load.includes('drawn')) return;
            const display = await link(port, { channel: 'display', connectionId, password: 'right' });
            // Acknowledges what it is drawn, as clients do.
            display.send(101, new Uint8Array(14));
            void (async () => {
              for (let seen = 0; ; seen++) {
                const { number, body } = await display.next(1e9);
                if (number === 3) display.send(1, body.subarray(0, 4));
                else if (seen % 20 === 19) display.send(2);
              }
            })().catch(() => {});
          }),
        );
      }
      ready();
    }
  }
}

const [role, load, port] = process.argv.slice(2);
if (process.send !== undefined && role === 'server') await runServer(load as Load);
if (process.send !== undefined && role === 'abuser') await runAbuser(load as Load, Number(port));
