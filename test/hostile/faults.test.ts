/**
 * The faults of the reference client and server that are known (spec §6, by their numbers there): for each a test that shows
 * Sumac on the right side of it, or a line that says why it cannot have it.
 */
import { readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { Caches } from '../../src/client/caches.ts';
import { Screen } from '../../src/client/screen.ts';
import { connect } from '../../src/connect.ts';
import { readMigrateData, writeMigrateData } from '../../src/protocol/migrate-data.ts';
import { first } from '../support/network.ts';
import { displayInit, displayState, inputsState, mainState } from '../support/raw-bodies.ts';
import { type ChannelWord, link, session, tryLink } from '../support/raw-client.ts';
import { dstInfo } from '../support/raw-server.ts';
import { ascii, join, type RawChannel, readU32, u8, u16, u32, u64 } from '../support/raw-wire.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import {
  answers,
  arrives,
  Closing,
  everyChannel,
  greets,
  isSilent,
  isUp,
  links,
  phase,
  RawServer,
  serve,
  watch,
  words,
} from './faults-support.ts';
import { until } from './stage.ts';

const closing = new Closing();
afterEach(() => closing.close());

const covered = new Set<number>();

/** Sumac does better where the reference does this. */
function fault(number: number, reference: string, better: () => Promise<void> | void): void {
  covered.add(number);
  it(`${number}. ${reference}`, async () => {
    await better();
  });
}

/** Sumac cannot have this fault. */
function outOfReach(number: number, reference: string, why: string): void {
  covered.add(number);
  it(`${number}. ${reference}: ${why}`, () => expect(why).not.toBe(''));
}

const rawServer = async () => closing.add(await RawServer.listen());
const sumac = async (...options: Parameters<typeof serve>) => closing.add(await serve(...options));
const follower = (...options: Parameters<typeof watch>) => closing.add(watch(...options));

/** A hand-written source with a whole session of a client of ours. */
async function source(options: Parameters<typeof watch>[1] = {}) {
  const server = await rawServer();
  const watched = follower(server.port, options);
  const served = await server.session(words);
  await isUp(watched.client);
  return { server, served, ...watched };
}

// ---------------------------------------------------------------------------------------------------------- client

fault(1, 'a client that is sent away during a hand-over follows no later one', async () => {
  const here = await source();
  const silent = await rawServer();
  const [next, last] = [await sumac(), await sumac()];
  here.served.main.send(101, dstInfo(silent.port));
  await silent.connection();
  const switched = phase(here.client, 'switched');
  here.served.main.send(111, dstInfo(next.port));
  expect(await switched).toMatchObject({ scheme: 'switch-host', to: `127.0.0.1:${next.port}` });
  await isUp(here.client);
  await until(() => silent.open === 0, 'nothing is left of the first target');
  const again = phase(here.client, 'switched');
  next.server.migrateConnect({ host: '127.0.0.1', port: last.port });
  next.server.migrateEnd(true);
  expect(await again).toMatchObject({ scheme: 'seamless', to: `127.0.0.1:${last.port}` });
});

fault(2, 'parked links of a cancelled attempt stay open', async () => {
  const target = await sumac();
  const { main, ...others } = await arrives(target.port, 0x2222, ['display', 'inputs', 'cursor']);
  expect(target.server.channels()).toHaveLength(4);
  main.end();
  for (const channel of Object.values(others)) await channel.hungUp();
  await until(() => target.server.channels().length === 0, 'nothing is listed any more');
  expect(target.server.system.population).toBe(1);
});

fault(3, 'main hears nothing while it links to a target', async () => {
  const here = await source();
  const silent = await rawServer();
  here.served.main.send(101, dstInfo(silent.port));
  await silent.connection();
  await answers(here.served.main);
  const cancelled = phase(here.client, 'cancelled');
  here.served.main.send(102);
  await cancelled;
  await until(() => silent.open === 0, 'the target is left');
  here.served.main.send(101, dstInfo(silent.port));
  await silent.connection();
  await answers(here.served.main, 78);
});

fault(4, 'after a cancelled attempt channels are linked to the target', async () => {
  const here = await source();
  const target = await rawServer();
  const linked = phase(here.client, 'linked');
  here.served.main.send(101, dstInfo(target.port));
  await links(target, 6);
  await linked;
  const cancelled = phase(here.client, 'cancelled');
  here.served.main.send(102);
  await cancelled;
  here.served.cursor.end();
  const again = await here.server.link();
  expect(again).toMatchObject({ word: 'cursor', connectionId: here.served.cursor.connectionId });
  expect(target.accepted).toBe(6);
});

