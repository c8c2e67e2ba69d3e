/** A server, linked to by strangers: at the link stage, and on every channel, at home, as a source and as a target. */
import { Server, type ServerOptions } from '../../src/server/server.ts';
import { type ChannelWord, linkMessage } from '../support/raw-client.ts';
import { readU32 } from '../support/raw-wire.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { Counter } from './count.ts';
import { glue, mutate } from './mutate.ts';
import type { Random } from './random.ts';
import { framed, streamOf } from './samples.ts';
import { demand, type Target } from './target.ts';
import { faultsIn, Stranger, settle, wire } from './wires.ts';

const words: readonly ChannelWord[] = ['main', 'display', 'inputs', 'cursor', 'playback', 'record'];
const mechanismAndTicket = glue(Uint8Array.of(1, 0, 0, 0), new Uint8Array(128));

/** A server whose tickets cost nothing, and what it told its people. */
export function freeServer(options: ServerOptions = {}) {
  const clock = new VirtualClock();
  const log: string[] = [];
  const counter = new Counter();
  const server = new Server({
    ...{ clock, width: 32, height: 24, journal: counter, ...options },
    log: (line) => log.push(line),
  });
  const key = { pubKey: new Uint8Array(162), decrypt: async (ticket: Uint8Array) => ticket };
  (server as unknown as { door: { keys: unknown } }).door.keys = { take: async () => key };
  server.playback.start({ channels: 2, frequency: 44_100 });
  server.record.start({ channels: 1, frequency: 44_100 });
  let heard = 0;
  server.input.subscribe(() => heard++);
  server.record.heard.subscribe(() => heard++);
  const dial = () => {
    const pair = wire(clock);
    server.accept(pair.right);
    return new Stranger(pair, pair.left);
  };
  return { clock, log, server, dial, counter, heard: () => heard };
}

type Free = ReturnType<typeof freeServer>;

/** No line tells of a fault of ours. */
export function checkLog(log: string[]): void {
  const faults = faultsIn(log);
  log.length = 0;
  demand(faults.length === 0, faults.join('\n'));
}

/** Draws something flat and something that is not. */
export function draw(server: Server, colour: number): void {
  server.display.fill({ left: 0, top: 0, right: 32, bottom: 24 }, colour & 0xffffff);
  server.display.draw({ left: 3, top: 2, right: 19, bottom: 14 }, noise);
}
const noise = Uint8Array.from({ length: 16 * 12 * 4 }, (_, i) => (i * 37) ^ (i >> 3));

/** Everything that strangers began is over. */
export async function checkLeft({ server, clock, log }: Free, population: number): Promise<void> {
  await clock.advance(31 * 60_000);
  await settle(5);
  checkLog(log);
  demand(server.system.population === population, `${server.system.population} charts instead of ${population}`);
  demand(server.system.links.size === 0, 'links are left over');
  demand(server.channels().length === 0, 'connections are left over');
  demand(clock.waiting === 0, `${clock.waiting} timers are left over`);
}

export function serverLink(): Target {
  const free = freeServer();
  const population = free.server.system.population;
  return {
    name: 'server link',
    generate(random) {
      const message = linkMessage({
        channel: random.pick(words),
        connectionId: random.once(2) ? 0 : random.below(3),
        mini: random.once(2),
        noSelection: random.once(4),
      });
      const whole = glue(message, mechanismAndTicket, streamOf('main', 'client', true, random, 2));
      return glue(
        Uint8Array.of(random.size(80)),
        random.once(12) ? random.bytes(random.size(300)) : mutate(whole, random),
      );
    },
    async run(input) {
      const stranger = free.dial();
      stranger.writeIn(input.subarray(1), Math.max(1, input[0] ?? 1));
      await settle(2);
      stranger.pipe.close();
      await settle(1);
      free.counter.check(input.length);
      checkLog(free.log);
    },
    check: () => checkLeft(free, population),
    close: () => free.server.close(),
  };
}

/** Bits of an input's second byte. */
const flags = { full: 1, arriving: 2, moving: 4, moved: 8, greeted: 16, closes: 32 } as const;

export function serverChannel(word: ChannelWord): Target {
  const free = freeServer();
  const population = free.server.system.population;
  let ids = 0x10000;
  const link = async (channel: ChannelWord, connectionId: number, mini: boolean): Promise<Stranger> => {
    const stranger = free.dial();
    stranger.write(glue(linkMessage({ channel, connectionId, mini }), mechanismAndTicket));
    await settle(2);
    return stranger;
  };
  return {
    name: `server ${word}`,
    generate(random: Random) {
      const how = random.below(64);
      const mini = (how & flags.full) === 0;
      const parts: Uint8Array[] = [];
      // What the channel must have heard before it takes the rest.
      if (word === 'display' && !random.once(4)) parts.push(framed(101, new Uint8Array(14), mini));
      if (word === 'main' && (how & flags.arriving) !== 0) {
        parts.push(random.once(2) ? framed(109, new Uint8Array(), mini) : framed(110, Uint8Array.of(1, 0, 0, 0), mini));
      }
      parts.push(streamOf(word as never, 'client', mini, random));
      return glue(Uint8Array.of(how, random.size(60)), ...parts);
    },
    async run(input) {
      const [how = 0, step = 0] = input;
      const mini = (how & flags.full) === 0;
      const { server, clock } = free;
      const id = (how & flags.arriving) === 0 ? 0 : ++ids;
      const main = await link('main', id, mini);
      await settle(1);
      const session = id || sessionOf(main, mini);
      if ((how & flags.greeted) !== 0 && id !== 0) {
        main.write(framed(110, Uint8Array.of(1, 0, 0, 0), mini));
        await settle(1);
      }
      const own = word === 'main' ? main : await link(word, session, mini);
      if ((how & flags.moving) !== 0) {
        server.migrateConnect({ host: '192.0.2.1', port: 1 });
        main.write(framed(111, new Uint8Array(), mini));
      }
      if ((how & flags.moved) !== 0) server.migrateEnd(true);
      own.writeIn(input.subarray(2), step || input.length);
      await settle(1);
      draw(server, own.received);
      await clock.advance(100);
      draw(server, own.received + 1);
      if ((how & flags.closes) !== 0) own.pair.cut();
      if ((how & (flags.moving | flags.moved)) === flags.moving) server.migrateEnd(false);
      await settle(1);
      main.pipe.close();
      own.pipe.close();
      await clock.advance(30_000);
      if ((how & flags.moved) !== 0) server.guestArrived();
      await settle(1);
      free.counter.check(input.length);
      checkLog(free.log);
    },
    check: () => checkLeft(free, population),
    close: () => free.server.close(),
  };
}

