/** The dirty part of a screen: nothing that was added is lost, nothing is starved, and it never gets long. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dirty } from '../../src/server/dirty.ts';
import { overlap, without } from '../../src/sources/rect.ts';

const size = 48;
const rects = fc
  .tuple(fc.nat(size - 1), fc.nat(size - 1), fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }))
  .map(([left, top, width, height]) => ({
    left,
    top,
    right: Math.min(size, left + width),
    bottom: Math.min(size, top + height),
  }));
type Rect = { left: number; top: number; right: number; bottom: number };
const paint = (grid: Uint8Array, rect: Rect, value: number) => {
  for (let y = rect.top; y < rect.bottom; y++) grid.fill(value, y * size + rect.left, y * size + rect.right);
};

describe('what is dirty', () => {
  it('holds at least what was added and not removed', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), rects), { maxLength: 80 }), (steps) => {
        const dirty = new Dirty();
        const wanted = new Uint8Array(size * size);
        for (const [adds, rect] of steps) {
          if (adds) dirty.add(rect);
          else dirty.remove(rect);
          paint(wanted, rect, adds ? 1 : 0);
        }
        const got = new Uint8Array(size * size);
        let count = 0;
        for (let rect = dirty.take(() => size); rect !== undefined; rect = dirty.take(() => size)) {
          paint(got, rect, 1);
          count++;
        }
        expect(count).toBeLessThanOrEqual(24);
        expect(dirty.isEmpty).toBe(true);
        for (let i = 0; i < wanted.length; i++) if (wanted[i] === 1 && got[i] === 0) throw new Error(`${i} is lost`);
      }),
      { numRuns: 300 },
    );
  });

  it('is exact as long as it is short', () => {
    const dirty = new Dirty();
    dirty.add({ left: 0, top: 0, right: 10, bottom: 10 });
    dirty.remove({ left: 2, top: 2, right: 8, bottom: 8 });
    expect(dirty.area).toBe(64);
    expect(dirty.meets({ left: 2, top: 2, right: 8, bottom: 8 })).toBe(false);
    dirty.add({ left: 2, top: 2, right: 8, bottom: 8 });
    dirty.add({ left: 0, top: 0, right: 10, bottom: 10 });
    expect(dirty.area).toBe(100);
  });

  it('is taken in bands, the oldest first, also when all of it changes in between', () => {
    const dirty = new Dirty();
    const all = { left: 0, top: 0, right: 10, bottom: 30 };
    dirty.add(all);
    const tops: number[] = [];
    for (let i = 0; i < 6; i++) {
      tops.push(dirty.take((width) => 100 / width)!.top);
      dirty.add(all);
    }
    expect(tops).toEqual([0, 10, 20, 0, 10, 20]);
  });

  it('is nothing for nothing', () => {
    const dirty = new Dirty();
    dirty.add({ left: 5, top: 0, right: 5, bottom: 9 });
    expect([dirty.isEmpty, dirty.take(() => 9)]).toEqual([true, undefined]);
  });
});

it('what is left of a rectangle is what is not in the other', () => {
  fc.assert(
    fc.property(rects, rects, (a, b) => {
      const parts = without(a, b);
      const grid = new Uint8Array(size * size);
      for (const part of parts) {
        expect(overlap(part, b)).toBe(false);
        paint(grid, part, 1);
      }
      const wanted = new Uint8Array(size * size);
      paint(wanted, a, 1);
      paint(wanted, b, 0);
      expect(grid).toEqual(wanted);
    }),
  );
});
