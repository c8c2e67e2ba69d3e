/**
 * npm run check:model [-- [--long] [--faults N] [--early N] [--states N] [--minutes M] [--part K/N] [--only TEXT]
 *                         [--workers N] [--journal FOLDER]]
 *
 * Goes through every world of the set and says what each took; ends with 1 and the shortest way to it if something is not as
 * it must be. --long adds the larger worlds, --faults lets any N faults come together, --early lets N timers be over before
 * their time. Those worlds are large: of each, only the nearest --states states are gone through (default there: see
 * `bounds`; 0: all), and the depth is told down to which nothing was left out. --minutes stops there (and says how many worlds
 * were not begun), --part 1/2 takes every second world, so that two machines can share the work, --workers says how many
 * threads do (default: as many as there are processors), --only takes worlds whose names contain the text, --findings says how
 * many different ones are looked for in each world, --journal says where the journal of a fault is written (default: a new
 * folder).
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { charts as all } from '../../machines/index.ts';
import { Coverage } from './coverage.ts';
import type { Answer, Task } from './worker.ts';
import { worlds } from './worlds.ts';

/** States of each world by which two processors are done with the large sets in less than 25 minutes. */
const bounds = { long: 500_000, faults: 50_000, early: 50_000 } as const;

const { values } = parseArgs({
  options: {
    long: { type: 'boolean', default: false },
    faults: { type: 'string' },
    early: { type: 'string' },
    minutes: { type: 'string' },
    only: { type: 'string', default: '' },
    states: { type: 'string' },
    part: { type: 'string', default: '1/1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    findings: { type: 'string', default: '1' },
    journal: { type: 'string' },
    outcomes: { type: 'boolean', default: false },
  },
});
const began = Date.now();
const until = values.minutes === undefined ? began + 1e12 : began + Number(values.minutes) * 60_000;
const kind = (['faults', 'early', 'long'] as const).find((one) => values[one] !== undefined && values[one] !== false);
const most = Number(values.states ?? (kind === undefined ? 0 : bounds[kind])) || 50_000_000;
const [part = 1, parts = 1] = values.part.split('/').map(Number);
const set = worlds({
  long: values.long,
  ...(values.faults === undefined ? {} : { faults: Number(values.faults) }),
  ...(values.early === undefined ? {} : { early: Number(values.early) }),
})
  .filter(({ name }) => name.includes(values.only))
  .filter((_, index) => index % parts === part - 1);

const coverage = new Coverage(Object.values(all));
const column = (value: number | string, width: number) => String(value).padStart(width);
const seconds = (ms: number) => column((ms / 1000).toFixed(1), 8);
const sum = { begun: 0, worlds: 0, moves: 0, depth: 0, ms: 0, complete: 0, findings: 0 };

function tell({ number, explored, stories, visited }: Answer): void {
  const { name } = set[number]!;
  const { complete, whole, depth, milliseconds, moves, outcomes } = explored;
  const end = complete ? '' : ` (CUT OFF: all of it down to depth ${whole})`;
  console.log(
    `${column(explored.worlds, 10)} ${column(moves, 12)} ${column(depth, 6)} ${seconds(milliseconds)}  ${name}${end}`,
  );
  if (values.outcomes) for (const [outcome, count] of outcomes) console.log(`    ${count} x ${outcome}`);
  for (const story of stories) console.log(story);
  coverage.visited(visited);
  sum.begun++;
  sum.worlds += explored.worlds;
  sum.moves += moves;
  sum.depth = Math.max(sum.depth, depth);
  sum.ms += milliseconds;
  sum.findings += stories.length;
  if (complete) sum.complete++;
}

/** A large world with all that is known of its parts. */
const resourceLimits = { maxOldGenerationSizeMb: 8_192 };
let next = 0;
/** A thread takes one world after the other. Rejects with what the thread died of. */
const work = () =>
  new Promise<void>((resolve, reject) => {
    const { journal } = values;
    const workerData: Task = { set, most, until, findings: Number(values.findings), journal };
    const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, resourceLimits });
    const hand = (): void => {
      if (next < set.length && Date.now() < until) worker.postMessage(next++);
      else void worker.terminate().then(() => resolve());
    };
    worker.on('message', (answer: Answer) => {
      tell(answer);
      hand();
    });
    worker.on('error', reject);
    hand();
  });

const workers = Math.max(1, Math.min(Number(values.workers), set.length));
const bound = most === 50_000_000 ? 'all states' : `the nearest ${most} states`;
console.log(`${set.length} worlds, ${bound} of each, ${workers} at a time`);
console.log(
  `${column('states', 10)} ${column('transitions', 12)} ${column('depth', 6)} ${column('seconds', 8)}  world`,
);
await Promise.all(Array.from({ length: workers }, work));
console.log(
  `${column(sum.worlds, 10)} ${column(sum.moves, 12)} ${column(sum.depth, 6)} ${seconds(sum.ms)}  ${sum.complete} of ${set.length} worlds gone through, ${sum.begun - sum.complete} in part, ${set.length - sum.begun} not at all, ${sum.findings} findings; ${((Date.now() - began) / 1000).toFixed(0)} s by the clock`,
);
const { unreached } = coverage;
console.log(
  `${coverage.reached} of ${coverage.all} states of the charts were reached${unreached.length > 0 ? '; not these:' : ''}`,
);
for (const id of unreached) console.log(`  ${id}`);
if (sum.findings > 0) process.exitCode = 1;
