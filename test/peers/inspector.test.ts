/**
 * The inspector's page in a real Chromium: what people see, choose, press and read, by pointer and by keys, in light and dark.
 * The feed is a synthetic one with known times, so that what must be seen is known; foreign programs are real XState programs.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createWebSocketInspector } from '@statelyai/inspect';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createActor, createMachine } from 'xstate';
import { Hub, type HubOptions } from '../../inspector/hub.ts';
import { duration } from '../../inspector/page/format.ts';
import { type Inspector, inspect } from '../../inspector/serve.ts';
import { charts } from '../../machines/index.ts';
import { runSumac } from '../../src/cli/run.ts';
import { type Kind, kinds, Synthetic } from '../inspector/synthetic.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const shots = join(root, 'artefacts', 'inspector');
let folder: string;
let browser: Browser;
const open: { close(): unknown }[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sumac-page-'));
  await build({
    configFile: join(root, 'inspector/page/vite.config.ts'),
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  });
  browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  mkdirSync(shots, { recursive: true });
}, 120_000);
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});
afterAll(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true });
});

const hubOf = (options: HubOptions = {}): Hub => {
  const hub = new Hub({ charts, ...options });
  open.push(hub);
  return hub;
};

const served = async (hub: Hub, port = 0): Promise<Inspector> => {
  const inspector = await inspect({ hub, page: folder, port });
  open.push(inspector);
  return inspector;
};

/** Opens the page; whatever it asks for elsewhere, and whatever goes wrong in it, fails the test. */
async function opened(inspector: Inspector, options: BrowserContextOptions = {}): Promise<Page & { faults: string[] }> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 720 }, ...options });
  open.push(context);
  const page = Object.assign(await context.newPage(), { faults: [] as string[] });
  const here = new URL(inspector.url).host;
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.host !== here) page.faults.push(`asked ${request.url()}`);
  });
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && page.faults.push(message.text()));
  await page.goto(inspector.url);
  await page.waitForSelector('.status.connected');
  return page;
}

/** Hand-overs of these kinds, long past; returns the moment after them. */
function played(hub: Hub, list: readonly Kind[] = kinds): number {
  const begun = Date.now() - 60_000;
  const synthetic = new Synthetic(hub, begun - 5_000);
  let at = begun;
  for (const kind of list) at = synthetic.handover(kind, at) + 1_000;
  synthetic.run();
  return at;
}

/** Polls with patience: other work may be going on on the machine. */
const soon = <T>(value: () => T, options: { timeout?: number; message?: string } = {}) =>
  expect.poll(value, { timeout: 15_000, ...options });

const shot = (page: Page, name: string) => page.screenshot({ path: join(shots, `${name}.png`) });
const texts = (page: Page, selector: string) => page.locator(selector).allInnerTexts();

describe('hand-overs', () => {
  test('each kind looks different at a glance', async () => {
    const hub = hubOf();
    played(hub);
    const page = await opened(await served(hub));
    await page.waitForFunction(() => document.querySelectorAll('.handover-row').length === 8);
    const rows = (await texts(page, '.handover-row')).map((row) => row.split('\n').map((part) => part.trim()));
    const seen = rows.map(([sign, scheme, result]) => `${sign} ${scheme?.replace(/^[━╸╺\s]+/, '')} ${result}`);
    expect(seen.toReversed()).toEqual([
      '✓ seamless gap 5.7 ms',
      '✓ semi-seamless gap 6.6 ms',
      '✓ early-link gap 4.0 ms',
      '✓ switch-host gap 101 ms',
      '⤺ semi-seamless cancelled',
      '⤺ semi-seamless cancelled',
      '✕ semi-seamless failed',
      '✕ semi-seamless failed',
    ]);
    const colours = await page
      .locator('.handover-row')
      .evaluateAll((list) => list.map((row) => getComputedStyle(row).borderLeftColor));
    expect(new Set(colours).size).toBe(3);
    await expect
      .poll(() => page.locator('.headline p').innerText())
      .toMatch(/Failed after 8.0 s: the target does not answer in time/);
    expect(page.faults).toEqual([]);
  });

  test('three lanes say what each was doing, with messages between, the gap, and every channel', async () => {
    const hub = hubOf();
    played(hub, ['seamless']);
    const page = await opened(await served(hub));
    await page.waitForSelector('.span');
    expect(await texts(page, '.lane-name')).toEqual(['SOURCE', 'CLIENT', 'TARGET']);
    expect(await texts(page, '.lane-party')).toEqual(['server A', 'client', 'server B']);
    const titles = await page.locator('.span title').allTextContents();
    for (const what of [
      'source: departing',
      'client: switching',
      'client: linked',
      'target: parked',
      'target: arrived',
    ]) {
      expect(
        titles.some((title) => title.startsWith(what)),
        what,
      ).toBe(true);
    }
    expect(await page.locator('.arrow').count()).toBe(20);
    expect(await page.locator('.gap text').textContent()).toBe('gap 5.7 ms');
    expect(await texts(page, '.channel-heads span')).toEqual([
      'main:0',
      'cursor:0',
      'display:0',
      'inputs:0',
      'playback:0',
      'record:0',
    ]);
    expect(await page.locator('circle.at-target').count()).toBe(6);
    expect(await page.locator('.deadline title').allTextContents()).toContainEqual(
      expect.stringMatching(/^link deadline: 8.0 s, 8.0 s left/),
    );
    await shot(page, 'hand-over-seamless-light');
    await page.getByLabel('to scale').check();
    expect(await page.locator('.arrow').count()).toBe(20);
    expect(page.faults).toEqual([]);
  });

  test('one that is under way fills while it goes on', async () => {
    const hub = hubOf();
    const synthetic = new Synthetic(hub, Date.now());
    const page = await opened(await served(hub));
    await page.getByText('No hand-over yet').waitFor();
    await soon(() => texts(page, '.present b')).toEqual(['server A', 'server B', 'client']);
    const begun = Date.now() + 100;
    synthetic.handover('cancel after', begun);
    const stretched = synthetic.steps.map((step) => ({ ...step, at: begun + (step.at - begun) * 10 }));
    const labels = () => page.locator('.span title').allTextContents();
    const seen: number[] = [];
    for (const step of stretched.sort((a, b) => a.at - b.at)) {
      if (step.at > Date.now()) await new Promise((resolve) => setTimeout(resolve, step.at - Date.now()));
      step.run();
      if (seen.length === 0 || step.at - begun > seen.length * 300) seen.push((await labels()).length);
    }
    await page.locator('.badge.cancelled').waitFor();
    expect(await labels()).toContainEqual(expect.stringMatching(/^source: stayed/));
    expect(seen.length).toBeGreaterThan(3);
    expect(seen[0]).toBeLessThan(seen.at(-1)!);
    expect(page.faults).toEqual([]);
  });

  test('a deadline that runs down is told in seconds', async () => {
    const hub = hubOf();
    const synthetic = new Synthetic(hub, Date.now());
    synthetic.handover('silent', Date.now());
    synthetic.runUntil(Date.now() + 100);
    const page = await opened(await served(hub));
    const left = async () =>
      Number(
        /link deadline: ([\d.]+) s left/.exec((await page.locator('.deadlines.client text').textContent()) ?? '')?.[1],
      );
    await soon(left).toBeGreaterThan(5);
    const first = await left();
    await soon(left, { timeout: 4_000 }).toBeLessThan(first - 0.5);
    expect(await page.locator('.headline p').innerText()).toMatch(/has been linking to the target for [\d.]+ m?s/);
  });
});

