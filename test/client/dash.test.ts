/** Dashed lines: what lies outside of what is seen is left out, and nothing else changes by that. */
import { describe, expect, it } from 'vitest';
import { type Budget, dashedLine } from '../../src/client/dash.ts';
import type { Spot } from '../../src/client/line.ts';
import { xorshift } from '../bench/image-pictures.ts';

const everything = { left: -1e6, top: -1e6, right: 1e6, bottom: 1e6 };
const seen = { left: 20, top: 30, right: 90, bottom: 70 };

/** The pixels of `seen` that are drawn, each as often as it is. */
function pixels(points: Spot[], dashes: number[], offset: number, once: boolean, within: typeof seen) {
  const drawn: number[] = [];
  const budget: Budget = { left: 1 << 20 };
  const done = dashedLine(points, dashes, offset, once, within, budget, (x, y, count) => {
    if (y < seen.top || y >= seen.bottom) return;
    for (let at = Math.max(x, seen.left); at < Math.min(x + count, seen.right); at++) drawn.push(y * 1_000 + at);
  });
  return { drawn: drawn.sort((a, b) => a - b), done, spent: (1 << 20) - budget.left };
}

describe('a dashed line', () => {
  it('is the same where it is seen, whatever else is left out', () => {
    const random = xorshift(11);
    let drawn = 0;
    for (let i = 0; i < 3_000; i++) {
      const place = () => (random() % 2 === 0 ? random() % 110 : (random() % 9_000) - 4_500);
      const points = Array.from({ length: 2 + (random() % 5) }, () => ({ x: place(), y: place() }));
      if (random() % 4 === 0) points.push({ ...points[0]! });
      const dashes = Array.from({ length: 1 + (random() % 4) }, () => random() % 12);
      if (dashes.every((dash) => dash < 1)) dashes[0] = 3;
      const way = [points, dashes, random() % 20, random() % 3 === 0] as const;
      const some = pixels(...way, seen);
      const all = pixels(...way, everything);
      expect(some.drawn, JSON.stringify(way)).toEqual(all.drawn);
      expect(some.spent).toBeLessThanOrEqual(all.spent);
      drawn += some.drawn.length;
    }
    expect(drawn).toBeGreaterThan(20_000);
  });

  it('costs nothing where it is not seen, however long it is', () => {
    const far = 2 ** 27;
    const points = [
      { x: -far, y: 200 },
      { x: far, y: 4_000 },
      { x: far, y: -far },
    ];
    const { done, spent, drawn } = pixels(points, [1, 1], 0, false, seen);
    expect({ done, drawn }).toEqual({ done: true, drawn: [] });
    expect(spent).toBeLessThan(16);
  });
});
