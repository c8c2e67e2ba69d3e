/** Hand-overs in which somebody dies, at whatever record, and what must be true of each when all is over. */
import { expect, it } from 'vitest';
import type { Scheme } from '../../machines/contract.ts';
import { Replayer } from '../../src/engine/replay.ts';
import { verify } from '../../src/engine/verify.ts';
import { type Name, parties, ResumeWorld, type ResumeWorldOptions } from './resume-world.ts';

const every: readonly Scheme[] = ['seamless', 'early-link', 'semi-seamless', 'switch-host'];

export interface Story extends Omit<ResumeWorldOptions, 'death'> {
  readonly happen: (world: ResumeWorld) => Promise<void>;
}

const target = { host: 'target', port: 1 };
const channels = ['main:0', 'display:0', 'inputs:0'];

const isUp = ({ client }: ResumeWorld): boolean =>
  client !== undefined && channels.every((channel) => client.channels.has(channel));

const begin = async (world: ResumeWorld): Promise<void> => {
  await world.begin();
  await world.wait(() => isUp(world), 5_000);
  world.client?.requestMouseMode(2);
  world.press();
};

const move = (scheme: Scheme, completed: boolean) => async (world: ResumeWorld) => {
  await begin(world);
  await world.at('source', (server) => server.migrateConnect(target, { scheme }));
  if (scheme !== 'switch-host') await world.wait(() => world.heard('linked') || world.heard('failed'), 12_000);
  world.press();
  if (completed) {
    await world.at('target', (server) => server.guestArrived());
    world.guest = 'target';
  }
  await world.at('source', (server) => server.migrateEnd(completed));
  await world.wait(() => world.heard(completed ? 'switched' : 'cancelled'), 12_000);
};

export const stories: Readonly<Record<string, Story>> = {
  ...Object.fromEntries(
    every.map((scheme) => [
      scheme,
      { schemes: scheme === 'switch-host' ? [scheme] : every, happen: move(scheme, true) },
    ]),
  ),
  cancelled: { schemes: every, happen: move('seamless', false) },
  'refused, and sent there at the end': {
    schemes: ['seamless', 'semi-seamless', 'switch-host'],
    happen: async (world) => {
      await begin(world);
      world.refuses = 'target';
      await world.at('source', (server) => server.migrateConnect(target));
      await world.wait(() => world.heard('failed'), 12_000);
      world.refuses = undefined;
      await world.at('target', (server) => server.guestArrived());
      world.guest = 'target';
      await world.at('source', (server) => server.migrateEnd(true));
      await world.wait(() => world.heard('switched'), 12_000);
    },
  },
  'the target is cut off while it is linked': {
    schemes: every,
    happen: async (world) => {
      await begin(world);
      await world.at('source', (server) => server.migrateConnect(target, { scheme: 'seamless' }));
      await world.wait(() => world.heard('linked'), 12_000);
      world.cut('target');
      await world.wait(() => world.heard('failed'), 12_000);
      await world.at('source', (server) => server.migrateEnd(false));
    },
  },
};

/**
 * `it ended`: the client had no session yet when its source died, and is done; one that dies itself goes on linking. `it went to the target`: it lost the source on the way, and the
 * target is where the guest may be.
 */
export type Outcome = 'it went on' | 'it ended' | 'it went to the target';

/** One run; throws when something is not as it must be. */
export async function run(
  { happen, ...options }: Story,
  death?: { of: Name; at: number },
): Promise<{ world: ResumeWorld; outcome: Outcome }> {
  const world = new ResumeWorld({ ...options, ...(death === undefined ? {} : { death }) });
  await happen(world);
  await world.clock.advance(40_000);
  const { over, guest } = world;
  if (over !== undefined && (death?.of !== 'source' || world.news.some((one) => one.event === 'session'))) {
    throw new Error(`the session is over: ${over}`);
  }
  let outcome: Outcome = 'it ended';
  if (over === undefined) {
    await world.clock.until(() => isUp(world), 120_000);
    await world.clock.advance(1_000);
    if (world.shown !== world.colourOf(guest)) {
      // Who lost its source on the way looks for the guest there first, and then at the target.
      const lost = death?.of === 'source' && world.shown === world.colourOf('target') && world.heard('fell-back');
      if (!lost) throw new Error(`it shows ${world.shown?.toString(16)}, not ${guest}`);
      world.guest = 'target';
      outcome = 'it went to the target';
    }
    if (!(await types(world))) throw new Error(`no key arrives at ${world.guest}`);
    if (outcome === 'it ended') outcome = 'it went on';
  }
  once(world);
  // Of the others, their own tests tell.
  const whose = death === undefined ? parties : [death.of];
  for (const name of whose) asTheFoldSays(world, name);
  const left = await world.end();
  if (Object.values(left).some((count) => count > 0)) throw new Error(`there is left: ${JSON.stringify(left)}`);
  for (const name of whose) {
    const { mismatch } = verify(world.recordsOf(name));
    if (mismatch !== undefined) throw new Error(`the journal of ${name} does not hold: ${JSON.stringify(mismatch)}`);
  }
  const fault = world.log.find((line) => /fault of ours|chart failed| failed: /.test(line));
  if (fault !== undefined) throw new Error(fault);
  return { world, outcome };
}

