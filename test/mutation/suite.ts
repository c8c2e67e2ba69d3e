/**
 * What a mutant has to live through: scenarios of whole programs, the small worlds of the model checker, and the tests of its
 * own chart. The test that asks whether every part of a chart was touched is left out: it looks at how a chart is built, not
 * at what it does.
 */
import type { AnyStateMachine } from 'xstate';
import { charts } from '../../machines/index.ts';
import { chartsHaveChanged } from '../../src/engine/system.ts';
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
import { golden, parting } from '../scenarios/golden.ts';
import { scenarios } from '../scenarios/index.ts';
import { type Played, play, type Scenario as Tale } from '../scenarios/play.ts';
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

/** A scenario as it goes with the charts as they are. */
interface Known {
  readonly scenario: Tale;
  readonly played: Played;
  readonly ms: number;
  /** What was heard in each state. */
  readonly heard: ReadonlyMap<string, readonly string[]>;
}

let told: readonly Known[] | undefined;

async function knownScenarios(): Promise<readonly Known[]> {
  if (told !== undefined) return told;
  const all: Known[] = [];
  chartsHaveChanged();
  for (const scenario of scenarios) {
    const began = performance.now();
    const played = await play(scenario);
    all.push({ scenario, played, ms: performance.now() - began, heard: heardIn(played) });
  }
  return (told = all.sort((a, b) => a.ms - b.ms));
}

function heardIn({ visited }: Played): Map<string, string[]> {
  const heard = new Map<string, string[]>();
  for (const one of visited) {
    const at = one.indexOf(' on ');
    if (at < 0) continue;
    const [state, event] = [one.slice(0, at), one.slice(at + 4)];
    const events = heard.get(state);
    if (events === undefined) heard.set(state, [event]);
    else events.push(event);
  }
  return heard;
}

/** Events that charts raise for themselves, or hear before anybody looks: no step is seen to begin with one. */
const raised: ReadonlySet<string> = new Set(['api.close', 'plane.violation', 'api.resumed']);

/**
 * How the events begin at which alone the changed part matters; undefined where it matters as soon as its state is come to, and
 * where the event may be one that the chart raises.
 */
function eventOf({ id, mutation, chart }: Mutant): string | undefined {
  if (mutation === 'drop timer' || mutation === 'drop invoke') return undefined;
  const [, kind, name = ''] = / (on|after) "([^"]+)"/.exec(id) ?? [];
  if (kind === 'after') return `xstate.after.${name}`;
  if (kind === 'on')
    return raised.has(name) || (chart === 'session/client' && / up\./.test(id)) ? undefined : name.replace('*', '');
  const [, end] = / invokes ".*" (onDone|onError)/.exec(id) ?? [];
  return end === undefined ? undefined : `xstate.${end === 'onDone' ? 'done' : 'error'}.actor`;
}

/** Those in which the changed part is come to, the short ones first: in all others nothing is different. */
function touched(all: readonly Known[], chart: string, mutant: Mutant): readonly Known[] {
  const { state } = mutant;
  const event = eventOf(mutant);
  const here = all.filter(({ played }) => played.visited.has(state));
  // A state that is left in the step in which it is entered is not seen.
  if (here.length === 0 || / always/.test(mutant.id)) return all.filter(({ played }) => played.visited.has(chart));
  if (event === undefined) return here;
  return here.filter(({ heard }) => heard.get(state)?.some((one) => one.startsWith(event)) === true);
}

async function tales(chart: string, mutant: Mutant | undefined): Promise<string | undefined> {
  const all = await knownScenarios();
  if (mutant === undefined) {
    for (const { scenario, played } of all) {
      if (played.broken !== undefined) return `${scenario.name}: ${played.broken}`;
      const kept = golden(scenario.name) ?? '';
      if (played.transcript !== kept) return `${scenario.name}:\n${parting(kept, played.transcript)}`;
    }
    return undefined;
  }
  chartsHaveChanged();
  for (const { scenario, played } of touched(all, chart, mutant)) {
    const { transcript, broken } = await play(scenario, played.transcript);
    if (broken !== undefined) return `${scenario.name} breaks: ${broken}`;
    if (transcript !== played.transcript) return `${scenario.name} goes another way`;
  }
  return undefined;
}

/** Worlds of so many states as they are; with a mutant they may be larger, or without end. */
const mostStates = 600;
const mostWithMutant = 1_800;
/** With so many states of all worlds together it is given up on. */
const mostTogether = 12_000;
const all: readonly Scenario[] = worlds({ long: false });

/** A world, how large it is, and the states of the charts that are come to in it: found out once, with the charts as they are. */
interface KnownWorld {
  readonly scenario: Scenario;
  readonly states: number;
  readonly visited: ReadonlySet<string>;
}

let found: readonly KnownWorld[] | undefined;
/** What all charts but the mutated one do is worked out once. */
let base: Charts | undefined;

function knownWorlds(): readonly KnownWorld[] {
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
  let together = 0;
  for (const scenario of wanted) {
    if (together > mostTogether) break;
    try {
      const { findings, worlds: states } = explore(scenario, mixed, { worlds: mostWithMutant });
      together += states;
      if (findings.length > 0) return `${scenario.name}: ${findings[0]!.invariant}`;
    } catch (error) {
      return `${scenario.name}: ${messageOf(error)}`;
    }
  }
  return undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 200);

/** What a stage must know of the charts as they are, before any mutant is put in the place of one. */
export async function prepare(stage: Stage): Promise<void> {
  if (stage === 'model') knownWorlds();
  if (stage === 'scenarios') await knownScenarios();
}

/** Why this stage kills it, or undefined if it lives. */
export const killer = async (chart: string, mutant: Mutant | undefined, stage: Stage): Promise<string | undefined> =>
  stage === 'chart tests' ? chartTests(chart) : stage === 'scenarios' ? tales(chart, mutant) : model(chart, mutant);
