/**
 * npm run check:mutants [-- --every N] [--chart NAME] [--only TEXT] [--stages model,hand-overs] [--jobs N] [--verbose]
 *
 * Makes every mutant of every chart, has each live through the suite (see suite.ts), and prints how many were killed, by chart
 * and in sum, and those that were not. Survivors that are known, each with why, stand in survivors.ts; another one ends it
 * with 1. --every N takes one in N, always the same ones.
 */
import { parseArgs } from 'node:util';
import { charts } from '../../machines/index.ts';
import { Killing, type Result } from './killing.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { sampled } from './sample.ts';
import { type Stage, stages } from './stages.ts';
import { known } from './survivors.ts';

const { values } = parseArgs({
  options: {
    every: { type: 'string', default: '1' },
    chart: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    stages: { type: 'string', default: stages.join(',') },
    jobs: { type: 'string', default: '1' },
    verbose: { type: 'boolean', default: false },
  },
});
const wanted = values.stages.split(',') as Stage[];
const began = Date.now();
const all: Mutant[] = Object.values(charts)
  .filter(({ id }) => id.includes(values.chart))
  .flatMap(mutantsOf)
  .filter(({ id }) => id.includes(values.only) && sampled(id, Number(values.every)));

const results: Result[] = [];
const killing = new Killing(new URL('./worker.js', import.meta.url), wanted, (result) => {
  results.push(result);
  if (values.verbose)
    console.log(
      `${result.stage ?? 'SURVIVED'}: ${result.id}${result.why === undefined ? '' : ` (${result.why.split('\n')[0]})`}`,
    );
});
await killing.run(
  all.map(({ id }) => id),
  Number(values.jobs),
);

const column = (value: number | string, width: number) => String(value).padStart(width);
const byId = new Map(all.map((mutant) => [mutant.id, mutant]));
const line = (name: string, some: readonly Result[]) => {
  const killed = some.filter(({ stage }) => stage !== undefined);
  const by = stages.map((stage) => column(killed.filter((one) => one.stage === stage).length, 12)).join('');
  const percent = some.length === 0 ? '' : `${((100 * killed.length) / some.length).toFixed(1)} %`;
  console.log(`${name.padEnd(24)}${column(some.length, 8)}${column(killed.length, 8)}${column(percent, 9)}${by}`);
};
console.log(
  `${''.padEnd(24)}${column('mutants', 8)}${column('killed', 8)}${column('', 9)}${stages.map((s) => column(s, 12)).join('')}`,
);
for (const { id } of Object.values(charts)) {
  const some = results.filter((result) => byId.get(result.id)!.chart === id);
  if (some.length > 0) line(id, some);
}
line('all', results);
const alive = results.filter(({ stage }) => stage === undefined).map(({ id }) => id);
const unknown = alive.filter((id) => known(id) === undefined);
for (const id of alive)
  console.log(`${known(id) === undefined ? 'NEW ' : ''}${id}${known(id) === undefined ? '' : `: ${known(id)}`}`);
console.log(
  `${alive.length} survivors, ${unknown.length} of them not known; ${((Date.now() - began) / 1000).toFixed(0)} s`,
);
if (unknown.length > 0) process.exitCode = 1;
