/**
 * Each message that ends or corrupts libspice-server (spec §5.9), sent to a `sumac serve` that a real client is looking at:
 * the stranger's channel or session is closed with one line in the log, and the real client's picture and keyboard go on.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { peerSuite } from '../support/peers/present.ts';
import { startViewer, type Viewer } from '../support/peers/spicy.ts';
import { readCard, type SumacHost, startSumac } from '../support/peers/sumac.ts';
import { startXvfb, type Xvfb } from '../support/peers/xvfb.ts';
import { displayInit, displayState, inputsState, mainState, oneSurface } from '../support/raw-bodies.ts';
import { type ChannelWord, link, session } from '../support/raw-client.ts';
import { type RawChannel, u8, u32 } from '../support/raw-wire.ts';

const password = 'secret';

let screen: Xvfb;
let host: SumacHost;
let viewer: Viewer;

/** Lines that the server's people were told. */
const told = () =>
  host.process.lines.filter(({ text }) => text.includes('"event":"log"')).map(({ text }) => JSON.parse(text).line);

/** The card in the window moves on, and the server is the one that was started. */
async function goesOn(): Promise<void> {
  const deadline = Date.now() + 10_000;
  const ticks = async () => readCard(await viewer.screenshot())?.ticks ?? -1;
  const before = await ticks();
  while ((await ticks()) <= before) {
    if (Date.now() > deadline)
      throw new Error(`the picture stands still\n${viewer.process.tail()}\n${host.process.tail()}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  expect(await host.peer.execute('query-status')).toMatchObject({ running: true });
}

let ids = 0x5eed0000;

/** A stranger's channel: at home, parked at a target, or at a target that has agreed to seamless. */
async function stranger(
  where: 'home' | 'parked' | 'awaiting',
  channel: ChannelWord,
): Promise<{ main: RawChannel; own: RawChannel }> {
  const port = host.spicePort!;
  if (where === 'home') {
    const { main, connectionId } = await session(port, { password });
    const own = channel === 'main' ? main : await link(port, { channel, connectionId, password });
    return { main, own };
  }
  const connectionId = ++ids;
  const main = await link(port, { connectionId, password });
  const own = channel === 'main' ? main : await link(port, { channel, connectionId, password });
  if (where === 'awaiting') {
    main.send(110, u32(1));
    await main.until(117);
  }
  return { main, own };
}

const messages: [string, 'home' | 'parked' | 'awaiting', ChannelWord, number, Uint8Array][] = [
  ['MIGRATE_END on a normal client', 'home', 'main', 109, u8()],
  ['MIGRATE_END after the seamless ACK', 'awaiting', 'main', 109, u8()],
  ['DO_SEAMLESS on a normal client', 'home', 'main', 110, u32(1)],
  ['FLUSH_MARK that nobody expects, on main', 'home', 'main', 4, u8()],
  ['FLUSH_MARK that nobody expects, on inputs', 'home', 'inputs', 4, u8()],
  ['MIGRATE_DATA that nobody awaits, on main', 'home', 'main', 5, mainState()],
  ['MIGRATE_DATA that nobody awaits, on inputs', 'home', 'inputs', 5, inputsState()],
  ['MIGRATE_DATA before DO_SEAMLESS', 'parked', 'main', 5, mainState()],
  ['MIGRATE_DATA of main that is too short', 'awaiting', 'main', 5, mainState().subarray(0, 60)],
  ['MIGRATE_DATA of inputs that is too short', 'awaiting', 'inputs', 5, inputsState().subarray(0, 9)],
  ['MIGRATE_DATA of display that is too short', 'awaiting', 'display', 5, displayState().subarray(0, 40)],
  ['MIGRATE_DATA with surface 1024', 'awaiting', 'display', 5, displayState(u32(1, 1024))],
  ['MIGRATE_DATA with surface 2³²-1', 'awaiting', 'display', 5, displayState(u32(1, 0xffffffff))],
  ['MIGRATE_DATA of another channel', 'awaiting', 'display', 5, displayState(oneSurface, 'MNMD')],
  ['MIGRATE_DATA of a newer version', 'awaiting', 'main', 5, mainState({ version: 2 })],
  ['DISPLAY_INIT at a seamless target', 'awaiting', 'display', 101, displayInit],
  ['an unknown message', 'home', 'main', 999, u8(1, 2, 3)],
];

peerSuite('a sumac serve that spicy looks at', ['spicy', 'Xvfb', 'xdotool'], () => {
  beforeAll(async () => {
    screen = await startXvfb();
    host = await startSumac({ name: 'target', password });
    viewer = await startViewer(screen, host, { program: 'spicy' });
    await viewer.waitForChannels(6);
    await goesOn();
  });
  afterAll(async () => {
    await viewer?.stop();
    await host?.stop();
    await screen?.stop();
  });

  test.each(messages)('lives through %s', async (_name, where, channel, number, body) => {
    const before = told().length;
    const { main, own } = await stranger(where, channel);
    own.send(number, body);
    await own.hungUp();
    await goesOn();
    expect(told().slice(before)).toEqual([expect.stringMatching(new RegExp(`/${channel}:0: closed: `))]);
    main.end();
  });

  test('lives through DISPLAY_INIT twice', async () => {
    const before = told().length;
    const { main, own } = await stranger('home', 'display');
    own.send(101, displayInit);
    await own.until(102);
    own.send(101, displayInit);
    await own.hungUp();
    await goesOn();
    expect(told().slice(before)).toEqual([expect.stringMatching(/\/display:0: closed: /)]);
    main.end();
  });

  test('lets the real client go on to the end', async () => {
    await viewer.key('z');
    const deadline = Date.now() + 10_000;
    while (readCard(await viewer.screenshot())?.key !== 0x2c && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    expect(readCard(await viewer.screenshot())?.key).toBe(0x2c);
  });
});
