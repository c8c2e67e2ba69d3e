/**
 * What src/transport/pipe.ts promises, as tests that every transport must pass. `open` joins two pipes anew for each test.
 * Nothing here knows which transport it holds; where a network cannot keep a promise, `network` says so by name.
 */

import { createHash } from 'node:crypto';
import { afterEach, describe, expect, test } from 'vitest';
import { highWater, type Pipe } from '../../src/transport/pipe.ts';

export interface Joined {
  readonly near: Pipe;
  readonly far: Pipe;
  dispose(): Promise<void> | void;
}

export interface Network {
  /** `near` is a browser's WebSocket: it cannot make its peer stop, nor take back what it has been given to send. */
  readonly nearIsBrowser?: boolean;
  /** A reader that keeps a chunk sees it change. */
  readonly reusesChunks?: boolean;
  /** It tells when an array that was written is its writer's again. */
  readonly saysTaken?: boolean;
}

/** Keeps all that a pipe delivers. */
export class Reader {
  readonly pipe: Pipe;
  readonly chunks: Uint8Array[] = [];
  bytes = 0;
  drained = 0;
  closed = 0;
  error: Error | undefined;

  constructor(pipe: Pipe, unread?: Uint8Array) {
    this.pipe = pipe;
    pipe.take(
      {
        onChunk: (chunk) => {
          if (this.closed > 0) throw new Error('A chunk after the end');
          this.chunks.push(chunk.slice());
          this.bytes += chunk.length;
        },
        onClosed: (error) => {
          this.closed++;
          this.error = error;
        },
        onDrained: () => {
          this.drained++;
        },
      },
      unread,
    );
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }
}

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

