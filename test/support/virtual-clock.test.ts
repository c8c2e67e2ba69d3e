/** The clock of the tests, with XState and without. */

import { expect, test } from 'vitest';
import { createActor, createMachine, fromPromise } from 'xstate';
import { VirtualClock } from './virtual-clock.ts';

test('runs timers in the order of their times, then in the order they were set', async () => {
  const clock = new VirtualClock(1000);
  const said: string[] = [];
  const say = (what: string, ms: number) => clock.setTimeout(() => said.push(`${what}@${clock.now()}`), ms);
  say('late', 20);
  say('first', 10);
  say('second', 10);
  const gone = say('gone', 5);
  clock.clearTimeout(gone);
  say('now', 0);
  say('nonsense', Number.NaN);
  clock.setTimeout(() => say('nested', 3), 10);
  expect(said).toEqual([]);
  await clock.advance(19);
  expect(said).toEqual(['now@1000', 'nonsense@1000', 'first@1010', 'second@1010', 'nested@1013']);
  expect([clock.now(), clock.waiting]).toEqual([1019, 1]);
  await clock.advance(1);
  expect(said.at(-1)).toBe('late@1020');
});

test('lets promises settle between two timers', async () => {
  const clock = new VirtualClock();
  const said: string[] = [];
  const sleep = (ms: number) => new Promise<void>((resolve) => clock.setTimeout(resolve, ms));
  const walk = async () => {
    for (let i = 0; i < 3; i++) {
      await sleep(10);
      for (let j = 0; j < 20; j++) await null;
      said.push(`${i}@${clock.now()}`);
    }
  };
  void walk();
  await clock.advance(30);
  expect(said).toEqual(['0@10', '1@20', '2@30']);
});

test('goes on until something is so, and says so when it never is', async () => {
  const clock = new VirtualClock();
  let ticks = 0;
  const tick = () => {
    ticks++;
    clock.setTimeout(tick, 100);
  };
  tick();
  expect(await clock.until(() => ticks === 5)).toBe(400);
  await expect(clock.until(() => ticks < 0, 1000)).rejects.toThrow(/Not so within 1000 ms/);
});

test('is a clock for XState', async () => {
  const clock = new VirtualClock();
  const machine = createMachine({
    initial: 'dialling',
    states: {
      dialling: {
        invoke: {
          src: fromPromise(() => new Promise<void>((resolve) => clock.setTimeout(resolve, 3_000))),
          onDone: 'waiting',
        },
        after: { 10000: 'lost' },
      },
      waiting: { after: { 10000: 'lost' } },
      lost: { type: 'final' },
    },
  });
  const actor = createActor(machine, { clock }).start();
  await clock.advance(2_999);
  expect(actor.getSnapshot().value).toBe('dialling');
  await clock.advance(1);
  expect(actor.getSnapshot().value).toBe('waiting');
  expect(await clock.until(() => actor.getSnapshot().value === 'lost')).toBe(13_000);
  expect(clock.waiting).toBe(0);
});
