/** A short run of the fuzzer: each door for a moment, and all that has failed once. `npm run fuzz` takes longer. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Random } from './random.ts';
import { regressions } from './regressions.ts';
import { fuzz, judge } from './run.ts';
import type { Target } from './target.ts';
import { familyNames, targets } from './targets.ts';

/** Milliseconds for all of them together. */
const budget = 20_000;
const seed = 1;

describe.each(familyNames)('%s', (family) => {
  let all: Target[];
  beforeAll(async () => {
    all = await targets(family);
  }, 30_000);
  afterAll(async () => {
    for (const target of all) await target.close?.();
  });

  it('end with errors of ours and nothing else', async () => {
    for (const target of all) {
      const { inputs, findings } = await fuzz(target, { seed, ms: budget / familyNames.length / all.length });
      expect(
        findings.map(({ what, at, input }) => ({ what, at, input: Buffer.from(input).toString('base64') })),
      ).toEqual([]);
      expect(inputs).toBeGreaterThan(0);
    }
  }, 60_000);

  it('take what has failed once', async () => {
    for (const { target: name, was, input } of regressions) {
      const target = all.find((one) => one.name === name);
      if (target === undefined) continue;
      const { what } = await judge(target, new Uint8Array(Buffer.from(input, 'base64')));
      expect({ was, now: what }).toEqual({
        was,
        now: undefined,
      });
    }
  }, 60_000);

  it('make the same inputs of the same seed', () => {
    for (const target of all) {
      expect(target.generate(new Random(77))).toEqual(target.generate(new Random(77)));
    }
  });
});

it('finds what is wrong', async () => {
  const broken: Target = {
    name: 'broken',
    generate: (random) => random.bytes(20),
    run(input) {
      if (input.includes(7)) throw new TypeError('seven');
    },
  };
  const { findings } = await fuzz(broken, { seed, ms: 1_000, most: 2_000 });
  expect(findings).toHaveLength(5);
  for (const { input, what } of findings) {
    expect([...input]).toEqual([7]);
    expect(what).toContain('seven');
  }
  const greedy: Target = {
    name: 'greedy',
    memory: 1024 * 1024,
    generate: () => new Uint8Array(1),
    run: () => void kept.push(new Uint8Array(9e6)),
  };
  const kept: Uint8Array[] = [];
  expect((await fuzz(greedy, { seed, ms: 1_000, most: 3 })).findings[0]!.what).toContain('MiB');
  const slow: Target = {
    name: 'slow',
    work: 5,
    generate: () => new Uint8Array(1),
    run() {
      const start = process.cpuUsage();
      while (process.cpuUsage(start).user < 20_000);
    },
  };
  expect((await fuzz(slow, { seed, ms: 1_000, most: 1 })).findings[0]!.what).toMatch(/took \d+ ms of a processor/);
  let times = 0;
  const slowOnce: Target = { ...slow, run: () => (times++ === 0 ? slow.run(new Uint8Array()) : undefined) };
  expect((await fuzz(slowOnce, { seed, ms: 1_000, most: 1 })).findings).toEqual([]);
});
