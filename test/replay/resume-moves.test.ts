/** Somebody dies at each record of a hand-over, one after the other, and is taken up again: all of them, none left out. */
import { expect, it } from 'vitest';
import { everyPoint } from './resume-points.ts';

it.each(['seamless', 'semi-seamless', 'switch-host'])(
  'a program that dies at any record is taken up again: %s',
  async (name) => {
    const { points, outcomes, wrong } = await everyPoint(name);
    expect(wrong).toEqual([]);
    expect(points).toBeGreaterThan(400);
    // At the very end of all, when everything is being closed, nobody is left to notice.
    expect(outcomes['nobody died'] ?? 0).toBeLessThan(40);
    expect(outcomes['it went on']).toBeGreaterThan(points / 2);
  },
  900_000,
);
