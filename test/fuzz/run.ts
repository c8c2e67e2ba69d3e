/**
 * Gives inputs to a target, one after the other, and looks at what comes of each: errors that are not ours, work without
 * end, memory beyond what it is worth, prototypes that have grown. What fails is made as short as it can be.
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

/** Why this input is a finding; undefined if it is none. `refused` is called when it was turned down as it should be. */
export async function judge(
  target: Target,
  input: Uint8Array,
  strays?: { take(): unknown },
  refused = () => {},
): Promise<string | undefined> {
  const before = held();
  const start = performance.now();
  try {
    const running = target.run(input.slice());
    if (running instanceof Promise) await running;
  } catch (error) {
    if (!(error instanceof SumacError)) return sentence(error);
    refused();
  }
  const took = performance.now() - start;
  const grown = held() - before;
  const stray = strays?.take();
  if (stray !== undefined) return `nobody caught: ${sentence(stray)}`;
  const { work = 2_000, memory = 32 * mebi } = target;
  if (took > work) return `took ${Math.round(took)} ms`;
  if (grown > memory + input.length * 64) return `took ${Math.round(grown / mebi)} MiB`;
  if (keysOf() !== clean) return 'a prototype has grown';
  return undefined;
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
  const tally: Tally = { target: target.name, inputs: 0, refused: 0, bytes: 0, findings: [] };
  const strays = new Strays();
  strays.start();
  const end = performance.now() + ms;
  try {
    for (let at = from; at < from + most && performance.now() < end && tally.findings.length < 5; at++) {
      beat?.(at);
      const input = target.generate(new Random(seedFor(seed, target.name, at)));
      tally.inputs++;
      tally.bytes += input.length;
      const what = await judge(target, input, strays, () => tally.refused++);
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
      const still = await judge(target, shorter, strays);
      if (still !== undefined && kind(still) === kind(what)) shortest = shorter;
      else at += piece;
    }
  }
  return shortest;
}
