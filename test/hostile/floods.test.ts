/**
 * Strangers who do nothing that is forbidden, but too much of it: floods, answers that nobody fetches, links by the hundred.
 * What is measured is the healthy client beside them, and what the server keeps for them.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { link, linkMessage, session } from '../support/raw-client.ts';
import { join, type RawChannel, RawSocket, u8, u16, u32 } from '../support/raw-wire.ts';
import { Stage, until } from './stage.ts';

let stage: Stage;
const strangers: { end(): void }[] = [];

beforeEach(async () => {
  stage = await Stage.open();
});
afterEach(async () => {
  for (const stranger of strangers.splice(0)) stranger.end();
  await stage.goesOn();
  await stage.close();
});

const many = (frame: Uint8Array, count: number): Uint8Array => {
  const bytes = new Uint8Array(frame.length * count);
  for (let i = 0; i < count; i++) bytes.set(frame, i * frame.length);
  return bytes;
};

/** A session whose main or other channel is flooded; what the server answers is not read. */
async function flooder(channel: 'main' | 'inputs' | 'display' = 'main'): Promise<RawChannel> {
  const { main, connectionId } = await session(stage.port);
  strangers.push(main);
  if (channel === 'main') return main;
  const own = await link(stage.port, { channel, connectionId });
  strangers.push(own);
  return own;
}

/** Milliseconds, on a busy machine; without limits it was more than two seconds on an idle one. */
const bearable = 1_000;

/** Milliseconds that the healthy client takes to be drawn for and to be heard, at worst of a few times. */
async function worst(times = 5): Promise<number> {
  let longest = 0;
  for (let i = 0; i < times; i++) {
    const start = performance.now();
    await stage.goesOn();
    longest = Math.max(longest, performance.now() - start);
  }
  return longest;
}

describe('a flood of messages', () => {
  const floods: [string, 'main' | 'inputs' | 'display', number, Uint8Array][] = [
    ['ATTACH_CHANNELS', 'main', 104, u8()],
    ['AGENT_START', 'main', 106, u32(1)],
    ['MIGRATE_CONNECTED', 'main', 102, u8()],
    ['MIGRATE_CONNECT_ERROR', 'main', 103, u8()],
    ['MOUSE_MODE_REQUEST', 'main', 105, u16(1)],
    ['PONG', 'main', 3, u32(1, 2, 3)],
    ['KEY_MODIFIERS', 'inputs', 103, u16(0)],
    ['MOUSE_MOTION', 'inputs', 111, join(u32(1, 1), u16(0))],
    ['ACK', 'display', 2, u8()],
    ['ACK_SYNC', 'display', 1, u32(1)],
  ];
  it.each(floods)('of %s keeps nobody from working', async (_name, channel, number, body) => {
    const stranger = await flooder(channel);
    const chunk = many(stranger.frame(number, body), 10_000);
    for (let i = 0; i < 10; i++) stranger.raw.write(chunk);
    expect(await worst()).toBeLessThan(bearable);
  });

  it('alternating mouse modes are not queued for those who do not listen', async () => {
    stage.server.setMouseModes({ supported: 3, current: 1 });
    const idle = await flooder();
    idle.raw.socket.pause();
    const busy = await flooder();
    const both = join(busy.frame(105, u16(1)), busy.frame(105, u16(2)));
    for (let i = 0; i < 10; i++) busy.raw.write(many(both, 1_000));
    expect(await worst()).toBeLessThan(bearable);
  });
});

describe('links by the hundred', () => {
  it('that stop halfway leave room for others', async () => {
    for (let i = 0; i < 150; i++) {
      const raw = await RawSocket.dial(stage.port);
      strangers.push(raw);
      raw.write(linkMessage());
    }
    expect(await worst()).toBeLessThan(bearable);
  });

  it('that come and go leave nothing behind', async () => {
    const before = { population: stage.server.system.population, links: stage.server.system.links.size };
    for (let i = 0; i < 100; i++) {
      const raw = await RawSocket.dial(stage.port);
      if (i % 3 > 0) raw.write(linkMessage().subarray(0, i % 42));
      if (i % 3 > 1) raw.write(linkMessage());
      raw.end();
    }
    for (let i = 0; i < 10; i++) {
      const { main, connectionId } = await session(stage.port);
      const own = await link(stage.port, { channel: 'cursor', connectionId });
      if (i % 2 > 0) own.end();
      main.end();
    }
    const now = () => ({ population: stage.server.system.population, links: stage.server.system.links.size });
    await until(() => JSON.stringify(now()) === JSON.stringify(before), 'nothing is left of them');
    await until(() => stage.server.channels().length === 6, 'nobody is connected but the healthy client');
  });
});
