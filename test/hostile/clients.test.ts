/**
 * What a stranger with the right password may say on a channel: each message that ends or corrupts libspice-server (spec
 * §5.9), and all that does not fit. His channel or session is closed with one line in the log; the server and its other
 * sessions go on.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { displayInit, displayState, inputsState, mainState, oneSurface } from '../support/raw-bodies.ts';
import { type ChannelWord, link, session, tryLink } from '../support/raw-client.ts';
import { join, type RawChannel, u8, u16, u32 } from '../support/raw-wire.ts';
import { Stage, until } from './stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await Stage.open();
});
afterAll(async () => {
  await stage.close();
});

/** A channel of a session of its own; its main is there too. */
async function open(channel: ChannelWord, mini = true): Promise<{ main: RawChannel; own: RawChannel }> {
  const { main, connectionId } = await session(stage.port, { mini });
  if (channel === 'main') return { main, own: main };
  const own = await link(stage.port, { channel, connectionId, mini });
  if (channel === 'display') {
    own.send(101, displayInit);
    await own.until(102);
  }
  if (channel === 'inputs') await own.until(101);
  return { main, own };
}

let ids = 0x51000000;

/** A session at a target: main and the others are linked with the id that they have at a source, and parked. */
async function arriving(others: readonly ChannelWord[] = []) {
  const connectionId = ++ids;
  const main = await link(stage.port, { connectionId });
  const channels: Partial<Record<ChannelWord, RawChannel>> = { main };
  for (const channel of others) channels[channel] = await link(stage.port, { channel, connectionId });
  return { main, channels, connectionId };
}

/** The target has agreed to seamless and waits for the state of every channel. */
async function awaitingData(others: readonly ChannelWord[] = []) {
  const made = await arriving(others);
  made.main.send(110, u32(1));
  expect((await made.main.next()).number).toBe(117);
  return made;
}

type Case = [name: string, channel: ChannelWord, number: number, body: Uint8Array, lies?: object];

const onNormal: Case[] = [
  ['MIGRATE_END', 'main', 109, u8()],
  ['DO_SEAMLESS', 'main', 110, u32(1)],
  ['FLUSH_MARK on main', 'main', 4, u8()],
  ['FLUSH_MARK on display', 'display', 4, u8()],
  ['FLUSH_MARK on inputs', 'inputs', 4, u8()],
  ['FLUSH_MARK on cursor', 'cursor', 4, u8()],
  ['FLUSH_MARK on playback', 'playback', 4, u8()],
  ['FLUSH_MARK on record', 'record', 4, u8()],
  ['MIGRATE_DATA on main', 'main', 5, mainState()],
  ['MIGRATE_DATA on display', 'display', 5, displayState(oneSurface)],
  ['MIGRATE_DATA on inputs', 'inputs', 5, inputsState()],
  ['MIGRATE_DATA on cursor', 'cursor', 5, u8()],
  ['MIGRATE_DATA on playback', 'playback', 5, u8()],
  ['DISPLAY_INIT twice', 'display', 101, displayInit],
  ['an unknown base message', 'inputs', 99, u8()],
  ['an unknown message', 'main', 999, u8(1, 2, 3)],
  ['an unknown message of display', 'display', 300, u8()],
  ['a server message number', 'cursor', 101, u8()],
  ['the highest number', 'playback', 65_535, u8()],
  ['a truncated KEY_DOWN', 'inputs', 101, u8(1, 2, 3)],
  ['a truncated MOUSE_POSITION', 'inputs', 112, u32(1)],
  ['a truncated MOUSE_MODE_REQUEST', 'main', 105, u8(1)],
  ['a truncated AGENT_START', 'main', 106, u16(1)],
  ['a truncated ACK_SYNC', 'display', 1, u8(1)],
  ['a truncated PONG', 'main', 3, u32(1)],
  ['a video codec list that is too long for itself', 'display', 105, u8(200, 1, 2)],
  ['a message of 4 GiB', 'main', 107, u8(), { size: 0xffffffff }],
  ['a message just above the limit', 'record', 101, u8(), { size: 1024 * 1024 + 1 }],
  ['a message of inputs above the reference server’s limit', 'inputs', 104, u8(), { size: 2049 }],
];

