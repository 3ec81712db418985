import type { NetworkObject } from '@skep/wire';

/** Marks the swarm's entries for networks that every node has by itself (`bridge`, `host`). */
export const PREDEFINED_LABEL = 'com.docker.swarm.predefined';

export const PREDEFINED_NETWORKS = ['bridge', 'host'] as const;

export function isPredefined(network: NetworkObject): boolean {
  return network.spec.annotations.labels[PREDEFINED_LABEL] === 'true';
}