describe('the main job', () => {
  /** Runs a verb in this process until it is stopped; where its page is. */
  const running = (...words: string[]) => {
    const stop = new AbortController();
    let url = '';
    const out = (line: string) => {
      url ||= /http:\/\/\S+/.exec(line)?.[0] ?? '';
    };
    const run = runSumac(words, { out, err: () => {}, env: {}, stopped: stop.signal });
    open.push({
      close: () => {
        stop.abort();
        return run;
      },
    });
    return { url: () => url };
  };
  /** Runs the demo in this process; what it tells, and what it says of each hand-over. */
  const demo = (...flags: string[]) => {
    const acts: { handover: string; scheme: string; outcome: string; gapMs?: number }[] = [];
    const errors: string[] = [];
    const stop = new AbortController();
    let url = '';
    const out = (line: string) => {
      const said = JSON.parse(line);
      if (said.event === 'inspector') url = said.url;
      if (said.event === 'handover') acts.push(said);
    };
    const err = (line: string) => errors.push(line);
    const run = runSumac(['demo', '--json', ...flags], { out, err, env: {}, stopped: stop.signal });
    open.push({
      close: () => {
        stop.abort();
        return run;
      },
    });
    const end = () => {
      stop.abort();
      return run;
    };
    return { acts, errors, url: () => url, end };
  };
  const rows = async (page: Page) =>
    (await texts(page, '.handover-row')).toReversed().map((row) => {
      const [, scheme, result] = row.split('\n');
      return `${scheme?.replace(/^[━╸╺\s]+/, '')} ${result}`;
    });
  /** What the page tells of a hand-over, without the figures that no two clocks agree on. */
  const story = async (page: Page, fromOldest: number) => {
    const all = await page.locator('.handover-row').count();
    const row = page.locator('.handover-row').nth(all - 1 - fromOldest);
    await row.click();
    await soon(() => row.getAttribute('aria-selected')).toBe('true');
    await page.getByLabel('data messages too').setChecked(false);
    const plain = (texts: string[]) =>
      texts.map((text) => text.replaceAll(/[\d.]+ (ms|s)\b/g, '…').replace(/\d{4,5}/, 'PORT'));
    const names = (titles: string[]) => titles.map((title) => title.replace(/, [^,]*$/, '')).sort();
    return {
      headline: plain(await texts(page, '.headline'))[0],
      lanes: names(await page.locator('.span title').allTextContents()),
      // When the guest's sound goes on again is its own affair, and may lie on either side of the drawing's edge.
      arrows: names(await page.locator('.arrow title').allTextContents()).filter(
        (arrow) => !/ on (playback|record):/.test(arrow),
      ),
      channels: (await texts(page, '.channel-heads span')).sort(),
      moved: await page.locator('circle.at-target').count(),
      gap: await page.locator('.gap').count(),
      where: plain(await page.locator('.where text').allTextContents()),
      deadlines: names(
        (await page.locator('.deadline title').allTextContents()).map((title) => title.replace(/:.*/, ', ')),
      ),
    };
  };
  const told = ({ scheme, outcome, gapMs }: { scheme: string; outcome: string; gapMs?: number }) =>
    `${scheme} ${outcome === 'switched' && gapMs !== undefined ? `gap ${duration(gapMs)}` : outcome.replace(/,.*/, '')}`;

  test('untouched, the page tells the same of each hand-over as the program does', async () => {
    const hub = hubOf();
    const inspector = await served(hub);
    const page = await opened(inspector);
    const { acts } = demo('--every', '1s', '--inspect-to', inspector.inspectUrl);
    await page.locator('.handover-row').first().waitFor({ timeout: 20_000 });
    await soon(() => acts.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(6);
    await soon(() => rows(page).then((list) => list.slice(0, 6))).toEqual(acts.slice(0, 6).map(told));
    expect(
      new Set(
        acts
          .slice(0, 6)
          .map(told)
          .map((line) => line.replace(/ gap.*/, ' switched')),
      ),
    ).toEqual(
      new Set([
        'seamless switched',
        'semi-seamless switched',
        'early-link switched',
        'switch-host switched',
        'seamless cancelled',
        'seamless failed',
      ]),
    );
    const looks = await page
      .locator('.handover-row')
      .evaluateAll((list) =>
        list.map((row) => `${row.querySelector('.sign')?.innerHTML} ${row.querySelector('.outcome')?.textContent}`),
      );
    expect(new Set(looks).size).toBe(6);
    await page.locator('.handover-row').last().click();
    const names = async () =>
      (await page.locator('.arrow title').allTextContents()).map((title) => title.split(' ')[0]);
    for (const name of [
      'msg.migrate_begin_seamless',
      'msgc.migrate_dst_do_seamless',
      'msgc.migrate_connected_seamless',
    ]) {
      await soon(names, { message: name }).toContain(name);
    }
    await soon(() => page.locator('.lane-head .picture:not(.empty)').count()).toBe(3);
    await shot(page, 'main-job');
    expect(page.faults).toEqual([]);
  });

  test('the journal of the same time, opened afterwards, shows the same', async () => {
    const place = mkdtempSync(join(tmpdir(), 'sumac-page-journal-'));
    open.push({ close: () => rmSync(place, { recursive: true, force: true }) });
    const seconds = Number(process.env.SUMAC_WATCH_SECONDS ?? 0);
    const many = seconds > 0 ? 5 : 6;
    const inspector = await served(hubOf());
    // Tall enough for every row of the list.
    const viewport = { width: 1280, height: 2_400 };
    const page = await opened(inspector, { viewport });
    const { acts, end } = demo(
      '--every',
      seconds > 0 ? '3s' : '1s',
      '--inspect-to',
      inspector.inspectUrl,
      '--journal',
      place,
    );
    if (seconds > 0) await page.waitForTimeout(seconds * 1_000);
    await soon(() => acts.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(many + 1);
    // The end of the program cuts into what follows the last one, so that one is not compared.
    const count = acts.length - 1;
    await soon(() => rows(page).then((list) => list.slice(0, count))).toEqual(acts.slice(0, count).map(told));
    await end();
    const live = [];
    for (let i = 0; i < count; i++) live.push(await story(page, i));
    const again = running('inspect', place);
    await soon(again.url, { timeout: 30_000 }).not.toBe('');
    const journal = await (await browser.newContext({ viewport })).newPage();
    open.push({ close: () => journal.context().close() });
    await journal.goto(again.url());
    await journal.locator('.handover-row').first().waitFor();
    const figures = (list: string[]) => list.slice(0, count).map((row) => row.replaceAll(/[\d.]+ (ms|s)\b/g, '…'));
    expect(figures(await rows(journal))).toEqual(figures(await rows(page)));
    for (let i = 0; i < count; i++) expect(await story(journal, i), `hand-over ${i + 1}`).toEqual(live[i]);
    // Source, target and client are seen as they were then.
    await soon(() => journal.locator('.lane-head .picture:not(.empty)').count()).toBeGreaterThan(1);
    await soon(() => journal.locator('.time-bar .picture:not(.empty)').count()).toBe(1);
    await journal.setViewportSize({ width: 1280, height: 720 });
    await shot(journal, 'main-job-from-its-journal');
  });

  test('a move that is begun and cancelled by the button is shown as one', async () => {
    const { url, acts } = demo('--every', '60s', '--inspect', '0');
    await soon(url, { timeout: 20_000 }).not.toBe('');
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage();
    open.push({ close: () => page.context().close() });
    await page.goto(url());
    await page.getByText('No hand-over yet').waitFor();
    await page.getByRole('button', { name: 'Controls' }).click();
    await page.locator('[data-control=cancel]').click();
    await page.locator('.badge.cancelled').waitFor();
    await soon(() => acts.map(told)).toEqual(['seamless cancelled']);
    await page.getByRole('button', { name: 'Controls' }).click();
    await page.locator('[data-control=move]').click();
    await page.getByLabel('scheme').selectOption('semi-seamless');
    await page.locator('dialog[open] .primary').click();
    await page.locator('.badge.switched').waitFor();
    await soon(() => rows(page)).toEqual(acts.map(told));
    expect(acts[1]).toMatchObject({ scheme: 'semi-seamless', outcome: 'switched' });
    // One that is on its way is taken back.
    await page.getByRole('button', { name: 'Controls' }).click();
    await page.locator('[data-control=move]').click();
    await page.getByLabel('milliseconds that it takes').fill('20000');
    await page.locator('dialog[open] .primary').click();
    await page.locator('.badge.under-way').waitFor();
    await page.locator('.lane.client .span.ready').waitFor();
    await page.getByRole('button', { name: 'Controls' }).click();
    await page.locator('[data-control=cancel]').click();
    await page.locator('.badge.cancelled').waitFor();
    expect(await page.locator('.where.cancelled text').textContent()).toContain('cancelled here');
    await soon(() => acts.map(({ outcome }) => outcome)).toEqual([
      'cancelled, stayed',
      'switched',
      'cancelled, stayed',
    ]);
    // One that is made to fail says where and why.
    await page.getByRole('button', { name: 'Controls' }).click();
    await page.locator('[data-control=fail]').click();
    await page.locator('dialog[open] .primary').click();
    await page.locator('.badge.failed').waitFor();
    expect(await page.locator('.where.failed text').textContent()).toMatch(
      /failed here: main:0: .* refused the connection/,
    );
    // A channel is dropped, and comes back by itself; links wait as long as they are told to.
    await page.getByRole('button', { name: 'Controls' }).click();
    await page.locator('[data-control=delay]').click();
    await page.getByLabel('milliseconds before a link is made').fill('300');
    await page.locator('dialog[open] .primary').click();
    await soon(() => page.locator('dialog').count()).toBe(0);
    await page.getByRole('button', { name: 'Controls' }).click();
    await page.locator('[data-control=drop]').click();
    await page.locator('dialog[open] .primary').click();
    await soon(() => page.locator('dialog').count()).toBe(0);
    await page.keyboard.press('3');
    await page.getByLabel('Name or actor').fill('channel.up');
    await page.locator('.record', { hasText: 'display:0' }).first().waitFor();
  });

  test('a connection that is cut by the button is looked for in sight, and so is the return', async () => {
    const { url } = demo('--every', '60s', '--inspect', '0');
    await soon(url, { timeout: 20_000 }).not.toBe('');
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 720 } })).newPage();
    open.push({ close: () => page.context().close() });
    await page.goto(url());
    await page.getByText('No hand-over yet').waitFor();
    await page.locator('.present .picture:not(.empty)').nth(2).waitFor();
    await page.getByRole('button', { name: 'Controls' }).click();
    await page.locator('[data-control=cut]').click();
    await page.locator('dialog[open] .primary').click();
    await page.locator('.badge.under-way').waitFor();
    await soon(() => page.locator('.headline').innerText()).toMatch(
      /connection lost\s+The client lost its server .* ago/,
    );
    await page.locator('.badge.returned').waitFor();
    expect(await page.locator('.headline p').innerText()).toMatch(
      /^The client was back .*, after 1 try, with the session/,
    );
    expect(await texts(page, '.lane-name')).toEqual(['SERVER', 'CLIENT']);
    const bars = (await page.locator('.span title').allTextContents()).map((title) => title.replace(/,.*/, ''));
    for (const bar of [
      'source: awaiting return',
      'source: back',
      'client: waiting',
      'client: linking main',
      'client: back',
    ])
      expect(bars).toContain(bar);
    const deadlines = (await page.locator('.deadline title').allTextContents()).map((title) =>
      title.replace(/:.*/, ''),
    );
    for (const name of ['return deadline', 'retry delay', 'reconnect deadline']) expect(deadlines).toContain(name);
    expect((await rows(page))[0]).toMatch(/connection lost back/);
    await shot(page, 'connection-lost');
  });
});

