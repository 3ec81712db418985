// Everything, from unit to end to end. The latter need root, and say so when they are left out.
import { fail, run } from './lib.mjs';

try {
  run('npm', ['run', '--silent', 'setup']);
  run('npm', ['run', '--silent', 'check']);
  run('npx', ['vitest', 'run']);
  run('node', ['scripts/sim.mjs', '--seeds', '1..500', '--limit-seconds', '300']);
  if (process.getuid() === 0) {
    run('npx', ['vitest', 'run', '--config', 'e2e/vitest.config.ts']);
  } else {
    console.warn('End-to-end tests were left out: they make containers and namespaces, as root.');
  }
} catch (error) {
  fail(error);
}
