/**
 * What our server draws, as the reference clients show it: with every encoding, pictures that come and go for a while, to a
 * window of spicy, and at the end to spicy-screenshot. All pixels must be the server's own.
 */
import { afterEach, expect, test } from 'vitest';
import { imageCompressions } from '../../src/server/picture-encoder.ts';
import { createServer, type Server, type ServerOptions } from '../../src/server/server.ts';
import { naturalPicture, screenPicture, xorshift } from '../bench/image-pictures.ts';
import type { Picture } from '../support/peers/boot-sector.ts';
import { peerSuite } from '../support/peers/present.ts';
import { spicyScreenshot, startViewer } from '../support/peers/spicy.ts';
import { startXvfb } from '../support/peers/xvfb.ts';

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
      display.draw(place, part(photo, place));
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
      display.draw(place, part(desktop, place));
  }
}

/** Pixels of the window that are not the server's, where the window shows it best. */
function differing(server: Server, window: Picture): number {
  const { pixels } = server.display;
  const count = (x: number, y: number, step: number, most: number): number => {
    let wrong = 0;
    for (let i = 0; i < width * height; i += step) {
      const at = ((y + Math.floor(i / width)) * window.width + x + (i % width)) * 3;
      for (let c = 0; c < 3; c++) {
        if (window.rgb[at + c] === pixels[i * 4 + 2 - c]) continue;
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

peerSuite('what our server sends, to the reference client', ['spicy', 'spicy-screenshot', 'Xvfb', 'xdotool'], () => {
  test.each<[string, ServerOptions]>([
    ...imageCompressions.map((imageCompression): [string, ServerOptions] => [imageCompression, { imageCompression }]),
    ['zlib over GLZ', { imageCompression: 'glz', zlibGlzWanCompression: 'always' }],
  ])('%s', async (_, options) => {
    const server = await host(options);
    server.display.draw(rect(0, 0, width, height), desktop.data.slice());
    const screen = await startXvfb();
    ended.push(() => screen.stop());
    const address = { host: '127.0.0.1', spicePort: server.addresses.port };
    const viewer = await startViewer(screen, address);
    ended.push(() => viewer.stop());
    await viewer.waitForChannels(6);
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
  });

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
