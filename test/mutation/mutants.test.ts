/**
 * A sample of the mistakes that can be made in charts, always the same: the suite finds each, but for those that are known, and
 * scenarios and model find at least four in five by themselves.
 */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { charts } from '../../machines/index.ts';
import { Killing, type Result } from './killing.ts';
import { mutantsOf } from './mutants.ts';
import { sampled } from './sample.ts';
import { stages, together } from './stages.ts';
import { isKnown } from './survivors.ts';

const every = 250;
const all = Object.values(charts).flatMap(mutantsOf);

test('each mutant has a name of its own, and every chart has some', () => {
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  for (const { id } of Object.values(charts)) expect(all.some(({ chart }) => chart === id)).toBe(true);
});

test('every test of one chart is in the suite', () => {
  const files = readdirSync(new URL('../machines', import.meta.url), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.replaceAll('\\', '/').replace('.test.ts', ''));
  expect(Object.keys(charts).filter((name) => !files.includes(name))).toEqual([]);
});

test(`one mutant in ${every} is killed, and nearly all of them by scenarios and model`, {
  timeout: 300_000,
}, async () => {
  const ids = all.map(({ id }) => id).filter((id) => sampled(id, every) && !isKnown(id));
  expect(ids.length).toBeGreaterThan(5);
  const results: Result[] = [];
  const worker = new URL('../../dist/test/mutation/worker.js', import.meta.url);
  await new Killing(worker, stages, (result) => results.push(result)).run(ids, 1);
  const killed = (by: readonly string[]) => {
    const dead = new Set(
      results.filter(({ stage, why }) => why !== undefined && by.includes(stage)).map(({ id }) => id),
    );
    return (id: string) => dead.has(id);
  };
  expect(ids.filter((id) => !killed(stages)(id))).toEqual([]);
  const alone = ids.filter((id) => !killed(together)(id));
  expect(alone.length, alone.join('\n')).toBeLessThanOrEqual(0.2 * ids.length);
});
