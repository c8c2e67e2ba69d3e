/** Somebody dies at each record of each story, one after the other, and is taken up again: all of them, none left out. */
import { describe, expect, it } from 'vitest';
import { run, stories } from './resume-points.ts';
import { parties } from './resume-world.ts';

describe('a program that dies at any record', () => {
  it.each(Object.keys(stories))(
    'is taken up again: %s',
    async (name) => {
      const story = stories[name]!;
      const { world } = await run(story);
      for (const of of parties) {
        const records = world.recordsOf(of).length;
        const outcomes: Record<string, number> = {};
        const wrong: string[] = [];
        for (let at = 1; at <= records; at++) {
          try {
            const { world, outcome } = await run(story, { of, at });
            const how = `${outcome}${world.died ? '' : ', nobody died'}`;
            outcomes[how] = (outcomes[how] ?? 0) + 1;
          } catch (error) {
            wrong.push(`${at}: ${(error as Error).message}`);
          }
        }
        console.log(name, of, records, outcomes, wrong.length, wrong.slice(0, 8));
        expect(wrong).toEqual([]);
      }
    },
    600_000,
  );
});