/** Waits until `done()`, in real time; fails by name after five seconds. */
export async function until(done: () => boolean, what: string, limitMs = 5_000): Promise<void> {
  const end = performance.now() + limitMs;
  while (!done()) {
    if (performance.now() > end) throw new Error(`Waited ${limitMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

export const pauseMs = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export function pipeContract(name: string, open: () => Promise<Joined>, network: Network = {}): void {
  describe(name, () => {
    let joined: Joined | undefined;
    const join = async () => {
      joined = await open();
      return joined;
    };
    afterEach(async () => {
      joined?.near.abort();
      joined?.far.abort();
      await joined?.dispose();
      joined = undefined;
    });

    test('carries bytes both ways, in order, as plain arrays', async () => {
      const { near, far } = await join();
      const left = new Reader(near);
      const right = new Reader(far);
      for (let i = 0; i < 1000; i++) {
        near.write(bytes(`${i},`));
        far.write(bytes(`${-i};`));
      }
      const all = Array.from({ length: 1000 }, (_, i) => i);
      const there = all.map((i) => `${i},`).join('');
      const back = all.map((i) => `${-i};`).join('');
      await until(() => right.bytes >= there.length && left.bytes >= back.length, 'all of both ways');
      expect(right.text).toBe(there);
      expect(left.text).toBe(back);
      for (const chunk of [...left.chunks, ...right.chunks]) {
        expect(chunk.length).toBeGreaterThan(0);
        // A Buffer's slice would not copy.
        expect(Object.getPrototypeOf(chunk)).toBe(Uint8Array.prototype);
      }
      expect(near.peer).not.toBe('');
      expect(near.secure).toBe(far.secure);
    });

    test('hands out plain arrays, which may be used again afterwards', async () => {
      const { near, far } = await join();
      const kept: Uint8Array[] = [];
      let copied = '';
      near.take({
        onChunk: (chunk) => {
          expect(Object.getPrototypeOf(chunk)).toBe(Uint8Array.prototype);
          kept.push(chunk);
          copied += Buffer.from(chunk).toString('latin1');
        },
        onClosed: () => {},
      });
      far.write(bytes('first'));
      await until(() => copied === 'first', 'the first chunk');
      far.write(bytes('other'));
      await until(() => copied === 'firstother', 'the second chunk');
      if (network.reusesChunks) expect(Buffer.from(kept[0]!).toString('latin1')).not.toBe('first');
    });

    test('writes nothing for an empty array', async () => {
      const { near, far } = await join();
      const right = new Reader(far);
      new Reader(near);
      near.write(new Uint8Array(0));
      near.write(bytes('x'));
      await until(() => right.bytes === 1, 'one byte');
      expect(right.chunks).toHaveLength(1);
    });

    test('keeps what came before anybody took it, and delivers nothing inside take', async () => {
      const { near, far } = await join();
      new Reader(near);
      near.write(bytes('early '));
      await pauseMs(20);
      near.write(bytes('bird'));
      await pauseMs(20);
      const right = new Reader(far);
      expect(right.bytes).toBe(0);
      await until(() => right.bytes === 10, 'the early bytes');
      expect(right.text).toBe('early bird');
    });

    test('tells one that takes it late that it was closed, after what came before', async () => {
      const { near, far } = await join();
      new Reader(near);
      near.write(bytes('last words'));
      near.close();
      await pauseMs(30);
      const right = new Reader(far);
      await until(() => right.closed === 1, 'the end');
      expect(right.text).toBe('last words');
      expect(right.error).toBeUndefined();
      const later = new Reader(far);
      await until(() => later.closed === 1, 'the end, told again');
      expect(later.bytes).toBe(0);
      expect(right.closed).toBe(1);
    });

    test('is taken over with nothing lost between', async () => {
      const { near, far } = await join();
      new Reader(near);
      const total = 2000;
      const heard: [taker: number, text: string][] = [];
      let takers = 0;
      let closed = 0;
      const take = () => {
        const taker = takers++;
        far.take({
          onChunk: (chunk) => {
            expect(taker).toBe(takers - 1);
            heard.push([taker, Buffer.from(chunk).toString('latin1')]);
            // Every chunk is the last of its taker.
            take();
          },
          onClosed: () => {
            expect(taker).toBe(takers - 1);
            closed++;
          },
        });
      };
      take();
      let sent = '';
      for (let i = 0; i < total; i++) {
        near.write(bytes(`${i} `));
        sent += `${i} `;
        if (i % 100 === 0) await pauseMs(0);
      }
      near.close();
      await until(() => closed === 1, 'the end');
      expect(heard.map(([, text]) => text).join('')).toBe(sent);
      expect(takers).toBe(heard.length + 1);
      expect(takers).toBeGreaterThan(5);
    });

    test('gives a new taker what the earlier one had no use for, first', async () => {
      const { near, far } = await join();
      new Reader(near);
      let right: Reader | undefined;
      far.take({
        onChunk: (chunk) => {
          right = new Reader(far, chunk.subarray(4));
          expect(right.bytes).toBe(0);
        },
        onClosed: () => {},
      });
      near.write(bytes('linkchannel '));
      await pauseMs(10);
      near.write(bytes('more'));
      await until(() => right?.bytes === 12, 'both');
      expect(right?.text).toBe('channel more');
    });

    test('forgets the pause of an earlier taker', async () => {
      const { near, far } = await join();
      new Reader(near);
      const first = new Reader(far);
      far.pause();
      near.write(bytes('hello'));
      await pauseMs(20);
      expect(first.bytes).toBe(0);
      const second = new Reader(far);
      await until(() => second.bytes === 5, 'the bytes after the pause');
      expect(first.bytes).toBe(0);
    });

    test('delivers all that was written before close, and says goodbye once on both sides', async () => {
      const { near, far } = await join();
      const left = new Reader(near);
      const right = new Reader(far);
      const big = new Uint8Array(5_000_000).map((_, i) => i * 7);
      near.write(bytes('head'));
      near.write(big.slice());
      near.write(bytes('tail'));
      near.close();
      near.close();
      near.write(bytes('too late'));
      expect(left.closed).toBe(0);
      await until(() => left.closed > 0 && right.closed > 0, 'the end on both sides');
      await pauseMs(20);
      expect([left.closed, left.error, right.closed, right.error]).toEqual([1, undefined, 1, undefined]);
      expect(right.bytes).toBe(big.length + 8);
      const all = Buffer.concat(right.chunks);
      expect(all.subarray(0, 4).toString()).toBe('head');
      expect(all.subarray(4, -4).equals(big)).toBe(true);
      expect(all.subarray(-4).toString()).toBe('tail');
      expect([near.pending, far.pending]).toEqual([0, 0]);
    });

    test('delivers a goodbye although the peer is still talking', async () => {
      // A socket that is closed over unread bytes is reset, and a reset destroys what was sent last.
      const { near, far } = await join();
      const left = new Reader(near);
      const right = new Reader(far);
      far.pause();
      near.pause();
      far.write(new Uint8Array(300_000));
      await pauseMs(20);
      near.write(bytes('go away'));
      near.close();
      await pauseMs(20);
      expect(right.bytes).toBe(0);
      far.resume();
      await until(() => right.closed === 1 && left.closed === 1, 'the end');
      expect(right.text).toBe('go away');
      expect(right.error).toBeUndefined();
      if (!network.nearIsBrowser) expect(left.bytes).toBe(0);
    });

    test('delivers no chunk after close, not even one that is waiting', async () => {
      const { near, far } = await join();
      const right = new Reader(far);
      let seen = 0;
      let closed = 0;
      near.take({
        onChunk: () => {
          seen++;
          near.close();
        },
        onClosed: () => {
          closed++;
        },
      });
      far.write(bytes('one'));
      await until(() => seen === 1, 'the first chunk');
      far.write(bytes('two'));
      await until(() => closed === 1 && right.closed === 1, 'the end');
      expect(seen).toBe(1);
    });

    test('drops what is queued on abort, and tells both sides', async () => {
      const { near, far } = await join();
      const left = new Reader(near);
      const right = new Reader(far);
      far.pause();
      const big = 64 * 1024 * 1024;
      near.write(new Uint8Array(big));
      await pauseMs(10);
      near.abort();
      near.abort();
      near.close();
      near.write(bytes('too late'));
      expect(left.closed).toBe(0);
      await until(() => left.closed === 1, 'the end here');
      expect(left.error).toBeUndefined();
      expect(near.pending).toBe(0);
      far.resume();
      await until(() => right.closed === 1, 'the end there');
      if (!network.nearIsBrowser) expect(right.bytes).toBeLessThan(big);
      await pauseMs(10);
      expect([left.closed, right.closed]).toEqual([1, 1]);
    });

    test('may be ended, paused and taken from inside any handler', async () => {
      const { near, far } = await join();
      const right = new Reader(far);
      const said: string[] = [];
      near.take({
        onChunk: () => {
          said.push('chunk');
          near.pause();
          near.write(bytes('pong'));
          near.close();
          near.abort();
        },
        onClosed: () => {
          said.push('closed');
          near.resume();
          near.write(bytes('nobody'));
          near.close();
        },
      });
      far.write(bytes('ping'));
      await until(() => said.includes('closed') && right.closed === 1, 'the end');
      expect(said).toEqual(['chunk', 'closed']);
    });

    test('lets a writer feel a reader that pauses, and tells it when all has gone', async () => {
      const { near, far } = await join();
      const left = new Reader(near);
      const right = new Reader(far);
      far.pause();
      const piece = 256 * 1024;
      let written = 0;
      // Until the network itself takes no more.
      while (near.pending <= highWater && written < 128 * 1024 * 1024) {
        near.write(new Uint8Array(piece).fill(1));
        written += piece;
        await pauseMs(1);
      }
      expect(near.pending).toBeGreaterThan(highWater);
      await pauseMs(30);
      expect(near.pending).toBeGreaterThan(highWater);
      expect(right.bytes).toBe(0);
      expect(left.drained).toBe(0);
      far.resume();
      await until(() => left.drained === 1, 'onDrained');
      expect(near.pending).toBe(0);
      await until(() => right.bytes === written, 'all bytes');
      near.write(bytes('small'));
      await until(() => right.bytes === written + 5, 'a small write');
      await pauseMs(10);
      expect(left.drained).toBe(1);
      near.write(new Uint8Array(2 * highWater));
      const raised = near.pending > highWater;
      await until(() => right.bytes === written + 5 + 2 * highWater && near.pending === 0, 'all of a big write');
      await pauseMs(70);
      expect(left.drained).toBe(raised ? 2 : 1);
    });

    test('needs an array no more that it calls taken: who writes into it changes nothing', async () => {
      const { near, far } = await join();
      new Reader(near);
      const right = new Reader(far);
      const [pieces, size] = [64, 64 * 1024];
      let taken = 0;
      far.pause();
      for (let i = 0; i < pieces; i++) {
        const piece = new Uint8Array(size).fill(i);
        near.write(piece, () => {
          piece.fill(0xff);
          taken++;
        });
        await pauseMs(0);
      }
      expect(taken).toBeLessThanOrEqual(pieces);
      far.resume();
      await until(() => right.bytes === pieces * size, 'all pieces');
      const all = Buffer.concat(right.chunks);
      for (let i = 0; i < pieces; i++)
        expect(all.subarray(i * size, (i + 1) * size).every((byte) => byte === i)).toBe(true);
      if (network.saysTaken) await until(() => taken === pieces, 'each is called taken once');
      else expect(taken).toBe(0);
    });

    if (network.saysTaken) {
      test.each(['near', 'far'] as const)('gives every array back when it is no more, by its %s end', async (which) => {
        const { near, far } = await join();
        const left = new Reader(near);
        new Reader(far);
        far.pause();
        expect(near.returns).toBe(true);
        let taken = 0;
        for (let i = 0; i < 64; i++) near.write(new Uint8Array(256 * 1024), () => taken++);
        await pauseMs(20);
        expect(taken).toBeLessThan(64);
        (which === 'near' ? near : far).abort();
        await until(() => left.closed === 1 && taken === 64, 'all arrays');
        near.write(new Uint8Array(10), () => taken++);
        expect(taken).toBe(65);
      });
    }

    // A browser reads on; what it may keep is tested with the WebSockets.
    if (!network.nearIsBrowser) {
      test('reads no further than its high-water mark while nobody takes it', async () => {
        const { near, far } = await join();
        const right = new Reader(far);
        far.write(new Uint8Array(64 * highWater));
        await pauseMs(100);
        // The rest is in the network's own buffers, or still at the writer.
        expect(far.pending).toBeGreaterThan(32 * highWater);
        const left = new Reader(near);
        await until(() => left.bytes === 64 * highWater, 'all bytes');
        await until(() => right.drained === 1, 'onDrained');
      });
    }

    test('pauses in the middle of a stream and loses nothing', async () => {
      const { near, far } = await join();
      new Reader(near);
      let paused = false;
      let count = 0;
      let pauses = 0;
      const hash = createHash('sha256');
      far.take({
        onChunk: (chunk) => {
          expect(paused).toBe(false);
          hash.update(chunk);
          count += chunk.length;
          if (pauses < 40) {
            pauses++;
            paused = true;
            far.pause();
            setTimeout(() => {
              paused = false;
              far.resume();
            }, 1);
          }
        },
        onClosed: () => {},
      });
      const expected = createHash('sha256');
      for (let i = 0; i < 200; i++) {
        const piece = new Uint8Array(10_000 + i).map((_, j) => i * 31 + j);
        expected.update(piece);
        near.write(piece);
        if (i % 10 === 0) await pauseMs(0);
      }
      const total = 200 * 10_000 + (199 * 200) / 2;
      await until(() => count === total, 'all bytes');
      expect(hash.digest('hex')).toBe(expected.digest('hex'));
      expect(pauses).toBeGreaterThan(5);
    });

    test('carries 50 MB under back-pressure, both ways at once', { timeout: 60_000 }, async () => {
      const { near, far } = await join();
      const total = 50_000_000;
      const block = new Uint8Array(1_000_003);
      let seed = 1;
      for (let i = 0; i < block.length; i++) {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        block[i] = seed >>> 24;
      }
      let most = 0;
      const run = (from: Pipe) => {
        const sent = createHash('sha256');
        const got = createHash('sha256');
        let left = total;
        let bytesIn = 0;
        const pour = () => {
          while (left > 0 && from.pending <= highWater) {
            const size = Math.min(left, 1 + ((left * 7919) % block.length));
            const piece = block.slice(0, size);
            sent.update(piece);
            left -= size;
            from.write(piece);
          }
          most = Math.max(most, from.pending);
        };
        from.take({
          onChunk: (chunk) => {
            got.update(chunk);
            bytesIn += chunk.length;
          },
          onClosed: () => {},
          onDrained: pour,
        });
        return { pour, sent: () => sent.digest('hex'), got: () => got.digest('hex'), bytesIn: () => bytesIn };
      };
      const left = run(near);
      const right = run(far);
      left.pour();
      right.pour();
      await until(() => left.bytesIn() === total && right.bytesIn() === total, '50 MB both ways', 50_000);
      expect(right.got()).toBe(left.sent());
      expect(left.got()).toBe(right.sent());
      expect(most).toBeLessThan(highWater + block.length + 65_536);
    });
  });
}
