/**
 * The reference clients follow a guest that moves between two `sumac serve`, driven through QMP by the script that drives
 * QEMU: every scheme that they know, a cancelled move and a failed one. Their own log must say that they moved, and their
 * window must show the test card going on where it was.
 */
import { afterEach, expect, test } from 'vitest';
import { beginMove, linkClients, liveMigrate, openChannels } from '../support/peers/live-migrate.ts';
import { peerSuite } from '../support/peers/present.ts';
import { freePort } from '../support/peers/process.ts';
import { SAID, startViewer, type Viewer } from '../support/peers/spicy.ts';
import { readCard, type SumacHost, startSumacPair } from '../support/peers/sumac.ts';
import { startXvfb } from '../support/peers/xvfb.ts';

const started: { stop(): Promise<unknown> }[] = [];
const keep = <T extends { stop(): Promise<unknown> }>(one: T): T => {
  started.push(one);
  return one;
};
afterEach(async () => {
  for (const one of started.splice(0).reverse()) await one.stop();
});

/** main, display, inputs, cursor, playback, record. */
const channels = 6;

async function watch(program: 'spicy' | 'remote-viewer', more: readonly string[] = []) {
  const screen = keep(await startXvfb());
  const { source, target } = await startSumacPair({ password: 'secret', more });
  keep(source);
  keep(target);
  const viewer = keep(await startViewer(screen, source, { program }));
  await viewer.waitForChannels(channels);
  return { source, target, viewer };
}

/** Waits until the window shows the card at this tick or later, and returns its tick. */
async function cardAt(viewer: Viewer, ticks = 0, key?: number): Promise<number> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const card = readCard(await viewer.screenshot());
    if (card !== undefined && card.ticks >= ticks && (key === undefined || card.key === key)) return card.ticks;
    if (Date.now() > deadline) throw new Error(`the window shows ${JSON.stringify(card)}\n${viewer.process.tail()}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

/** The viewer lives on this server: the card moves on in its window, and shows the key that was pressed there. */
async function livesOn(viewer: Viewer, host: SumacHost, name: string, code: number): Promise<number> {
  const before = await cardAt(viewer);
  await viewer.key(name);
  const ticks = await cardAt(viewer, before + 1, code);
  expect(await openChannels(host)).toBe(channels);
  return ticks;
}

/** A guest does not start anew when it moves: its ticks go on, and not by more than the time that went by. */
const goesOn = async (viewer: Viewer, before: number) => {
  const after = await cardAt(viewer, before);
  expect(after - before).toBeLessThan(25 * 20);
};

for (const program of ['spicy', 'remote-viewer'] as const) {
  peerSuite(`${program} on two sumac serve`, [program, 'Xvfb', 'xdotool'], () => {
    test.each([
      ['seamless', 'on'],
      ['semi-seamless', 'off'],
    ])('%s, though the ticket expires once it has linked', async (_scheme, seamless) => {
      const { source, target, viewer } = await watch(program, ['--seamless', seamless]);
      const before = await livesOn(viewer, source, 'a', 0x1e);
      const since = viewer.mark();
      const linked = seamless === 'on' ? SAID.seamlessLinked : SAID.semiSeamlessLinked;
      const report = await liveMigrate(source, target, {
        expireTarget: true,
        until: () => viewer.waitForLog(linked, { since }),
      });
      expect(report.outcome).toBe('completed');
      await viewer.waitForLog(SAID.allMoved, { since });
      expect(viewer.said(SAID.switchHost, since)).toBe(false);
      await source.peer.waitFor('SPICE_MIGRATE_COMPLETED', undefined, {});
      await source.stop();
      await goesOn(viewer, before);
      await livesOn(viewer, target, 'b', 0x30);
    });

    test('switch-host, when the target refused it at first', async () => {
      const { source, target, viewer } = await watch(program);
      const before = await livesOn(viewer, source, 'a', 0x1e);
      const since = viewer.mark();
      const report = await liveMigrate(source, target, {
        link: 'refused',
        until: () => viewer.waitForLog(SAID.linkFailed, { since }),
      });
      expect(report.outcome).toBe('completed');
      await viewer.waitForLog(SAID.switchHost, { since });
      await viewer.waitForChannels(channels, since);
      await source.stop();
      await goesOn(viewer, before);
      await livesOn(viewer, target, 'b', 0x30);
    });

    test('a move that is cancelled after it has linked', async () => {
      const { source, target, viewer } = await watch(program, ['--migrate-ms', '5000']);
      const since = viewer.mark();
      await linkClients(source, target, { until: () => viewer.waitForLog(SAID.seamlessLinked, { since }) });
      const move = await beginMove(source, target);
      expect((await move.cancel()).outcome).toBe('cancelled');
      await viewer.waitForLog(SAID.cancel, { since });
      await livesOn(viewer, source, 'a', 0x1e);

      expect(await openChannels(target)).toBe(0);
    });

    test('a move that fails', async () => {
      const { source, target, viewer } = await watch(program);
      const since = viewer.mark();
      await linkClients(source, target, { until: () => viewer.waitForLog(SAID.seamlessLinked, { since }) });
      const move = await beginMove(source, target, { uri: `tcp:127.0.0.1:${await freePort()}` });
      expect((await move.finish()).outcome).toBe('failed');
      await viewer.waitForLog(SAID.cancel, { since });
      await livesOn(viewer, source, 'a', 0x1e);

      // spice-gtk forgets its main link to a target when it stays; the target waits for its others a while.
      await expect.poll(() => openChannels(target), { timeout: 15_000 }).toBe(0);
    });
  });
}