describe('on a session like any other', () => {
  it.each(onNormal)('%s', async (_name, channel, number, body, lies = {}) => {
    const { main, own } = await open(channel);
    const line = await stage.shutsOut(own, () => own.send(number, body, lies));
    expect(line).toMatch(new RegExp(`^server/session:\\d+/${channel}:0: closed: `));
    // A channel's end is its own; main's is the session's.
    if (own !== main) {
      main.send(104);
      await main.until(104);
    }
    main.end();
    own.end();
  });

  it('takes no offence at MIGRATE_DATA on record, which has no state', async () => {
    const { main, own } = await open('record');
    own.send(5, u8());
    // What a violation is follows, so that the first one was heard.
    const line = await stage.shutsOut(own, () => own.send(99));
    expect(line).toContain('message 99');
    main.end();
    own.end();
  });

  it('drops everything that comes after the violation', async () => {
    const { main, own } = await open('inputs');
    const keys: number[] = [];
    const watch = stage.server.input.subscribe((event) => {
      if (event.type === 'key' && event.down && event.code > 0x100) keys.push(event.code);
    });
    await stage.shutsOut(own, () =>
      own.raw.write(own.frame(101, u32(0x101)), own.frame(4), own.frame(101, u32(0x102)), own.frame(4)),
    );
    expect(keys).toEqual([0x101]);
    watch.unsubscribe();
    main.end();
  });

  it('lets a channel that was shut out link again', async () => {
    const { main, connectionId } = await session(stage.port);
    for (let i = 0; i < 3; i++) {
      const own = await link(stage.port, { channel: 'cursor', connectionId });
      await stage.shutsOut(own, () => own.send(4));
    }
    main.end();
  });

  it('answers CONNECTED, and its seamless kin, that nobody asked for with MIGRATE_CANCEL', async () => {
    const { main } = await open('main');
    main.send(102);
    expect((await main.until(102)).body).toHaveLength(0);
    main.send(111);
    expect((await main.until(102)).body).toHaveLength(0);
    main.send(103);
    main.send(104);
    expect((await main.next()).number).toBe(104);
    main.end();
    await stage.goesOn();
  });
});

describe('sub-message lists', () => {
  const nonsense: readonly [string, Uint8Array, number][] = [
    ['beyond the body', u8(1, 2), 2],
    ['with its count cut off', u8(1, 2, 3), 2],
    ['far away', u8(1, 2), 0xffffffff],
    ['with more offsets than there are bytes', join(u8(0), u16(65_535), u32(0)), 1],
    ['with an offset outside', join(u8(0), u16(1), u32(4_000)), 1],
    ['with a size outside', join(u8(0), u16(1), u32(7), u16(101), u32(400)), 1],
    ['with a size that wraps', join(u8(0), u16(1), u32(7), u16(101), u32(0xfffffff0)), 1],
    ['with an unknown message', join(u8(0), u16(1), u32(7), u16(77), u32(0)), 1],
    ['with a message out of place', join(u8(0), u16(1), u32(7), u16(4), u32(0)), 1],
  ];
  it.each(nonsense)('%s', async (_name, body, subList) => {
    const { main, own } = await open('inputs', false);
    await stage.shutsOut(own, () => own.send(103, body, { subList }));
    main.end();
  });

  it('takes the ones that are right, before the message that they belong to', async () => {
    const { main, own } = await open('inputs', false);
    const keys: number[] = [];
    const watch = stage.server.input.subscribe((event) => {
      if (event.type === 'key' && event.code > 0x100) keys.push(event.code);
    });
    const sub = join(u16(101), u32(4), u32(0x111));
    own.send(101, join(u32(0x112), u16(1), u32(10), sub), { subList: 4 });
    await until(() => keys.length === 2, 'both keys');
    expect(keys).toEqual([0x111, 0x112]);
    watch.unsubscribe();
    own.end();
    main.end();
  });

  it('never does the work of more bytes than have come: overlapping messages are shut out', async () => {
    const { main } = await session(stage.port, { mini: false });
    const many = 60_000;
    const long = join(u16(104), u32(700_000), new Uint8Array(700_000));
    const body = join(u16(many), ...Array.from({ length: many }, () => u32(3 + many * 4)), long);
    const start = performance.now();
    await stage.shutsOut(main, () => main.send(104, join(u8(0), body), { subList: 1 }));
    expect(performance.now() - start).toBeLessThan(2_000);
  });
});