describe('one moment everywhere', () => {
  test('a message that is chosen between the lanes is shown by every view', async () => {
    const hub = hubOf();
    played(hub, ['semi-seamless', 'cancel after']);
    const page = await opened(await served(hub));
    await page.locator('.handover-row').last().click();
    const row = page.locator('.sequence-row', { hasText: 'migrate_connected' });
    await row.click();
    await page.locator('.arrow.chosen').waitFor();
    const moment = await page.locator('.time-bar .clock').innerText();
    await page.getByRole('button', { name: 'Show its bytes' }).click();
    await page.locator('.record.chosen', { hasText: 'msgc.migrate_connected' }).waitFor();
    expect(await page.locator('.record.chosen .time').innerText()).toBe(moment);
    expect(await page.locator('.detail-name').innerText()).toBe('msgc.migrate_connected');
    await page.getByRole('tab', { name: 'Charts' }).click();
    await page.locator('.actor-row', { hasText: 'migration' }).click();
    await page.locator('.stage .state.active[data-state="migration/client.linked"]').first().waitFor();
    expect(await page.locator('.time-bar .live').getAttribute('aria-pressed')).toBe('false');
    await page.keyboard.press('l');
    await soon(() => page.locator('.time-bar .live').getAttribute('aria-pressed')).toBe('true');
    expect(page.faults).toEqual([]);
  });

  test('the slider takes charts back to where they were', async () => {
    const hub = hubOf();
    const now = Date.now();
    hub.party({ id: 'client-1', side: 'client', name: 'client', addresses: [] });
    const door = {
      id: 'door',
      initial: 'shut',
      states: {
        shut: { on: { knock: 'opening' } },
        opening: { on: { turn: 'open.wide' } },
        open: { initial: 'wide', states: { wide: {} } },
      },
    };
    hub.actor('client-1', door, now - 10_000);
    hub.snapshot('client-1', { value: 'shut' }, 'xstate.init', now - 10_000);
    hub.snapshot('client-1', { value: 'opening' }, 'knock', now - 5_000);
    hub.snapshot('client-1', { value: { open: 'wide' } }, 'turn', now);
    const page = await opened(await served(hub));
    await page.keyboard.press('2');
    const active = () =>
      page
        .locator('.stage .state.active:not(.nest)')
        .evaluateAll((list) => list.map((s) => (s as SVGElement).dataset.state));
    await soon(active).toEqual(['door.open.wide']);
    const slider = page.getByRole('slider', { name: 'Moment' });
    await slider.fill('60000');
    await soon(active).toEqual(['door.opening']);
    const taken = await page.locator('.stage .line.taken').allTextContents();
    expect(taken.join(' ')).toContain('knock');
    await slider.fill('10000');
    await soon(active).toEqual(['door.shut']);
    await slider.focus();
    await page.keyboard.press('End');
    await soon(active).toEqual(['door.open.wide']);
  });

  test('step, jump and play', async () => {
    const hub = hubOf();
    played(hub, ['seamless', 'refused', 'semi-seamless']);
    const page = await opened(await served(hub));
    await page.waitForSelector('.handover-row');
    const shown = () => page.locator('.handover-row.chosen .scheme').innerText();
    await page.keyboard.press('[');
    await page.keyboard.press('[');
    await soon(() => page.locator('.badge').innerText()).toContain('failed');
    await page.keyboard.press('[');
    await soon(shown).toMatch(/ seamless|━ seamless/);
    const before = await page.locator('.time-bar .clock').innerText();
    await page.getByRole('button', { name: 'One record on' }).click();
    await page.getByRole('button', { name: 'One record on' }).click();
    expect(await page.locator('.time-bar .clock').innerText()).not.toBe('');
    await page.getByLabel('Speed').selectOption('1');
    await page.getByRole('button', { name: 'Play' }).click();
    await page.waitForTimeout(500);
    await page.getByRole('button', { name: 'Pause' }).click();
    const after = await page.locator('.time-bar .clock').innerText();
    expect(after > before).toBe(true);
    expect(page.faults).toEqual([]);
  });
});

