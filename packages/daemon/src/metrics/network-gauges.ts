import type { Network } from '@skep/network';
import { Gauge, type Registry } from 'prom-client';

/** What of the network room is measured. */
export type MeasuredNetwork = Pick<Network, 'tables' | 'meshCounters'> & {
  overlays: Pick<Network['overlays'], 'list' | 'repairs'>;
};

/** Registers how far this node's kernel is as the swarm's log says. */
export function registerNetworkGauges(registry: Registry, network: MeasuredNetwork): void {
  const gauge = (name: string, help: string, value: () => number) => {
    new Gauge({
      name,
      help,
      registers: [registry],
      collect() {
        this.set(value());
      },
    });
  };
  const { overlays, meshCounters, tables } = network;
  gauge('skep_network_overlays', 'Overlay networks that this node is in', () => {
    return overlays.list().length;
  });
  gauge('skep_network_overlays_failed', 'Those that could not be made, or put right', () => {
    return overlays.list().filter(({ failure }) => failure !== undefined).length;
  });
  gauge(
    'skep_network_overlay_repairs_total',
    'Things of theirs found changed in the kernel',
    () => {
      return overlays.repairs;
    },
  );
  gauge('skep_network_mesh_repairs_total', 'The same of the routing mesh', () => {
    return meshCounters.differences;
  });
  gauge('skep_network_tables_version', 'Entry of the log that the tables are of', () => {
    return Number(tables.version);
  });
}
