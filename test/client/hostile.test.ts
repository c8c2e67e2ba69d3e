/** Messages that no honest server sends: whatever they say, nothing is thrown, nothing hangs, and drawing goes on after them. */
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { Caches } from '../../src/client/caches.ts';
import { SurfaceFmt } from '../../src/protocol/constants.ts';
import { channels } from '../../src/protocol/index.ts';
import { arbitraryOf } from '../support/arbitrary.ts';
import { all, create, draw, fill, noMask, rect, screenOf, seen, solid, words } from './pictures-support.ts';

const messages = [...channels.display.tables.server.byNumber.values()].filter(({ number }) => number > 100);

describe('any value of any message', () => {
  const caches = new Caches();
  beforeAll(async () => {
    await caches.jpeg();
  });
  const any = fc.oneof(
    ...messages.map(({ type, codec }) => arbitraryOf(codec).map((body: object) => ({ type, body }))),
  );
  /** Most random messages are for a surface that there is not: lead half of them to one. */
  const led = fc.tuple(any, fc.nat(12)).map(([{ type, body }, id]: [any, number]) => {
    if (id < 7 && body.base?.surfaceId !== undefined)
      return { type, body: { ...body, base: { ...body.base, surfaceId: id } } };
    if (type === 'msg.surface_create' || type === 'msg.mode') return { type: 'msg.mark', body: {} };
    return { type, body };
  });

  it('does no harm', () => {
    fc.assert(
      fc.property(fc.array(led, { maxLength: 12 }), (list) => {
        const screen = screenOf(20, 10, SurfaceFmt['32_xrgb'], { caches });
        for (const [i, format] of Object.values(SurfaceFmt).slice(1).entries())
          screen.apply(create(i + 1, 20, 10, format, 0));
        for (const message of list) screen.apply(message);
        if (screen.primary() === undefined) screen.apply(create(0, 20, 10, 32, 1));
        expect(screen.pending).toBe(0);
        fill(screen, rect(0, 0, 20, 10), 0x123456);
        expect(seen(screen)[9]![19]).toBe(0x123456);
        screen.close();
      }),
      { numRuns: 400 },
    );
  });
});

describe('drawings of endless work', () => {
  const within = (ms: number, act: () => void) => {
    const start = performance.now();
    act();
    expect(performance.now() - start).toBeLessThan(ms);
  };
  const stroke = (screen: any, segments: object[], more: object = {}, clip: object = all) =>
    draw(
      screen,
      'draw_stroke',
      rect(0, 0, 1000, 1000),
      { path: { segments }, attr: { flags: 0 }, brush: solid(1), foreMode: 8, backMode: 8, ...more },
      clip,
    );
  const far = 2 ** 31 - 1;

  it('end soon, and are counted', () => {
    const screen = screenOf(1000, 1000);
    const point = (x: number, y: number) => ({ x, y });
    within(8000, () => {
      const zigzag = Array.from({ length: 300_000 }, (_, i) => point(i % 2 ? far : -far, i % 2 ? far : -far));
      stroke(screen, [{ flags: 1, points: zigzag }]);
    });
    within(8000, () => {
      const loops = Array.from({ length: 100_000 }, (_, i) => point(i % 3 ? far : 0, i % 7 ? -far : 0));
      stroke(screen, [{ flags: 17, points: loops }]);
    });
    within(8000, () => stroke(screen, [{ flags: 1, points: Array.from({ length: 1_100_000 }, () => point(0, 0)) }]));
    within(8000, () => {
      const style = { attr: { flags: 8, style: [16, 16] } };
      stroke(screen, [{ flags: 1, points: [point(-far, 0), point(far, 16_000)] }], style);
    });
    within(8000, () => {
      const bars = Array.from({ length: 300_000 }, (_, i) =>
        rect((i * 7) % 999, (i * 13) % 997, ((i * 7) % 999) + 1, 1000),
      );
      const clip = { type: 'rects', rects: bars };
      const points = Array.from({ length: 5000 }, (_, i) => point((i % 2) * 16_000, i * 3));
      stroke(screen, [{ flags: 1, points }], {}, clip);
    });
    expect([...screen.undrawn.keys()]).toEqual([
      'draw_stroke: a stroke of too much work',
      'draw_stroke: a path of too many points',
      'draw_stroke: a line of too many dashes',
    ]);
  });

  it('as pictures scaled from and to anything', () => {
    const screen = screenOf(1000, 1000);
    const areas = [rect(-far, -far, far, far), rect(far, far, -far, -far), rect(0, 0, 0, 0), rect(5, 5, 6, 6)];
    within(8000, () => {
      for (const srcArea of areas) {
        for (const scaleMode of [0, 1]) {
          const source = {
            srcBitmap: words([
              [1, 2],
              [3, 4],
            ]),
            srcArea,
          };
          draw(screen, 'draw_copy', rect(-far, -far, far, far), {
            ...source,
            ropDescriptor: 8,
            scaleMode,
            mask: noMask,
          });
        }
        const source = { srcBitmap: words([[1]]), srcArea };
        draw(screen, 'draw_transparent', rect(0, 0, 1000, 1000), { ...source, srcColor: 0, trueColor: 0 });
        draw(screen, 'draw_alpha_blend', rect(0, 0, 1000, 1000), { ...source, alphaFlags: 3, alpha: 77 });
      }
    });
    expect(screen.undrawn.size).toBe(0);
  });

  it('as letters all over the place', () => {
    const screen = screenOf(10, 10);
    const glyph = (x: number) => ({
      renderPos: { x, y: 0 },
      glyphOrigin: { x: 0, y: 0 },
      width: 1,
      height: 1,
      data: Uint8Array.of(128),
    });
    const nowhere = rect(0, 0, 0, 0);
    draw(screen, 'draw_text', rect(0, 0, 10, 10), {
      str: { flags: 1, glyphs: [glyph(-far), glyph(far)] },
      backArea: nowhere,
      foreBrush: solid(1),
      backBrush: solid(1),
      foreMode: 8,
      backMode: 8,
    });
    expect([...screen.undrawn.keys()]).toEqual(['draw_text: letters too far apart']);
  });
});
