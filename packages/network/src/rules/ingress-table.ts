import { INGRESS_BRIDGE, INGRESS_UPLINK } from '../names.js';
import type { TableLayout } from './nft.js';

/** Sets and maps of the ingress namespace's table. */
export const IngressSet = {
  /** protocol . published port → which chain picks among its backends. */
  SERVICES: 'services',
  /** protocol . published port . slot → address . port of a task: one map for all services. */
  BACKENDS: 'backends',
} as const;

/** The chain that picks one of `count` backends; all services with that many share it. */
export function pickChain(count: number): string {
  return `pick_${count}`;
}

/** The mark only carries the drawn slot to the map's key; it does not leave the namespace. */
export function pickRules(count: number): string[] {
  return [
    `meta mark set numgen random mod ${count}`,
    'meta l4proto { tcp, udp, sctp } ' +
      `dnat ip to meta l4proto . th dport . meta mark map @${IngressSet.BACKENDS}`,
  ];
}

/** The rules of the ingress namespace, with chains for the given numbers of backends. */
export function ingressTable(backendCounts: readonly number[]): TableLayout {
  const picks = backendCounts.map((count) => [pickChain(count), pickRules(count)] as const);
  return {
    sets: {
      [IngressSet.BACKENDS]: {
        kind: 'map',
        declaration: 'type inet_proto . inet_service . mark : ipv4_addr . inet_service;',
      },
      [IngressSet.SERVICES]: {
        kind: 'map',
        declaration: 'type inet_proto . inet_service : verdict;',
      },
    },
    chains: {
      ...Object.fromEntries(picks),
      prerouting: [
        'type nat hook prerouting priority dstnat; policy accept;',
        `iifname "${INGRESS_UPLINK}" meta l4proto . th dport vmap @${IngressSet.SERVICES}`,
      ],
      // The mesh leads in, never out: tasks have another way to the world.
      forward: [
        'type filter hook forward priority filter; policy accept;',
        'ct state established,related accept',
        `iifname "${INGRESS_BRIDGE}" oifname "${INGRESS_UPLINK}" drop`,
        `iifname "${INGRESS_UPLINK}" ct status dnat accept`,
        `iifname "${INGRESS_UPLINK}" drop`,
      ],
    },
  };
}
