/** When a channel reads on: waiting for others as often as it is told to, and taking a breath; never both forgotten, never twice. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Deframer, frame } from '../../src/engine/deframe.ts';
import { cost, Pace } from '../../src/engine/pace.ts';
import type { System, Waiter } from '../../src/engine/system.ts';
import { memoryPair } from '../../src/transport/memory.ts';
import { join } from '../support/raw-wire.ts';
import { VirtualClock } from '../support/virtual-clock.ts';

const cursor = { type: 4, id: 0 };
const display = { type: 2, id: 0 };

let clock: VirtualClock;
let progress: Map<string, number>;
let waiters: Set<Waiter>;
let handled: number[];
let faults: unknown[];
let gone: number;

/** As System.lookAtWaiters. */
const look = async () => {
  for (const waiter of [...waiters]) {
    if (!waiter.satisfied()) continue;
    waiters.delete(waiter);
    queueMicrotask(() => waiter.go());
  }
  await clock.settle();
};

/** Reads messages whose number is what becomes of them: below 100 they are control messages. */
function reader(onNumber: (number: number, pace: Pace) => void) {
  const pair = memoryPair({ clock });
  const pace = new Pace(
    { clock, progress, waiters } as unknown as System,
    (error) => faults.push(error),
    () => gone++,
  );
  const deframer = new Deframer(true, 100, (number) => {
    handled.push(number);
    onNumber(number, pace);
  });
  pace.begin({ deframer, pipe: pair.right });
  pair.right.take({ onChunk: (chunk) => deframer.push(chunk), onClosed: () => {} });
  const say = async (...numbers: number[]) => {
    pair.left.write(join(...numbers.map((number) => frame(true, 0, number, new Uint8Array()))));
    await clock.settle();
  };
  return { pace, say, pair };
}

beforeEach(() => {
  clock = new VirtualClock();
  progress = new Map([
    ['cursor:0', 0],
    ['display:0', 0],
  ]);
  waiters = new Set();
  handled = [];
  faults = [];
  gone = 0;
});

describe('waiting for other channels', () => {
  it('ends when they have come far enough, and only then', async () => {
    const { say } = reader((number, pace) => {
      if (number === 5) pace.waitFor([{ ...cursor, serial: 7n }]);
    });
    await say(1, 5, 2, 3);
    expect(handled).toEqual([1, 5]);
    progress.set('cursor:0', 6);
    await look();
    expect(handled).toEqual([1, 5]);
    progress.set('cursor:0', 7);
    await look();
    expect(handled).toEqual([1, 5, 2, 3]);
    expect(gone).toBe(1);
    expect(waiters.size).toBe(0);
  });

  it('does not begin for a channel that is there already, or not at all', async () => {
    progress.set('cursor:0', 9);
    const { say } = reader((number, pace) => {
      if (number === 5)
        pace.waitFor([
          { ...cursor, serial: 9n },
          { type: 77, id: 1, serial: 2n ** 64n - 1n },
        ]);
    });
    await say(5, 2);
    expect(handled).toEqual([5, 2]);
  });

  it('is one wait, however often it is asked for', async () => {
    const { say, pace } = reader(() => {});
    for (let serial = 1; serial <= 1_000; serial++) {
      pace.waitFor([
        { ...cursor, serial: BigInt(serial) },
        { ...display, serial: 1n },
      ]);
    }
    expect(waiters.size).toBe(1);
    await say(1);
    progress.set('cursor:0', 1_000);
    await look();
    expect(handled).toEqual([]);
    progress.set('display:0', 1);
    await look();
    expect(handled).toEqual([1]);
  });

  it('stops the network too, also when one wait follows another', async () => {
    let serial = 0n;
    const { say, pair } = reader((number, pace) => {
      if (number === 5) pace.waitFor([{ ...cursor, serial: ++serial }]);
    });
    await say(5, 5, 1);
    progress.set('cursor:0', 1);
    await look();
    expect(handled).toEqual([5, 5]);
    pair.left.write(new Uint8Array(3_000_000));
    await clock.settle();
    // It stays where it is: nothing piles up behind the second wait.
    expect(pair.left.pending).toBeGreaterThan(1_000_000);
  });

  it('tells of a fault in what came meanwhile', async () => {
    const { say } = reader((number, pace) => {
      if (number === 5) pace.waitFor([{ ...cursor, serial: 1n }]);
      if (number === 66) throw new Error('66');
    });
    await say(5, 1, 66, 2);
    progress.set('cursor:0', 1);
    await look();
    expect(faults).toEqual([new Error('66')]);
    expect(handled).toEqual([5, 1, 66]);
  });

  it('is forgotten with the pipe', async () => {
    const { pace, say } = reader(() => {});
    pace.waitFor([{ ...cursor, serial: 1n }]);
    await say(1);
    pace.begin(undefined);
    expect(waiters.size).toBe(0);
    progress.set('cursor:0', 1);
    await look();
    expect(handled).toEqual([]);
    expect(clock.waiting).toBe(0);
  });
});

describe('taking a breath', () => {
  const control = (number: number, pace: Pace) => {
    pace.count(number < 100 ? cost.control : cost.data);
  };

  it('bounds what a peer makes the charts do, and loses nothing', async () => {
    const { say } = reader(control);
    await say(...Array.from({ length: 1_000 }, () => 1));
    expect(handled.length).toBeLessThanOrEqual(201);
    await clock.advance(1_000);
    expect(handled.length).toBeLessThanOrEqual(720);
    await clock.advance(1_000);
    expect(handled).toHaveLength(1_000);
    expect(clock.waiting).toBe(0);
  });

  it('is not taken by anybody who behaves', async () => {
    const { say } = reader(control);
    for (let second = 0; second < 20; second++) {
      await say(...Array.from({ length: 100 }, () => 1));
      expect(handled).toHaveLength((second + 1) * 100);
      await clock.advance(1_000);
    }
  });

  it('is taken for data when there are twenty times as many', async () => {
    const { say } = reader(control);
    await say(...Array.from({ length: 4_000 }, () => 101));
    expect(handled).toHaveLength(4_000);
    await say(...Array.from({ length: 10_000 }, () => 101));
    expect(handled).toHaveLength(4_001);
    await clock.advance(500);
    expect(handled.length).toBeLessThan(9_400);
    await clock.advance(1_000);
    expect(handled).toHaveLength(14_000);
  });

  it('ends with the pipe', async () => {
    const { say, pace } = reader(control);
    await say(...Array.from({ length: 300 }, () => 1));
    pace.begin(undefined);
    expect(clock.waiting).toBe(0);
  });
});
