import { defineConfig } from 'vitest/config';

// unit: beside the code, no outside part. integration: a real API server. e2e: a real node with pods, all files beside
// each other. disruptive: those that stop what all others need, one after another. network: on one that enforces policies.
// arm64: the images for another machine, by emulation.
const onTheNode = {
  globalSetup: ['test/e2e/setup.ts'],
  testTimeout: 600_000,
  hookTimeout: 900_000,
};

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{operator,agent,plugin,shared,hack}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          // Vitest would leave a core free.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
          // Those that are concurrent only wait.
          maxConcurrency: 32,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/*.test.ts'],
          ...onTheNode,
          // They wait for pods more than they work.
          maxWorkers: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'disruptive',
          include: ['test/e2e/disruptive/*.test.ts'],
          ...onTheNode,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'network',
          include: ['test/e2e/network/*.test.ts'],
          ...onTheNode,
        },
      },
      {
        test: {
          name: 'arm64',
          include: ['test/arm64/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 900_000,
        },
      },
    ],
  },
});
