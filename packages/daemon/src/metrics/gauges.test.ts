import { create } from '@bufbuild/protobuf';
import { type GossipStats, newCounters } from '@skep/gossip';
import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import { completeObject } from '@skep/wire';
import { TaskSchema, TaskState } from '@skep/wire/swarmkit';
import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { registerGauges } from './gauges.js';

const NO_STATS: GossipStats = {
  ...{ members: 0, suspected: 0, failed: 0, networks: 0 },
  ...{ entries: 0, queued: 0, healthScore: 0, malformed: 0 },
};

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
    containers: {
      list: async () => [{ State: 'running' }, { State: 'exited' }] as never,
      counters: { logEntriesDropped: 7 },
    },
    store: () => (member ? store.view : undefined),
    gossip: () => ({
      stats: { ...NO_STATS, members: 4 },
      counters: { ...newCounters(), refused: 5 },
    }),
    images: () => ({ pulled: { registry: 5, peers: 7 }, sent: 6 }),
    network: {
      overlays: { list: () => [{ failure: 'no VXLAN' }, {}] as never, repairs: 3 },
      meshCounters: { comparisons: 9, differences: 2 },
      tables: { version: 41n } as never,
    },
  });
  const inSwarm = await registry.metrics();
  expect(inSwarm).toContain('engine_daemon_container_states_containers{state="stopped"} 1');
  expect(inSwarm).toContain('skep_log_entries_dropped_total 7');
  expect(inSwarm).toContain('swarm_manager_tasks_total{state="running"} 1');
  expect(inSwarm).toContain('swarm_node_manager 1');
  expect(inSwarm).toContain('skep_network_overlays 2');
  expect(inSwarm).toContain('skep_network_overlays_failed 1');
  expect(inSwarm).toContain('skep_network_overlay_repairs_total 3');
  expect(inSwarm).toContain('skep_network_mesh_repairs_total 2');
  expect(inSwarm).toContain('skep_network_tables_version 41');
  expect(inSwarm).toContain('skep_gossip_members 4');
  expect(inSwarm).toContain('skep_gossip_refused_total 5');
  expect(inSwarm).toContain('skep_image_pulled_bytes_total{from="peers"} 7');
  expect(inSwarm).toContain('skep_image_sent_bytes_total 6');
  member = false;
  expect(await registry.metrics()).toContain('swarm_manager_tasks_total{state="running"} 0');
});