describe('charts', () => {
  test('a foreign XState program is shown, and its states light as it runs', async () => {
    const inspector = await served(hubOf());
    const page = await opened(inspector);
    await page.keyboard.press('2');
    const machine = createMachine({
      id: 'lamp',
      initial: 'off',
      states: { off: { on: { press: 'on' } }, on: { on: { press: 'off' }, after: { 60000: 'off' } } },
    });
    const foreign = createWebSocketInspector({ url: inspector.inspectUrl });
    open.push({ close: () => foreign.stop() });
    const actor = createActor(machine, { inspect: foreign.inspect });
    actor.start();
    open.push({ close: () => actor.stop() });
    await page.locator('.actor-row', { hasText: 'lamp' }).click();
    await page.locator('.state.active[data-state="lamp.off"]').waitFor();
    actor.send({ type: 'press' });
    await page.locator('.state.active[data-state="lamp.on"]').waitFor();
    await page.locator('.edge.taken').first().waitFor();
    expect(await page.locator('.state.active[data-state="lamp.off"]').count()).toBe(0);
    expect((await texts(page, '.recent li')).join('\n')).toContain('press');
    await shot(page, 'charts-foreign-program');
    expect(page.faults).toEqual([]);
  });

  test("the README's example runs as it stands, and is shown", async () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const code = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block!);
    const example = code.find((block) => block.includes('createWebSocketInspector'))!;
    expect(example.trim().split('\n').length).toBeLessThanOrEqual(22);
    // Within the checkout, where the package is found by its name; on any port, as others may run here.
    const place = mkdtempSync(join(root, 'test', '.readme-'));
    open.push({ close: () => rmSync(place, { recursive: true, force: true }) });
    writeFileSync(join(place, 'lights.mjs'), example.replace('port: 9229', 'port: 0'));
    const program = spawn(process.execPath, [join(place, 'lights.mjs')], { stdio: ['ignore', 'pipe', 'inherit'] });
    open.push({ close: () => program.kill() });
    const url = await new Promise<string>((resolve, reject) => {
      program.stdout.on('data', (said) => resolve(/http:\S+/.exec(String(said))?.[0] ?? ''));
      program.on('exit', (status) => reject(new Error(`the example ended with ${status}`)));
    });
    const page = await (await browser.newContext()).newPage();
    open.push({ close: () => page.context().close() });
    await page.goto(url);
    await page.locator('.status.connected').waitFor();
    await page.keyboard.press('2');
    await page.locator('.actor-row', { hasText: 'lights' }).click();
    for (const light of ['red', 'green', 'yellow', 'red']) {
      await page.locator(`.state.active[data-state="lights.${light}"]`).waitFor();
    }
    await page.locator('.edge.taken').first().waitFor();
  });

  test('zoom, pan, fit and search; the last word is readable', async () => {
    const hub = hubOf();
    played(hub, ['seamless']);
    const page = await opened(await served(hub));
    await page.keyboard.press('2');
    await page.locator('.actor-row', { hasText: 'client' }).first().click();
    await page.waitForSelector('.stage svg');
    const scale = async () => Number.parseInt(await page.locator('.scale').innerText(), 10);
    const begun = await scale();
    expect(begun).toBeGreaterThanOrEqual(60);
    await page.locator('.chart-window').hover();
    await page.mouse.wheel(0, -400);
    await soon(scale).toBeGreaterThan(begun);
    await page.getByRole('button', { name: 'Fit' }).click();
    await soon(scale).toBeLessThan(begun);
    const box = await page.locator('.stage svg').boundingBox();
    await page.locator('.chart-window').focus();
    await page.keyboard.press('ArrowRight');
    await soon(async () => (await page.locator('.stage svg').boundingBox())!.x).toBeLessThan(box!.x);
    await page.keyboard.press('+');
    await page.getByLabel('Search the chart').fill('relink delay');
    await page.locator('.found').first().waitFor();
    await page.keyboard.press('Enter');
    await soon(scale).toBeGreaterThanOrEqual(80);
    const found = await page.locator('.edge.found .plate').first().boundingBox();
    const canvas = await page.locator('.chart-window').boundingBox();
    expect(found!.x).toBeGreaterThan(canvas!.x);
    expect(found!.x + found!.width).toBeLessThan(canvas!.x + canvas!.width);
  });

  test('in this browser, words fit the boxes that were measured for them, in every chart', async () => {
    const hub = hubOf();
    hub.party({ id: 'p', side: 'client', name: 'p', addresses: [] });
    for (const key of Object.keys(charts)) hub.actor(`p/${key.replace('/', ' ')}`, key);
    const page = await opened(await served(hub));
    await page.keyboard.press('2');
    for (const key of Object.keys(charts)) {
      await page
        .locator('.actor-row', { hasText: key.replace('/', ' ') })
        .first()
        .click();
      await page.waitForFunction(
        (id) => document.querySelector('.stage svg')?.getAttribute('aria-label') === `Statechart ${id}`,
        key,
      );
      const spills = await page.locator('.stage svg').evaluate((drawing) => {
        const out: string[] = [];
        for (const group of drawing.querySelectorAll<SVGGElement>('g.state:not(.words), g.label')) {
          const rect = group.querySelector<SVGRectElement>('rect');
          if (rect === null) continue;
          const { x, width } = rect.getBBox();
          for (const text of group.querySelectorAll('text')) {
            const box = text.getBBox();
            if (box.x < x - 0.5 || box.x + box.width > x + width + 0.5) out.push(text.textContent ?? '');
          }
        }
        return out;
      });
      expect(spills, key).toEqual([]);
    }
    expect(page.faults).toEqual([]);
  });

  test('200 sessions stay usable', async () => {
    const hub = hubOf();
    hub.party({ id: 'server-1', side: 'server', name: 'server', addresses: [] });
    hub.actor('server-1', 'supervisor');
    for (let s = 1; s <= 200; s++) {
      hub.actor(`server-1/session:${s}`, 'session/server');
      hub.snapshot(`server-1/session:${s}`, { value: { up: 'staying' } }, 'x');
      for (const channel of ['main:0', 'display:0', 'inputs:0', 'cursor:0', 'playback:0', 'record:0']) {
        hub.actor(`server-1/session:${s}/${channel}`, `${channel.split(':')[0]}/server`);
      }
    }
    const page = await opened(await served(hub));
    await page.keyboard.press('2');
    await page.getByText('201 shown of 1\u202f401 actors').waitFor();
    expect(await page.locator('.actor-row').count()).toBeLessThan(60);
    const begun = Date.now();
    await page.getByLabel('Search actors').fill('session:177/display');
    await page.locator('.actor-row', { hasText: 'display:0' }).waitFor();
    expect(Date.now() - begun).toBeLessThan(2_000);
    expect(await texts(page, '.actor-name')).toEqual(['server', 'session:177', 'display:0']);
    // All of them open and busy, ten steps a second each: it is scrolled through without a stop.
    await page.getByLabel('Search actors').fill('server');
    await page.getByText('1\u202f401 shown of 1\u202f401 actors').waitFor();
    let step = 0;
    const busy = setInterval(() => {
      step++;
      for (let s = 1; s <= 200; s++) hub.snapshot(`server-1/session:${s}`, { value: { up: `step ${step}` } }, 'x');
    }, 100);
    open.push({ close: () => clearInterval(busy) });
    const frames = await page.locator('.actor-rows').evaluate(async (list) => {
      const times: number[] = [];
      for (let i = 1, last = performance.now(); i <= 90; i++) {
        list.scrollTop = (i / 90) * list.scrollHeight;
        await new Promise((resolve) => requestAnimationFrame(resolve));
        times.push(performance.now() - last);
        last = performance.now();
      }
      return times.sort((a, b) => a - b);
    });
    expect(frames[45]).toBeLessThan(60);
    expect(frames[85]).toBeLessThan(250);
    expect(await page.locator('.actor-row').count()).toBeLessThan(60);
    await page.locator('.actor-row', { hasText: 'session:200' }).click();
    await soon(() => page.locator('.actor-panel dd').first().innerText()).toMatch(/^step \d+$/);
    expect(page.faults).toEqual([]);
  });
});