describe('at the target of a hand-over', () => {
  it('MIGRATE_END after the target has agreed to seamless', async () => {
    const { main } = await awaitingData();
    expect(await stage.shutsOut(main, () => main.send(109))).toContain('migrate_end');
  });

  it('DO_SEAMLESS twice', async () => {
    const { main } = await awaitingData();
    await stage.shutsOut(main, () => main.send(110, u32(1)));
  });

  it('FLUSH_MARK before the client has arrived', async () => {
    const { main } = await arriving();
    await stage.shutsOut(main, () => main.send(4));
  });

  it('FLUSH_MARK while migrate data are awaited', async () => {
    const { main } = await awaitingData();
    await stage.shutsOut(main, () => main.send(4));
  });

  it('MIGRATE_DATA before anything was asked', async () => {
    const { main } = await arriving();
    await stage.shutsOut(main, () => main.send(5, mainState()));
  });

  it('DISPLAY_INIT at a seamless target', async () => {
    const { main, channels } = await awaitingData(['display']);
    await stage.shutsOut(channels.display!, () => channels.display!.send(101, displayInit));
    main.end();
  });

  it('input before the migrate data', async () => {
    const { main, channels } = await awaitingData(['inputs']);
    await stage.shutsOut(channels.inputs!, () => channels.inputs!.send(101, u32(0x20)));
    main.end();
  });

  it('MIGRATE_DATA twice', async () => {
    const { main, channels } = await awaitingData(['inputs', 'display']);
    const inputs = channels.inputs!;
    inputs.send(5, inputsState());
    await inputs.until(102);
    await stage.shutsOut(inputs, () => inputs.send(5, inputsState()));
    main.end();
  });

  const unfit: readonly (readonly [string, ChannelWord, Uint8Array])[] = [
    ['nothing at all, on main', 'main', u8()],
    ['nothing at all, on display', 'display', u8()],
    ['nothing at all, on inputs', 'inputs', u8()],
    ['short, on main', 'main', mainState().subarray(0, 64)],
    ['short, on display', 'display', displayState(oneSurface).subarray(0, 79)],
    ['short, on inputs', 'inputs', inputsState().subarray(0, 9)],
    ['wrong magic, on main', 'main', mainState({ magic: 'ICMD' })],
    ['wrong magic, on display', 'display', displayState(oneSurface, 'MNMD')],
    ['wrong magic, on inputs', 'inputs', inputsState('xxxx')],
    ['newer version, on main', 'main', mainState({ version: 2 })],
    ['newer version, on display', 'display', displayState(oneSurface, 'DCMD', 0xffffffff)],
    ['newer version, on inputs', 'inputs', inputsState('ICMD', 2)],
    ['a surface id of 1024', 'display', displayState(u32(1, 1024))],
    ['a surface id of 2³²-1', 'display', displayState(u32(1, 0xffffffff))],
    ['more surfaces than there are', 'display', displayState(u32(5, 0))],
    ['2³²-1 surfaces', 'display', displayState(u32(0xffffffff, 0))],
    ['surfaces outside the body', 'display', displayState(oneSurface, 'DCMD', 1, 5_000)],
    ['a write buffer outside the body', 'main', mainState({ size: 100, pointer: 0xfffffff0 })],
    ['a write buffer longer than the body', 'main', mainState({ size: 0xffffffff, pointer: 8 })],
  ];
  it.each(unfit)('MIGRATE_DATA that does not fit: %s', async (_name, channel, body) => {
    const { main, channels } = await awaitingData(channel === 'main' ? [] : [channel]);
    const own = channels[channel]!;
    expect(await stage.shutsOut(own, () => own.send(5, body))).toContain('migrate data do not fit');
    main.end();
  });

  it('an early MIGRATE_END brings the client in, and nobody else out', async () => {
    const { main } = await arriving();
    main.send(109);
    await main.until(103);
    await stage.goesOn();
    main.end();
  });

  it('a main link with the id of a running session does not end that session', async () => {
    const { main, connectionId } = await session(stage.port);
    const second = await link(stage.port, { connectionId });
    await stage.goesOn();
    main.send(104);
    await main.until(104);
    second.end();
    main.end();
  });

  it('parked links go when their session does', async () => {
    const { main, channels } = await arriving(['display', 'inputs', 'cursor']);
    main.end();
    for (const channel of [channels.display!, channels.inputs!, channels.cursor!]) await channel.hungUp();
    await stage.goesOn();
  });
});

describe('links to sessions', () => {
  it('a channel of a session that there is not', async () => {
    expect(await tryLink(stage.port, { channel: 'display', connectionId: 0x7777 })).toMatchObject({ result: 8 });
    expect(await tryLink(stage.port, { channel: 'display', connectionId: 0 })).toMatchObject({ result: 8 });
  });

  it('a channel twice, an unknown one, and one with an unknown id', async () => {
    const { main, connectionId } = await session(stage.port);
    const cursor = await link(stage.port, { channel: 'cursor', connectionId });
    expect(await tryLink(stage.port, { channel: 'cursor', connectionId })).toMatchObject({ result: 9 });
    expect(await tryLink(stage.port, { channel: 'cursor', id: 3, connectionId })).toMatchObject({ result: 9 });
    expect(await tryLink(stage.port, { channel: 9, connectionId })).toMatchObject({ result: 9 });
    expect(await tryLink(stage.port, { channel: 250, id: 250, connectionId })).toMatchObject({ result: 9 });
    await stage.goesOn();
    cursor.end();
    main.end();
  });
});
