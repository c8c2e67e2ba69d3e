/**
 * Stands in for vitest where chart tests are run in one process, over and over: it collects what a test file declares. Only
 * what those files use is there. `expect` is vitest's own.
 */
import { expect, vi } from 'vitest';

export { expect, vi };

type Body = () => unknown;

export interface Collected {
  readonly name: string;
  readonly body: Body;
}

let tests: Collected[] = [];
let prefix = '';

/** What the files that were imported since the last call declare. */
export function collected(): Collected[] {
  const all = tests;
  tests = [];
  prefix = '';
  return all;
}

const declare = (name: string, body: Body): void => {
  tests.push({ name: `${prefix}${name}`, body });
};

/** Each case is an argument, or a list of them. */
const each =
  (run: (name: string, body: Body) => void) =>
  (cases: readonly unknown[]) =>
  (name: string, body: (...args: any[]) => unknown): void => {
    cases.forEach((one, index) => {
      run(`${name} [${index}]`, () => (Array.isArray(one) ? body(...one) : body(one)));
    });
  };

const group = (name: string, body: Body): void => {
  const outer = prefix;
  prefix = `${outer}${name} > `;
  try {
    body();
  } finally {
    prefix = outer;
  }
};

export const test = Object.assign(declare, { each: each(declare) });
export const it = test;
export const describe = Object.assign(group, { each: each(group) });
