/** The small set of worlds, every one gone through to its end. How much that is, is counted and not timed. */
import { afterAll, describe, expect, test } from 'vitest';
import { charts as all } from '../../machines/index.ts';
import { freshCharts } from './alphabet.ts';
import { Coverage } from './coverage.ts';
import { explore } from './explore.ts';
import { diagram } from './story.ts';
import { worlds } from './worlds.ts';

/** On a slow machine it is two minutes. */
const mostTransitions = 15_000_000;

const machines = Object.values(all);
/** What a chart does is worked out once for all worlds. */
const charts = freshCharts(machines);
const coverage = new Coverage(machines);
const sum = { worlds: 0, moves: 0, done: 0 };

const set = worlds({ long: false });

test.each(set)('$name', { timeout: 300_000 }, (scenario) => {
  const { findings, complete, ...found } = explore(scenario, charts);
  expect(findings.map((finding) => diagram(scenario, charts, finding)).join('\n')).toBe('');
  expect(complete).toBe(true);
  sum.worlds += found.worlds;
  sum.moves += found.moves;
  sum.done++;
});

describe('all of it', () => {
  const whole = () => expect(sum.done).toBe(set.length);

  test('fits where it is run', () => {
    whole();
    expect(sum.moves).toBeLessThan(mostTransitions);
  });

  test('comes to every state of every chart', () => {
    whole();
    coverage.add(charts);
    expect(coverage.unreached).toEqual([]);
  });
});

afterAll(() => {
  console.log(`${sum.worlds} states, ${sum.moves} transitions in ${sum.done} worlds`);
});
