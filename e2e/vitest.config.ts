import { defineConfig } from 'vitest/config';

/**
 * End-to-end tests: real daemons, real containers, as root. Every daemon and machine has namespaces and
 * directories of its own, so two files run at a time: most of theirs is waiting.
 */
export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['e2e/**/*.e2e.test.ts'],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
