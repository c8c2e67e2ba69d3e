/**
 * A checker that cannot fail is no checker: for each thing that must hold, a mistake in a chart by which it does not, and a
 * world in which that comes to light. The mistakes are mutants by their names (test/mutation), so that no chart is built for this.
 */
import { expect, test } from 'vitest';
import { charts as all, type ChartName } from '../../machines/index.ts';
import { install, type Mutant, mutantsOf } from '../mutation/mutants.ts';
import { freshCharts } from './alphabet.ts';
import { explore } from './explore.ts';
import { always, becauseOf, inTheEnd } from './invariants.ts';
import type { Scenario } from './scenario.ts';
import { worlds } from './worlds.ts';

/** No mistake of a chart, but a network that lets messages overtake each other. */
const disorder = 'disorder';
/** A client that begins to settle again as soon as it has: no mutant goes round in a circle and keeps no count. */
const restless = 'session/client | restless';
const livelock = 'everything comes to rest';

/** What must hold, the mistake by which it does not, and the world that shows it. */
const mistakes: Readonly<Record<string, readonly [mutant: string, world: string]>> = {
  'honest peers never offend': [
    'record/client | retarget | flow.flowing on "msg.migrate" [1] to "handing over"',
    'seamless: record data',
  ],
  'no chart breaks': ['session/client | drop invoke | up.following invokes "migration"', 'semi-seamless: two displays'],
  'one server at a time': [
    'session/client | drop action | up.following invokes "migration" onDone [0]: "live at the target"',
    'semi-seamless: two displays',
  ],
  'no answer is taken for another attempt’s': [
    'migration/source | drop transition | awaiting the answer on "msgc.migrate_connected" [0]',
    'semi-seamless: retarget',
  ],
  'completed only when the client has left': [
    'supervisor | drop guard | move.letting clients go always if "every session has departed"',
    'semi-seamless: two displays',
  ],
  'an unproven link reaches nothing': [
    'link/server | drop guard | linking.checking ticket invokes "check ticket" onDone [0] if "ticket is good"',
    'semi-seamless: expired',
  ],
  'a guest runs at one host at a time': [
    'migration/hypervisor | drop transition | active.committed on "xstate.error.actor.*"',
    'switch-host: led by its hypervisor, line cut',
  ],
  'a guest runs where it is': [
    'migration/hypervisor | drop action | active.moving on "move.stopped": "remember that it stands"',
    'switch-host: led by its hypervisor, line cut',
  ],
  'nothing is doubled or reordered': [disorder, 'seamless: record data'],
  'the session is not lost': [
    'migration/source | drop guard | announcing always [0] if "guest has gone"',
    'seamless: the target declines',
  ],
  'every channel is up where the client is': [
    'migration/target | drop transition | parked on "target.park"',
    'seamless: the target declines',
  ],
  'nothing waits for ever': [
    'migration/target | drop transition | parked on "target.park"',
    'seamless: the target declines',
  ],
  'nothing is left behind': [
    'migration/target | drop transition | parked on "target.park"',
    'seamless: the target declines',
  ],
  'a seamless move loses nothing': [
    'record/server | retarget | flow.flowing on "migration.move" [0] to "collecting"',
    'seamless: record data',
  ],
  'the best scheme is used': [
    'migration/source | drop guard | announcing always [0] if "guest has gone"',
    'seamless: the target declines',
  ],
  'every hand-over is told to its end': [
    'migration/client | retarget | preparing on "link.failed" to "stayed"',
    'semi-seamless: refused',
  ],
  [livelock]: [restless, 'semi-seamless: two displays'],
};

function restlessClient(): Mutant {
  const { config } = all['session/client'] as { config: any };
  const { up } = config.states;
  const { staying } = up.states;
  const settled = { after: { 'settling time': 'settling' } };
  const states = { ...staying.states, settled };
  const restlessUp = { ...up, states: { ...up.states, staying: { ...staying, states } } };
  const changed = { ...config, states: { ...config.states, up: restlessUp } };
  return { ...mutantsOf(all['session/client'])[0]!, id: restless, config: changed };
}

/** What comes to light of a mistake. */
function found(id: string, world: string): readonly string[] {
  const scenario = worlds({ long: false }).find(({ name }) => name === world)!;
  const look = (more: Partial<Scenario> = {}) =>
    explore({ ...scenario, ...more }, freshCharts(Object.values(all)), { worlds: 30_000, findings: 20 }).findings.map(
      ({ invariant }) => invariant,
    );
  if (id === disorder) return look({ disorder: true });
  const chart = all[id.slice(0, id.indexOf(' | ')) as ChartName];
  const mutants = id === restless ? [restlessClient()] : mutantsOf(chart);
  const undo = install(chart, mutants.find((mutant) => mutant.id === id)!);
  try {
    return look();
  } finally {
    undo();
  }
}

test('each says where it comes from, and has a mistake by which it does not hold', () => {
  const names = [...always, ...inTheEnd].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect([...names, livelock].sort()).toEqual(Object.keys(mistakes).sort());
  for (const name of [...names, livelock]) expect(becauseOf(name), name).toMatch(/^(spec §|our own promise)/);
});

test.each(Object.entries(mistakes))('%s: or it comes to light', { timeout: 60_000 }, (invariant, [id, world]) => {
  expect(found(id, world)).toContain(invariant);
});