/** Whether a key arrives where the client is; who dies of one is given another. */
async function types(world: ResumeWorld): Promise<boolean> {
  for (let tries = 0; tries < 2; tries++) {
    const wasAlive = !world.died;
    const key = world.press();
    await world.clock.advance(1_000);
    if (world.keys.some((one) => one.host === world.guest && one.key === key)) return true;
    if (!wasAlive || !world.died) return false;
    await world.clock.until(() => isUp(world), 120_000);
  }
  return false;
}

/** Nothing that must be sent once is sent twice. */
function once(world: ResumeWorld): void {
  const keys = world.keys.map(({ key }) => key);
  if (new Set(keys).size < keys.length) throw new Error(`a key came twice: ${keys}`);
  for (const event of ['migrate_connect_complete', 'migrate_end_complete', 'arrived'] as const) {
    const told = world.told.filter((one) => one.event.event === event);
    if (told.length > (event === 'arrived' ? 2 : 1)) throw new Error(`${told.length} times ${event}`);
  }
}

/** Each chart that runs is where the fold of its journal says. */
function asTheFoldSays(world: ResumeWorld, name: Name): void {
  const replayer = new Replayer();
  for (const record of world.recordsOf(name)) replayer.take(record);
  const system = name === 'client' ? world.client?.system : world.server(name)?.system;
  const live = system === undefined ? new Map<string, any>() : system.snapshots();
  const folded = replayer.actors.filter((actor) => replayer.snapshotOf(actor).status === 'active');
  if (folded.length !== live.size) throw new Error(`${name}: ${[...live.keys()]} run, and ${folded} should`);
  for (const [actor, snapshot] of live) {
    const there = JSON.stringify(snapshot.value);
    const said = JSON.stringify(replayer.snapshotOf(actor)?.value);
    if (there !== said) throw new Error(`${actor} is ${there}, and its fold ${said}`);
  }
}

/** Lets somebody die at each record of a story, one after the other, and tells what came of it. */
async function everyPoint(
  name: string,
): Promise<{ points: number; outcomes: Record<string, number>; wrong: string[] }> {
  const story = stories[name]!;
  const { world: whole } = await run(story);
  const outcomes: Record<string, number> = {};
  const wrong: string[] = [];
  let points = 0;
  for (const of of parties) {
    const records = whole.recordsOf(of).length;
    for (let at = 1; at <= records; at++) {
      points++;
      try {
        const { world, outcome } = await run(story, { of, at });
        const how = world.died ? outcome : 'nobody died';
        outcomes[how] = (outcomes[how] ?? 0) + 1;
      } catch (error) {
        wrong.push(`${of} at ${at}: ${(error as Error).message}`);
      }
    }
  }
  console.log(`${name}: ${points} places to die, ${JSON.stringify(outcomes)}`);
  return { points, outcomes, wrong };
}

/** Somebody dies at each record of these hand-overs, one after the other, and is taken up again: all of them, none left out. */
export function dieEverywhere(names: readonly string[]): void {
  it.each(names)(
    'a program that dies at any record is taken up again: %s',
    async (name) => {
      const { points, outcomes, wrong } = await everyPoint(name);
      expect(wrong).toEqual([]);
      expect(points).toBeGreaterThan(400);
      // At the very end of all, when everything is being closed, nobody is left to notice.
      expect(outcomes['nobody died'] ?? 0).toBeLessThan(40);
      expect(outcomes['it went on']).toBeGreaterThan(points / 2);
    },
    900_000,
  );
}
