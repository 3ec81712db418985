import { create } from '@bufbuild/protobuf';
import { type CompleteClusterSpec, completeClusterSpec, durationFromMs } from '@skep/wire';
import { ClusterSpecSchema } from '@skep/wire/swarmkit';

/** A swarm's settings where nobody chose others (features.md 5.3, wire.md 4.1). */
export const CLUSTER_DEFAULTS = {
  name: 'default',
  taskHistoryLimit: 5n,
  heartbeatMs: 5_000,
  nodeCertExpiryMs: 90 * 24 * 60 * 60 * 1000,
  snapshotIntervalEntries: 10_000n,
  entriesForSlowFollowers: 500n,
  heartbeatTicks: 1,
  electionTicks: 10,
  subnetSize: 24,
  addressPools: ['10.0.0.0/8'],
  dataPathPort: 4789,
} as const;

/** A new spec with all defaults, the caller's to change. */
export function defaultClusterSpec(): CompleteClusterSpec {
  return completeClusterSpec(
    create(ClusterSpecSchema, {
      annotations: { name: CLUSTER_DEFAULTS.name },
      orchestration: { taskHistoryRetentionLimit: CLUSTER_DEFAULTS.taskHistoryLimit },
      raft: {
        snapshotInterval: CLUSTER_DEFAULTS.snapshotIntervalEntries,
        keepOldSnapshots: 0n,
        logEntriesForSlowFollowers: CLUSTER_DEFAULTS.entriesForSlowFollowers,
        heartbeatTick: CLUSTER_DEFAULTS.heartbeatTicks,
        electionTick: CLUSTER_DEFAULTS.electionTicks,
      },
      dispatcher: { heartbeatPeriod: durationFromMs(CLUSTER_DEFAULTS.heartbeatMs) },
      caConfig: { nodeCertExpiry: durationFromMs(CLUSTER_DEFAULTS.nodeCertExpiryMs) },
    }),
  );
}
