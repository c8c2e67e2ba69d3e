/**
 * Ports that we call, and that answer what they like: a machine that we drive by QMP, and a host that a guest is to move to.
 * Whatever is said there ends in an error of ours or in an answer, within a few milliseconds.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { wallClock } from '../../src/engine/clock.ts';
import { QmpClient } from '../../src/qmp/client.ts';
import { Departure } from '../../src/qmp/guest-departure.ts';
import { moveMagic } from '../../src/qmp/move-line.ts';
import { spoiledText } from './mutate.ts';
import type { Random } from './random.ts';
import { demand, type Target } from './target.ts';

const utf8 = new TextEncoder();
const lineFeed = 10;

/** Milliseconds that each step has; strangers who say nothing are as slow as that. */
const patience = 15;

/** A port that says a line to everybody, and another one whenever it is told something; what that is it does not hear. */
async function liar(): Promise<{ port: number; lines: Uint8Array; close(): Promise<void> }> {
  const guests = new Set<Socket>();
  const server = createServer((socket) => {
    guests.add(socket);
    let rest = it.lines;
    const say = () => {
      const end = rest.indexOf(lineFeed) + 1 || rest.length;
      if (end > 0) socket.write(rest.subarray(0, end));
      rest = rest.subarray(end);
    };
    socket.on('error', () => {}).on('close', () => guests.delete(socket));
    socket.on('data', say);
    say();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const it = {
    port: (server.address() as AddressInfo).port,
    lines: new Uint8Array(),
    close: async () => {
      for (const guest of guests) guest.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return it;
}

const greeting =
  '{"QMP": {"version": {"qemu": {"micro": 2, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}\r\n';
const machines = [
  `${greeting}{"return": {}, "id": 1}\r\n{"return": {"status": "running"}, "id": 2}\r\n`,
  `${greeting}{"return": {}, "id": 1}\r\n{"error": {"class": "GenericError", "desc": "no"}, "id": 2}\r\n`,
  `${greeting}{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "MIGRATION", "data": {"status": "active"}}\r\n`,
];

async function qmpClient(): Promise<Target> {
  const machine = await liar();
  const address = { host: '127.0.0.1', port: machine.port };
  return {
    name: 'qmp client',
    generate: (random: Random) =>
      spoiledText(
        machines,
        ['{', '}', '"', '[', '"id":2', '"id":"__proto__"', '__proto__', '1e999', 'null', '\0'],
        random,
      ),
    async run(input) {
      machine.lines = input;
      const client = await QmpClient.connect(address, { connectMs: patience, answerMs: patience });
      try {
        client.events.subscribe();
        await client.execute('query-status');
      } finally {
        client.close();
      }
    },
    async check() {
      machine.lines = utf8.encode(machines[0]!);
      const client = await QmpClient.connect(address);
      const { status } = await client.execute<{ status: string }>('query-status');
      client.close();
      demand(status === 'running', 'a machine in order is not understood any more');
    },
    close: machine.close,
  };
}

const targets = [
  `${moveMagic} 1\n{"type":"welcome","name":"target"}\n{"type":"loaded"}\n{"type":"running"}\n`,
  `${moveMagic} 1\n{"type":"refused","reason":"no room"}\n`,
  `${moveMagic} 1\n{"type":"welcome","name":"target"}\n{"type":"refused","reason":"not this one"}\n`,
];

async function departure(): Promise<Target> {
  const host = await liar();
  const carry = async (): Promise<void> => {
    const { signal } = new AbortController();
    const to = { host: '127.0.0.1', port: host.port };
    const leaving = await Departure.open({ to, name: 'source', clock: wallClock, signal, patience });
    const cargo = {
      save: () => ({}),
      running: () => true,
      moveMs: 0,
      speed: () => 1,
      stop: () => {},
      commit: () => {},
      signal,
    };
    await leaving.carry(cargo);
  };
  return {
    name: 'departure',
    generate: (random: Random) =>
      spoiledText(targets, ['{', '}', '"', '\n', '{"type":"running"}\n', '"__proto__":{}', '1e999', '\0'], random),
    async run(input) {
      host.lines = input;
      await carry();
    },
    async check() {
      host.lines = utf8.encode(targets[0]!);
      await carry();
    },
    close: host.close,
  };
}

export const answers = async (): Promise<Target[]> => [await qmpClient(), await departure()];
