/** What the memory pair can do beyond the contract: time, cuts, stalls. No test here waits for real time. */

import { expect, test } from 'vitest';
import { memoryPair } from '../../src/transport/memory.ts';
import { closingPatience } from '../../src/transport/pipe.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { bytes, Reader } from './contract.ts';

test('takes exactly its latency each way', async () => {
  const clock = new VirtualClock();
  const { left, right } = memoryPair({ clock, latencyMs: 40 });
  const there = new Reader(right);
  let answered: number | undefined;
  left.take({
    onChunk: () => {
      answered = clock.now();
    },
    onClosed: () => {},
  });
  left.write(bytes('ping'));
  expect(left.pending).toBe(4);
  await clock.advance(39);
  expect([there.text, left.pending]).toEqual(['', 4]);
  await clock.advance(1);
  expect([there.text, left.pending]).toEqual(['ping', 0]);
  right.write(bytes('pong'));
  await clock.advance(100);
  expect(answered).toBe(80);
});

test('keeps order under jitter', async () => {
  const clock = new VirtualClock();
  const delays = [50, 0, 30, 0];
  const { left, right } = memoryPair({ clock, latencyMs: 10, jitter: () => delays.shift() ?? 0 });
  const there = new Reader(right);
  for (const text of ['a', 'b', 'c', 'd']) left.write(bytes(text));
  await clock.advance(59);
  expect(there.text).toBe('');
  await clock.advance(1);
  expect(there.chunks.map((chunk) => chunk.length)).toEqual([1, 1, 1, 1]);
  expect(there.text).toBe('abcd');
});

test('needs no time without latency, whatever the clock', async () => {
  const clock = new VirtualClock();
  const { left, right } = memoryPair({ clock });
  const there = new Reader(right);
  left.write(bytes('at once'));
  expect(there.text).toBe('');
  await clock.settle();
  expect(there.text).toBe('at once');
  expect(clock.waiting).toBe(0);
});

test('delivers byte by byte when told to', async () => {
  const clock = new VirtualClock();
  const { left, right } = memoryPair({ clock, chunkBytes: 1 });
  const there = new Reader(right);
  left.write(bytes('REDQ'));
  await clock.settle();
  expect(there.chunks.map((chunk) => chunk.length)).toEqual([1, 1, 1, 1]);
});

test('scribbles over a chunk once its handler has returned', async () => {
  const clock = new VirtualClock();
  const { left, right } = memoryPair({ clock });
  const kept: Uint8Array[] = [];
  right.take({ onChunk: (chunk) => kept.push(chunk), onClosed: () => {} });
  const own = bytes('mine');
  left.write(own);
  await clock.settle();
  expect([...kept[0]!]).toEqual([0xdb, 0xdb, 0xdb, 0xdb]);
  expect(own).toEqual(bytes('mine'));
});

test('cuts both ends with an error, and what is under way is lost', async () => {
  const clock = new VirtualClock();
  const { left, right, cut } = memoryPair({ clock, latencyMs: 10 });
  const here = new Reader(left);
  const there = new Reader(right);
  left.write(bytes('lost'));
  right.write(bytes('lost'));
  const error = new Error('The cable was pulled');
  cut(error);
  expect([here.closed, there.closed]).toEqual([0, 0]);
  await clock.advance(100);
  expect([here.error, there.error]).toEqual([error, error]);
  expect([here.closed, there.closed, here.bytes, there.bytes]).toEqual([1, 1, 0, 0]);
  expect([left.pending, right.pending, clock.waiting]).toEqual([0, 0, 0]);
});

test('tells a paused reader of a cut, and drops what was kept for it', async () => {
  const clock = new VirtualClock();
  const { left, right, cut } = memoryPair({ clock });
  const here = new Reader(left);
  const there = new Reader(right);
  right.pause();
  left.write(bytes('kept'));
  await clock.settle();
  cut();
  await clock.settle();
  expect([there.closed, there.bytes, here.closed]).toEqual([1, 0, 1]);
  expect(there.error).toMatchObject({ code: 'transport.lost' });
  right.resume();
  await clock.settle();
  expect([there.closed, there.bytes]).toEqual([1, 0]);
});

test('stalls: nothing arrives, not even the end, until it flows again', async () => {
  const clock = new VirtualClock();
  const { left, right, stall, flow } = memoryPair({ clock, latencyMs: 5 });
  new Reader(left);
  const there = new Reader(right);
  left.write(bytes('before '));
  await clock.advance(5);
  left.write(bytes('under way '));
  stall();
  left.write(bytes('after'));
  await clock.advance(60_000);
  expect(there.text).toBe('before ');
  expect(left.pending).toBe(15);
  flow();
  await clock.settle();
  expect(there.text).toBe('before under way after');
});

test('cuts off a peer that takes nothing while the pipe closes', async () => {
  const clock = new VirtualClock();
  const { left, right, stall } = memoryPair({ clock });
  const here = new Reader(left);
  new Reader(right);
  stall();
  left.write(bytes('never arrives'));
  left.close();
  await clock.advance(closingPatience - 1);
  expect(here.closed).toBe(0);
  await clock.advance(1);
  expect(here.closed).toBe(1);
  expect(here.error).toMatchObject({ code: 'transport.stalled' });
  expect(clock.waiting).toBe(0);
});

test('waits as long as it takes for a peer that is only slow', async () => {
  const clock = new VirtualClock();
  const { left, right } = memoryPair({ clock, chunkBytes: 1 });
  const here = new Reader(left);
  let got = 0;
  let closed = false;
  right.take({
    onChunk: () => {
      got++;
      right.pause();
      clock.setTimeout(() => right.resume(), closingPatience - 1);
    },
    onClosed: (error) => {
      closed = error === undefined;
    },
  });
  left.write(new Uint8Array(20));
  left.close();
  await clock.until(() => here.closed === 1, 30 * closingPatience);
  expect([got, closed, here.error]).toEqual([20, true, undefined]);
});

test('leaves no timer behind when both ends close at once', async () => {
  const clock = new VirtualClock();
  const { left, right } = memoryPair({ clock, latencyMs: 7 });
  const here = new Reader(left);
  const there = new Reader(right);
  left.write(bytes('x'));
  left.close();
  right.close();
  await clock.advance(7);
  expect([here.closed, here.error, there.closed, there.error]).toEqual([1, undefined, 1, undefined]);
  expect(clock.waiting).toBe(0);
});

test('forgets what was under way to an end that has aborted', async () => {
  const clock = new VirtualClock();
  const { left, right } = memoryPair({ clock, latencyMs: 10 });
  const here = new Reader(left);
  const there = new Reader(right);
  right.write(new Uint8Array(100));
  left.abort();
  await clock.settle();
  expect([here.closed, here.error]).toEqual([1, undefined]);
  expect(right.pending).toBe(0);
  await clock.advance(10);
  expect(there.error).toMatchObject({ code: 'transport.lost' });
  expect(clock.waiting).toBe(0);
});
