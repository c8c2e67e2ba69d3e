import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // XState's development build remarks on each child whose end comes after its parent's; here that is how children end.
    onConsoleLog: (log) => !log.includes('was sent to stopped actor'),
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: ['test/peers/**'], testTimeout: 20_000 } },
      {
        test: {
          name: 'peers',
          include: ['test/peers/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
