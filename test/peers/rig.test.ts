/**
 * Proves the test rig itself, with no Sumac in it: real QEMUs run our guests, the C client follows them in every scheme,
 * and what the rig says of them is true. When this fails, no other result of the peer tests means anything.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { GUEST_HEIGHT, GUEST_WIDTH, keyWord, type Picture } from '../support/peers/boot-sector.ts';
import { beginMove, linkClients, liveMigrate, openChannels } from '../support/peers/live-migrate.ts';
import { missing, peerSuite } from '../support/peers/present.ts';
import { freePort } from '../support/peers/process.ts';
import { type Qemu, type QemuOptions, type QemuPair, startQemu, startQemuPair } from '../support/peers/qemu.ts';
import { SAID, spicyScreenshot, startViewer, type Viewer } from '../support/peers/spicy.ts';
import { startCapture } from '../support/peers/tshark.ts';
import { startXvfb, type Xvfb } from '../support/peers/xvfb.ts';

/** What a test has started, newest last; ended in the opposite order even when the test fails. */
const started: { stop(): Promise<unknown> }[] = [];
const keep = <T extends { stop(): Promise<unknown> }>(one: T): T => {
  started.push(one);
  return one;
};
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
});

test('a missing program is noticed', () => {
  expect(missing(['node', 'no-such-program-7f3a', '/no/such/header.h'])).toEqual([
    'no-such-program-7f3a',
    '/no/such/header.h',
  ]);
});

peerSuite('a real QEMU with our guests', ['qemu-system-x86_64', 'spicy-screenshot'], () => {
  test('the moving guest counts on, and says and shows the key that was pressed', async () => {
    const qemu = keep(await startQemu({ image: 'moving' }));
    const first = await qemu.reading();
    await qemu.qmp('human-monitor-command', { 'command-line': 'sendkey a' });
    await qemu.waitForGuest(keyWord(0x1e));
    const second = await qemu.reading((reading) => reading.key === 0x1e);
    expect(second.ticks).toBeGreaterThan(first.ticks);
    const { width, height } = await qemu.screendump();
    expect([width, height]).toEqual([GUEST_WIDTH, GUEST_HEIGHT]);
  });

  test.each(['std', 'qxl'] as const)('spicy-screenshot of the still guest equals its screendump (%s)', async (vga) => {
    const qemu = keep(await startQemu({ image: 'still', vga, password: 'ticket' }));
    const [seen, own] = [await spicyScreenshot(qemu), await qemu.screendump()];
    expect([seen.width, seen.height]).toEqual([own.width, own.height]);
    expect(Buffer.compare(seen.rgb, own.rgb)).toBe(0);
    expect(colours(own)).toBeGreaterThan(200);
    await expect(spicyScreenshot({ ...at(qemu), password: 'wrong' })).rejects.toThrow();
  });
});

peerSuite('the tone', ['qemu-system-x86_64', 'spicy', 'Xvfb', 'tshark'], () => {
  test('reaches the client as playback data', async () => {
    const screen = keep(await startXvfb());
    const qemu = keep(await startQemu({ image: 'moving' }));
    const capture = await startCapture([qemu.spicePort!]);
    const viewer = keep(await startViewer(screen, qemu));
    await viewer.waitForLog(/playback_handle_start: fmt 1 channels 2/);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const messages = await capture.stop();
    const sound = messages.filter((message) => message.from === 'server' && message.name === 'DATA');
    expect(sound.length).toBeGreaterThan(20);
  });
});

