/**
 * Lives through mutants in a process of its own, which may hang or die of one: `main` starts another then. It is told which
 * mutant and stage, and answers whether that killed it.
 */
import { register } from 'node:module';
import type { AnyStateMachine } from 'xstate';
import { charts } from '../../machines/index.ts';
import { install, type Mutant, mutantsOf } from './mutants.ts';
import { control, type Stage } from './stages.ts';

export interface Order {
  readonly id: string;
  readonly stage: Stage;
}
export interface Verdict {
  readonly id: string;
  readonly why?: string;
}

register('./hooks.js', import.meta.url);
const { killer, prepare } = await import('./suite.ts');

const machines: Readonly<Record<string, AnyStateMachine>> = charts;

const known = new Map<string, ReadonlyMap<string, Mutant>>();
/** Made once for each chart: that takes longer than most mutants live. */
function mutantsById(chart: string): ReadonlyMap<string, Mutant> {
  const made = known.get(chart) ?? new Map(mutantsOf(machines[chart]!).map((mutant) => [mutant.id, mutant]));
  known.set(chart, made);
  return made;
}

/** Something that broke beside the test that is under way. */
let beside: string | undefined;
const note = (error: unknown) => {
  beside = error instanceof Error ? error.message : String(error);
};
process.on('uncaughtException', note);
process.on('unhandledRejection', note);
for (const quiet of ['warn', 'error', 'log'] as const) console[quiet] = () => {};

process.on('message', async ({ id, stage }: Order) => {
  const chart = id.slice(0, id.indexOf(' | '));
  const machine = machines[chart]!;
  let verdict: Verdict = { id };
  const mutant = mutantsById(chart).get(id);
  if (mutant === undefined && id !== control(chart)) throw new Error(`there is no mutant "${id}"`);
  await prepare(stage);
  beside = undefined;
  const restore = mutant === undefined ? () => {} : install(machine, mutant);
  try {
    const why = await killer(chart, mutant, stage);
    // XState throws what it cannot tell anybody a little later.
    await new Promise((resolve) => setTimeout(resolve, 1));
    const fault = why ?? (stage === 'chart tests' ? beside : undefined);
    if (fault !== undefined) verdict = { id, why: fault };
  } finally {
    restore();
    process.send!(verdict);
  }
});
process.send!({ id: 'ready' } satisfies Verdict);
