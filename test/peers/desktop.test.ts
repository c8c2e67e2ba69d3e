/**
 * A real desktop at the other end: X programs whose windows, text and lines reach our client as what a real driver makes of
 * them, tens of thousands of commands in a few seconds. The picture that stands there in the end must be what the X server
 * says, byte for byte; keys and pointer go the other way.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import { connect } from '../../src/connect.ts';
import { first } from '../support/network.ts';
import type { Picture } from '../support/peers/boot-sector.ts';
import { type Desktop, type DesktopOptions, desktopNeeds, startDesktop } from '../support/peers/desktop.ts';
import { peerSuite } from '../support/peers/present.ts';
import type { PeerProcess } from '../support/peers/process.ts';
import { spicyScreenshot } from '../support/peers/spicy.ts';

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The X server paints its pointer into the picture and hides it when it is asked for it; it is led to this corner. */
const pointerSize = 24;

async function desktopWith(options: DesktopOptions = {}): Promise<Desktop> {
  const desktop = await startDesktop(options);
  ended.push(() => desktop.stop());
  return desktop;
}

/** Our client, and how often each kind of command came: its name, and the type of the image it brought. */
async function watch(desktop: Desktop): Promise<{ client: Client; kinds: Map<string, number> }> {
  const client = connect({ destination: { host: desktop.host, port: desktop.spicePort }, reconnect: false });
  ended.push(() => client.close());
  const kinds = new Map<string, number>();
  client.system.reports.subscribe(() => {
    for (const screen of client.screens.values()) {
      if (Object.hasOwn(screen, 'apply')) continue;
      const { apply } = screen;
      screen.apply = function (message) {
        const kind = [message.type.replace('msg.', ''), message.body.srcBitmap?.type].filter(Boolean).join(' ');
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
        apply.call(this, message);
      };
    }
  });
  await first(client.events, (event) => event.event === 'frame' && event.channel === 'display:0');
  return { client, kinds };
}

/** Pixels of the client's that are not the desktop's, but for the pointer's corner. */
function wrongPixels(client: Client, own: Picture): number {
  const shown = client.screens.get('display:0')!.shown()!;
  expect([shown.width, shown.height]).toEqual([own.width, own.height]);
  let wrong = 0;
  for (let y = 0, at = 0; y < own.height; y++) {
    for (let x = 0, from = y * shown.stride; x < own.width; x++, at += 3, from += 4) {
      if (x >= own.width - pointerSize && y >= own.height - pointerSize) continue;
      if ([0, 1, 2].some((part) => shown.data[from + part] !== own.rgb[at + 2 - part])) wrong++;
    }
  }
  return wrong;
}

/** Nothing moves on the desktop any more: waits until the client shows the same, and returns it. */
async function samePicture(client: Client, desktop: Desktop): Promise<Picture> {
  const screen = client.screens.get('display:0')!;
  const deadline = Date.now() + 20_000;
  for (;;) {
    const own = await desktop.screenshot();
    await screen.settled();
    const wrong = wrongPixels(client, own);
    if (wrong === 0) {
      expect([...screen.undrawn]).toEqual([]);
      return own;
    }
    if (Date.now() > deadline) throw new Error(`${wrong} pixels are not the desktop's; ${[...screen.undrawn.keys()]}`);
    await pause(100);
  }
}

/** Stops a program where it stands, so that what it has drawn can be looked at. */
const halt = (program: PeerProcess) => process.kill(program.pid!, 'SIGSTOP');

async function windowOf(desktop: Desktop, of: string): Promise<string> {
  for (;;) {
    const found = (await desktop.drive('search', '--sync', '--onlyvisible', '--class', of)).trim().split('\n').at(-1)!;
    if (found !== '') return found;
  }
}

