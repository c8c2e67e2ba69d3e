/**
 * What a hostile server may say to a client: lies at the link stage, hand-overs that nobody announced, sizes that nobody
 * sends. The client loses at most its session, says so once, and leaves no socket and no actor behind.
 */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Client, type ClientEvent, type ClientOptions, connect } from '../../src/client/client.ts';
import { dialTcp } from '../../src/transport/tcp.ts';
import type { ChannelWord } from '../support/raw-client.ts';
import { dstInfo, goodKey, init, linkReply, type RawServed, RawServer } from '../support/raw-server.ts';
import { ascii, join, readU32, u8, u16, u32, u64 } from '../support/raw-wire.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { until } from './stage.ts';

const words: ChannelWord[] = ['display', 'inputs', 'cursor', 'playback', 'record'];
const addresses = ['main:0', ...words.map((word) => `${word}:0`)];

let server: RawServer;
let client: Client;
let log: string[];
let events: ClientEvent[];

beforeEach(async () => {
  server = await RawServer.listen();
  log = [];
  events = [];
});
afterEach(async () => {
  client.close();
  await until(() => server.open === 0, 'every connection is closed');
  expect(client.system.population).toBe(0);
  expect(client.system.links.size).toBe(0);
  expect(events.filter(({ event }) => event === 'closed')).toHaveLength(1);
  expect(events.at(-1)).toMatchObject({ event: 'closed' });
  await server.close();
});

function begin(options: Partial<ClientOptions> = {}): void {
  client = connect({
    destination: { host: '127.0.0.1', port: server.port },
    dial: (to, _secure, signal) => dialTcp(to, { signal }),
    log: (line) => log.push(line),
    ...options,
  });
  client.events.subscribe((event) => events.push(event));
}

async function session(): Promise<Record<ChannelWord, RawServed>> {
  begin();
  const served = await server.session(words);
  await until(() => addresses.every((address) => client.channels.has(address)), 'every channel is up');
  return served;
}

const closed = () => events.find((event) => event.event === 'closed');
/** The client still answers on this channel. */
const answers = async (served: RawServed) => {
  served.send(4, join(u32(77), u64(5n)));
  let answered = 0;
  while (answered !== 77) answered = readU32((await served.until(3)).body);
};

describe('a reply that does not fit', () => {
  const lies: [string, Uint8Array, RegExp][] = [
    ['of another protocol', ascii('HTTP/1.1 400 Bad Request\r\n\r\n'), /not SPICE/],
    ['with a wrong magic', linkReply({ magic: ascii('QDER') }), /not SPICE/],
    ['of version 0', linkReply({ major: 0 }), /version 0/],
    ['of version 9', linkReply({ major: 9 }), /version 9/],
    ['of no size', linkReply({ size: 0 }), /of 0 bytes/],
    ['that is too short', linkReply({ size: 177 }), /of 177 bytes/],
    ['that is too long', linkReply({ size: 4097 }), /of 4097 bytes/],
    ['of 4 GiB', linkReply({ size: 0xffffffff }), /of 4294967295 bytes/],
    ['with more common capabilities than it has', linkReply({ commonWords: 3 }), /outside/],
    ['with 2³²-1 of them', linkReply({ commonWords: 0xffffffff }), /words of capabilities/],
    ['with as many that it wraps', linkReply({ commonWords: 0x40000001 }), /words of capabilities/],
    ['with more channel capabilities than it has', linkReply({ channelWords: 1_000 }), /outside/],
    ['with capabilities elsewhere', linkReply({ capsOffset: 500 }), /outside/],
    ['with capabilities nowhere', linkReply({ capsOffset: 0xffffffff }), /outside/],
    ['with a key that is none', linkReply({ key: new Uint8Array(162).fill(0x30) }), /key that is none/],
    ['with a key of zeroes', linkReply({ key: new Uint8Array(162) }), /key that is none/],
    ['with a cut key', linkReply({ key: goodKey.with(20, 0xff).fill(0, 100) }), /key that is none/],
    ...Array.from({ length: 9 }, (_, i): [string, Uint8Array, RegExp] => [
      `with error ${i + 1}`,
      linkReply({ error: i + 1 }),
      /./,
    ]),
    ['with an error that there is not', linkReply({ error: 0xfffffffe }), /error 4294967294/],
  ];
  it.each(lies)('%s', async (_name, reply, reason) => {
    begin();
    const raw = await server.connection();
    raw.write(reply);
    await until(() => closed() !== undefined, 'the session is closed');
    expect(closed()).toMatchObject({ reason: expect.stringMatching(reason) });
  });

  it.each([1, 2, 7, 8, 9, 0xffffffff])('link result %i', async (result) => {
    begin();
    const raw = await server.connection();
    raw.write(linkReply());
    await raw.read(42 + 4 + 128);
    raw.write(u32(result));
    await until(() => closed() !== undefined, 'the session is closed');
  });

  it('that never comes', async () => {
    const clock = new VirtualClock();
    begin({ clock });
    const raw = await server.connection();
    await raw.read(42);
    await clock.advance(7_999);
    expect(closed()).toBeUndefined();
    await clock.advance(2);
    expect(closed()).toMatchObject({ reason: 'no answer in time' });
  });

  it('that comes by a byte a second', async () => {
    const clock = new VirtualClock();
    begin({ clock });
    const raw = await server.connection();
    const reply = linkReply();
    for (let at = 0; closed() === undefined && at < reply.length; at++) {
      raw.write(reply.subarray(at, at + 1));
      await new Promise((resolve) => setTimeout(resolve, 5));
      await clock.advance(1_000);
    }
    expect(closed()).toMatchObject({ reason: 'no answer in time' });
  });

  it('and an end in the middle of it', async () => {
    begin();
    const raw = await server.connection();
    raw.write(linkReply().subarray(0, 100));
    raw.socket.end();
    await until(() => closed() !== undefined, 'the session is closed');
    expect(closed()).toMatchObject({ reason: 'the peer hung up' });
  });

  it('and no greeting after a good one', async () => {
    const clock = new VirtualClock();
    begin({ clock });
    await server.link();
    await until(() => client.channels.has('main:0'), 'main is up');
    await clock.advance(15_001);
    expect(closed()).toMatchObject({ reason: 'no init in time' });
  });
});

