/**
 * npm run soak -- --handovers N [--clients N] [--seed S]
 *
 * Hands a client over again and again, with every scheme, on a network that delays, breaks and restarts things; in a time of
 * its own. Ends with 1, and the story of the move, as soon as something is not as it must be; and when the heap grows, or
 * there are more sockets, timers, listeners or charts than there were.
 */
import { parseArgs } from 'node:util';
import { growth, soak } from './soak.ts';

const { values } = parseArgs({
  options: {
    handovers: { type: 'string', default: '2000' },
    clients: { type: 'string', default: '1' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
});
/**
 * Bytes that the heap may grow with each move; one link that is not forgotten, of the six and more of a move, would be 500. It is
 * run without V8's compilers, whose work would be 200 of them.
 */
const mostGrowth = 100;

const handovers = Number(values.handovers);
const collect = (globalThis as { gc?: () => void }).gc;
const start = performance.now();
console.log(`seed ${values.seed}`);

try {
  const report = await soak({
    handovers,
    followers: Number(values.clients),
    seed: Number(values.seed),
    every: Math.min(500, Math.ceil(handovers / 8)),
    heap: () => {
      collect?.();
      return process.memoryUsage().heapUsed;
    },
    onSample: ({ move, heap, holdings }) => {
      const held = Object.entries(holdings).map(([what, count]) => `${count} ${what}`);
      const seconds = ((performance.now() - start) / 1000).toFixed(0);
      console.log(`${move} moves, ${seconds} s: heap ${(heap / 1e6).toFixed(2)} MB, ${held.join(', ')}`);
    },
  });
  console.log(
    `${report.moves} moves in ${report.hours.toFixed(1)} hours of their time: ${report.arrived} went through`,
  );
  for (const [fault, count] of Object.entries(report.byFault)) console.log(`  ${String(count).padStart(5)}  ${fault}`);
  console.log('the client went over by');
  for (const [scheme, count] of Object.entries(report.byScheme))
    console.log(`  ${String(count).padStart(5)}  ${scheme}`);
  const perMove = growth(report.samples);
  const [first, ...others] = report.samples.map(({ holdings }) => JSON.stringify(holdings));
  const more = others.filter((holdings) => holdings !== first);
  console.log(`the heap grows by ${perMove.toFixed(0)} bytes with each move; ${mostGrowth} are allowed`);
  if (collect === undefined) console.log('without --expose-gc, which is no measurement');
  if (perMove > mostGrowth || more.length > 0) {
    console.log(`it has grown: ${more[0] ?? 'the heap'}`);
    process.exitCode = 1;
  }
} catch (error) {
  console.log((error as Error).message);
  process.exitCode = 1;
}
