import { create } from '@bufbuild/protobuf';
import type { ClusterObject } from '@skep/wire';
import {
  CAConfigSchema,
  type Cluster,
  ClusterSchema,
  RootCASchema,
  RootRotationSchema,
} from '@skep/wire/swarmkit';

/** A cluster without its keys. Fields are named one by one, so that a new secret field cannot slip out. */
export function redactCluster(cluster: ClusterObject): Cluster {
  const { rootCa, spec } = cluster;
  const { nodeCertExpiry, externalCas, forceRotate } = spec.caConfig;
  const rotation = rootCa.rootRotation;
  return create(ClusterSchema, {
    id: cluster.id,
    meta: cluster.meta,
    spec: {
      ...spec,
      caConfig: create(CAConfigSchema, { nodeCertExpiry, externalCas, forceRotate }),
    },
    rootCa: create(RootCASchema, {
      caCert: rootCa.caCert,
      caCertHash: rootCa.caCertHash,
      joinTokens: rootCa.joinTokens,
      lastForcedRotation: rootCa.lastForcedRotation,
      rootRotation: rotation
        ? create(RootRotationSchema, {
            caCert: rotation.caCert,
            crossSignedCaCert: rotation.crossSignedCaCert,
          })
        : undefined,
    }),
    blacklistedCertificates: cluster.blacklistedCertificates,
    fips: cluster.fips,
    defaultAddressPool: cluster.defaultAddressPool,
    subnetSize: cluster.subnetSize,
    VXLANUDPPort: cluster.VXLANUDPPort,
  });
}
