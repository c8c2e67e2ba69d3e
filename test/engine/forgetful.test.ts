/** A chart that has seen very many children end holds on to nothing of them. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { type AnyStateMachine, createActor, createMachine } from 'xstate';
import { forgetful } from '../../src/engine/forgetful.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const states = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, i) => [
      `region ${i}`,
      { initial: 'here', states: { here: { on: { there: 'over' } }, over: {} } },
    ]),
  );

const parent = (counted: { ends: number }) =>
  createMachine({
    type: 'parallel',
    states: states(4),
    on: {
      'xstate.done.actor.*': {
        actions: () => {
          counted.ends++;
        },
      },
    },
  });

/** Bytes that are held for each of many children that have ended. */
function grown(make: (machine: AnyStateMachine) => AnyStateMachine) {
  const counted = { ends: 0 };
  const actor = createActor(make(parent(counted))).start();
  const many = (from: number, to: number) => {
    for (let i = from; i < to; i++) actor.send({ type: `xstate.done.actor.link:${i}` });
    collect();
    return process.memoryUsage().heapUsed;
  };
  const early = many(0, 2_000);
  const bytes = many(2_000, 22_000) - early;
  actor.send({ type: 'there' });
  return { bytes: bytes / 20_000, ends: counted.ends, value: actor.getSnapshot().value };
}

it('and takes the same steps as a chart of XState alone, which grows by half a kilobyte', () => {
  const alone = grown((machine) => machine);
  const ours = grown(forgetful);
  expect(ours.ends).toBe(22_000);
  expect(ours.value).toEqual(alone.value);
  expect(ours.value).toHaveProperty('region 3', 'over');
  expect(ours.bytes).toBeLessThan(50);
  // When this fails, XState does it by itself, and all of this can go.
  expect(alone.bytes).toBeGreaterThan(200);
});
