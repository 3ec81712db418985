import { pickRule } from '../balance/pick.js';
import { BalanceSet } from '../balance/sets.js';
import { INGRESS_BRIDGE, INGRESS_UPLINK } from '../names.js';
import type { TableLayout } from './nft.js';

/** Sets and maps of the ingress namespace's table, besides those of the balancing. */
export const IngressSet = {
  /** MAC of another node's bridge → mark of the flows it sends. */
  SENDERS: 'senders',
  /** Address of a task on another node → what its clients' addresses become. */
  ELSEWHERE: 'elsewhere',
} as const;

/** Chains that decide on the address a task on another node sees. */
export const Depart = {
  /** To a node of our own kind: the client's, unless it means nothing there. */
  TO_OWN: 'goto to_own',
  /** To a Docker Engine, which would answer the client by itself: this node's. */
  TO_DOCKER: 'goto to_docker',
} as const;

export interface IngressTableOptions {
  /** This node's own in the ingress network, without prefix length. */
  nodeAddress: string;
  /** Subnets that stand on this node alone, and perhaps on others with the same addresses. */
  localSubnets: readonly string[];
}

/** To the backend in the slot that was drawn: protocol . published port . slot → address . port. */
export const MESH_TRANSLATION =
  'meta l4proto { tcp, udp, sctp } ' +
  `dnat ip to meta l4proto . th dport . meta mark map @${BalanceSet.BACKENDS}`;

/**
 * The rules of the ingress namespace. Whoever sends a flow's first packet gets its answers: the
 * flow is marked with the sender, and the mark routes the answers back.
 */
export function ingressTable(options: IngressTableOptions): TableLayout {
  const { nodeAddress, localSubnets } = options;
  return {
    sets: ingressSets(),
    chains: {
      // After conntrack (-200), before routing. A mark that came late (the sender was not known
      // yet) is made up for by the flow's next packet.
      senders: [
        'type filter hook prerouting priority mangle; policy accept;',
        `iifname "${INGRESS_BRIDGE}" ct direction original ct mark 0 ` +
          `ct mark set ether saddr map @${IngressSet.SENDERS}`,
        `iifname "${INGRESS_BRIDGE}" ct direction reply meta mark set ct mark`,
      ],
      prerouting: [
        'type nat hook prerouting priority dstnat; policy accept;',
        `iifname "${INGRESS_UPLINK}" ${pickRule('meta l4proto . th dport')}`,
      ],
      to_own: [`ip saddr { ${localSubnets.join(', ')} } snat to ${nodeAddress}`],
      to_docker: [`snat to ${nodeAddress}`],
      postrouting: [
        'type nat hook postrouting priority srcnat; policy accept;',
        `iifname "${INGRESS_UPLINK}" ip daddr vmap @${IngressSet.ELSEWHERE}`,
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

function ingressSets(): TableLayout['sets'] {
  return {
    [BalanceSet.BACKENDS]: {
      kind: 'map',
      declaration: 'type inet_proto . inet_service . mark : ipv4_addr . inet_service;',
    },
    [BalanceSet.SERVICES]: {
      kind: 'map',
      declaration: 'type inet_proto . inet_service : mark;',
    },
    [BalanceSet.PICKS]: { kind: 'map', declaration: 'type mark : verdict;' },
    [IngressSet.SENDERS]: { kind: 'map', declaration: 'type ether_addr : mark;' },
    [IngressSet.ELSEWHERE]: { kind: 'map', declaration: 'type ipv4_addr : verdict;' },
  };
}
