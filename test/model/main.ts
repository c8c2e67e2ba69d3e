/**
 * npm run check:model [-- [--long] [--faults N] [--early N] [--states N] [--minutes M] [--part K/N] [--only TEXT]
 *                         [--journal FOLDER]]
 *
 * Goes through every world of the set and says what each took; ends with 1 and the shortest way to it if something is not as
 * it must be. --long adds the larger worlds, --faults lets any N faults come together, --early lets N timers be over before
 * their time. Those worlds are large: of each, only the nearest --states states are gone through (default there: 100,000;
 * 0: all), and the depth is told down to which nothing was left out. --minutes stops there (and says how many worlds were not
 * begun), --part 1/2 takes every second world, so that two processes can share the work, --only takes worlds whose names
 * contain the text, --findings says how many different ones are looked for in each world, --journal says where the journal of
 * a fault is written (default: a new folder).
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { charts as all } from '../../machines/index.ts';
import { freshCharts } from './alphabet.ts';
import { Coverage } from './coverage.ts';
import { explore } from './explore.ts';
import { diagram, writeJournal } from './story.ts';
import { worlds } from './worlds.ts';

const { values } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    faults: { type: 'string' },
    early: { type: 'string' },
    minutes: { type: 'string' },
    only: { type: 'string', default: '' },
    states: { type: 'string' },
    part: { type: 'string', default: '1/1' },
    findings: { type: 'string', default: '1' },
    journal: { type: 'string' },
    outcomes: { type: 'boolean', default: false },
  },
});
const until = values.minutes === undefined ? Number.POSITIVE_INFINITY : Date.now() + Number(values.minutes) * 60_000;
const large = values.long || values.faults !== undefined || values.early !== undefined;
const most = Number(values.states ?? (large ? '100000' : '0')) || Number.POSITIVE_INFINITY;
const [part = 1, parts = 1] = values.part.split('/').map(Number);
const set = worlds({
  long: values.long,
  ...(values.faults === undefined ? {} : { faults: Number(values.faults) }),
  ...(values.early === undefined ? {} : { early: Number(values.early) }),
})
  .filter(({ name }) => name.includes(values.only))
  .filter((_, index) => index % parts === part - 1);

const machines = Object.values(all);
/** What a chart does is worked out once for all worlds. */
const charts = freshCharts(machines);
const coverage = new Coverage(machines);
const column = (value: number | string, width: number) => String(value).padStart(width);
const sum = { begun: 0, worlds: 0, moves: 0, depth: 0, ms: 0, complete: 0, findings: 0 };
const bound = most === Number.POSITIVE_INFINITY ? 'all states' : `the nearest ${most} states`;
console.log(`${set.length} worlds, ${bound} of each`);
console.log(
  `${column('states', 10)} ${column('transitions', 12)} ${column('depth', 6)} ${column('seconds', 8)}  world`,
);
for (const scenario of set) {
  const left = until - Date.now();
  if (left <= 0) continue;
  const { findings, outcomes, ...found } = explore(scenario, charts, {
    milliseconds: left,
    worlds: Math.min(most, 50_000_000),
    findings: Number(values.findings),
  });
  console.log(
    `${column(found.worlds, 10)} ${column(found.moves, 12)} ${column(found.depth, 6)} ${column((found.milliseconds / 1000).toFixed(1), 8)}  ${scenario.name}${found.complete ? '' : ` (all of it down to depth ${found.whole})`}`,
  );
  if (values.outcomes) for (const [outcome, count] of outcomes) console.log(`    ${count} x ${outcome}`);
  sum.begun++;
  sum.worlds += found.worlds;
  sum.moves += found.moves;
  sum.depth = Math.max(sum.depth, found.depth);
  sum.ms += found.milliseconds;
  if (found.complete) sum.complete++;
  sum.findings += findings.length;
  for (const finding of findings) {
    console.log(diagram(scenario, charts, finding));
    const folder = values.journal ?? (await mkdtemp(join(tmpdir(), 'sumac-model-')));
    await writeJournal(folder, scenario, charts, finding);
    console.log(`see it with: sumac inspect ${folder}`);
  }
}
console.log(
  `${column(sum.worlds, 10)} ${column(sum.moves, 12)} ${column(sum.depth, 6)} ${column((sum.ms / 1000).toFixed(1), 8)}  ${sum.complete} of ${set.length} worlds gone through, ${sum.begun - sum.complete} in part, ${set.length - sum.begun} not at all, ${sum.findings} findings`,
);
coverage.add(charts);
console.log(`${coverage.reached} of ${coverage.all} states of the charts were reached; not these:`);
for (const id of coverage.unreached) console.log(`  ${id}`);
if (sum.findings > 0) process.exitCode = 1;