fault(5, 'a channel that the target lacks is swapped with main', async () => {
  const here = await source();
  const target = await rawServer();
  here.served.main.send(101, dstInfo(target.port));
  await target.link();
  for (let i = 0; i < 5; i++) {
    const raw = await target.connection();
    if (i === 2) raw.end();
  }
  await here.served.main.until(103);
  for (const word of ['main', ...words] as const) await answers(here.served[word]);
  await until(() => target.open === 0, 'nothing is left at the target');
});

fault(6, 'a session that was secured goes on over a plain port', async () => {
  const pem = (name: string) => readFileSync(new URL(`../support/certs/${name}`, import.meta.url), 'utf8');
  const tls = { key: pem('server.key'), cert: pem('server.pem') };
  const from = await sumac({ tlsPort: 0, tls });
  const to = await sumac({ tlsPort: 0, tls });
  const client = connect({
    destination: { host: '127.0.0.1', tlsPort: from.server.addresses.tlsPort },
    ca: pem('ca.pem'),
  });
  closing.add(client);
  await isUp(client);
  const failed = phase(client, 'failed');
  from.server.migrateConnect({ host: '127.0.0.1', port: to.port });
  await failed;
  expect(to.server.channels()).toEqual([]);
  from.server.migrateEnd(false);
  const switched = phase(client, 'switched');
  from.server.migrateConnect({ host: '127.0.0.1', port: to.port, tlsPort: to.server.addresses.tlsPort });
  from.server.migrateEnd(true);
  await switched;
  expect(to.server.channels().every(({ tls }) => tls)).toBe(true);
});

outOfReach(
  7,
  'a read-only client never answers a seamless announcement',
  'there is no read-only mode with a list of messages that it may send; answers are the charts’ own',
);

fault(8, 'what was counted at the source is counted on at the target', async () => {
  const here = await source();
  const target = await rawServer();
  // Far ahead of what the target will ever say.
  for (let i = 0; i < 200; i++) here.served.cursor.send(105);
  here.served.display.send(3, u32(1, 5));
  await answers(here.served.cursor);
  here.served.main.send(101, dstInfo(target.port));
  const there = await links(target, 6);
  await here.served.main.until(102);
  here.served.main.send(112);
  await greets(there.main);
  await there.display.until(101);
  // The window of the source is not the target's: no acknowledgement comes unasked.
  for (let i = 0; i < 20; i++) there.display.send(102);
  await answers(there.display, 78);
  // Waits for the third message of cursor here, however many there were at the source.
  there.display.send(5, join(u8(1, 4, 0), u64(3n)));
  expect(await isSilent(there.display, 79)).toBe(true);
  there.cursor.send(105);
  there.cursor.send(105);
  await answers(there.cursor, 80);
  let answered = 0;
  do answered = readU32((await there.display.until(3)).body);
  while (answered !== 79);
});

fault(9, 'after migrate data a client is one message ahead of the target', async () => {
  const here = await source();
  const target = await rawServer();
  const count = 30;
  for (let i = 0; i < count - 2; i++) here.served.display.send(102);
  here.served.main.send(116, dstInfo(target.port, { seamless: 1 }));
  const main = await target.link();
  await main.until(110);
  main.send(117);
  const there = await links(target, 5);
  await here.served.main.until(111);
  // Let go: main and display with state, the others without.
  here.served.display.send(1, u32(3));
  here.served.display.send(2, displayState());
  here.served.main.send(1, u32(3));
  here.served.main.send(2, mainState());
  here.served.inputs.send(1, u32(3));
  here.served.inputs.send(2, inputsState());
  for (const word of ['cursor', 'playback', 'record'] as const) here.served[word].send(1, u32(0));
  expect((await there.display.until(5)).body).toEqual(displayState());
  expect((await main.until(5)).body).toEqual(mainState());
  // MIGRATE_DATA was the last one at the source; the target's first message has its number.
  there.cursor.send(5, join(u8(1, 2, 0), u64(BigInt(count))));
  expect(await isSilent(there.cursor, 80)).toBe(true);
  there.display.send(102);
  let answered = 0;
  do answered = readU32((await there.cursor.until(3)).body);
  while (answered !== 80);
});

