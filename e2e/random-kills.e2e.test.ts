import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TestDaemon } from './support/daemon.ts';
import { until } from './support/exec.ts';
import { processesMentioning } from './support/leftovers.ts';
import { IMAGE } from './support/sample.ts';
import { running, startNode, tasksOf } from './support/swarm.ts';

const ROUNDS = 10;
const REPLICAS_MAX = 8;
const CHANGE_MS_MAX = 700;

function isShim(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('containerd-shim');
  } catch {
    return false; // ended meanwhile
  }
}

let node: TestDaemon;
beforeAll(async () => {
  node = await startNode();
});
afterAll(() => node?.cleanUp());

/**
 * Each round begins a change and kills the daemon at a moment that differs from round to round, so that over
 * time every step of creating, starting, stopping and removing is met. What must hold is told at the end.
 */
it('a daemon killed at random moments of change loses nothing and starts nothing twice', async () => {
  const moments: string[] = [];
  await node.docker('service', 'create', '-d', '--no-resolve-image', '--name', 'web', IMAGE);
  let replicas = 1;
  for (let round = 0; round < ROUNDS; round++) {
    replicas = 1 + Math.floor(Math.random() * REPLICAS_MAX);
    const forMs = Math.floor(Math.random() * CHANGE_MS_MAX);
    moments.push(`${replicas}@${forMs}ms`);
    await node.docker('service', 'scale', '-d', `web=${replicas}`);
    await new Promise((resolve) => setTimeout(resolve, forMs));
    await node.restart('SIGKILL');
  }
  const story = moments.join(' ');
  const tasks = await running(node, 'web', replicas);
  expect(new Set(tasks.map(({ Slot }) => Slot)).size, story).toBe(replicas);
  const names = () => node.docker('ps', '--format', '{{.Names}}');
  const slots = await until(
    async () => (await names()).split('\n').map((name) => name.split('.')[1]),
    (seen) => seen.length === replicas,
  );
  expect(new Set(slots).size, story).toBe(replicas);
  const failed = (await tasksOf(node, 'web')).filter(({ Status }) => Status.State === 'failed');
  expect(
    failed.map(({ Status }) => Status.Err),
    story,
  ).toEqual([]);
  await node.docker('service', 'rm', 'web');
  await until(
    () => node.docker('ps', '-aq'),
    (left) => left === '',
  );
  await until(
    async () => processesMentioning(node.execRoot).filter(isShim),
    (shims) => shims.length === 0,
  );
}, 120_000);