/** The id that INIT tells, which comes first behind the link stage. */
export function sessionOf(main: Stranger, mini: boolean): number {
  const at = 16 + readU32(main.said, 12) + 4 + (mini ? 6 : 18);
  return main.said.length < at + 4 ? 0 : readU32(main.said, at);
}

/**
 * Two sessions on one server. One is spoken to by a stranger; the other is a bystander's, who must go on as if there were nobody:
 * heard, drawn for, and told nothing that is not his. Nothing of his is told to the stranger, and nothing that a buffer held
 * before: pipes scribble 0xdb over what was read.
 */
export function bystander(): Target {
  const free = freeServer();
  const { server, clock } = free;
  const keys: number[] = [];
  server.input.subscribe((event) => {
    if (event.type === 'key' && event.down) keys.push(event.code);
  });
  const link = async (channel: ChannelWord, connectionId: number, onHeard?: (chunk: Uint8Array) => void) => {
    const pair = wire(clock);
    server.accept(pair.right);
    const stranger = new Stranger(pair, pair.left, onHeard);
    stranger.write(glue(linkMessage({ channel, connectionId, mini: true }), mechanismAndTicket));
    await settle(2);
    return stranger;
  };
  let his: { readonly all: Stranger[]; readonly id: number; readonly inputs: Stranger } | undefined;
  const open = async () => {
    const main = await link('main', 0);
    await settle(1);
    const id = sessionOf(main, true);
    const inputs = await link('inputs', id);
    const display = await link('display', id);
    display.write(glue(framed(101, new Uint8Array(14), true), framed(1, Uint8Array.of(1, 0, 0, 0), true)));
    await settle(1);
    return { all: [main, inputs, display], id, inputs };
  };
  let lastKey = 0x1000;
  return {
    name: 'bystander',
    generate(random) {
      const word = random.below(words.length);
      const parts = words[word] === 'display' ? [framed(101, new Uint8Array(14), true)] : [];
      parts.push(streamOf(words[word] as never, 'client', true, random));
      return glue(Uint8Array.of(word), ...parts);
    },
    async run(input) {
      his ??= await open();
      const { all, id, inputs } = his;
      const word = words[(input[0] ?? 0) % words.length]!;
      const chunks: Uint8Array[] = [];
      const hear = (chunk: Uint8Array) => chunks.push(chunk.slice());
      const before = all.map(({ received }) => received);
      const main = await link('main', 0, hear);
      await settle(1);
      const own = word === 'main' ? main : await link(word, sessionOf(main, true), hear);
      const calm = all.map(({ received }) => received);
      demand(before.join() === calm.join(), 'a bystander is told of a link');
      try {
        own.write(input.subarray(1));
        await settle(2);
        draw(server, own.received);
        const key = ++lastKey;
        inputs.write(framed(101, new Uint8Array(Uint32Array.of(key).buffer), true));
        await clock.advance(50);
        demand(keys.at(-1) === key, 'the key of a bystander was not heard');
        demand(
          all.every(({ closed }) => !closed),
          'a bystander was hung up on',
        );
        demand(all[2]!.received > before[2]!, 'nothing was drawn for a bystander');
        const told = glue(...chunks);
        demand(!holds(told, new Uint8Array(Uint32Array.of(id).buffer)), 'a stranger was told of another session');
        demand(!holds(told, new Uint8Array(8).fill(0xdb)), 'a stranger was sent what a buffer held');
      } finally {
        main.pipe.close();
        own.pipe.close();
      }
      await clock.advance(100);
      keys.length = 0;
      // Acknowledged as a viewer does, so that it is drawn for on and on.
      for (let left = 4; left > 0; left--) all[2]!.write(framed(2, new Uint8Array(), true));
      await settle(1);
      free.counter.check(input.length);
      checkLog(free.log);
    },
    async check() {
      for (const one of his?.all ?? []) one.pipe.close();
      his = undefined;
      await checkLeft(free, 1);
    },
    close: () => server.close(),
  };
}

const holds = (bytes: Uint8Array, piece: Uint8Array): boolean => Buffer.from(bytes).includes(Buffer.from(piece));

export const servers = (): Target[] => [serverLink(), ...words.map(serverChannel), bystander()];