describe('messages', () => {
  test('filters, counters, and bytes that point to fields and back', async () => {
    const hub = hubOf();
    played(hub, ['semi-seamless']);
    const tap = hub.tap({ actor: 'client-1/main:0', channel: 'main:0', side: 'client', peer: '127.0.0.1:5901' });
    tap.message(
      'in',
      103,
      Uint8Array.from({ length: 32 }, (_, i) => i + 1),
    );
    const display = hub.tap({
      actor: 'client-1/display:0',
      channel: 'display:0',
      side: 'client',
      peer: '127.0.0.1:5901',
    });
    for (let i = 0; i < 1_000; i++) display.message('in', 304, new Uint8Array(100));
    const page = await opened(await served(hub));
    await page.keyboard.press('3');
    await page.getByText('client display:0 1\u202f000').waitFor();
    expect(await page.locator('.left-out').innerText()).toMatch(/^9\d\d not shown|1\u202f000 not shown/);
    await page.getByLabel('Name or actor').fill('msg.init');
    await soon(() => page.locator('.filters [role=status]').innerText()).toMatch(/^\d of /);
    await page.locator('.record').last().click();
    await page.waitForSelector('.fields li');
    const field = page.locator('.fields button', { hasText: 'supportedMouseModes' });
    await field.hover();
    await soon(() => page.locator('.hex .hot').allInnerTexts()).toEqual(['09', '0a', '0b', '0c']);
    await page.locator('.hex span', { hasText: '1e' }).hover();
    await soon(() => page.locator('.fields .hot .path').allInnerTexts()).toEqual(['ramHint']);
    // By keys, too: from byte to byte, each with its field.
    await page.getByRole('listbox', { name: 'Bytes' }).focus();
    await page.keyboard.press('Home');
    await soon(() => page.locator('.fields .hot .path').allInnerTexts()).toEqual(['sessionId']);
    for (let i = 0; i < 8; i++) await page.keyboard.press('ArrowRight');
    await soon(() => page.locator('.fields .hot .path').allInnerTexts()).toEqual(['supportedMouseModes']);
    await soon(() => page.locator('.hex .hot').allInnerTexts()).toEqual(['09', '0a', '0b', '0c']);
    await page.keyboard.press('ArrowDown');
    await soon(() => page.locator('.fields .hot .path').allInnerTexts()).not.toEqual(['supportedMouseModes']);
    await shot(page, 'messages-light');
    await page.getByLabel('Direction').selectOption('out');
    await page.getByLabel('Name or actor').fill('migrate_connected');
    await soon(() => texts(page, '.record .name')).toEqual(['msgc.migrate_connected']);
    expect(page.faults).toEqual([]);
  });
});

