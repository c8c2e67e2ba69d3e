/**
 * Every drawing command and every kind of picture between us and the reference, both ways. Our client shows what a guest of
 * libspice-server has drawn, surface by surface, as the library's own canvas and spicy do; spicy shows what our server sends,
 * with every encoding. All pixels must be the same.
 */
import { afterEach, describe, expect, test } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import { cursorShape } from '../../src/client/cursor-shape.ts';
import type { PreferredCompression } from '../../src/client/displays.ts';
import { connect } from '../../src/connect.ts';
import { CursorType, SurfaceFmt } from '../../src/protocol/constants.ts';
import { imageCompressions } from '../../src/server/picture-encoder.ts';
import { createServer, type Server, type ServerOptions } from '../../src/server/server.ts';
import { naturalPicture, screenPicture, xorshift } from '../bench/image-pictures.ts';
import { plans, size, surfaces } from '../client/script.ts';
import { first } from '../support/network.ts';
import type { Picture } from '../support/peers/boot-sector.ts';
import { peerSuite } from '../support/peers/present.ts';
import { spicyScreenshot, startViewer, type Viewer } from '../support/peers/spicy.ts';
import { startXvfb } from '../support/peers/xvfb.ts';
import { type GuestOptions, guestNeeds, type SpiceGuest, startGuest } from './c/guest.ts';
import { bitmapOf, drawPlan, formatsWith, swapped } from './commands.ts';

const ended: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

const [width, height] = [640, 480];
const photo = naturalPicture(width, height);
const desktop = screenPicture(width, height);

async function host(options: ServerOptions): Promise<Server> {
  const server = await createServer({ host: '127.0.0.1', port: 0, width, height, ...options });
  ended.push(() => server.close());
  return server;
}

const rect = (left: number, top: number, right: number, bottom: number) => ({ left, top, right, bottom });

/** A part of a picture, as rows of its own. */
function part(picture: { data: Uint8Array }, { left, top, right, bottom }: ReturnType<typeof rect>): Uint8Array {
  const rows = new Uint8Array((right - left) * (bottom - top) * 4);
  for (let y = top; y < bottom; y++) {
    rows.set(picture.data.subarray((y * width + left) * 4, (y * width + right) * 4), (y - top) * (right - left) * 4);
  }
  return rows;
}

/** With anything for fourth bytes; half of the pictures are handed over, and their memory is used again when it comes back. */
function draw(display: Server['display'], place: ReturnType<typeof rect>, pixels: Uint8Array, random: () => number) {
  for (let i = 3; i < pixels.length; i += 4) pixels[i] = i * 31;
  if (random() % 2 === 0) display.draw(place, pixels);
  else display.draw(place, pixels, { release: () => pixels.fill(0xdb) });
}

/** An application at work: windows, photographs, typing, scrolling, the same icons again and again. */
function work({ display }: Server, random: () => number): void {
  const some = (most: number) => random() % most;
  const [left, top] = [some(width - 40), some(height - 40)];
  const place = rect(left, top, Math.min(width, left + 20 + some(300)), Math.min(height, top + 20 + some(200)));
  switch (some(6)) {
    case 0:
      display.fill(place, random() & 0xffffff);
      break;
    case 1:
      display.copy(place, { x: some(width - 20), y: some(height - 20) });
      break;
    case 2:
      draw(display, place, part(photo, place), random);
      break;
    case 3: {
      const icon = rect(some(3) * 50, 0, 0, 40);
      const from = { ...icon, right: icon.left + 48 };
      const to = some(8) * 60;
      display.draw(rect(to, 8, to + 48, 48), part(desktop, from));
      break;
    }
    case 4: {
      const all = display.pixels.slice();
      all.copyWithin(0, (1 + some(40)) * width * 4);
      display.draw(rect(0, 0, width, height), all);
      break;
    }
    default:
      draw(display, place, part(desktop, place), random);
  }
}