peerSuite('the picture of a real desktop', [...desktopNeeds, 'xterm', 'x11perf', 'xeyes', 'spicy-screenshot'], () => {
  test.each(['auto_glz', 'auto_lz', 'quic', 'off'] as const)(
    '%s: a terminal that scrolls, a clock, windows that are dragged over each other',
    async (imageCompression) => {
      const desktop = await desktopWith({ imageCompression });
      const { client, kinds } = await watch(desktop);
      await desktop.drive('mousemove', '1023', '767');
      desktop.start(
        'xterm',
        '-e',
        'for i in 1 2 3 4; do ls --color -l /usr/bin | tail -60; sleep 0.1; done; sleep 600',
      );
      const clock = desktop.start('xclock', '-render', '-update', '1');
      desktop.start('xeyes');
      for (const of of ['XClock', 'XEyes', 'XTerm', 'XEyes']) {
        const window = await windowOf(desktop, of);
        const steps = Array.from({ length: 12 }, (_, step) => [
          'windowmove',
          window,
          `${40 + step * 29}`,
          `${30 + step * 17}`,
        ]);
        await desktop.drive(...steps.flat());
      }
      halt(clock);
      const own = await samePicture(client, desktop);
      expect(new Set(own.rgb).size).toBeGreaterThan(100);
      expect(kinds.get('draw_fill')).toBeGreaterThan(50);
      expect(kinds.get('copy_bits')).toBeGreaterThan(20);
      const picture = { auto_glz: 'glz_rgb', auto_lz: 'lz_rgb', quic: 'quic', off: 'bitmap' }[imageCompression];
      expect(kinds.get(`draw_copy ${picture}`)).toBeGreaterThan(20);
      // The reference client takes our place, and sees the same but for the pointer.
      const theirs = await spicyScreenshot(desktop);
      expect(theirs.rgb.subarray(0, own.width * 3 * (own.height - pointerSize))).toEqual(
        own.rgb.subarray(0, own.width * 3 * (own.height - pointerSize)),
      );
    },
  );

  test.each([
    ['rectangles and stipples', ['-rect10', '-srect100', '-tilerect100', '-bigosrect100']],
    ['lines and circles', ['-dline100', '-wline10', '-fcpellipse10']],
    ['text', ['-ftext', '-polytext', '-aa24text', '-caa10text', '-rgb10text']],
    ['copies and scrolling', ['-copywinwin100', '-copypixwin100', '-copyplane100', '-scroll100', '-putimage100']],
    ['what is composed', ['-compwinwin100', '-comppixwin100', '-magpixwin100', '-aatrap100', '-addaatrapezoid10']],
    ['windows', ['-popup', '-move', '-resize', '-circulate']],
  ])('the X server’s own torture: %s', async (_, tests) => {
    const desktop = await desktopWith();
    const { client, kinds } = await watch(desktop);
    await desktop.drive('mousemove', '1023', '767');
    for (const one of tests) {
      // It measures its clock for a moment first; then it draws until it is stopped.
      const torture = desktop.start('x11perf', '-repeat', '1', '-reps', '100000000', one);
      const before = drawn(kinds);
      await expect.poll(() => drawn(kinds) - before, { timeout: 10_000 }).toBeGreaterThan(4);
      await pause(150);
      halt(torture);
      await samePicture(client, desktop);
      await torture.stop('SIGKILL');
    }
  });

  test('keys and pointer reach its programs', async () => {
    const desktop = await desktopWith();
    const { client } = await watch(desktop);
    const folder = await mkdtemp(join(tmpdir(), 'sumac-typed-'));
    ended.push(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'typed');
    const terminal = desktop.start('xterm', '-e', `head -n 1 > ${file}`);
    await desktop.drive('windowfocus', '--sync', await windowOf(desktop, 'XTerm'));
    // The scan codes of a PC keyboard: letters as they lie in rows, space and enter.
    const rows = { 16: 'qwertyuiop', 30: 'asdfghjkl', 44: 'zxcvbnm', 57: ' ', 28: '\n' };
    const codes = new Map(Object.entries(rows).flatMap(([at, row]) => [...row].map((one, i) => [one, Number(at) + i])));
    const text = 'the quick brown fox jumps over the lazy dog\n';
    for (const one of text) {
      expect(client.input.keyDown(codes.get(one)!)).toBe(true);
      expect(client.input.keyUp(codes.get(one)! | 0x80)).toBe(true);
    }
    await terminal.exited;
    expect(await readFile(file, 'utf8')).toBe(text);
    client.requestMouseMode(2);
    await expect.poll(() => client.mouseMode.current).toBe(2);
    client.input.place(321, 123, 0);
    await expect.poll(() => desktop.drive('getmouselocation')).toMatch(/^x:321 y:123 /);
  });
});

function drawn(kinds: ReadonlyMap<string, number>): number {
  return [...kinds.values()].reduce((sum, count) => sum + count, 0);
}