describe('controls', () => {
  test('do what they say, ask where it is harsh, and tell what went wrong', async () => {
    const done: [string, object][] = [];
    const hub = hubOf({
      controls: [
        { name: 'hand over', title: 'Hand over', fields: [{ name: 'scheme', choices: ['seamless', 'switch-host'] }] },
        { name: 'cancel', title: 'Cancel the move', harsh: true },
      ],
      onControl: async (name, fields) => {
        if (name === 'cancel') throw new Error('no hand-over is under way');
        done.push([name, fields]);
      },
    });
    const page = await opened(await served(hub));
    await page.getByRole('button', { name: 'Hand over', exact: true }).click();
    await page.getByLabel('scheme').selectOption('switch-host');
    await page.locator('dialog[open] .primary').click();
    await soon(() => done).toEqual([['hand over', { scheme: 'switch-host' }]]);
    await soon(() => page.locator('dialog[open]').count()).toBe(0);
    await page.getByRole('button', { name: 'Cancel the move' }).click();
    expect(done).toHaveLength(1);
    await page.locator('dialog[open] .primary').click();
    await page.getByText('no hand-over is under way').waitFor();
    await page.keyboard.press('Escape');
    await soon(() => page.locator('dialog[open]').count()).toBe(0);
    expect(page.faults).toEqual([]);
  });

  test('go into a menu when there are many, and none is beyond the edge', async () => {
    const done: string[] = [];
    const names = ['move', 'cancel', 'fail', 'drop', 'delay'];
    const controls = names.map((name) => ({ name, title: `Begin to ${name} the guest`, harsh: name === 'drop' }));
    const hub = hubOf({ controls, onControl: async (name) => void done.push(name) });
    const page = await opened(await served(hub));
    await page.getByRole('button', { name: 'Controls' }).click();
    await shot(page, 'controls-menu');
    await page.getByRole('button', { name: 'Begin to cancel the guest' }).click();
    await soon(() => done).toEqual(['cancel']);
    await soon(() => page.locator('.menu-items').isVisible()).toBe(false);
    await page.getByRole('button', { name: 'Controls' }).click();
    await page.getByRole('button', { name: 'Begin to drop the guest' }).click();
    await page.locator('dialog[open] .primary').click();
    await soon(() => done).toEqual(['cancel', 'drop']);
    await soon(() => page.locator('dialog').count()).toBe(0);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(1280);
    expect(page.faults).toEqual([]);
  });

  test('are not there where the program allows none', async () => {
    const page = await opened(await served(hubOf()));
    expect(await page.locator('[data-control]').count()).toBe(0);
  });
});

