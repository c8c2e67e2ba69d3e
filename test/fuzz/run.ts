/**
 * Gives inputs to a target, one after the other, and looks at what comes of each: errors that are not ours, more work than it
 * is worth (targets count their own; processor time is the last resort), memory beyond 32 MiB and 64 times its size, prototypes
 * that have grown. What fails is made as short as it can be; the slowest input of each target is told.
 */
import { SumacError } from '../../src/errors.ts';
import { Random, seedFor } from './random.ts';
import type { Target } from './target.ts';

export interface Finding {
  readonly target: string;
  readonly what: string;
  readonly input: Uint8Array;
  /** Which input of which seed it came from; -1 for one that was given. */
  readonly at: number;
}

export interface Tally {
  readonly target: string;
  inputs: number;
  /** Inputs that were refused with an error of ours. */
  refused: number;
  bytes: number;
  findings: Finding[];
  /** The input that took the most processor time, so far. */
  slowest: Slow;
}

export interface Slow {
  /** Milliseconds of processor time. */
  readonly ms: number;
  readonly at: number;
  readonly bytes: number;
}

const mebi = 1024 * 1024;

/** Errors that nobody was there to catch. */
class Strays {
  private readonly seen: unknown[] = [];
  private readonly note = (error: unknown) => {
    this.seen.push(error);
  };

  start(): void {
    process.on('uncaughtException', this.note);
    process.on('unhandledRejection', this.note);
  }

  stop(): void {
    process.off('uncaughtException', this.note);
    process.off('unhandledRejection', this.note);
  }

  take(): unknown {
    return this.seen.shift();
  }
}

const prototypes = [Object.prototype, Array.prototype, Function.prototype, Map.prototype, Uint8Array.prototype];
const keysOf = () => prototypes.map((prototype) => Reflect.ownKeys(prototype).length).join();
const clean = keysOf();

const held = () => {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
};

const sentence = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? `${error.name}: ${error.message}`) : String(error);

/** Milliseconds of processor time since some start: what others do on this machine does not count. */
const processor = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
};

/** An input that was slow once is given again: collecting and compiling are nobody's fault. */
const confirmations = 2;

export interface Judged {
  /** Why this input is a finding; undefined if it is none. */
  readonly what: string | undefined;
  readonly refused: boolean;
  /** Milliseconds of processor time, at best of a few times if it was much. */
  readonly ms: number;
}

/** Gives an input to a target and looks at what comes of it. */
export async function judge(target: Target, input: Uint8Array, strays?: { take(): unknown }): Promise<Judged> {
  const { work = 500, memory = 32 * mebi } = target;
  let ms = Number.POSITIVE_INFINITY;
  let refused = false;
  const found = (what: string): Judged => ({ what, refused, ms: 0 });
  for (let left = confirmations; left >= 0 && ms > work; left--) {
    const before = held();
    const start = process.cpuUsage();
    try {
      const running = target.run(input.slice());
      if (running instanceof Promise) await running;
    } catch (error) {
      if (!(error instanceof SumacError)) return found(sentence(error));
      refused = true;
    }
    ms = Math.min(ms, processor(start));
    const grown = held() - before;
    const stray = strays?.take();
    if (stray !== undefined) return found(`nobody caught: ${sentence(stray)}`);
    if (grown > memory + input.length * 64) return found(`took ${Math.round(grown / mebi)} MiB`);
    if (keysOf() !== clean) return found('a prototype has grown');
  }
  return { what: ms > work ? `took ${Math.round(ms)} ms of a processor` : undefined, refused, ms };
}

export interface FuzzOptions {
  readonly seed: number;
  /** Milliseconds; or as many inputs, whichever is over first. */
  readonly ms: number;
  readonly most?: number;
  /** The first input's number. */
  readonly from?: number;
  /** Told before each input, for whoever watches for one that never ends. */
  readonly beat?: (at: number) => void;
}

export async function fuzz(target: Target, options: FuzzOptions): Promise<Tally> {
  const { seed, ms, most = Number.POSITIVE_INFINITY, from = 0, beat } = options;
  const tally: Tally = {
    target: target.name,
    inputs: 0,
    refused: 0,
    bytes: 0,
    findings: [],
    slowest: { ms: 0, at: -1, bytes: 0 },
  };
  const strays = new Strays();
  strays.start();
  const end = performance.now() + ms;
  try {
    for (let at = from; at < from + most && performance.now() < end && tally.findings.length < 5; at++) {
      beat?.(at);
      const input = target.generate(new Random(seedFor(seed, target.name, at)));
      tally.inputs++;
      tally.bytes += input.length;
      const { what, refused, ms } = await judge(target, input, strays);
      if (refused) tally.refused++;
      if (ms > tally.slowest.ms) tally.slowest = { ms, at, bytes: input.length };
      if (what !== undefined) {
        const shortest = await shorten(target, input, what, strays);
        tally.findings.push({ target: target.name, what, input: shortest, at });
      }
      // Timers and sockets get their turn.
      if ((at & 63) === 63) await new Promise((resolve) => setImmediate(resolve));
    }
    const left = await Promise.resolve(target.check?.()).then(
      () => undefined,
      (error: unknown) => sentence(error),
    );
    if (left !== undefined) tally.findings.push({ target: target.name, what: left, input: new Uint8Array(), at: -1 });
  } finally {
    strays.stop();
  }
  return tally;
}

/** The shortest input, of those that are easy to find, of which the same is wrong. */
async function shorten(
  target: Target,
  input: Uint8Array,
  what: string,
  strays: { take(): unknown },
): Promise<Uint8Array> {
  const kind = (text: string) => text.split('\n')[0]!.replace(/\d+/g, '#');
  let shortest = input;
  let tries = 300;
  for (let piece = input.length >> 1; piece > 0 && tries > 0; piece >>= 1) {
    for (let at = 0; at + piece <= shortest.length && tries-- > 0; ) {
      const shorter = new Uint8Array(shortest.length - piece);
      shorter.set(shortest.subarray(0, at));
      shorter.set(shortest.subarray(at + piece), at);
      const { what: still } = await judge(target, shorter, strays);
      if (still !== undefined && kind(still) === kind(what)) shortest = shorter;
      else at += piece;
    }
  }
  return shortest;
}
