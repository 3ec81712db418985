import { Gauge, type Registry } from 'prom-client';
import type { MeasuredGossip } from '../swarm/networks/swarm-gossip.js';

type Count = (measured: MeasuredGossip) => number;

const GAUGES: Record<string, [help: string, count: Count]> = {
  members: ['Nodes that gossip, this one among them', ({ stats }) => stats.members],
  suspected: ['Those that may be gone', ({ stats }) => stats.suspected],
  failed: ['Those that are not heard of, and waited for', ({ stats }) => stats.failed],
  entries: ['Entries of all networks, deleted ones included', ({ stats }) => stats.entries],
  queued: ['Messages to be told on', ({ stats }) => stats.queued],
  health_score: ['0: well; up to 7: others rarely answer', ({ stats }) => stats.healthScore],
  packets_sent_total: ['Packets sent', ({ counters }) => counters.packetsSent],
  packets_received_total: ['Packets received', ({ counters }) => counters.packetsReceived],
  refused_total: [
    'Packets and streams of other keys, or of none',
    ({ counters }) => counters.refused,
  ],
  malformed_total: ['Messages that were none', ({ counters }) => counters.malformed],
};

/** Registers what gossip counts; all 0 while this node takes no part in any. */
export function registerGossipGauges(
  registry: Registry,
  measured: () => MeasuredGossip | undefined,
): void {
  for (const [name, [help, count]] of Object.entries(GAUGES)) {
    new Gauge({
      name: `skep_gossip_${name}`,
      help,
      registers: [registry],
      collect() {
        const now = measured();
        this.set(now ? count(now) : 0);
      },
    });
  }
}
