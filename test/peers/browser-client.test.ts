/**
 * Our client in a real Chromium, over WebSockets to real QEMUs, follows a live migration: no other browser client does. The
 * page's picture must be the target's own, byte for byte, and a key pressed in it must reach the guest there.
 */
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterEach, expect, test } from 'vitest';
import type { ClientEvent } from '../../src/client/client.ts';
import { keyWord } from '../support/peers/boot-sector.ts';
import { liveMigrate } from '../support/peers/live-migrate.ts';
import { openPage } from '../support/peers/page.ts';
import { peerSuite } from '../support/peers/present.ts';
import { type Qemu, startQemuPair } from '../support/peers/qemu.ts';

const ended: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

interface InPage {
  connect(port: number, password: string): void;
  events(): ClientEvent[];
  channels(): string[];
  key(code: number): void;
  picture(): Promise<{ width: number; height: number; data: string } | undefined>;
}
declare const sumac: InPage;

const inPage = fileURLToPath(new URL('browser/client.ts', import.meta.url));

const handover = (page: Page, phase: string) =>
  page
    .waitForFunction(
      (wanted) => sumac.events().find((event) => event.event === 'handover' && event.phase === wanted),
      phase,
      { timeout: 15_000 },
    )
    .then((handle) => handle.jsonValue());

async function samePicture(page: Page, qemu: Qemu): Promise<void> {
  await qemu.qmp('stop');
  const own = await qemu.screendump();
  await expect
    .poll(
      async () => {
        const shown = await page.evaluate(() => sumac.picture());
        if (shown === undefined || shown.width !== own.width || shown.height !== own.height) return 'another size';
        const data = Buffer.from(shown.data, 'base64');
        let differing = 0;
        for (let i = 0, at = 0; at < own.rgb.length; i += 4, at += 3) {
          if (data[i + 2] !== own.rgb[at] || data[i + 1] !== own.rgb[at + 1] || data[i] !== own.rgb[at + 2])
            differing++;
        }
        return differing;
      },
      { timeout: 10_000 },
    )
    .toBe(0);
  await qemu.qmp('cont');
}

peerSuite('the Sumac client in Chromium', ['qemu-system-x86_64', 'chromium'], () => {
  test.each([
    ['seamless', true],
    ['semi-seamless', false],
  ] as const)('follows a guest between two QEMUs: %s', async (scheme, seamless) => {
    const { source, target } = await startQemuPair({
      image: 'moving',
      password: 'secret',
      seamless,
      imageCompression: 'auto_glz',
    });
    ended.push(
      () => source.stop(),
      () => target.stop(),
    );
    const { page, faults, close } = await openPage(inPage);
    ended.push(close);
    await page.evaluate(
      ([port, password]) => sumac.connect(port as number, password as string),
      [source.spicePort!, 'secret'],
    );
    await page.waitForFunction(() => sumac.channels().length === 5, undefined, { timeout: 15_000 });
    await samePicture(page, source);
    await liveMigrate(source, target, { expireTarget: true, until: () => handover(page, 'linked') });
    expect(await handover(page, 'switched')).toMatchObject({ scheme, to: `127.0.0.1:${target.spicePort}` });
    await source.stop();
    const since = target.process.mark();
    await page.evaluate(() => sumac.key(0x30));
    await target.waitForGuest(keyWord(0x30), since);
    await samePicture(page, target);
    expect(faults).toEqual([]);
  });
});