fault(10, 'after the first link that fails, others answer a second time', async () => {
  const here = await source();
  const target = await rawServer();
  here.served.main.send(101, dstInfo(target.port));
  await target.link();
  const others = [];
  for (let i = 0; i < 5; i++) others.push(await target.connection());
  for (const raw of others) raw.write(join(ascii('REDQ'), u32(9, 9, 9)));
  await here.served.main.until(103);
  await answers(here.served.main);
  here.served.main.send(4, join(u32(78), u64(0n)));
  // Nothing but the pong: no second error, no late success.
  expect((await here.served.main.next()).number).toBe(3);
  expect(here.news.filter((news) => news.event === 'handover' && news.phase === 'failed')).toHaveLength(1);
});

fault(11, 'a wrong message instead of MIGRATE_DATA strands a channel between two hosts', async () => {
  const here = await source();
  // What does no harm is let in, and the data are still awaited.
  here.served.display.send(1, u32(3));
  here.served.display.send(102);
  here.served.display.send(2, displayState());
  await here.served.display.until(4);
  await here.served.display.hungUp();
  // What cannot be is the end of that channel, on which it is linked again.
  const again = await here.server.link();
  expect(again.word).toBe('display');
  await again.until(101);
  again.send(1, u32(3));
  again.send(108);
  await again.hungUp();
  expect((await here.server.link()).word).toBe('display');
  await answers(here.served.main);
});

fault(12, 'lists of sub-messages and link replies are not checked', async () => {
  const here = await source();
  here.served.display.send(8, join(u16(1), u32(0xfffffff0)));
  await here.served.display.hungUp();
  expect((await here.server.link()).word).toBe('display');
  const other = await rawServer();
  const { client } = follower(other.port);
  const closed = first(client.events, (event) => event.event === 'closed');
  (await other.connection()).write(join(ascii('REDQ'), u32(2, 2, 0x7fffffff)));
  expect(await closed).toMatchObject({ reason: expect.stringContaining('2147483647 bytes') });
});

fault(13, 'palettes are kept when a display begins anew', () => {
  const screen = new Screen({ caches: new Caches() });
  const palette = { unique: 5n, ents: [1, 2] };
  for (const keep of ['primary', 'nothing'] as const) {
    screen.palettes.put(palette);
    screen.reset(keep);
    expect(screen.palettes.size).toBe(0);
  }
  screen.palettes.put(palette);
  screen.reset('everything');
  expect(screen.palettes.get(5n)).toBe(palette);
});

fault(14, 'sound is bound to a channel that is gone after switching hosts', async () => {
  const [from, to] = [await sumac(), await sumac()];
  const { client, log } = follower(from.port, { schemes: ['switch-host'] });
  await isUp(client);
  from.server.playback.start({ channels: 1, frequency: 48_000 });
  await first(client.playback.played, ({ type }) => type === 'start');
  const switched = phase(client, 'switched');
  from.server.migrateConnect({ host: '127.0.0.1', port: to.port });
  from.server.migrateEnd(true);
  await switched;
  await isUp(client);
  const heard = first(client.playback.played, ({ type }) => type === 'samples');
  to.server.playback.start({ channels: 1, frequency: 48_000 });
  const timer = setInterval(() => to.server.playback.write(Int16Array.from({ length: 480 }, () => 7)), 10);
  await heard;
  clearInterval(timer);
  expect(log).toEqual([]);
});

// ---------------------------------------------------------------------------------------------------------- server

fault(15, 'a stray message ends the process', async () => {
  // All of them: clients.test.ts. Here one of each place, on one server.
  const { port, log } = await sumac();
  const stray: [ChannelWord, number, Uint8Array][] = [
    ['main', 4, u8()],
    ['main', 109, u8()],
    ['main', 110, u32(1)],
    ['display', 101, displayInit],
    ['inputs', 5, inputsState()],
  ];
  for (const [word, number, body] of stray) {
    const { main, connectionId } = await session(port);
    const own = word === 'main' ? main : await link(port, { channel: word, connectionId });
    if (word === 'display') own.send(101, displayInit);
    own.send(number, body);
    await own.hungUp();
    main.end();
  }
  (await session(port)).main.end();
  expect(log).toHaveLength(stray.length);
});

fault(16, 'a semi-seamless attempt after a cancelled seamless one ends the target', async () => {
  const { port, log } = await sumac();
  const seamless = await arrives(port, 0x1616, ['display', 'inputs']);
  seamless.main.send(110, u32(1));
  await seamless.main.until(117);
  seamless.main.end();
  await seamless.display.hungUp();
  const semi = await arrives(port, 0x1616, ['display', 'inputs']);
  semi.main.send(109);
  expect(readU32((await semi.main.until(103)).body)).toBe(0x1616);
  semi.display.send(101, displayInit);
  await semi.display.until(102);
  await semi.inputs.until(101);
  expect(log).toEqual([]);
  semi.main.end();
});

