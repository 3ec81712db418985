import { create } from '@bufbuild/protobuf';
import { SequenceError } from '@skep/store';
import type { ClusterObject } from '@skep/wire';
import {
  GetClusterResponseSchema,
  JoinTokensSchema,
  type KeyRotation,
  ListClustersResponseSchema,
  UpdateClusterResponseSchema,
} from '@skep/wire/swarmkit';
import { unlockKeysFor } from '../../cluster/unlock-key.js';
import type { Control } from '../../contract.js';
import type { ControlContext } from '../context.js';
import { invalidArgument, notFound } from '../errors.js';
import { matchesCommon } from '../filter.js';
import { redactCluster } from './redact.js';
import { unexpired } from './refused-certificates.js';
import { type RootChangeOptions, rootUnder } from './root-change.js';
import { checkClusterChange, checkClusterSpec } from './validate-cluster.js';

type ClusterControl = Pick<Control, 'getCluster' | 'listClusters' | 'updateCluster'>;

/** The cluster object: settings and join tokens. Nothing leaves here unredacted. */
export function clusterControl(context: ControlContext): ClusterControl {
  const { store, clock, random } = context;
  return {
    async getCluster({ clusterId }) {
      if (!clusterId) throw invalidArgument();
      const cluster = store.view.get('cluster', clusterId);
      if (!cluster) throw notFound('cluster', clusterId);
      return create(GetClusterResponseSchema, { cluster: redactCluster(cluster) });
    },

    async listClusters({ filters }) {
      const clusters = [...store.view.all('cluster')]
        .filter((cluster) => matchesCommon(cluster, cluster.spec.annotations, filters))
        .map(redactCluster);
      return create(ListClustersResponseSchema, { clusters });
    },

    async updateCluster(request) {
      const { clusterId, clusterVersion: version, rotation } = request;
      if (!clusterId || !version) throw invalidArgument();
      const spec = checkClusterSpec(request.spec);
      const known = store.view.get('cluster', clusterId);
      if (!known) throw notFound('cluster', clusterId);
      checkClusterChange(known, spec);
      if (known.meta.version.index !== version.index) throw new SequenceError();
      // Asks others, so outside the transaction. The version sees to it that nothing changes between.
      const rootCa = await rootUnder(spec.caConfig, known, rootChangeOptions(context));
      const cluster = await store.update((tx) => {
        const stored = tx.get('cluster', clusterId);
        if (!stored) throw notFound('cluster', clusterId);
        const rotate = rotation?.managerUnlockKey ?? false;
        return tx.update('cluster', {
          ...stored,
          meta: { ...stored.meta, version },
          spec,
          blacklistedCertificates: unexpired(stored, clock.now()),
          rootCa: withNewTokens(rootCa, rotation, context),
          unlockKeys: unlockKeysFor(spec, stored.unlockKeys, rotate, random),
        });
      });
      return create(UpdateClusterResponseSchema, { cluster: redactCluster(cluster) });
    },
  };
}

function rootChangeOptions({ clock, random, external, log }: ControlContext): RootChangeOptions {
  return { clock, random, external, log };
}

/** Join tokens that are rotated get a new secret part; the old ones stop working with the commit. */
function withNewTokens(
  rootCa: ClusterObject['rootCa'],
  rotation: KeyRotation | undefined,
  { newJoinToken }: ControlContext,
): ClusterObject['rootCa'] {
  const { worker, manager } = rootCa.joinTokens;
  const joinTokens = create(JoinTokensSchema, {
    worker: rotation?.workerJoinToken ? newJoinToken(rootCa.caCert) : worker,
    manager: rotation?.managerJoinToken ? newJoinToken(rootCa.caCert) : manager,
  });
  return { ...rootCa, joinTokens };
}
