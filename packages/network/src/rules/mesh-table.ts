import type { TableLayout } from './nft.js';

/** Sets of the table that stands for the mesh on the host. */
export const MeshSet = {
  /** protocol . port that the routing mesh serves. */
  PUBLISHED: 'published',
  /** Sources that the ingress namespace could not answer, since they mean something else there. */
  AMBIGUOUS: 'ambiguous',
} as const;

/**
 * Hands published ports to the ingress namespace. A table of its own, since it follows the swarm and
 * the host's other one follows containers: each is compared and replaced without the other.
 */
export function meshTable(options: { ingressLink: string; ingressAddress: string }): TableLayout {
  const { ingressLink, ingressAddress } = options;
  return {
    sets: {
      [MeshSet.PUBLISHED]: { kind: 'set', declaration: 'type inet_proto . inet_service;' },
      [MeshSet.AMBIGUOUS]: { kind: 'set', declaration: 'type ipv4_addr; flags interval;' },
    },
    chains: {
      translate: [`meta l4proto . th dport @${MeshSet.PUBLISHED} dnat to ${ingressAddress}`],
      // One after the ports that containers are bound to: those may be more specific.
      prerouting: [
        'type nat hook prerouting priority dstnat + 1; policy accept;',
        'fib daddr type local jump translate',
      ],
      output: [
        'type nat hook output priority -99; policy accept;',
        'fib daddr type local jump translate',
      ],
      postrouting: [
        'type nat hook postrouting priority srcnat; policy accept;',
        `ip saddr @${MeshSet.AMBIGUOUS} oifname "${ingressLink}" masquerade`,
      ],
    },
  };
}
