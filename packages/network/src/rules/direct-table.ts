import type { TableLayout } from './nft.js';

/** protocol . published port → address . port of the container. */
export const DIRECT_SET = 'targets';

export interface DirectTableOptions {
  /** The container's link in the ingress network. */
  link: string;
  /** Of this node's bridge there: what the mesh of our own kind brings comes from it. */
  bridgeMac: string;
}

/**
 * A Docker Engine's mesh sends clients straight to a task, still to the published port: its own
 * containers translate that themselves. What comes by way of this node is translated already.
 */
export function directTable({ link, bridgeMac }: DirectTableOptions): TableLayout {
  return {
    sets: {
      [DIRECT_SET]: {
        kind: 'map',
        declaration: 'type inet_proto . inet_service : ipv4_addr . inet_service;',
      },
    },
    chains: {
      prerouting: [
        'type nat hook prerouting priority dstnat; policy accept;',
        `iifname "${link}" ether saddr != ${bridgeMac} meta l4proto { tcp, udp, sctp } ` +
          `dnat ip to meta l4proto . th dport map @${DIRECT_SET}`,
      ],
    },
  };
}