fault(17, 'a source goes by what an earlier client, or an earlier attempt, had agreed to', async () => {
  const clock = new VirtualClock();
  const { server, port } = await sumac({ clock });
  const target = { host: '192.0.2.1', port: 5900 };
  const agreed = await session(port);
  const cursor = await link(port, { channel: 'cursor', connectionId: agreed.connectionId });
  server.migrateConnect(target);
  await agreed.main.until(116);
  agreed.main.send(111);
  await first(server.events, (event) => event.event === 'migrate_connect_complete');
  server.migrateEnd(false);
  await agreed.main.until(102);
  // The second time it says nothing until its time is over.
  server.migrateConnect(target);
  await agreed.main.until(116);
  await clock.advance(10_001);
  server.migrateEnd(true);
  expect((await agreed.main.until(111)).body.length).toBeGreaterThan(20);
  await clock.settle();
  const said: number[] = [];
  while (cursor.raw.unread > 0) said.push((await cursor.next()).number);
  expect(said).toContain(101);
  expect(said).not.toContain(1);
  agreed.main.end();
  cursor.end();

  // One that comes when another had agreed and left is sent away the old way.
  const other = await sumac();
  const gone = await session(other.port);
  other.server.migrateConnect(target);
  await gone.main.until(116);
  gone.main.send(111);
  await first(other.server.events, (event) => event.event === 'migrate_connect_complete');
  gone.main.end();
  await first(other.server.events, (event) => event.event === 'session' && event.state === 'over');
  const late = await session(other.port, { caps: 0 });
  other.server.migrateEnd(true);
  await late.main.until(111);
  late.main.end();
});

fault(18, 'migrate data are believed', async () => {
  const { port, log } = await sumac();
  const { main, display } = await arrives(port, 0x1818, ['display']);
  main.send(110, u32(1));
  await main.until(117);
  display.send(5, displayState(u32(1, 0xffffff)));
  await display.hungUp();
  expect(log).toEqual([expect.stringContaining('migrate data do not fit')]);
  main.end();
});

fault(19, 'the list of surfaces is read in the form that the reader’s own options have', () => {
  const plain = readMigrateData('display', displayState(u32(2, 0, 7)));
  expect(plain.surfacesAtClient).toEqual([{ id: 0 }, { id: 7 }]);
  const lossy = readMigrateData('display', displayState(u32(2, 0, 1, 2, 3, 4, 7, 0, 0, 9, 9)));
  expect(lossy.surfacesAtClient).toEqual([
    { id: 0, lossyRect: { left: 1, top: 2, right: 3, bottom: 4 } },
    { id: 7, lossyRect: { left: 0, top: 0, right: 9, bottom: 9 } },
  ]);
});

fault(20, 'a partial agent header is read from the wrong place', () => {
  const partial = u8(9, 8, 7, 6, 5, 4, 3);
  const state = {
    version: 1,
    agentBase: {
      version: 1,
      connected: true,
      numClientTokens: 3,
      numSendTokens: 4,
      writeNumClientTokens: 1,
      writeData: u8(1, 2, 3, 4, 5),
    },
    clientAgentStarted: true,
    agent2client: {
      chunkHeaderSize: 8,
      chunkHeader: { port: 1, size: 77 },
      msgHeaderDone: false,
      msgHeader: partial,
      msgRemaining: 0,
      msgFilterResult: 0,
    },
    client2agent: { msgRemaining: 3, msgFilterResult: 1 },
  };
  expect(readMigrateData('main', writeMigrateData('main', state))).toEqual(state);
  const body = writeMigrateData('main', state);
  expect(readU32(body, 8 + 39)).toBe(partial.length);
  const at = readU32(body, 8 + 43);
  expect(body.subarray(at, at + partial.length)).toEqual(partial);
});

fault(21, 'a main link with any id evicts the client that is there', async () => {
  const { port, server } = await sumac();
  const { client, news } = follower(port);
  await isUp(client);
  const id = news.flatMap((event) => (event.event === 'session' ? [event.connectionId] : []))[0]!;
  for (const connectionId of [1, 0xdeadbeef, id]) {
    const { main } = await arrives(port, connectionId);
    const key = first(server.input, (event) => event.type === 'key' && event.code === 0x21);
    client.input.keyDown(0x21);
    await key;
    main.end();
  }
  expect([...client.channels].sort()).toEqual([...everyChannel].sort());
});

