import { defineConfig } from 'vitest/config';

// A condition of our own: `source` is used by other packages too, and leads to TypeScript inside node_modules.
const conditions = ['valetkey-source'];
const beside = ['packages/*/src', 'examples/*/src', 'tools'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    projects: [
      {
        // Pure functions and single parts: seconds for all of them.
        extends: true,
        test: {
          name: 'unit',
          include: beside.map((folder) => `${folder}/**/*.test.ts`),
          exclude: ['**/*.integration.test.ts', '**/node_modules/**'],
          isolate: false,
          // A busy machine makes a quick test slow, not wrong.
          testTimeout: 20_000,
        },
      },
      {
        // Several parts together, with real servers and processes; still beside the source.
        extends: true,
        test: {
          name: 'integration',
          include: beside.map((folder) => `${folder}/**/*.integration.test.ts`),
          testTimeout: 30_000,
        },
      },
      {
        // The whole product.
        extends: true,
        test: {
          name: 'whole',
          include: ['test/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