describe('strangers', () => {
  test('names, texts and definitions never become markup', async () => {
    const evil = '<img src=x onerror="window.hacked=1"><b>bold</b>';
    const hub = hubOf({ controls: [{ name: 'x', title: evil }] });
    hub.party({ id: 'p', side: 'server', name: evil, addresses: [evil] });
    hub.actor(`p/${evil.replaceAll('/', '')}`, {
      id: evil,
      initial: evil,
      states: { [evil]: { on: { [evil]: { actions: evil } } } },
    });
    hub.record({ kind: 'log', actor: 'p', line: evil });
    hub.record({ kind: 'event', actor: 'p', type: evil, detail: { [evil]: evil } });
    hub.record({
      kind: 'wire',
      actor: 'p',
      direction: 'in',
      channel: evil,
      name: evil,
      size: 1,
      peer: evil,
      path: 'control',
    });
    hub.record({
      ...{ kind: 'handover', actor: 'p', phase: 'failed', scheme: evil, attempt: 1, from: evil, to: evil },
      ...{ channels: [evil], reason: evil },
    });
    const page = await opened(await served(hub));
    for (const key of ['1', '2', '3']) {
      await page.keyboard.press(key);
      await page.waitForTimeout(400);
      if (key === '2') await page.locator('.actor-row').last().click();
      if (key === '3') {
        await page.getByLabel('other').check();
        for (const row of await page.locator('.record').all()) await row.click();
      }
      expect(await page.locator('img, #app b >> text="bold"').count(), key).toBe(0);
    }
    expect(await page.evaluate(() => (window as { hacked?: number }).hacked)).toBeUndefined();
    expect((await page.locator('#app').innerText()).includes('onerror')).toBe(true);
    expect(page.faults).toEqual([]);
  });

  test('without the token the page says what is missing; with it, it opens', async () => {
    const hub = hubOf();
    const inspector = await inspect({ hub, page: folder, host: '0.0.0.0' });
    open.push(inspector);
    const context = await browser.newContext();
    open.push(context);
    const page = await context.newPage();
    await page.goto(`http://127.0.0.1:${inspector.port}/`);
    await page.getByText('refused: open the address that the program printed').waitFor();
    await page.goto(inspector.url.replace('0.0.0.0', '127.0.0.1'));
    await page.reload();
    await page.waitForSelector('.status.connected');
    expect(page.url()).not.toContain('token');
  });
});