fault(22, 'after a hand-over main is not looked after any more', async () => {
  const { port } = await sumac();
  for (const how of ['semi-seamless', 'seamless'] as const) {
    const { main } = await arrives(port, how === 'seamless' ? 0x2201 : 0x2202);
    if (how === 'seamless') {
      main.send(110, u32(1));
      await main.until(117);
      main.send(5, mainState());
    } else main.send(109);
    const ping = await main.until(4);
    main.send(3, ping.body.subarray(0, 12));
    main.send(104);
    await main.until(104);
    main.end();
  }
});

fault(23, 'pings are sent in the middle of a hand-over', async () => {
  const { port } = await sumac();
  const { main, inputs, cursor } = await arrives(port, 0x2323, ['inputs', 'cursor']);
  main.send(110, u32(1));
  expect((await main.next()).number).toBe(117);
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(main.raw.unread).toBe(0);
  main.send(5, mainState());
  inputs.send(5, inputsState());
  const seen: number[] = [];
  while (!seen.includes(4)) seen.push((await main.next()).number);
  for (const channel of [main, inputs, cursor]) channel.end();
});

fault(24, 'a channel that is lost at the target keeps the hand-over from ever being over', async () => {
  const { port, server } = await sumac();
  const { main, display, inputs } = await arrives(port, 0x2424, ['display', 'inputs']);
  main.send(110, u32(1));
  await main.until(117);
  const arrived = first(server.events, (event) => event.event === 'arrived');
  main.send(5, mainState());
  display.end();
  inputs.send(5, inputsState());
  expect(await arrived).toMatchObject({ scheme: 'seamless' });
  // The next move is announced, which it is not while one is under way.
  server.migrateConnect({ host: '192.0.2.1', port: 1 });
  await main.until(116);
  main.end();
});

fault(25, 'the answer to one announcement is taken for that to another', async () => {
  const { port, server } = await sumac();
  const { main } = await session(port);
  server.migrateConnect({ host: '192.0.2.1', port: 1 });
  await main.until(116);
  server.migrateConnect({ host: '192.0.2.2', port: 1 });
  await main.until(102);
  await main.until(116);
  const complete = first(server.events, (event) => event.event === 'migrate_connect_complete');
  // It was linked to the first one, and cannot link to the second.
  main.send(111);
  main.send(103);
  expect(await complete).toMatchObject({ linked: 0 });
  server.migrateEnd(true);
  await main.until(111);
  main.end();
});

fault(26, 'a client that dies while it is let go leaves later ones without motion acks', async () => {
  const { port, server } = await sumac();
  const move = async () => {
    const { main, connectionId } = await session(port);
    const inputs = await link(port, { channel: 'inputs', connectionId });
    await inputs.until(101);
    return { main, inputs };
  };
  const acks = async (inputs: RawChannel) => {
    for (let i = 0; i < 4; i++) inputs.send(111, join(u32(1, 1), u16(0)));
    await inputs.until(111);
  };
  const dying = await move();
  await acks(dying.inputs);
  server.migrateConnect({ host: '192.0.2.1', port: 1 });
  await dying.main.until(116);
  dying.main.send(111);
  await first(server.events, (event) => event.event === 'migrate_connect_complete');
  server.migrateEnd(true);
  await dying.inputs.until(1);
  dying.inputs.end();
  dying.main.end();
  await first(server.events, (event) => event.event === 'migrate_end_complete');
  server.guestArrived();
  const next = await move();
  await acks(next.inputs);
  const locked = next.inputs.until(102);
  server.setModifiers(4);
  expect((await locked).body).toEqual(u16(4));
  next.main.end();
  next.inputs.end();
});

fault(27, 'a client that is handed over is not told the mode of sound', async () => {
  const { port, server } = await sumac();
  server.playback.start({ channels: 2, frequency: 44_100 });
  for (const scheme of ['seamless', 'semi-seamless'] as const) {
    const { main, playback } = await arrives(port, 0x2727, ['playback']);
    if (scheme === 'seamless') main.send(110, u32(1));
    else main.send(109);
    const seen: number[] = [];
    while (!seen.includes(103)) seen.push((await playback.next()).number);
    expect(seen.indexOf(102)).toBeGreaterThanOrEqual(0);
    expect(seen.indexOf(102)).toBeLessThan(seen.indexOf(103));
    main.end();
    await playback.hungUp();
  }
});

