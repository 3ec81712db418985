import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['skep-source'] },
  ssr: { resolve: { conditions: ['skep-source'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
    pool: 'threads',
    // Tests take milliseconds; this is for hangs, on machines under load too.
    testTimeout: 30_000,
  },
});
