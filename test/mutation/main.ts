/**
 * npm run check:mutants [-- --every N] [--chart NAME] [--only TEXT] [--list FILE] [--stages scenarios,model] [--survivors] [--jobs N] [--verbose]
 *
 * Makes every mutant of every chart, has each live through each stage of the suite (see suite.ts), and prints how many each
 * stage kills by itself, by chart and in sum, and those that nothing kills. Survivors that are known, each with why, stand in
 * survivors.ts; another one ends it with 1. --every N takes one in N, always the same ones; --list takes those that
 * FILE names, one in a line; --survivors tries a stage only on
 * those that the stages before it have left; --verbose tells of each mutant, and which live through scenarios and model.
 */
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { charts } from '../../machines/index.ts';
import { Killing, type Result } from './killing.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { sampled } from './sample.ts';
import { type Stage, stages, together } from './stages.ts';
import { isEquivalent, known } from './survivors.ts';

const { values } = parseArgs({
  options: {
    every: { type: 'string', default: '1' },
    chart: { type: 'string', default: '' },
    only: { type: 'string', default: '' },
    list: { type: 'string' },
    stages: { type: 'string', default: stages.join(',') },
    survivors: { type: 'boolean', default: false },
    jobs: { type: 'string', default: String(availableParallelism()) },
    verbose: { type: 'boolean', default: false },
  },
});
const wanted = values.stages.split(',') as Stage[];
const began = Date.now();
const listed = values.list === undefined ? undefined : new Set(readFileSync(values.list, 'utf8').split('\n'));
const all: Mutant[] = Object.values(charts)
  .filter(({ id }) => id.includes(values.chart))
  .flatMap(mutantsOf)
  .filter(({ id }) => id.includes(values.only) && sampled(id, Number(values.every)) && listed?.has(id) !== false);

/** What kills each. */
const killers = new Map<string, Set<Stage>>(all.map(({ id }) => [id, new Set()]));
/** Those that were killed because something did not hold that a scenario asks, not for another transcript alone. */
let broke = 0;
const killing = new Killing(new URL('./worker.js', import.meta.url), wanted, ({ id, stage, why }: Result) => {
  if (why !== undefined) killers.get(id)!.add(stage);
  if (stage === 'scenarios' && / breaks: /.test(why ?? '')) broke++;
  if (values.verbose) console.log(`${stage}: ${id}: ${why?.split('\n')[0] ?? 'IT LIVES'}`);
});
await killing.run(
  all.map(({ id }) => id),
  Number(values.jobs),
  !values.survivors,
);

const killed = ({ id }: Mutant, by: readonly Stage[]) => by.some((stage) => killers.get(id)!.has(stage));
const percent = (part: number, of: number) => (of === 0 ? '' : `${((100 * part) / of).toFixed(1)} %`);
const column = (value: number | string, width = 13) => String(value).padStart(width);
const columns: readonly (readonly [string, readonly Stage[]])[] = [
  ...stages.map((stage) => [stage, [stage]] as const),
  ['first two', together],
  ['all', stages],
];
const line = (name: string, some: readonly Mutant[]) => {
  const counts = columns.map(([, by]) => {
    const dead = some.filter((mutant) => killed(mutant, by)).length;
    return column(`${dead} ${percent(dead, some.length).padStart(7)}`, 15);
  });
  console.log(`${name.padEnd(24)}${column(some.length, 8)}${counts.join('')}`);
};
console.log(`${''.padEnd(24)}${column('mutants', 8)}${columns.map(([name]) => column(name, 15)).join('')}`);
for (const { id } of Object.values(charts)) {
  const some = all.filter(({ chart }) => chart === id);
  if (some.length > 0) line(id, some);
}
line('all', all);

if (values.verbose) {
  for (const mutant of all) {
    if (killed(mutant, stages) && !killed(mutant, together)) console.log(`only its own tests find: ${mutant.id}`);
  }
}
const alive = all.filter((mutant) => !killed(mutant, stages)).map(({ id }) => id);
const unknown = alive.filter((id) => known(id) === undefined);
for (const id of alive) console.log(`${known(id) === undefined ? `NEW ${id}` : `${id}: ${known(id)}`}`);
console.log(`${alive.length} survivors, ${unknown.length} of them not known`);
const count = all.filter((mutant) => killed(mutant, stages) || !isEquivalent(mutant.id));
const [both, every] = [together, stages].map((by) => count.filter((mutant) => killed(mutant, by)).length);
console.log(
  `${both} of ${count.length} mutants are found by the model check and the scenarios (${percent(both!, count.length)}); ` +
    `with the charts' own tests ${every} (${percent(every!, count.length)})`,
);
console.log(
  `${all.length - count.length} more cannot be told from their charts by anybody; ${broke} of those that scenarios find break ` +
    `what one asks to hold before its transcript is another one; ${((Date.now() - began) / 1000).toFixed(0)} s`,
);
if (unknown.length > 0) process.exitCode = 1;
