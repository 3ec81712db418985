import type { Engine } from '@skep/containers';
import type { ReadView } from '@skep/store';
import { NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import { Gauge, type Registry } from 'prom-client';
import type { MeasuredGossip } from '../swarm/networks/swarm-gossip.js';
import { registerGossipGauges } from './gossip-gauges.js';
import { type MeasuredImages, registerImageGauges } from './image-gauges.js';
import { type MeasuredNetwork, registerNetworkGauges } from './network-gauges.js';

export interface MeasuredRooms {
  containers: Pick<Engine, 'list' | 'counters'>;
  images(): MeasuredImages;
  network: MeasuredNetwork;
  /** Undefined while this node takes no part in any. */
  gossip(): MeasuredGossip | undefined;
  /** The swarm's objects; undefined where this node is no manager. */
  store(): ReadView | undefined;
}

/** Registers what the daemon counts, under dockerd's names, so that dashboards made for it go on working. */
export function registerGauges(registry: Registry, rooms: MeasuredRooms): void {
  const registers = [registry];
  registerImageGauges(registry, () => rooms.images());
  registerNetworkGauges(registry, rooms.network);
  registerGossipGauges(registry, () => rooms.gossip());
  new Gauge({
    name: 'engine_daemon_container_states_containers',
    help: 'The count of containers in various states',
    labelNames: ['state'],
    registers,
    async collect() {
      const all = await rooms.containers.list({ all: true, size: false, filters: {} });
      const count = (state: string) => all.filter(({ State }) => State === state).length;
      this.set({ state: 'running' }, count('running'));
      this.set({ state: 'paused' }, count('paused'));
      this.set({ state: 'stopped' }, all.length - count('running') - count('paused'));
    },
  });
  new Gauge({
    name: 'skep_log_entries_dropped_total',
    help: 'Entries of containers that the receivers of their logs did not get',
    registers,
    collect() {
      this.set(rooms.containers.counters.logEntriesDropped);
    },
  });
  new Gauge({
    name: 'swarm_node_manager',
    help: 'Whether this node is a manager or not',
    registers,
    collect() {
      this.set(rooms.store() ? 1 : 0);
    },
  });
  byState(registers, 'swarm_manager_tasks_total', 'The number of tasks by state', TaskState, () =>
    [...(rooms.store()?.all('task') ?? [])].map(({ status }) => status.state),
  );
  byState(registers, 'swarm_manager_nodes', 'The number of nodes by state', NodeStatus_State, () =>
    [...(rooms.store()?.all('node') ?? [])].map(({ status }) => status.state),
  );
  for (const table of ['service', 'network', 'secret', 'config'] as const) {
    new Gauge({
      name: `swarm_manager_${table}s_total`,
      help: `The number of ${table}s in the cluster object store`,
      registers,
      collect() {
        this.set(rooms.store()?.count(table) ?? 0);
      },
    });
  }
}

/** A gauge with one sample for each value of an enum, those that nothing has included. */
function byState(
  registers: Registry[],
  name: string,
  help: string,
  states: Record<string, string | number>,
  current: () => number[],
): void {
  new Gauge({
    name,
    help,
    labelNames: ['state'],
    registers,
    collect() {
      const now = current();
      for (const [state, value] of Object.entries(states)) {
        if (typeof value !== 'number') continue;
        this.set({ state: state.toLowerCase() }, now.filter((one) => one === value).length);
      }
    },
  });
}
