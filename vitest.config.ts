import { defineConfig } from 'vitest/config';

// unit: beside the code, no outside part. integration: a real API server. e2e: a real node with pods.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{operator,agent,plugin,shared,hack}/**/*.test.ts'],
          testTimeout: 30_000,
          // Those that are concurrent only wait.
          maxConcurrency: 32,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/e2e/setup.ts'],
          testTimeout: 300_000,
          hookTimeout: 900_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
