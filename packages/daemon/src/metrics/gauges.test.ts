import { create } from '@bufbuild/protobuf';
import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import { completeObject } from '@skep/wire';
import { TaskSchema, TaskState } from '@skep/wire/swarmkit';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { registerGauges } from './gauges.js';

it('counts containers and tasks under dockerd names, and is quiet on a node outside a swarm', async () => {
  const store = new Store({ clock: new SimClock(), random: new SimRandom(1), log: silentLogger });
  store.attach(new SimProposer(store));
  await store.update((tx) => {
    const task = completeObject('task', create(TaskSchema, { id: 't1', serviceId: 's1' }));
    task.status.state = TaskState.RUNNING;
    tx.create('task', task);
  });
  const registry = new Registry();
  let member = true;
  registerGauges(registry, {
    containers: { list: async () => [{ State: 'running' }, { State: 'exited' }] as never },
    store: () => (member ? store.view : undefined),
  });
  const inSwarm = await registry.metrics();
  expect(inSwarm).toContain('engine_daemon_container_states_containers{state="stopped"} 1');
  expect(inSwarm).toContain('swarm_manager_tasks_total{state="running"} 1');
  expect(inSwarm).toContain('swarm_node_manager 1');
  member = false;
  expect(await registry.metrics()).toContain('swarm_manager_tasks_total{state="running"} 0');
});
