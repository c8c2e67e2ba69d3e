/**
 * npm run fuzz -- --minutes N [--target NAME] [--seed S] [--at I]
 *
 * Gives spoiled bytes to everything that takes bytes of strangers, by turns, and prints a line for each round. An input that
 * does what none may is printed in base64, and ends the run with 1; kept in regressions.ts it is a test from then on. `--at`
 * gives one input again. A thread watches the one that works, and tells which input it is that never ends.
 */
import { parseArgs } from 'node:util';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { fuzz, type Tally } from './run.ts';
import { targets } from './targets.ts';

interface Work {
  readonly wanted: string | undefined;
  readonly seed: number;
  readonly ms: number;
  readonly at: number | undefined;
  /** The target that works, the input that it works at, and how often that has changed. */
  readonly pulse: SharedArrayBuffer;
}

/** Milliseconds of a processor, and on the wall, that one input may take before it is taken for endless. */
const patience = { processor: 60_000, wall: 600_000 } as const;

async function work({ wanted, seed, ms, at, pulse }: Work): Promise<number> {
  const beats = new Int32Array(pulse);
  const all = await targets(wanted);
  if (all.length === 0) throw new Error(`nothing is called ${wanted}`);
  const tallies = new Map<string, Tally>();
  const end = performance.now() + ms;
  let failed = 0;
  // Each gets a little time, again and again, so that a short run has looked at everything.
  for (let round = 0; performance.now() < end && failed === 0; round++) {
    for (const [which, target] of all.entries()) {
      if (performance.now() >= end) break;
      const before = tallies.get(target.name);
      const turn = Math.min(end - performance.now(), 500 * 2 ** Math.min(round, 6));
      const tally = await fuzz(target, {
        seed,
        ms: at === undefined ? turn : 1e9,
        most: at === undefined ? Number.POSITIVE_INFINITY : 1,
        from: at ?? before?.inputs ?? 0,
        beat: (input) => {
          Atomics.store(beats, 0, which);
          Atomics.store(beats, 1, input);
          Atomics.add(beats, 2, 1);
        },
      });
      if (before !== undefined) {
        tally.inputs += before.inputs;
        tally.refused += before.refused;
        tally.bytes += before.bytes;
        if (before.slowest.ms > tally.slowest.ms) tally.slowest = before.slowest;
      }
      tallies.set(target.name, tally);
      for (const { what, input, at: from } of tally.findings) {
        failed++;
        console.log(
          `\n${target.name}: seed ${seed}, input ${from}: ${what}\n${Buffer.from(input).toString('base64')}\n`,
        );
      }
    }
    if (at !== undefined) break;
    console.log(`round ${round + 1}: ${[...tallies.values()].reduce((sum, { inputs }) => sum + inputs, 0)} inputs`);
  }
  console.log('');
  for (const { target, inputs, refused, bytes, findings, slowest } of tallies.values()) {
    const share = inputs === 0 ? 0 : Math.round((100 * refused) / inputs);
    const size = `${(bytes / 1e6).toFixed(1)} MB`.padStart(10);
    const slow = `, slowest ${slowest.ms.toFixed(0).padStart(4)} ms (input ${slowest.at}, ${slowest.bytes} bytes)`;
    console.log(
      `${target.padEnd(18)}${String(inputs).padStart(10)} inputs${size}${`${share} %`.padStart(6)} refused${slow}${findings.length ? `, ${findings.length} FOUND` : ''}`,
    );
  }
  for (const target of all) await target.close?.();
  return failed;
}

function watch(): void {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '1' },
      target: { type: 'string' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      at: { type: 'string' },
    },
  });
  const pulse = new SharedArrayBuffer(12);
  const beats = new Int32Array(pulse);
  const data: Work = {
    wanted: values.target,
    seed: Number(values.seed),
    ms: Number(values.minutes) * 60_000,
    at: values.at === undefined ? undefined : Number(values.at),
    pulse,
  };
  console.log(`seed ${data.seed}`);
  const worker = new Worker(new URL(import.meta.url), {
    workerData: data,
    resourceLimits: { maxOldGenerationSizeMb: 2_048 },
  });
  const spent = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  let last = { count: -1, at: Date.now(), spent: spent() };
  const timer = setInterval(() => {
    const count = Atomics.load(beats, 2);
    const endless = spent() - last.spent > patience.processor || Date.now() - last.at > patience.wall;
    if (count !== last.count) last = { count, at: Date.now(), spent: spent() };
    else if (count > 0 && endless) {
      console.log(
        `target number ${Atomics.load(beats, 0)} does not end with input ${Atomics.load(beats, 1)} of seed ${data.seed}`,
      );
      process.exit(1);
    }
  }, 1_000);
  worker.on('message', (failed: number) => {
    process.exitCode = failed > 0 ? 1 : 0;
  });
  worker.on('error', (error) => {
    console.log(
      `seed ${data.seed}, input ${Atomics.load(beats, 1)} of target number ${Atomics.load(beats, 0)}:`,
      error,
    );
    process.exitCode = 1;
  });
  worker.on('exit', () => clearInterval(timer));
}

if (isMainThread) watch();
else {
  const { parentPort } = await import('node:worker_threads');
  const failed = await work(workerData as Work);
  parentPort!.postMessage(failed);
  // Ports and timers of a target that was closed in the middle must not keep it.
  setTimeout(() => process.exit(), 500);
}