/** Pixels of the window that are not the server's, where the window shows it best. */
function differing(server: Server, window: Picture): number {
  return differingFrom(server.display.pixels, window);
}

/** The same for any picture of that size, in BGRX. What is as close as `tolerance` counts as equal. */
function differingFrom(pixels: Uint8Array, window: Picture, tolerance = 0): number {
  const count = (x: number, y: number, step: number, most: number): number => {
    let wrong = 0;
    for (let i = 0; i < width * height; i += step) {
      const at = ((y + Math.floor(i / width)) * window.width + x + (i % width)) * 3;
      for (let c = 0; c < 3; c++) {
        if (Math.abs(window.rgb[at + c]! - pixels[i * 4 + 2 - c]!) <= tolerance) continue;
        if (++wrong > most) return wrong;
        break;
      }
    }
    return wrong;
  };
  let best = width * height;
  for (let y = 0; y + height <= window.height; y++) {
    for (let x = 0; x + width <= window.width; x++) {
      // A few pixels rule out all places but one.
      if (best > 0 && count(x, y, 997, 20) <= 20) best = Math.min(best, count(x, y, 1, best));
    }
  }
  return best;
}

/** Counts the messages and the types of pictures that come to a client of ours, which draws them, too. */
function count(client: Client): Map<string, number> {
  const types = new Map<string, number>();
  client.events.subscribe(() => {
    const screen = client.screens.get('display:0');
    if (screen === undefined || Object.hasOwn(screen, 'apply')) return;
    const { apply } = screen;
    screen.apply = function (message) {
      const type = message.body.srcBitmap?.type ?? message.type;
      types.set(type, (types.get(type) ?? 0) + 1);
      apply.call(this, message);
    };
  });
  return types;
}

/** What each must bring, or it would not be seen that it is shown right. */
const mustBring: Readonly<Record<string, readonly string[]>> = {
  auto_glz: ['glz_rgb', 'quic'],
  auto_lz: ['lz_rgb', 'quic'],
  quic: ['quic'],
  glz: ['glz_rgb'],
  lz: ['lz_rgb'],
  lz4: ['lz4'],
  off: ['bitmap'],
  'zlib over GLZ': ['zlib_glz_rgb'],
};

const viewers = ['spicy', 'remote-viewer'] as const;
const encodings: readonly (readonly [string, ServerOptions])[] = [
  ...imageCompressions.map((imageCompression) => [imageCompression, { imageCompression }] as const),
  ['zlib over GLZ', { imageCompression: 'glz', zlibGlzWanCompression: 'always' }],
];

