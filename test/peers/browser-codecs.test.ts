/**
 * All that decodes in a real Chromium: the picture codecs with and without WebAssembly, the JPEG and Opus libraries, and the
 * videos that the browser itself can decode, which a client there offers to servers.
 */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OpenPage, openPage } from '../support/peers/page.ts';
import { peerSuite } from '../support/peers/present.ts';

interface InPage {
  pictures(): string[];
  jpeg(): Promise<number>;
  opus(): Promise<number>;
  video(codec: string): Promise<{ seen: number[]; goesOn: boolean; undrawn: string[] } | undefined>;
  colours(): number[];
}
declare const sumac: InPage;

peerSuite('codecs in Chromium', ['chromium'], () => {
  let open: OpenPage;
  beforeAll(async () => {
    open = await openPage(fileURLToPath(new URL('browser/codecs.ts', import.meta.url)), {
      '/jpeg.wasm': '@cornerstonejs/codec-libjpeg-turbo-8bit/wasm',
      '/opus.wasm': '@evan/opus/wasm/opus.wasm',
    });
  });
  afterAll(() => open?.close());

  test('every picture comes back, with the kernel and without', async () => {
    const right = await open.page.evaluate(() => sumac.pictures());
    const expected = [true, false].flatMap((on) =>
      ['quic', 'lz', 'lz4', 'glz', 'zlib'].flatMap((name) => [`${name} ${on}`, `${name} ${on}`]),
    );
    expect(right.sort()).toEqual(expected.sort());
    expect(open.faults).toEqual([]);
  });

  test('JPEG', async () => {
    const off = await open.page.evaluate(() => sumac.jpeg());
    expect(off).toBeGreaterThan(0);
    expect(off).toBeLessThan(8);
  });

  test('Opus', async () => {
    expect(await open.page.evaluate(() => sumac.opus())).toBeCloseTo(660, 0);
  });

  test.each(['vp8', 'vp9', 'h264'])('a video of %s, by the decoder of the browser', async (codec) => {
    const outcome = await open.page.evaluate((name) => sumac.video(name), codec);
    // Every Chromium encodes VP8 and VP9.
    expect(outcome).toBeDefined();
    const colours = await open.page.evaluate(() => sumac.colours());
    expect(outcome!.seen).toHaveLength(colours.length);
    for (const [i, seen] of outcome!.seen.entries()) {
      for (const shift of [16, 8, 0]) {
        expect(Math.abs(((seen >> shift) & 255) - ((colours[i]! >> shift) & 255))).toBeLessThan(16);
      }
    }
    expect(outcome!.goesOn).toBe(true);
    expect(outcome!.undrawn.every((reason) => reason === 'stream: a frame that cannot be decoded')).toBe(true);
    expect(open.faults).toEqual([]);
  });
});
