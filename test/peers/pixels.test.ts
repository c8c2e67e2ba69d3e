/**
 * Our client's picture of real QEMUs, byte for byte: with every image-compression, both adapters, guests of 8, 16 and 32 bits,
 * moving ones that were watched for a while and one that stands, two displays, and guests that moved to another host with the caches filled.
 * What it is compared with is QEMU's own screendump and what the reference client shows.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, expect, test } from 'vitest';
import type { Client, ClientEvent } from '../../src/client/client.ts';
import type { PreferredCompression } from '../../src/client/displays.ts';
import type { Picture as Shown } from '../../src/client/surfaces.ts';
import { connect } from '../../src/connect.ts';
import { loadJpeg } from '../../src/image/jpeg.ts';
import { first } from '../support/network.ts';
import type { Picture } from '../support/peers/boot-sector.ts';
import { liveMigrate } from '../support/peers/live-migrate.ts';
import { peerSuite } from '../support/peers/present.ts';
import { parsePpm, type Qemu, type QemuOptions, startQemu, startQemuPair } from '../support/peers/qemu.ts';
import { spicyScreenshot } from '../support/peers/spicy.ts';

const run = promisify(execFile);
const theirConvert = '/usr/bin/convert';

/** Runs a program on these bytes. */
function runAll(program: string, words: readonly string[], input: Uint8Array): Promise<{ stdout: Buffer }> {
  const options = { encoding: 'buffer', maxBuffer: 1 << 26 } as const;
  return new Promise((resolve, reject) => {
    const child = execFile(program, words, options, (error, stdout) => (error ? reject(error) : resolve({ stdout })));
    child.stdin!.end(input);
  });
}
const sumac = fileURLToPath(new URL('../../dist/src/cli/sumac.js', import.meta.url));

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

async function qemuWith(options: QemuOptions): Promise<Qemu> {
  const qemu = await startQemu({ audio: 'none', ...options });
  ended.push(() => qemu.stop());
  return qemu;
}

interface Watch {
  readonly client: Client;
  /** How many pictures of each type came, over all displays. */
  readonly types: Map<string, number>;
  /** Those that came as JPEG. */
  readonly jpegs: { readonly data: Uint8Array; readonly width: number; readonly height: number }[];
}

async function watch(qemu: Qemu, preferredCompression?: PreferredCompression): Promise<Watch> {
  const client = connect({ destination: { host: qemu.host, port: qemu.spicePort }, preferredCompression });
  ended.push(() => client.close());
  const types = new Map<string, number>();
  const jpegs: Watch['jpegs'] = [];
  client.system.reports.subscribe(() => {
    for (const screen of client.screens.values()) {
      if (Object.hasOwn(screen, 'apply')) continue;
      const { apply } = screen;
      screen.apply = function (message) {
        const type = message.body.srcBitmap?.type ?? message.type;
        types.set(type, (types.get(type) ?? 0) + 1);
        if (type === 'jpeg') {
          const { data, width, height } = message.body.srcBitmap;
          jpegs.push({ data: data.slice(), width, height });
        }
        apply.call(this, message);
      };
    }
  });
  await first(client.events, (event) => event.event === 'frame' && event.channel === 'display:0');
  return { client, types, jpegs };
}