describe('the page itself', () => {
  test('comes back when the program has restarted', async () => {
    const first = await inspect({ page: folder });
    const page = await opened(first);
    await first.close();
    await page.locator('.status.lost').waitFor();
    const hub = hubOf();
    played(hub, ['seamless']);
    await served(hub, first.port);
    await page.waitForSelector('.status.connected', { timeout: 10_000 });
    await page.waitForSelector('.handover-row');
  });

  test('its heap does not grow with the number of events that it has seen', async () => {
    const hub = hubOf({ limits: { messageRate: 1e9, chunk: 2_000 } });
    hub.party({ id: 'client-1', side: 'client', name: 'client', addresses: [] });
    hub.actor('client-1', 'session/client');
    const tap = hub.tap({ actor: 'client-1/display:0', channel: 'display:0', side: 'client', peer: '127.0.0.1:5901' });
    const page = await opened(await served(hub));
    const devtools = await page.context().newCDPSession(page);
    const heap = async () => {
      await devtools.send('HeapProfiler.collectGarbage');
      return ((await devtools.send('Runtime.getHeapUsage')) as { usedSize: number }).usedSize / 2 ** 20;
    };
    const seen = () => page.locator('.filters [role=status]').innerText();
    const flood = async (records: number) => {
      for (let done = 0; done < records; done += 5_000) {
        tap.allowance = 5_000;
        for (let i = 0; i < 5_000; i++) tap.message('in', 304, new Uint8Array(100));
        hub.snapshot('client-1', { value: { up: `step ${done}` }, context: { done } }, 'x');
        hub.flush();
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
      await soon(seen, { timeout: 30_000 }).toMatch(/of (2[5-9]|30)\u202f/);
    };
    await page.keyboard.press('3');
    await flood(60_000);
    const first = await heap();
    await flood(240_000);
    const last = await heap();
    expect(last, `${first.toFixed(1)} MiB, then ${last.toFixed(1)} MiB`).toBeLessThan(first * 1.25 + 4);
    expect(page.faults).toEqual([]);
  });

  test('can be used with keys alone', async () => {
    const hub = hubOf();
    played(hub, ['seamless', 'refused']);
    const page = await opened(await served(hub));
    await page.waitForSelector('.handover-row');
    const focused = () =>
      page.evaluate(
        () => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent ?? '',
      );
    const tabTo = async (label: string) => {
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press('Tab');
        if ((await focused()).includes(label)) return;
      }
      throw new Error(`${label} is not reached by tabs`);
    };
    await tabTo('Hand-overs, newest first');
    await page.keyboard.press('ArrowDown');
    await soon(() => page.locator('.badge').innerText()).toContain('switched');
    await tabTo('Messages in order');
    await page.keyboard.press('ArrowDown');
    await page.locator('.sequence-row.chosen').waitFor();
    // Whatever has the focus shows it.
    const ring = () =>
      page.evaluate(() => {
        const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement!);
        return outlineStyle !== 'none' && Number.parseFloat(outlineWidth) >= 1;
      });
    for (const key of ['1', '2', '3']) {
      await page.keyboard.press(key);
      await page.waitForTimeout(200);
      for (let i = 0; i < 25; i++) {
        await page.keyboard.press('Tab');
        if (await page.evaluate(() => document.activeElement === document.body)) break;
        expect(await ring(), `view ${key}: ${await focused()}`).toBe(true);
      }
    }
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await page.keyboard.press('2');
    await page.waitForSelector('.actor-row');
    await tabTo('Actors');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    expect(await page.locator('.actor-row.chosen').count()).toBe(1);
    await page.keyboard.press('3');
    await tabTo('Messages and events');
    await page.keyboard.press('ArrowUp');
    await page.locator('.record.chosen').waitFor();
    expect(page.faults).toEqual([]);
  });

  const looks = [
    ['light', 1280, 720],
    ['dark', 1280, 720],
    ['light', 1920, 1080],
    ['dark', 1920, 1080],
  ] as const;
  test.each(looks)('is readable in %s at %i×%i', async (colorScheme, width, height) => {
    const hub = hubOf({ controls: [{ name: 'cancel', title: 'Cancel', harsh: true }] });
    played(hub, ['refused', 'cancel after', 'switch-host', 'seamless']);
    const tap = hub.tap({ actor: 'client-1/main:0', channel: 'main:0', side: 'client', peer: '127.0.0.1:5901' });
    tap.message('in', 103, new Uint8Array(32));
    const page = await opened(await served(hub), { colorScheme, viewport: { width, height } });
    for (const [key, name, ready] of [
      ['1', 'hand-over', '.span'],
      ['2', 'charts', '.stage svg'],
      ['3', 'messages', '.record'],
    ] as const) {
      await page.keyboard.press(key);
      await page.waitForSelector(ready);
      if (key === '3') {
        await page.locator('.record').last().click();
        await page.waitForSelector('.hex-row');
      }
      await page.waitForTimeout(300);
      await shot(page, `${name}-${colorScheme}-${width}`);
      if (name === 'hand-over') {
        await page.getByRole('button', { name: 'Cancel' }).click();
        await page.locator('dialog[open]').waitFor();
        expect((await page.evaluate(readability)).dim, 'with a dialog').toEqual([]);
        await shot(page, `dialog-${colorScheme}-${width}`);
        await page.keyboard.press('Escape');
        await soon(() => page.locator('dialog[open]').count()).toBe(0);
      }
      const { scrollWidth, dim } = await page.evaluate(readability);
      expect(scrollWidth, `${name} is wider than its window`).toBeLessThanOrEqual(width);
      expect(dim, name).toEqual([]);
    }
    expect(page.faults).toEqual([]);
  });
});

/** Runs in the page: words whose contrast with what is behind them is below 4.5, and how wide everything is. */
function readability(): { scrollWidth: number; dim: string[] } {
  const parse = (colour: string): [number, number, number, number] => {
    const [r = 0, g = 0, b = 0, a = 1] = (colour.match(/[\d.]+/g) ?? []).map(Number);
    return [r, g, b, a];
  };
  const over = (top: number[], below: number[]) =>
    [0, 1, 2].map((i) => top[i]! * top[3]! + below[i]! * (1 - top[3]!)).concat(1);
  const ground = (element: Element | null): number[] => {
    const layers: number[][] = [];
    for (let e = element; e !== null; e = e.parentElement) layers.push(parse(getComputedStyle(e).backgroundColor));
    return layers.reduceRight((below, layer) => (layer[3] === 0 ? below : over(layer, below)), [255, 255, 255, 1]);
  };
  const light = (c: number[]) => {
    const linear = c
      .slice(0, 3)
      .map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0]! + 0.7152 * linear[1]! + 0.0722 * linear[2]!;
  };
  const dim: string[] = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    const element = node.parentElement;
    const text = node.textContent?.trim() ?? '';
    if (
      element === null ||
      text === '' ||
      element.closest('script, title, defs, .hidden, .absent, dialog:not([open]), option, .nest.words') !== null
    )
      continue;
    if (!element.checkVisibility()) continue;
    // Behind a drawing's words stands a box of the same group, or the drawing's own ground.
    const drawing = element.closest('svg');
    const box = drawing === null ? null : element.closest('g')?.querySelector(':scope > rect');
    const below = drawing === null ? null : (drawing.querySelector(':scope > rect.canvas') ?? null);
    const fill = (shape: Element) => parse(getComputedStyle(shape).fill);
    const base = below === null ? ground(drawing ?? element) : over(fill(below), [255, 255, 255, 1]);
    const isGap = box?.closest('.gap') !== null;
    const behind = box === null || box === undefined || isGap ? base : over(fill(box), base);
    const style = getComputedStyle(element);
    const front = over(parse(drawing === null ? style.color : style.fill), behind);
    const [a, b] = [light(front), light(behind)].sort((x, y) => y - x) as [number, number];
    if ((a + 0.05) / (b + 0.05) < 4.5) dim.push(`${text.slice(0, 40)}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
  }
  return { scrollWidth: document.documentElement.scrollWidth, dim: [...new Set(dim)] };
}
