/**
 * The same drawing messages as the reference's software canvas (libspice-common's, with pixman 0.42) has drawn, and the
 * CRC-32 of the surface after each of them, which must be the same: equal to spice-gtk to the pixel.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { crc32 } from '../../src/client/png.ts';
import { Screen } from '../../src/client/screen.ts';
import { DisplayChannel, decodeMessage, encodeMessage, SurfaceFmt } from '../../src/protocol/index.ts';
import { plans, script, surfaces } from './script.ts';

const known: string[][] = JSON.parse(readFileSync(new URL('reference.json', import.meta.url), 'utf8'));

/** The CRC of what a surface shows: without the unused byte or bit of its pixels. */
function shown(screen: Screen, id: number): string {
  const format = surfaces.find(([one]) => one === id)![1];
  const { px } = screen.raster(id)!;
  const seen =
    format === SurfaceFmt['32_xrgb']
      ? px.map((word) => word & 0xffffff)
      : format === SurfaceFmt['16_555']
        ? px.map((word) => word & 0x7fff)
        : px;
  return crc32(new Uint8Array(seen.buffer)).toString(16).padStart(8, '0');
}

describe('drawing as the reference draws', () => {
  it.each(plans.map((plan, i) => [plan.commands.join(', '), plan, known[i]!] as const))('%s', (_, plan, expected) => {
    const messages = script(plan);
    expect(messages.length).toBe(expected.length + surfaces.length);
    const screen = new Screen();
    const differ: string[] = [];
    for (const [i, message] of messages.entries()) {
      const { number, body } = encodeMessage(DisplayChannel, 'server', message);
      const decoded = decodeMessage(DisplayChannel, 'server', number, body);
      screen.apply(decoded);
      if (i < surfaces.length) continue;
      if (shown(screen, decoded.body.base.surfaceId) !== expected[i - surfaces.length])
        differ.push(`${i} ${message.type}`);
    }
    expect([...screen.undrawn]).toEqual([]);
    expect(differ).toEqual([]);
  });
});