type Case = [name: string, word: ChannelWord, number: number, body: Uint8Array, lies?: object];

describe('what is out of place', () => {
  const ignored: Case[] = [
    ['MIGRATE_CANCEL without a hand-over', 'main', 102, u8()],
    ['MIGRATE_END without a hand-over', 'main', 112, u8()],
    ['INIT twice', 'main', 103, init(0x99)],
    ['CHANNELS_LIST twice', 'main', 104, join(u32(1), u8(2, 0))],
    ['CHANNELS_LIST of what nobody knows', 'main', 104, join(u32(3), u8(99, 0, 7, 1, 1, 0))],
    ['an unknown message of main', 'main', 999, u8(1)],
    ['an unknown message of display', 'display', 65_535, u8()],
    ['an empty list', 'display', 8, u16(0)],
    ['a ping of another size', 'cursor', 4, join(u32(1), u64(2n), new Uint8Array(256_000))],
    ['a wait for a channel that there is not', 'display', 5, join(u8(1, 9, 9), u64(2n ** 64n - 1n))],
    ['DISCONNECTING, and no end', 'playback', 6, join(u64(0n), u32(1))],
  ];
  it.each(ignored)('%s changes nothing', async (_name, word, number, body) => {
    const served = await session();
    served[word].send(number, body);
    await answers(served[word]);
    await answers(served.main);
    expect(closed()).toBeUndefined();
    expect(client.channels.size).toBe(6);
  });

  const ends: Case[] = [
    ['MIGRATE_DATA that nobody asked for', 'display', 2, u32(0)],
    ['a truncated SURFACE_CREATE', 'display', 314, u8(1)],
    ['a truncated INIT of cursor', 'cursor', 101, u8(1)],
    ['a list beyond its end', 'display', 8, join(u16(1), u32(6), u16(4), u32(100))],
    ['lists over each other', 'display', 8, overlapping()],
    ['sizes beyond the limit', 'inputs', 102, u8(), { size: 0xffffffff }],
    ['pictures beyond the limit', 'display', 304, u8(), { size: 64 * 1024 * 1024 + 1 }],
    ['MIGRATE without a hand-over', 'cursor', 1, u32(0)],
    ['MIGRATE with a flush without a hand-over', 'playback', 1, u32(1)],
  ];
  it.each(ends)('%s ends that channel alone, and it comes back', async (_name, word, number, body, lies = {}) => {
    const served = await session();
    served[word].send(number, body, lies);
    await served[word].hungUp();
    await answers(served.main);
    expect(closed()).toBeUndefined();
    expect(log.length).toBeLessThanOrEqual(1);
    const again = await server.link();
    expect(again).toMatchObject({ word, id: 0 });
    await until(() => client.channels.size === 6, 'it is up again');
  });

  const fatal: Case[] = [
    ['DST_SEAMLESS_ACK', 'main', 117, u8()],
    ['DST_SEAMLESS_NACK', 'main', 118, u8()],
    ['MIGRATE_DATA', 'main', 2, u32(0)],
    ['MIGRATE', 'main', 1, u32(0)],
    ['a BEGIN whose host is elsewhere', 'main', 101, dstInfo(1, { hostAt: 5_000 })],
    ['a BEGIN whose host has no end', 'main', 101, dstInfo(1, { host: ascii('abc') })],
    ['a BEGIN whose host is longer than it', 'main', 101, dstInfo(1, { hostSize: 0xffffffff })],
    ['a SWITCH_HOST whose host has no end', 'main', 111, dstInfo(1, { host: ascii('abc') })],
    ['a SWITCH_HOST that is cut off', 'main', 111, dstInfo(1).subarray(0, 19)],
    ['a CHANNELS_LIST that is longer than it', 'main', 104, u32(0xffffffff)],
    ['a message of 17 MiB and a byte', 'main', 109, u8(), { size: 17 * 1024 * 1024 + 1 }],
  ];
  it.each(fatal)('%s on main ends the session', async (_name, word, number, body, lies = {}) => {
    const served = await session();
    served[word].send(number, body, lies);
    await until(() => closed() !== undefined, 'the session is closed');
    expect(log.length).toBeLessThanOrEqual(1);
    for (const each of words) await served[each].hungUp();
  });
});

