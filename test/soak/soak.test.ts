/** A short soak; `npm run soak` takes longer. */
import { expect, it } from 'vitest';
import { soak } from './soak.ts';

it.each([
  { seed: 1, followers: 1 },
  { seed: 2, followers: 1 },
  { seed: 3, followers: 2 },
  { seed: 4, followers: 4 },
])(
  'clients live through whatever happens to a move: $followers, seed $seed',
  async (options) => {
    const report = await soak({ handovers: 60, ...options });
    expect(report.arrived + report.stayed).toBe(60);
    expect(report.arrived).toBeGreaterThan(20);
    for (const { holdings } of report.samples) expect(holdings).toEqual(report.samples[0]!.holdings);
  },
  60_000,
);
