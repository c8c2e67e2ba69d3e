/**
 * What a mutant has to live through, the cheapest first: the tests of its own chart, hand-overs of real hosts in virtual time,
 * and the small worlds of the model checker. The test that asks whether every part of a chart was touched is left out: it
 * looks at how a chart is built, not at what it does.
 */
import type { AnyStateMachine } from 'xstate';
import { charts } from '../../machines/index.ts';
// These are read by their names; naming them here has them compiled.
import type {} from '../machines/cursor/client.test.ts';
import type {} from '../machines/cursor/server.test.ts';
import type {} from '../machines/display/client.test.ts';
import type {} from '../machines/display/server.test.ts';
import type {} from '../machines/inputs/client.test.ts';
import type {} from '../machines/inputs/server.test.ts';
import type {} from '../machines/link/client.test.ts';
import type {} from '../machines/link/server.test.ts';
import type {} from '../machines/main/client.test.ts';
import type {} from '../machines/main/server.test.ts';
import type {} from '../machines/migration/client.test.ts';
import type {} from '../machines/migration/handshake.test.ts';
import type {} from '../machines/migration/hypervisor.test.ts';
import type {} from '../machines/migration/source.test.ts';
import type {} from '../machines/migration/target.test.ts';
import type {} from '../machines/playback/client.test.ts';
import type {} from '../machines/playback/server.test.ts';
import type {} from '../machines/record/client.test.ts';
import type {} from '../machines/record/server.test.ts';
import type {} from '../machines/session/client.test.ts';
import type {} from '../machines/session/server.test.ts';
import type {} from '../machines/supervisor.test.ts';
import { type Charts, freshCharts } from '../model/alphabet.ts';
import { explore } from '../model/explore.ts';
import type { Scenario } from '../model/scenario.ts';
import { worlds } from '../model/worlds.ts';
import { soak } from '../soak/soak.ts';
import { collected } from './collect.ts';
import type { Mutant } from './mutants.ts';
import type { Stage } from './stages.ts';

const machines: readonly AnyStateMachine[] = Object.values(charts);
const structural = /nothing of the chart is left untested/;

let imports = 0;

/** Why the chart's own tests do not hold, or undefined if they do. Test files begin stories as they are read, so they are read anew. */
async function chartTests(chart: string): Promise<string | undefined> {
  const file = new URL(`../machines/${chart}.test.js?${++imports}`, import.meta.url).href;
  collected();
  try {
    await import(file);
  } catch (error) {
    collected();
    return `cannot be read: ${messageOf(error)}`;
  }
  for (const { name, body } of collected()) {
    if (structural.test(name)) continue;
    try {
      await body();
    } catch (error) {
      return `${name}: ${messageOf(error)}`;
    }
  }
  return undefined;
}

async function handOvers(): Promise<string | undefined> {
  for (const options of [
    { seed: 1, followers: 1, handovers: 30 },
    { seed: 2, followers: 1, handovers: 30 },
    { seed: 4, followers: 4, handovers: 20 },
  ]) {
    try {
      const { samples } = await soak(options);
      const held = new Set(samples.map(({ holdings }) => JSON.stringify(holdings)));
      if (held.size !== 1) return 'something is left behind';
    } catch (error) {
      return messageOf(error);
    }
  }
  return undefined;
}

/** Worlds of so many states as they are; with a mutant they may be larger, or without end. */
const mostStates = 4_000;
const mostWithMutant = 12_000;
const all: readonly Scenario[] = worlds({ long: false });

/** A world, how large it is, and the states of the charts that are come to in it: found out once, with the charts as they are. */
interface Known {
  readonly scenario: Scenario;
  readonly states: number;
  readonly visited: ReadonlySet<string>;
}

let found: readonly Known[] | undefined;
/** What all charts but the mutated one do is worked out once. */
let base: Charts | undefined;

function knownWorlds(): readonly Known[] {
  found ??= all
    .map((scenario) => {
      const fresh = freshCharts(machines);
      const { worlds: states, complete } = explore(scenario, fresh, { worlds: mostStates });
      return {
        scenario,
        states,
        complete,
        visited: new Set([...fresh.values()].flatMap((chart) => [...chart.visited()])),
      };
    })
    .filter(({ complete }) => complete)
    .sort((a, b) => a.states - b.states);
  return found;
}

/**
 * The worlds in which the state that was changed is come to, the smallest first: in all others nothing is different. A state
 * that is left in the step in which it is entered is come to wherever its chart runs, as far as anybody can say.
 */
function touching(chart: string, mutant: Mutant | undefined): readonly Scenario[] {
  const known = knownWorlds();
  const seen = mutant !== undefined && known.some(({ visited }) => visited.has(mutant.state)) ? mutant.state : chart;
  return known.filter(({ visited }) => mutant === undefined || visited.has(seen)).map(({ scenario }) => scenario);
}

function model(chart: string, mutant: Mutant | undefined): string | undefined {
  const wanted = touching(chart, mutant);
  base ??= freshCharts(machines);
  const mixed =
    mutant === undefined ? base : new Map([...base, ...freshCharts([machines.find(({ id }) => id === chart)!])]);
  for (const scenario of wanted) {
    try {
      const { findings } = explore(scenario, mixed, { worlds: mostWithMutant });
      if (findings.length > 0) return `${scenario.name}: ${findings[0]!.invariant}`;
    } catch (error) {
      return `${scenario.name}: ${messageOf(error)}`;
    }
  }
  return undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 200);

/** What a stage must know of the charts as they are, before any mutant is put in the place of one. */
export function prepare(stage: Stage): void {
  if (stage === 'model') knownWorlds();
}

/** Why this stage kills it, or undefined if it lives. */
export const killer = async (chart: string, mutant: Mutant | undefined, stage: Stage): Promise<string | undefined> =>
  stage === 'chart tests' ? chartTests(chart) : stage === 'hand-overs' ? handOvers() : model(chart, mutant);
