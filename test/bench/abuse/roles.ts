/**
 * The processes of the abuse bench: servers, the attacker and the gauge. Each does what the parent asks over IPC and answers with
 * one value; none of them knows of the others.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { constants, setPriority } from 'node:os';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { connect } from '../../../src/client/client.ts';
import { createServer } from '../../../src/server/server.ts';
import { dialTcp } from '../../../src/transport/tcp.ts';
import { attacks } from './attacks.ts';

export type Role = 'server' | 'attacker' | 'burner' | 'gauge';

/** What a server's process was busy with. */
export interface Spent {
  /** Milliseconds of processor time in each second, all threads. */
  readonly processor: number;
  /** Share of the time that its loop was not waiting, 0 to 1. */
  readonly loop: number;
  /** Milliseconds that the loop was late at worst. */
  readonly late: number;
}

/** A process that plays a role until it is killed. */
export class Actor {
  readonly process: ChildProcess;

  constructor(role: Role, ...args: string[]) {
    this.process = fork(new URL(import.meta.url), [role, ...args], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  }

  ask<T>(question: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null) => reject(new Error(`a child ended with ${code}`));
      this.process.once('message', (answer) => {
        this.process.off('exit', onExit);
        const { value, error } = answer as { value: T; error?: string };
        if (error === undefined) resolve(value);
        else reject(new Error(error));
      });
      this.process.once('exit', onExit);
      this.process.send(question);
    });
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }
}

type Questions = Readonly<Record<string, () => unknown>>;

/** A key is answered with a picture of its colour. The limits are those that a server has by itself, but for crowds. */
async function server(name: string): Promise<Questions> {
  const attack = attacks.find((one) => one.name === name)!;
  const it = await createServer({
    port: 0,
    width: 320,
    height: 200,
    password: 'right',
    ...(attack.crowd
      ? { mostSessions: 2_000, maxConnections: 10_000, maxConnectionsPerAddress: 10_000, maxLinksPerSecond: 1_000 }
      : {}),
  });
  it.input.subscribe((event) => {
    if (event.type !== 'key' || !event.down) return;
    it.display.fill({ left: 0, top: 0, right: 320, bottom: 200 }, event.code);
  });
  if (attack.drawn) {
    let tick = 0;
    setInterval(() => {
      const at = ++tick % 190;
      it.display.fill({ left: 200, top: at, right: 300, bottom: at + 10 }, tick & 0xffffff);
    }, 100);
  }
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let since = { at: 0, cpu: process.cpuUsage(), loop: performance.eventLoopUtilization() };
  return {
    port: () => it.addresses.port,
    begin: () => {
      since = { at: performance.now(), cpu: process.cpuUsage(), loop: performance.eventLoopUtilization() };
      delay.reset();
    },
    spent: (): Spent => {
      const { user, system } = process.cpuUsage(since.cpu);
      const processor = (user + system) / (performance.now() - since.at);
      return { processor, loop: performance.eventLoopUtilization(since.loop).utilization, late: delay.max / 1e6 };
    },
  };
}

/**
 * How far the attacker stands back: its processor time would be another machine's. On a busy machine it then attacks less, which
 * is why what it tried is told; with 0 it takes its share.
 */
export const nicenesses: readonly number[] =
  process.env.ABUSE_NICE === undefined ? [constants.priority.PRIORITY_LOW, 0] : [Number(process.env.ABUSE_NICE)];

/** What an attacker has come to. */
export interface Attacked {
  /** Milliseconds, of some clock. */
  readonly at: number;
  readonly tried: number;
  /** Milliseconds of processor time. */
  readonly processor: number;
}

