/**
 * npm run check:scenarios [-- --write] [--only TEXT]
 *
 * Plays every scenario, or those whose names have TEXT in them, and compares each with the transcript that is kept of it.
 * --write keeps what was played instead, of scenarios in which everything holds that must: look it over before you commit it.
 */
import { parseArgs } from 'node:util';
import { golden, goldenNames, parting, removeGolden, writeGolden } from './golden.ts';
import { scenarios } from './index.ts';
import { play } from './play.ts';

const { values } = parseArgs({
  options: { write: { type: 'boolean', default: false }, only: { type: 'string', default: '' } },
});
for (const quiet of ['warn', 'error'] as const) console[quiet] = () => {};
const began = performance.now();
let [played, faults, written] = [0, 0, 0];
for (const scenario of scenarios.filter(({ name }) => name.includes(values.only))) {
  played++;
  const { transcript, broken } = await play(scenario);
  const kept = golden(scenario.name);
  if (broken !== undefined) {
    faults++;
    console.log(`BROKEN ${scenario.name}: ${broken}`);
    if (values.only !== '') console.log(transcript);
  } else if (kept !== transcript) {
    if (values.write) {
      written++;
      writeGolden(scenario.name, transcript);
    } else {
      faults++;
      console.log(`${scenario.name} goes another way:\n${parting(kept ?? '', transcript)}`);
    }
  }
}
const known = new Set(scenarios.map(({ name }) => name));
for (const name of goldenNames().filter((one) => !known.has(one))) {
  if (values.write) removeGolden(name);
  else {
    faults++;
    console.log(`nobody plays ${name}`);
  }
}
console.log(
  `${played} scenarios, ${faults} faults, ${written} written; ${((performance.now() - began) / 1000).toFixed(1)} s`,
);
if (faults > 0) process.exitCode = 1;
