/** The half of a pipe that all transports share, over a network that the test plays itself and that reads on when told to stop. */

import { expect, test } from 'vitest';
import { PipeEnd } from '../../src/transport/end.ts';
import { VirtualClock } from '../support/virtual-clock.ts';
import { bytes, Reader } from './contract.ts';

class PlayedEnd extends PipeEnd {
  readonly calls: string[] = [];
  readonly scratch = new Uint8Array(64);

  readonly time: VirtualClock;

  constructor() {
    const time = new VirtualClock();
    super({ peer: 'play', secure: false, clock: time });
    this.time = time;
  }

  protected override queued(): number {
    return 0;
  }
  protected override send(): void {}
  protected override read(on: boolean): void {
    this.calls.push(on ? 'read' : 'stop');
  }
  protected override finish(): void {
    this.calls.push('finish');
  }
  protected override destroy(): void {
    this.calls.push('destroy');
    this.ended();
  }
  /** A chunk in the one buffer that is used for all. */
  hear(text: string): void {
    const chunk = this.scratch.subarray(0, text.length);
    chunk.set(bytes(text));
    this.arrived(chunk);
    chunk.fill(0);
  }
  end(error?: Error): void {
    this.ended(error);
  }
  give(error: Error): void {
    this.fail(error);
  }
}

test('copies what it keeps, and lets nothing overtake it', async () => {
  const pipe = new PlayedEnd();
  pipe.hear('one ');
  const reader = new Reader(pipe);
  pipe.hear('two ');
  await pipe.time.settle();
  pipe.pause();
  pipe.hear('three ');
  pipe.resume();
  pipe.hear('four ');
  expect(reader.text).toBe('one two ');
  await pipe.time.settle();
  pipe.hear('five');
  expect(reader.text).toBe('one two three four five');
});

test('tells the network to read only while somebody wants to, and only when that changes', async () => {
  const pipe = new PlayedEnd();
  pipe.pause();
  pipe.resume();
  expect(pipe.calls).toEqual([]);
  new Reader(pipe);
  new Reader(pipe);
  pipe.resume();
  expect(pipe.calls).toEqual(['read']);
  pipe.pause();
  pipe.pause();
  pipe.hear('kept');
  pipe.resume();
  // Not before what is kept has been delivered.
  expect(pipe.calls).toEqual(['read', 'stop']);
  await pipe.time.settle();
  expect(pipe.calls).toEqual(['read', 'stop', 'read']);
  pipe.pause();
  pipe.close();
  expect(pipe.calls).toEqual(['read', 'stop', 'read', 'stop', 'finish', 'read']);
});

test('puts what an earlier taker gives back before what has been kept', async () => {
  const pipe = new PlayedEnd();
  pipe.hear('link|channel ');
  pipe.hear('data');
  let second: Reader | undefined;
  pipe.take({
    onChunk: (chunk) => {
      second = new Reader(pipe, chunk.subarray(5));
    },
    onClosed: () => {},
  });
  await pipe.time.settle();
  expect(second?.text).toBe('channel data');
});

test('goes on with what is kept when a handler throws', async () => {
  const pipe = new PlayedEnd();
  pipe.hear('bad ');
  pipe.hear('good');
  let text = '';
  const faults: unknown[] = [];
  const onFault = (error: unknown) => faults.push(error);
  // The test runner would take it for a fault of the test.
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException').on('uncaughtException', onFault);
  pipe.take({
    onChunk: (chunk) => {
      text += Buffer.from(chunk).toString();
      if (text === 'bad ') throw new Error('a fault of the taker');
    },
    onClosed: () => {},
  });
  await pipe.time.settle();
  process.off('uncaughtException', onFault);
  for (const listener of listeners) process.on('uncaughtException', listener);
  expect(text).toBe('bad good');
  expect(faults).toMatchObject([{ message: 'a fault of the taker' }]);
});

test('keeps a plain end back until a paused reader has read, but not an error', async () => {
  const plain = new PlayedEnd();
  const patient = new Reader(plain);
  plain.pause();
  plain.hear('rest');
  plain.end();
  await plain.time.settle();
  expect([patient.bytes, patient.closed]).toEqual([0, 0]);
  plain.resume();
  await plain.time.settle();
  expect([patient.text, patient.closed, patient.error]).toEqual(['rest', 1, undefined]);

  const broken = new PlayedEnd();
  const reader = new Reader(broken);
  broken.pause();
  broken.hear('rest');
  const error = new Error('broken');
  broken.end(error);
  await broken.time.settle();
  expect([reader.bytes, reader.closed, reader.error]).toEqual([0, 1, error]);

  const untaken = new PlayedEnd();
  untaken.hear('rest');
  untaken.end(error);
  await untaken.time.settle();
  const late = new Reader(untaken);
  await untaken.time.settle();
  expect([late.text, late.closed, late.error]).toEqual(['rest', 1, error]);
});

test('tells each taker of the end once, whatever happens afterwards', async () => {
  const pipe = new PlayedEnd();
  const first = new Reader(pipe);
  pipe.end();
  pipe.end(new Error('too late'));
  pipe.give(new Error('too late'));
  await pipe.time.settle();
  pipe.pause();
  pipe.resume();
  pipe.close();
  pipe.abort();
  pipe.hear('too late');
  await pipe.time.settle();
  const second = new Reader(pipe);
  await pipe.time.settle();
  expect([first.closed, first.error, second.closed, second.error]).toEqual([1, undefined, 1, undefined]);
  expect([first.bytes, second.bytes]).toEqual([0, 0]);
  expect(pipe.calls).toEqual(['read']);
});

test('tells the end once when it is taken over on the last chunk before it', async () => {
  const pipe = new PlayedEnd();
  pipe.hear('last');
  pipe.end();
  let second: Reader | undefined;
  pipe.take({
    onChunk: (chunk) => {
      second = new Reader(pipe, chunk.subarray(2));
    },
    onClosed: () => {},
  });
  await pipe.time.settle();
  expect([second?.text, second?.closed]).toEqual(['st', 1]);
});

test('an abort is no error, also when the network complains of it', async () => {
  const pipe = new PlayedEnd();
  const reader = new Reader(pipe);
  pipe.close();
  pipe.abort();
  pipe.give(new Error('of no interest'));
  await pipe.time.settle();
  expect([reader.closed, reader.error]).toEqual([1, undefined]);
  expect([pipe.calls, pipe.time.waiting]).toEqual([['read', 'finish', 'destroy'], 0]);
});