/** Waits until so much more was drawn on the first display. */
async function see(client: Client, drawings: number): Promise<void> {
  const screen = client.screens.get('display:0')!;
  const deadline = Date.now() + 10_000;
  const wanted = screen.drawn + drawings;
  while (screen.drawn < wanted) {
    if (Date.now() > deadline) throw new Error(`${wanted - screen.drawn} of ${drawings} drawings did not come`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function rgbOf({ width, height, stride, data }: Omit<Shown, 'format'>): Picture {
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, from = y * stride; x < width; x++, from += 4, to += 3) {
      rgb[to] = data[from + 2]!;
      rgb[to + 1] = data[from + 1]!;
      rgb[to + 2] = data[from]!;
    }
  }
  return { width, height, rgb };
}

/** Pixels that differ; all of them when the sizes do. */
function differing(one: Picture, other: Picture): number {
  if (one.width !== other.width || one.height !== other.height) return other.width * other.height;
  let count = 0;
  for (let at = 0; at < one.rgb.length; at += 3) {
    if ([0, 1, 2].some((part) => one.rgb[at + part] !== other.rgb[at + part])) count++;
  }
  return count;
}

/** How far the colours of two pictures of one size are apart where they are farthest. */
function farthest(one: Picture, other: Picture): number {
  expect([one.width, one.height]).toEqual([other.width, other.height]);
  return one.rgb.reduce((most, value, i) => Math.max(most, Math.abs(value - other.rgb[i]!)), 0);
}

/** What the command line takes, through the PNG file that it writes. */
async function sumacScreenshot(qemu: Qemu): Promise<Picture> {
  const folder = await mkdtemp(join(tmpdir(), 'sumac-picture-'));
  ended.push(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'screen.png');
  await run('node', [sumac, 'screenshot', `spice://127.0.0.1:${qemu.spicePort}`, file]);
  const { stdout } = await run('convert', [file, 'ppm:-'], { encoding: 'buffer', maxBuffer: 1 << 24 });
  return parsePpm(stdout);
}

/** The guest stands: waits until the client's picture of a display is QEMU's, and gives it. */
async function samePicture({ client }: Watch, qemu: Qemu, channel = 'display:0', device?: string): Promise<Picture> {
  const own = device === undefined ? await qemu.screendump() : await dump(qemu, device);
  const screen = client.screens.get(channel)!;
  const deadline = Date.now() + 5_000;
  for (;;) {
    await screen.settled();
    const shown = screen.shown();
    const wrong = shown === undefined ? own.width * own.height : differing(rgbOf(shown), own);
    if (wrong === 0) break;
    if (Date.now() > deadline) throw new Error(`${wrong} pixels are not those of QEMU; ${[...screen.undrawn.keys()]}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect([...screen.undrawn]).toEqual([]);
  return own;
}

async function dump(qemu: Qemu, device: string): Promise<Picture> {
  const folder = await mkdtemp(join(tmpdir(), 'sumac-dump-'));
  ended.push(() => rm(folder, { recursive: true, force: true }));
  const filename = join(folder, 'screen.ppm');
  await qemu.qmp('screendump', { filename, device });
  return parsePpm(await readFile(filename));
}

type Compression = NonNullable<QemuOptions['imageCompression']>;

/** The type of pictures that each brings, but for a few tiny ones. */
const expected: Readonly<Record<Compression, string>> = {
  auto_glz: 'glz_rgb',
  auto_lz: 'lz_rgb',
  quic: 'quic',
  glz: 'glz_rgb',
  lz: 'lz_rgb',
  lz4: 'lz4',
  off: 'bitmap',
};
const compressions: readonly Compression[] = ['auto_glz', 'auto_lz', 'quic', 'glz', 'lz', 'lz4', 'off'];

/** QEMU 7.2 does not know the word lz4, but its SPICE library does it when a client asks for it. */
const preference = (compression: Compression) => (compression === 'lz4' ? 'lz4' : undefined);
const optionOf = (compression: Compression) => (compression === 'lz4' ? 'auto_glz' : compression);

for (const vga of ['std', 'qxl'] as const) {
  const needs = ['qemu-system-x86_64', 'spicy-screenshot', 'convert', theirConvert] as const;
  peerSuite(`the picture of a QEMU with ${vga} VGA`, needs, () => {
    test.each(compressions)('%s: a moving guest', async (imageCompression) => {
      const qemu = await qemuWith({ image: 'moving', vga, imageCompression: optionOf(imageCompression) });
      const watched = await watch(qemu, preference(imageCompression));
      await see(watched.client, 150);
      await qemu.qmp('stop');
      const own = await samePicture(watched, qemu);
      expect(watched.types.get(expected[imageCompression])).toBeGreaterThan(100);
      // The reference client takes our place.
      expect(differing(await spicyScreenshot(qemu), own)).toBe(0);
    });

    test.each(compressions)('%s: a guest that stands', async (imageCompression) => {
      const qemu = await qemuWith({ image: 'still', vga, imageCompression: optionOf(imageCompression) });
      const watched = await watch(qemu, preference(imageCompression));
      const own = await samePicture(watched, qemu);
      // The whole screen at once is no part of a GLZ window.
      const type = expected[imageCompression].replace('glz', 'lz');
      expect([...watched.types.keys()]).toContain(type);
      expect(differing(await spicyScreenshot(qemu), own)).toBe(0);
      expect(differing(await sumacScreenshot(qemu), own)).toBe(0);
    });

    test.each((['deep16', 'deep32'] as const).flatMap((image) => compressions.map((how) => [how, image] as const)))(
      '%s: a guest of %s',
      async (imageCompression, image) => {
        const qemu = await qemuWith({ image, vga, imageCompression: optionOf(imageCompression) });
        const watched = await watch(qemu, preference(imageCompression));
        await see(watched.client, 20);
        await qemu.qmp('stop');
        const own = await samePicture(watched, qemu);
        expect([own.width, own.height]).toEqual([640, 480]);
        expect(new Set(own.rgb).size).toBeGreaterThan(image === 'deep16' ? 30 : 200);
        expect(differing(await spicyScreenshot(qemu), own)).toBe(0);
      },
    );

    test('JPEG, within 2 of what libjpeg-turbo makes of it, and close to the picture', async () => {
      const more = ['-spice', 'jpeg-wan-compression=always'];
      const qemu = await qemuWith({ image: 'moving', vga, imageCompression: 'quic', more });
      const watched = await watch(qemu);
      await see(watched.client, 150);
      await qemu.qmp('stop');
      const own = await qemu.screendump();
      // How far off on average, and at most a few of all: JPEG smears edges.
      const off = () => {
        const { rgb } = rgbOf(watched.client.screens.get('display:0')!.shown()!);
        return rgb.reduce((sum, value, i) => sum + Math.abs(value - own.rgb[i]!), 0) / rgb.length;
      };
      await expect.poll(off, { timeout: 5_000 }).toBeLessThan(3);
      expect([...watched.client.screens.get('display:0')!.undrawn]).toEqual([]);
      // Each of its bytes' pictures as the C library has it: ImageMagick decodes with that which spice-gtk uses.
      expect(watched.types.get('jpeg')).toBeGreaterThan(20);
      const codec = await loadJpeg();
      for (const { data, width, height } of watched.jpegs.slice(-25)) {
        const { stdout } = await runAll(theirConvert, ['jpg:-', '-depth', '8', 'ppm:-'], data);
        const ours = rgbOf({ ...codec.decode(data, { width, height }), stride: width * 4 });
        expect(farthest(ours, parsePpm(stdout))).toBeLessThanOrEqual(2);
      }
    });

    test('zlib over GLZ', async () => {
      const more = ['-spice', 'zlib-glz-wan-compression=always'];
      const qemu = await qemuWith({ image: 'moving', vga, imageCompression: 'glz', more });
      const watched = await watch(qemu);
      await see(watched.client, 150);
      await qemu.qmp('stop');
      const own = await samePicture(watched, qemu);
      expect(watched.types.get('zlib_glz_rgb')).toBeGreaterThan(20);
      expect(differing(await spicyScreenshot(qemu), own)).toBe(0);
    });
  });
}

peerSuite('the pictures of a QEMU', ['qemu-system-x86_64'], () => {
  test('with two displays, which share the caches', async () => {
    const more = ['-device', 'secondary-vga,id=second'];
    const qemu = await qemuWith({ image: 'moving', imageCompression: 'glz', more });
    const watched = await watch(qemu);
    if (!watched.client.channels.has('display:1')) {
      await first(watched.client.events, (event) => event.event === 'channel' && event.channel === 'display:1');
    }
    await see(watched.client, 60);
    await qemu.qmp('stop');
    await samePicture(watched, qemu);
    const second = await samePicture(watched, qemu, 'display:1', 'second');
    expect(differing(second, await qemu.screendump())).toBeGreaterThan(1000);
  });

  test.each([
    ['seamless', true],
    ['semi-seamless', false],
  ] as const)('after a %s hand-over with the caches filled', async (scheme, seamless) => {
    const pair = await startQemuPair({ image: 'moving', imageCompression: 'glz', audio: 'none', seamless });
    ended.push(() => pair.stop());
    const watched = await watch(pair.source);
    const switched = first(
      watched.client.events,
      (event): event is Extract<ClientEvent, { event: 'handover' }> =>
        event.event === 'handover' && event.phase === 'switched',
      20_000,
    );
    const linked = first(watched.client.events, (event) => event.event === 'handover' && event.phase === 'linked');
    await see(watched.client, 100);
    const report = await liveMigrate(pair.source, pair.target, { until: () => linked });
    expect(report.outcome).toBe('completed');
    expect(await switched).toMatchObject({ scheme });
    const before = watched.types.get('glz_rgb')!;
    await see(watched.client, 150);
    expect(watched.types.get('glz_rgb')! - before).toBeGreaterThan(100);
    await pair.target.qmp('stop');
    await samePicture(watched, pair.target);
  });
});