peerSuite('what our server sends', [...viewers, 'spicy-screenshot', 'Xvfb', 'xdotool'], () => {
  test.each(viewers.flatMap((program) => encodings.map(([name, options]) => [name, program, options] as const)))(
    '%s, to %s',
    async (name, program, options) => {
      const server = await host(options);
      server.display.draw(rect(0, 0, width, height), desktop.data.slice());
      const screen = await startXvfb();
      ended.push(() => screen.stop());
      const address = { host: '127.0.0.1', spicePort: server.addresses.port };
      const viewer = await startViewer(screen, address, { program });
      ended.push(() => viewer.stop());
      await viewer.waitForChannels(6);
      const own = connect({ destination: { host: '127.0.0.1', port: server.addresses.port }, channels: ['display'] });
      ended.push(() => own.close());
      const types = count(own);
      await first(own.events, (event) => event.event === 'frame');
      const random = xorshift(1234);
      for (let i = 0; i < 300; i++) {
        work(server, random);
        if (i % 5 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      }
      let wrong = width * height;
      for (let tries = 0; wrong > 0 && tries < 50; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 100));
        wrong = differing(server, await viewer.screenshot());
      }
      expect(wrong).toBe(0);
      expect(viewer.process.text()).not.toMatch(/CRITICAL|unimplemented|not found|decode fail/i);
      const shot = await spicyScreenshot(address);
      expect(differing(server, shot)).toBe(0);
      const expected = [...mustBring[name]!, 'from_cache', 'msg.copy_bits', 'msg.draw_fill'];
      expect([...types.keys()]).toEqual(expect.arrayContaining(expected));
      const ours = own.screens.get('display:0')!;
      await ours.settled();
      const shown = ours.primary()!.data;
      expect(shown.filter((byte, i) => i % 4 < 3 && byte !== server.display.pixels[i])).toHaveLength(0);
      expect([...ours.undrawn]).toEqual([]);
    },
  );

  test('videos, and what is left when they rest', async () => {
    const server = await host({ streamingVideo: 'filter' });
    server.display.draw(rect(0, 0, width, height), desktop.data.slice());
    const screen = await startXvfb();
    ended.push(() => screen.stop());
    const viewer = await startViewer(screen, { host: '127.0.0.1', spicePort: server.addresses.port });
    ended.push(() => viewer.stop());
    await viewer.waitForChannels(6);
    const place = rect(100, 100, 420, 340);
    for (let i = 0; i < 75; i++) {
      const from = { left: (i * 3) % 300, top: i % 200, right: ((i * 3) % 300) + 320, bottom: (i % 200) + 240 };
      server.display.draw(place, part(photo, from));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    await viewer.waitForLog(/stream_create|video.*created|display_handle_stream_create/i);
    let wrong = width * height;
    for (let tries = 0; wrong > 0 && tries < 50; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      wrong = differing(server, await viewer.screenshot());
    }
    expect(wrong).toBe(0);
  });

  test('JPEG, within what it may lose', async () => {
    const server = await host({ jpegWanCompression: 'always' });
    server.display.draw(rect(0, 0, width, height), photo.data.slice());
    const shot = await spicyScreenshot({ host: '127.0.0.1', spicePort: server.addresses.port });
    expect([shot.width, shot.height]).toEqual([width, height]);
    const off = shot.rgb.map((value, i) => Math.abs(value - photo.data[Math.floor(i / 3) * 4 + 2 - (i % 3)]!));
    expect(off.reduce((sum, value) => sum + value, 0) / off.length).toBeLessThan(6);
    expect(off.some((value) => value > 0)).toBe(true);
  });
});

const all = { type: 'none' } as const;
const noMask = { flags: 0, pos: { x: 0, y: 0 }, bitmap: null };

interface Watch {
  readonly guest: SpiceGuest;
  readonly client: Client;
  /** How many pictures of each type came. */
  readonly types: Map<string, number>;
}

async function watchGuest(
  options: GuestOptions,
  screen: { width: number; height: number; format: number },
  preferredCompression?: PreferredCompression,
): Promise<Watch> {
  const guest = await startGuest(options);
  ended.push(() => guest.stop());
  guest.primary(screen.width, screen.height, screen.format);
  const destination = { host: guest.host, port: guest.spicePort };
  const client = connect({ destination, preferredCompression, channels: ['display'] });
  ended.push(() => client.close());
  await first(client.events, (event) => event.event === 'frame');
  const types = new Map<string, number>();
  const shown = client.screens.get('display:0')!;
  const { apply } = shown;
  shown.apply = function (message) {
    const type = message.body.srcBitmap?.type ?? message.type;
    types.set(type, (types.get(type) ?? 0) + 1);
    apply.call(this, message);
  };
  return { guest, client, types };
}

/** What of the bytes of a pixel means something, by the format of the surface. */
const meaning: Readonly<Record<number, readonly number[]>> = {
  [SurfaceFmt['8_a']]: [255],
  [SurfaceFmt['16_555']]: [255, 127],
  [SurfaceFmt['16_565']]: [255, 255],
  [SurfaceFmt['32_xrgb']]: [255, 255, 255, 0],
  [SurfaceFmt['32_argb']]: [255, 255, 255, 255],
};