fault(28, 'a client that vanishes is waited for', async () => {
  const { port, server } = await sumac();
  const [stays, leaves] = [await session(port), await session(port)];
  server.migrateConnect({ host: '192.0.2.1', port: 1 });
  await stays.main.until(116);
  await leaves.main.until(116);
  const complete = first(server.events, (event) => event.event === 'migrate_connect_complete', 3_000);
  leaves.main.end();
  stays.main.send(111);
  expect(await complete).toMatchObject({ linked: 1 });
  server.migrateEnd(false);
  await stays.main.until(102);
  stays.main.end();
});

fault(29, 'everybody waits for a client that does not introduce its display', async () => {
  const { port, server } = await sumac();
  const mute = await session(port);
  const display = await link(port, { channel: 'display', connectionId: mute.connectionId });
  const { client } = follower(port);
  const start = performance.now();
  await isUp(client);
  server.display.fill({ left: 0, top: 0, right: 32, bottom: 32 }, 0x123456);
  await until(() => client.screens.get('display:0')?.primary()?.data[0] === 0x56, 'it is drawn for');
  expect(performance.now() - start).toBeLessThan(3_000);
  // Nothing but SET_ACK.
  expect((await display.next()).number).toBe(3);
  expect(display.raw.unread).toBe(0);
  display.end();
  mute.main.end();
});

fault(30, 'a password of sixty letters is never right, and a channel that there is not is never named', async () => {
  const password = 'sixty letters of which every single one must be remembered!!';
  expect(password).toHaveLength(60);
  const { port } = await sumac({ password });
  const { main, connectionId } = await session(port, { password });
  expect(await tryLink(port, { password: password.slice(0, 59) })).toMatchObject({ result: 7 });
  expect(await tryLink(port, { password, channel: 6, id: 9, connectionId })).toMatchObject({ result: 9 });
  expect(await tryLink(port, { password, channel: 10, connectionId })).toMatchObject({ result: 9 });
  main.end();
});

fault(31, 'a client may be half arrived for ever', async () => {
  const clock = new VirtualClock();
  const { port, server, log } = await sumac({ clock });
  const { main, display, inputs } = await arrives(port, 0x3131, ['display', 'inputs']);
  main.send(110, u32(1));
  await main.until(117);
  main.send(5, mainState());
  inputs.send(5, inputsState());
  await inputs.until(102);
  await clock.advance(30 * 60_000 + 1);
  await main.hungUp();
  await display.hungUp();
  expect(server.system.population).toBe(1);
  expect(log.length).toBeLessThanOrEqual(1);
  // A client that says too early that it has arrived is let in, and is served what there is.
  const early = await arrives(port, 0x3132);
  early.main.send(109);
  await early.main.until(103);
  early.main.end();
});

fault(32, 'a move that is over before the client has linked begins a new session', async () => {
  const [from, to] = [await sumac(), await sumac()];
  const { client, news } = follower(from.port);
  await isUp(client);
  const switched = phase(client, 'switched');
  from.server.migrateConnect({ host: '127.0.0.1', port: to.port });
  from.server.migrateStart();
  to.server.guestArrived();
  from.server.migrateEnd(true);
  expect(await switched).toMatchObject({ scheme: 'seamless' });
  expect(news.filter(({ event }) => event === 'session')).toHaveLength(1);
});

it('a client whose display is opened at the very moment of the move gets its surface from the target', async () => {
  const [from, to] = [await sumac(), await sumac()];
  const { main, connectionId } = await session(from.port);
  const display = await link(from.port, { channel: 'display', connectionId });
  from.server.migrateConnect({ host: '127.0.0.1', port: to.port });
  await main.until(116);
  main.send(111);
  await first(from.server.events, (event) => event.event === 'migrate_connect_complete');
  from.server.migrateEnd(true);
  await display.until(1);
  display.send(101, displayInit);
  display.send(4);
  const data = (await display.until(2)).body;
  expect(readMigrateData('display', data).surfacesAtClient).toEqual([]);
  const there = await arrives(to.port, connectionId, ['display']);
  there.main.send(110, u32(1));
  await there.main.until(117);
  there.display.send(5, data);
  await there.display.until(314);
  await there.display.until(102);
  main.end();
  there.main.end();
});

it('every fault of spec §6 is looked at', () => {
  expect([...covered]).toEqual(Array.from({ length: 32 }, (_, i) => i + 1));
});
