/** Every scenario goes as its transcript has it, and what it says must hold does. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { golden, goldenNames, parting } from './golden.ts';
import { scenarios } from './index.ts';
import { play } from './play.ts';

// XState warns of each event to an actor that has ended.
beforeAll(() => {
  vi.spyOn(console, 'warn').mockImplementation(() => {});
});
afterAll(() => {
  vi.restoreAllMocks();
});

test('every scenario has a transcript, and every transcript a scenario', () => {
  const names = scenarios.map(({ name }) => name).sort();
  expect(new Set(names).size).toBe(names.length);
  expect(goldenNames()).toEqual(names);
});

describe('a scenario', () => {
  test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', async (name, scenario) => {
    const { transcript, broken } = await play(scenario);
    expect(broken).toBeUndefined();
    const kept = golden(name) ?? '';
    if (transcript !== kept) {
      throw new Error(
        `it goes another way (npm run check:scenarios -- --write keeps it):\n${parting(kept, transcript)}`,
      );
    }
  });
});
