/**
 * npm run soak -- --handovers N [--clients N] [--seed S]
 *
 * Hands a client over again and again, with every scheme, on a network that delays, breaks and restarts things; in a time of
 * its own. Ends with 1, and the story of the move, as soon as something is not as it must be.
 */
import { parseArgs } from 'node:util';
import { soak } from './soak.ts';

const { values } = parseArgs({
  options: {
    handovers: { type: 'string', default: '2000' },
    clients: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
const handovers = Number(values.handovers);
const collect = (globalThis as { gc?: () => void }).gc;
const start = performance.now();
console.log(`seed ${values.seed}`);

try {
  const report = await soak({
    handovers,
    followers: Number(values.clients),
    seed: Number(values.seed),
    heap: () => {
      collect?.();
      return process.memoryUsage().heapUsed;
    },
    onMove: (done) => {
      if (done % 100 === 0) console.log(`${done} moves, ${((performance.now() - start) / 1000).toFixed(0)} s`);
    },
  });
  const [early, late] = report.heap.map((bytes) => `${(bytes / 1e6).toFixed(1)} MB`);
  console.log(
    `${report.moves} moves in ${report.hours.toFixed(1)} hours of their time: ${report.arrived} went through`,
  );
  for (const [fault, count] of Object.entries(report.byFault)) console.log(`  ${String(count).padStart(5)}  ${fault}`);
  console.log('the client went over by');
  for (const [scheme, count] of Object.entries(report.byScheme))
    console.log(`  ${String(count).padStart(5)}  ${scheme}`);
  console.log(
    `heap ${early} early, ${late} late; early ${JSON.stringify(report.holdings[0])}, late ${JSON.stringify(report.holdings[1])}`,
  );
  const grown = JSON.stringify(report.holdings[0]) !== JSON.stringify(report.holdings[1]);
  if (grown || report.heap[1] - report.heap[0] > 8e6) {
    console.log('it has grown');
    process.exitCode = 1;
  }
} catch (error) {
  console.log((error as Error).message);
  process.exitCode = 1;
}