async function attacker(name: string, port: string, nice: string): Promise<Questions> {
  setPriority(Number(nice));
  process.on('uncaughtException', () => {});
  process.on('unhandledRejection', () => {});
  const attack = attacks.find((one) => one.name === name)!;
  let tried = 0;
  return {
    begin: async () => {
      const running = attack.run(Number(port), () => tried++);
      if (attack.crowd) await running;
    },
    spent: (): Attacked => {
      const { user, system } = process.cpuUsage();
      return { at: performance.now(), tried, processor: (user + system) / 1000 };
    },
  };
}

/** Works for that share of the time, two milliseconds being a round, and attacks nobody. */
async function burner(share: string, nice: string): Promise<Questions> {
  setPriority(Number(nice));
  const round = 2;
  const still = new Int32Array(new SharedArrayBuffer(4));
  const burn = () => {
    const start = performance.now();
    while (performance.now() - start < round * Math.min(1, Number(share)));
    const left = round - (performance.now() - start);
    if (left > 0) Atomics.wait(still, 0, 0, left);
    setImmediate(burn);
  };
  return {
    begin: () => {
      setImmediate(burn);
    },
  };
}

/** Milliseconds after which a round trip is no latency any more. */
const patience = 10_000;

/** Round trips and newcomers at one server, in milliseconds. */
export interface Times {
  readonly trips: number[];
  readonly newcomers: number[];
}

/**
 * A healthy client at each of some servers: how long its key takes to the guest and the picture back, and how long another one
 * takes to come in. It asks the servers by turns, so that whatever the machine is busy with, they have the same of it.
 */
async function gauge(...ports: string[]): Promise<Questions> {
  const at = await Promise.all(ports.map((port) => seat(Number(port))));
  return {
    measure: async (): Promise<Times[]> => {
      const times = ports.map((): Times => ({ trips: [], newcomers: [] }));
      for (let i = 0; i < 150; i++) {
        for (const [which, { trip }] of at.entries()) {
          times[which]!.trips.push(await trip());
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      }
      for (let i = 0; i < 5; i++) {
        for (const [which, { newcomer }] of at.entries()) times[which]!.newcomers.push(await newcomer());
      }
      return times;
    },
  };
}

async function seat(port: number) {
  const open = () =>
    connect({
      destination: { host: '127.0.0.1', port },
      password: 'right',
      dial: (to, _secure, signal) => dialTcp(to, { signal }),
    });
  const ready = (client: ReturnType<typeof open>) =>
    new Promise<void>((resolve, reject) => {
      let [frame, linked] = [false, false];
      client.events.subscribe((event) => {
        if (event.event === 'closed') reject(new Error(event.reason));
        if (event.event === 'frame') frame = true;
        linked ||= client.channels.size === 6;
        if (frame && linked) resolve();
      });
    });
  const client = open();
  await ready(client);
  const screen = client.screens.get('display:0')!;
  let code = 0;
  return {
    trip: () =>
      new Promise<number>((resolve) => {
        code = 1 + (code % 200);
        const start = performance.now();
        const done = () => {
          clearTimeout(timer);
          seen.unsubscribe();
          resolve(performance.now() - start);
        };
        const seen = screen.dirty.subscribe(() => {
          if (screen.primary()?.data[0] === code) done();
        });
        const timer = setTimeout(done, patience);
        client.input.keyDown(code);
      }),
    newcomer: async () => {
      const start = performance.now();
      const another = open();
      try {
        const late = new Promise<void>((resolve) => setTimeout(resolve, patience).unref());
        await Promise.race([ready(another), late]);
        return performance.now() - start;
      } finally {
        another.close();
      }
    },
  };
}

const roles = { server, attacker, burner, gauge } as const;

const [role, ...args] = process.argv.slice(2);
if (process.send !== undefined && role !== undefined && role in roles) {
  const play = roles[role as Role] as (...args: string[]) => Promise<Questions>;
  const questions = play(...args);
  process.on('message', (question) => {
    questions
      .then((all) => all[question as string]!())
      .then(
        (value) => process.send!({ value }),
        (error: Error) => process.send!({ error: error.message }),
      );
  });
}