/** A list of as many pings as its count can say, each of them the same megabytes. */
function overlapping(): Uint8Array {
  const count = 65_535;
  const at = 2 + count * 4;
  const offsets = new Uint8Array(count * 4);
  const view = new DataView(offsets.buffer);
  for (let i = 0; i < count; i++) view.setUint32(i * 4, at, true);
  const size = 2 * 1024 * 1024;
  return join(u16(count), offsets, u16(314), u32(size), new Uint8Array(size));
}

describe('a hand-over to nowhere', () => {
  const nowhere: [string, Uint8Array][] = [
    ['no port', dstInfo(0)],
    ['ports that mean none', dstInfo(0xffff, { sport: 0xffff })],
    ['no host', dstInfo(1, { hostSize: 0 })],
    ['a host that points nowhere', dstInfo(1, { hostAt: 0 })],
    ['an empty host', dstInfo(1, { host: ascii('\0') })],
  ];
  it.each(nowhere)('is refused, and the client stays: %s', async (_name, body) => {
    const served = await session();
    served.main.send(101, body);
    await served.main.until(103);
    await answers(served.main);
    expect(client.channels.size).toBe(6);
    expect(server.accepted).toBe(6);
  });

  it.each(nowhere)('ends the session when there is no way back: %s', async (_name, body) => {
    const served = await session();
    served.main.send(111, body);
    await until(() => closed() !== undefined, 'the session is closed');
    expect(closed()).toMatchObject({ reason: 'no destination' });
  });

  it('again and again leaves nothing behind', async () => {
    const served = await session();
    const target = await RawServer.listen();
    for (let i = 0; i < 200; i++)
      served.main.send(i % 2 ? 101 : 116, dstInfo(target.port, i % 2 ? {} : { seamless: 1 }));
    served.main.send(102);
    await answers(served.main);
    await until(() => client.system.population === 7, 'only the session and its channels are left');
    await until(() => target.open === 0, 'no connection to the target is left');
    expect(client.channels.size).toBe(6);
    await target.close();
  });

  it('never ends for one channel: no migrate data come', async () => {
    const clock = new VirtualClock();
    begin({ clock });
    const served = await server.session(words);
    await until(() => client.channels.size === 6, 'every channel is up');
    for (const word of ['display', 'cursor'] as const) {
      served[word].send(1, u32(3));
      await served[word].until(4);
    }
    await clock.advance(10_001);
    await served.display.hungUp();
    await served.cursor.hungUp();
    await clock.advance(501);
    expect([(await server.link()).word, (await server.link()).word].sort()).toEqual(['cursor', 'display']);
    await answers(served.main);
  });
});

describe('too much of it', () => {
  it('channels by the thousand are not linked', async () => {
    begin();
    const main = await server.link();
    main.send(103, init(7));
    await main.until(104);
    const ids = Array.from({ length: 1_000 }, (_, i) => u8(2 + (i % 5), i >> 2));
    main.send(104, join(u32(ids.length), ...ids));
    await answers(main);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(server.accepted).toBeLessThanOrEqual(32);
  });

  it('unknown messages are told of a few times, not for ever', async () => {
    const served = await session();
    for (let number = 1_000; number < 3_000; number++) served.cursor.send(number);
    await answers(served.cursor);
    expect(log.length).toBeLessThanOrEqual(32);
  });

  it('waits that are never over keep no more than a little', async () => {
    const served = await session();
    served.display.send(5, join(u8(1, 1, 0), u64(2n ** 60n)));
    const chunk = new Uint8Array(1024 * 1024);
    const { socket } = served.display.raw;
    let sent = 0;
    while (sent < 64 && socket.write(chunk.slice())) sent++;
    for (; sent < 64; sent++) socket.write(chunk.slice());
    await answers(served.main);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(socket.writableLength).toBeGreaterThan(40 * 1024 * 1024);
  });
});
