import { X509Certificate } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import type { ReadView } from '@skep/store';
import { type ClusterObject, type NodeObject, timestampFromMs, timestampMs } from '@skep/wire';
import { BlacklistedCertificateSchema } from '@skep/wire/swarmkit';
import { REMOVED_NODE_GRACE_MS } from '../limits.js';

export const CLUSTER_NAME = 'default';

/** The one cluster object of a swarm. */
export function findCluster(view: ReadView): ClusterObject {
  const cluster = view.named('cluster', CLUSTER_NAME);
  if (!cluster) throw new RpcError(Code.INTERNAL, 'could not fetch cluster object');
  return cluster;
}

/** Puts a removed node on the list of those whose certificate is refused, until it has long expired. */
export function refuseCertificateOf(
  cluster: ClusterObject,
  node: NodeObject,
  nowMs: number,
): ClusterObject {
  const expiryMs = certificateExpiryMs(node.certificate.certificate);
  const entry = create(BlacklistedCertificateSchema, {
    expiry: expiryMs === undefined ? undefined : timestampFromMs(expiryMs),
  });
  const kept = unexpired(cluster, nowMs);
  return { ...cluster, blacklistedCertificates: { ...kept, [node.id]: entry } };
}

/** The list of refused certificates without those that nobody can use any more. */
export function unexpired(
  cluster: ClusterObject,
  nowMs: number,
): ClusterObject['blacklistedCertificates'] {
  const entries = Object.entries(cluster.blacklistedCertificates).filter(
    ([, { expiry }]) => !expiry || timestampMs(expiry) + REMOVED_NODE_GRACE_MS >= nowMs,
  );
  return Object.fromEntries(entries);
}

function certificateExpiryMs(pem: Uint8Array): number | undefined {
  if (pem.length === 0) return undefined;
  try {
    const expiryMs = Date.parse(new X509Certificate(pem).validTo);
    return Number.isNaN(expiryMs) ? undefined : expiryMs;
  } catch {
    return undefined; // unreadable: refused for good
  }
}
