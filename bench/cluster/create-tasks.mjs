import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 20;

/** Makes a service and waits until all its tasks run; ms from create to then. Removes it again. */
export async function createAndRemove(swarm, spec) {
  const tasks = spec.Mode.Replicated.Replicas;
  const begunMs = performance.now();
  const id = await swarm.createService(spec);
  while ((await swarm.running(id)).length < tasks) await sleep(POLL_MS);
  const tookMs = performance.now() - begunMs;
  await swarm.removeService(id);
  return tookMs;
}