peerSuite('spicy follows two QEMUs', ['qemu-system-x86_64', 'spicy', 'Xvfb', 'xdotool'], () => {
  let screen: Xvfb;
  beforeAll(async () => {
    screen = await startXvfb();
  });
  afterAll(async () => {
    await screen.stop();
  });

  const CHANNELS = ['cursor-4:0', 'display-2:0', 'inputs-3:0', 'main-1:0', 'playback-5:0'];

  async function watch(options: Omit<QemuOptions, 'name' | 'incoming'>): Promise<{ pair: QemuPair; viewer: Viewer }> {
    const pair = keep(await startQemuPair({ password: 'secret', ...options }));
    const viewer = keep(await startViewer(screen, pair.source));
    expect((await viewer.waitForChannels(CHANNELS.length)).sort()).toEqual(CHANNELS);
    await viewer.waitForGuest();
    return { pair, viewer };
  }

  /** The client lives on this QEMU: the picture moves on there, and a key pressed in the window reaches that guest. */
  async function livesOn(viewer: Viewer, qemu: Qemu, key: { name: string; code: number }): Promise<void> {
    const { ticks } = await qemu.reading();
    await viewer.waitForGuest((reading) => reading.ticks > ticks);
    const since = qemu.process.mark();
    await viewer.key(key.name);
    await qemu.waitForGuest(keyWord(key.code), since);
    await viewer.waitForGuest((reading) => reading.key === key.code);
    expect(await openChannels(qemu)).toBe(CHANNELS.length);
  }
  const A = { name: 'a', code: 0x1e };
  const B = { name: 'b', code: 0x30 };

  test.each([
    ['seamless', true],
    ['semi-seamless', false],
  ] as const)('%s, though the ticket expires once it has linked', async (scheme, seamless) => {
    const { pair, viewer } = await watch({ image: 'moving', seamless });
    await livesOn(viewer, pair.source, A);
    const since = viewer.mark();
    const linkedWord = seamless ? SAID.seamlessLinked : SAID.semiSeamlessLinked;
    const until = async (): Promise<unknown> => await viewer.waitForLog(linkedWord, { since });
    const report = await liveMigrate(pair.source, pair.target, { expireTarget: true, until });
    expect(report.outcome).toBe('completed');
    await viewer.waitForLog(SAID.allMoved, { since });
    expect(viewer.said(SAID.end, since)).toBe(!seamless);
    expect(viewer.said(SAID.switchHost, since)).toBe(false);
    await pair.source.stop();
    await livesOn(viewer, pair.target, B);
    const begin = viewer.timeOf(seamless ? SAID.beginSeamless : SAID.begin, since);
    const linked = viewer.timeOf(linkedWord, since);
    const moved = viewer.timeOf(SAID.allMoved, since);
    console.log(
      `${scheme}: begin → linked ${(linked - begin).toFixed(0)} ms, guest stopped → completed ` +
        `${(report.endedAt - report.stoppedAt!).toFixed(1)} ms, completed → all moved ${(moved - report.endedAt).toFixed(0)} ms`,
    );
  });

  test('switch-host, when the target refused it at first', async () => {
    const { pair, viewer } = await watch({ image: 'moving' });
    const since = viewer.mark();
    const until = async (): Promise<unknown> => await viewer.waitForLog(SAID.linkFailed, { since });
    const report = await liveMigrate(pair.source, pair.target, { link: 'refused', until });
    expect(report.outcome).toBe('completed');
    await viewer.waitForLog(SAID.switchHost, { since });
    await viewer.waitForChannels(CHANNELS.length, since);
    await pair.source.stop();
    await livesOn(viewer, pair.target, B);
  });

  test('a move that is cancelled after it has linked', async () => {
    const { pair, viewer } = await watch({ image: 'dirtying' });
    const since = viewer.mark();
    await linkClients(pair.source, pair.target);
    await viewer.waitForLog(SAID.semiSeamlessLinked, { since });
    const move = await beginMove(pair.source, pair.target, { bandwidth: 100_000 });
    expect((await move.cancel()).outcome).toBe('cancelled');
    await viewer.waitForLog(SAID.cancel, { since });
    await livesOn(viewer, pair.source, A);
    expect(viewer.said(SAID.end, since)).toBe(false);
  });

  describe.each([
    ['because the target dies', 'dies'],
    ['because nobody is there', 'absent'],
  ] as const)('a move that fails', (why, how) => {
    test(why, async () => {
      const { pair, viewer } = await watch({ image: 'dirtying', seamless: true });
      const since = viewer.mark();
      await linkClients(pair.source, pair.target);
      await viewer.waitForLog(SAID.seamlessLinked, { since });
      const uri = how === 'absent' ? `tcp:127.0.0.1:${await freePort()}` : pair.target.migrateUri;
      const move = await beginMove(pair.source, pair.target, { uri, bandwidth: 100_000 });
      if (how === 'dies') await pair.target.stop();
      expect((await move.finish()).outcome).toBe('failed');
      await viewer.waitForLog(SAID.cancel, { since });
      await livesOn(viewer, pair.source, A);
    });
  });

  test('a move that is held back goes on when it may', async () => {
    const { pair, viewer } = await watch({ image: 'dirtying', seamless: true });
    const since = viewer.mark();
    await linkClients(pair.source, pair.target);
    const move = await beginMove(pair.source, pair.target, { bandwidth: 100_000 });
    await livesOn(viewer, pair.source, A);
    await move.hurry();
    expect((await move.finish()).outcome).toBe('completed');
    await viewer.waitForLog(SAID.allMoved, { since });
    await pair.source.stop();
    await livesOn(viewer, pair.target, B);
  });
});

peerSuite('remote-viewer', ['qemu-system-x86_64', 'remote-viewer', 'Xvfb', 'xdotool'], () => {
  test('runs here, shows the guest, sends it keys, and has six channels and a pointer of its own', async () => {
    const screen = keep(await startXvfb());
    const qemu = keep(await startQemu({ image: 'moving', password: 'secret', tablet: true, audio: 'duplex' }));
    const viewer = keep(await startViewer(screen, qemu, { program: 'remote-viewer' }));
    await viewer.waitForGuest();
    await viewer.key('a');
    await qemu.waitForGuest(keyWord(0x1e));
    await viewer.waitForGuest((reading) => reading.key === 0x1e);
    expect(await openChannels(qemu)).toBe(6);
    expect(await qemu.qmp('query-spice')).toMatchObject({ 'mouse-mode': 'client', auth: 'spice' });
  });
});

/** How many different colours a picture has. */
function colours({ rgb }: Picture): number {
  const seen = new Set<number>();
  for (let at = 0; at < rgb.length; at += 3) seen.add((rgb[at]! << 16) | (rgb[at + 1]! << 8) | rgb[at + 2]!);
  return seen.size;
}

/** A QEMU's address alone, to be given with another password. */
function at(qemu: Qemu): { host: string; spicePort: number | undefined } {
  return { host: qemu.host, spicePort: qemu.spicePort };
}
