/** What is fuzzed: a door that takes bytes of a stranger. */
import type { Random } from './random.ts';

export interface Target {
  readonly name: string;
  /** Makes an input: often nearly right, now and then anything. */
  generate(random: Random): Uint8Array;
  /** Gives an input to the code. Throws SumacError where that refuses it, and nothing else. */
  run(input: Uint8Array): void | Promise<void>;
  /** Throws when something has gone wrong that no single input shows: something is left over, nobody answers. */
  check?(): void | Promise<void>;
  close?(): void | Promise<void>;
  /** Bytes of memory that an input may cost besides 64 times its own size. Default 32 MiB. */
  readonly memory?: number;
  /** Milliseconds of a processor that an input may cost, at best of three times. Default 500. */
  readonly work?: number;
}

export type Open = () => Promise<Target> | Target;

/** Something that is wrong, found by a target itself. */
export class Found extends Error {}

export function demand(truth: boolean, what: string): asserts truth {
  if (!truth) throw new Found(what);
}

/**
 * Work of charts, counted: what an input may make them do. A unit is an input of a chart, a command of one, or a kilobyte that
 * is sent; every input may cost so many, and further ones for each byte of it.
 */
export const workBudget = { units: 2_000, perByte: 2 } as const;
