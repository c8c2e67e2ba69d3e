import { defineConfig } from 'vitest/config';

/** Real processes and sockets on a shared machine: in CI what fails is tried once more, and .ci/sum.mjs tells what that was. */
const retry = process.env.CI === undefined ? 0 : 1;

export default defineConfig({
  test: {
    // XState's development build remarks on each child whose end comes after its parent's; here that is how children end.
    onConsoleLog: (log) => !log.includes('was sent to stopped actor'),
    projects: [
      {
        test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/peers/**'], testTimeout: 20_000, retry },
      },
      {
        test: {
          name: 'peers',
          include: ['test/peers/**/*.test.ts'],
          testTimeout: 120_000,
          retry,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