/** Waits until each surface of the client is what the library's canvas has made of it. */
async function sameSurfaces({ guest, client }: Watch, formats: ReadonlyMap<number, number>): Promise<void> {
  const screen = client.screens.get('display:0')!;
  for (const [id, format] of formats) {
    const own = await guest.dump(id);
    const means = meaning[format]!;
    const differing = (): number => {
      const raster = screen.raster(id);
      if (raster === undefined) return own.length;
      const bytes = new Uint8Array(raster.px.buffer, raster.px.byteOffset, raster.px.byteLength);
      let count = Math.abs(own.length - bytes.length);
      for (let i = 0; i < own.length; i++) if (((own[i]! ^ bytes[i]!) & means[i % means.length]!) !== 0) count++;
      return count;
    };
    const deadline = Date.now() + 5_000;
    for (;;) {
      await screen.settled();
      const wrong = differing();
      if (wrong === 0) break;
      if (Date.now() > deadline) throw new Error(`surface ${id}, format ${format}: ${wrong} of ${own.length} bytes`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  expect([...screen.undrawn]).toEqual([]);
}

/** Pictures of a desktop and of a photograph in every format of bitmaps, some of them again and again. */
function drawPictures(guest: SpiceGuest, rounds: number): void {
  const wordsOf = ({ data }: { data: Uint8Array }) => new Uint32Array(data.buffer, data.byteOffset, data.length >> 2);
  const random = xorshift(99);
  let id = 1_000n;
  const icons = [4, 5, 8, 9].map((format) =>
    bitmapOf(wordsOf(desktop), width, rect(100, 60, 148, 100), format, ++id, 1),
  );
  const put = (image: any, left: number, top: number): void => {
    const box = rect(left, top, left + image.width, top + image.height);
    const srcArea = rect(0, 0, image.width, image.height);
    const base = { surfaceId: 0, box, clip: all };
    guest.draw('draw_copy', { base, srcBitmap: image, srcArea, ropDescriptor: 8, scaleMode: 0, mask: noMask });
  };
  for (let i = 0; i < rounds; i++) {
    for (let format = 1; format <= 10; format++) {
      // The library cannot draw those of which the lowest bits come first, and alpha alone is for blending only.
      if (format === 1 || format === 3 || format === 10) continue;
      const [w, h] = [3 + (random() % 150), 3 + (random() % 120)];
      const [left, top] = [random() % (width - w), random() % (height - h)];
      const picture = random() % 2 ? photo : desktop;
      const [x, y] = [random() % (width - w), random() % (height - h)];
      put(bitmapOf(wordsOf(picture), width, rect(x, y, x + w, y + h), format, ++id), left, top);
    }
    put(icons[i % icons.length], (i * 37) % (width - 48), (i * 53) % (height - 40));
  }
}

type Compression = NonNullable<GuestOptions['imageCompression']>;
const libraryModes: readonly (readonly [string, GuestOptions, PreferredCompression | undefined])[] = [
  ...(['off', 'auto_glz', 'auto_lz', 'quic', 'glz', 'lz'] as const).map(
    (imageCompression: Compression) => [imageCompression, { imageCompression }, undefined] as const,
  ),
  ['lz4', { imageCompression: 'lz4' }, 'lz4'],
  ['zlib over GLZ', { imageCompression: 'glz', zlibGlzWanCompression: 'always' }, undefined],
];

peerSuite('what libspice-server sends', guestNeeds, () => {
  describe.each(libraryModes)('with image-compression %s', (name, options, preferred) => {
    test.each([
      ['32 bits', 0],
      ['16 bits', 2],
    ])('every drawing command, in every variant, on every kind of surface; the screen of %s', async (_, primary) => {
      const formats = formatsWith(primary);
      const watched = await watchGuest(options, { ...size, format: formats.get(0)! }, preferred);
      for (const [id, format] of surfaces) {
        const own = swapped(id, primary);
        if (own !== 0) watched.guest.surface(own, size.width, size.height, format);
      }
      for (const [turn, plan] of plans.entries()) {
        drawPlan(watched.guest, plan, turn, primary);
        await sameSurfaces(watched, formats);
      }
      expect(watched.guest.errors).not.toMatch(/CRITICAL|assert/i);
    });

    test('pictures of every format', async () => {
      const watched = await watchGuest(options, { width, height, format: SurfaceFmt['32_xrgb'] }, preferred);
      drawPictures(watched.guest, 40);
      await sameSurfaces(watched, new Map([[0, SurfaceFmt['32_xrgb']]]));
      const expected: Record<string, readonly string[]> = {
        off: ['bitmap', 'from_cache'],
        auto_glz: ['glz_rgb', 'quic', 'lz_plt', 'from_cache'],
        auto_lz: ['lz_rgb', 'quic', 'lz_plt', 'from_cache'],
        quic: ['quic', 'from_cache'],
        glz: ['glz_rgb', 'lz_plt', 'from_cache'],
        lz: ['lz_rgb', 'lz_plt', 'from_cache'],
        lz4: ['lz4', 'lz_plt', 'from_cache'],
        'zlib over GLZ': ['zlib_glz_rgb', 'lz_plt', 'from_cache'],
      };
      expect([...watched.types.keys()]).toEqual(expect.arrayContaining([...expected[name]!]));
    });
  });
});

const bgrx = { width, height, format: SurfaceFmt['32_xrgb'] };

/** Waits until the window shows what our client shows. */
async function sameWindow(viewer: Viewer, client: Client, tolerance = 0): Promise<void> {
  const screen = client.screens.get('display:0')!;
  let wrong = width * height;
  for (let tries = 0; wrong > 0 && tries < 60; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    await screen.settled();
    wrong = differingFrom(screen.primary()!.data, await viewer.screenshot(), tolerance);
  }
  expect(wrong).toBe(0);
  expect([...screen.undrawn]).toEqual([]);
}

peerSuite('our client beside spicy', [...guestNeeds, 'spicy', 'Xvfb', 'xdotool'], () => {
  async function beside(options: GuestOptions): Promise<Watch & { readonly viewer: Viewer }> {
    const watched = await watchGuest(options, bgrx);
    const screen = await startXvfb();
    ended.push(() => screen.stop());
    const viewer = await startViewer(screen, watched.guest);
    ended.push(() => viewer.stop());
    await viewer.waitForChannels(4);
    return { ...watched, viewer };
  }

  test('shows the same of all drawing commands', async () => {
    // Not GLZ: spicy leaves pictures out whose commands are clipped away, and waits for them for ever.
    const { guest, viewer, ...watched } = await beside({ imageCompression: 'auto_lz' });
    for (const [id, format] of surfaces) if (id !== 0) guest.surface(id, size.width, size.height, format);
    drawPictures(guest, 5);
    for (const [turn, plan] of plans.entries()) drawPlan(guest, plan, turn);
    await guest.dump();
    await sameWindow(viewer, watched.client);
  });

  test('shows JPEG as it does, and JPEG with alpha', async () => {
    const { guest, viewer, ...watched } = await beside({ imageCompression: 'auto_lz', jpegWanCompression: 'always' });
    const wordsOf = new Uint32Array(photo.data.buffer);
    for (let i = 0; i < 12; i++) {
      const area = rect(i * 30, i * 20, i * 30 + 200, i * 20 + 150);
      const srcBitmap = bitmapOf(wordsOf, width, area, i % 3 === 2 ? 9 : 8, BigInt(5_000 + i));
      const box = rect(area.left, area.top, area.right, area.bottom);
      const srcArea = rect(0, 0, 200, 150);
      const base = { surfaceId: 0, box, clip: all };
      if (i % 3 === 2) guest.draw('draw_alpha_blend', { base, srcBitmap, srcArea, alphaFlags: 0, alpha: 200 });
      else guest.draw('draw_copy', { base, srcBitmap, srcArea, ropDescriptor: 8, scaleMode: 0, mask: noMask });
      await guest.dump();
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect([...watched.types.keys()]).toEqual(expect.arrayContaining(['jpeg', 'jpeg_alpha']));
    await sameWindow(viewer, watched.client, 2);
  });
});

peerSuite('what else libspice-server sends', guestNeeds, () => {
  test('videos, and the picture that they leave', async () => {
    const { guest, client, types } = await watchGuest({ imageCompression: 'auto_lz', streamingVideo: 'filter' }, bgrx);
    const words = new Uint32Array(photo.data.buffer);
    const box = rect(80, 60, 400, 300);
    const screen = client.screens.get('display:0')!;
    for (let i = 0; i < 60; i++) {
      const area = rect((i * 3) % 300, i % 200, ((i * 3) % 300) + 320, (i % 200) + 240);
      const srcBitmap = bitmapOf(words, width, area, 8, BigInt(9_000 + i));
      const srcArea = rect(0, 0, 320, 240);
      const body = { srcBitmap, srcArea, ropDescriptor: 8, scaleMode: 0, mask: noMask };
      guest.draw('draw_copy', { base: { surfaceId: 0, box, clip: all }, ...body }, { opaque: true });
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    expect(types.get('msg.stream_create')).toBe(1);
    expect(types.get('msg.stream_data')).toBeGreaterThan(15);
    expect([...screen.undrawn]).toEqual([]);
    await sameSurfaces({ guest, client, types }, new Map([[0, SurfaceFmt['32_xrgb']]]));
  });

  test('pointers of every kind', async () => {
    const guest = await startGuest();
    ended.push(() => guest.stop());
    guest.primary(width, height, SurfaceFmt['32_xrgb']);
    const client = connect({ destination: { host: guest.host, port: guest.spicePort }, channels: ['cursor'] });
    ended.push(() => client.close());
    await first(client.events, (event) => event.event === 'channel' && event.channel === 'cursor:0');
    const random = xorshift(3);
    const [w, h] = [32, 20];
    const mask = (w * h) / 8;
    const bytes: readonly (readonly [number, number])[] = [
      [CursorType.alpha, w * h * 4],
      [CursorType.mono, mask * 2],
      [CursorType.color4, (w * h) / 2 + 64 + mask],
      [CursorType.color16, w * h * 2 + mask],
      [CursorType.color32, w * h * 4 + mask],
    ];
    for (const [type, length] of [...bytes, ...bytes]) {
      const header = { unique: BigInt(100 + type), type, width: w, height: h, hotSpotX: 3, hotSpotY: 4 };
      const data = Uint8Array.from({ length }, (_, i) => (i * 37 + type) & 255);
      const shaped = first(client.pointer.changes, (change) => change === 'shape');
      const position = { x: random() % 600, y: random() % 400 };
      guest.cursor(position, true, header, data);
      await shaped;
      expect(client.pointer).toMatchObject({ position, visible: true, shape: cursorShape(header, data) });
    }
    const moved = first(client.pointer.changes, (change) => change === 'position');
    guest.pointer('moves', { x: 11, y: 22 });
    await moved;
    expect(client.pointer.position).toEqual({ x: 11, y: 22 });
    const hidden = first(client.pointer.changes, (change) => change === 'visible');
    guest.pointer('hides');
    await hidden;
    expect(client.pointer.visible).toBe(false);
    expect([...client.pointer.unshown]).toEqual([]);
  });

  test('how monitors lie on the screen', async () => {
    const { guest, client } = await watchGuest({}, bgrx);
    const heads = [
      { monitorId: 0, surfaceId: 0, width: 320, height: 480, x: 0, y: 0, flags: 0 },
      { monitorId: 1, surfaceId: 0, width: 320, height: 480, x: 320, y: 0, flags: 0 },
    ];
    guest.monitors(4, heads);
    const screen = client.screens.get('display:0')!;
    const deadline = Date.now() + 5_000;
    while (screen.monitors.length !== 2 && Date.now() < deadline) await new Promise((go) => setTimeout(go, 20));
    expect([screen.monitors, screen.maxMonitors]).toEqual([heads, 4]);
  });
});
