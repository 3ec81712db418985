import { create } from '@bufbuild/protobuf';
import type { ClusterObject } from '@skep/wire';
import {
  GetClusterResponseSchema,
  JoinTokensSchema,
  type KeyRotation,
  ListClustersResponseSchema,
  UpdateClusterResponseSchema,
} from '@skep/wire/swarmkit';
import type { Control } from '../../contract.js';
import type { ControlContext } from '../context.js';
import { invalidArgument, notFound } from '../errors.js';
import { matchesCommon } from '../filter.js';
import { redactCluster } from './redact.js';
import { unexpired } from './refused-certificates.js';
import { checkClusterChange, checkClusterSpec } from './validate-cluster.js';

type ClusterControl = Pick<Control, 'getCluster' | 'listClusters' | 'updateCluster'>;

/** The cluster object: settings and join tokens. Nothing leaves here unredacted. */
export function clusterControl(context: ControlContext): ClusterControl {
  const { store, clock } = context;
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
      const cluster = await store.update((tx) => {
        const stored = tx.get('cluster', clusterId);
        if (!stored) throw notFound('cluster', clusterId);
        checkClusterChange(stored, spec);
        return tx.update('cluster', {
          ...stored,
          meta: { ...stored.meta, version },
          spec,
          blacklistedCertificates: unexpired(stored, clock.now()),
          rootCa: withNewTokens(stored, rotation, context),
        });
      });
      return create(UpdateClusterResponseSchema, { cluster: redactCluster(cluster) });
    },
  };
}

/** Join tokens that are rotated get a new secret part; the old ones stop working with the commit. */
function withNewTokens(
  { rootCa }: ClusterObject,
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
