import type { Names } from '../names.js';
import type { NftElement, TableLayout } from './nft.js';

/** What the host's table is made of besides the ports in its maps. */
export interface HostTableOptions {
  names: Names;
  bridgeSubnet: string;
  gatewaySubnet: string;
}

/** Sets and maps of the host's table, which change as ports come and go. */
export const HostSet = {
  /** protocol . port → container, on every address of the host. */
  BOUND: 'bound',
  /** address . protocol . port → container, on one address of the host. */
  BOUND_AT: 'bound_at',
} as const;

/** Transport protocols with ports, as every map of ports needs them stated first. */
const WITH_PORTS = 'meta l4proto { tcp, udp, sctp }';

/** The rules of the host's own network namespace. Chains are few and fixed; ports live in maps. */
export function hostTable(options: HostTableOptions): TableLayout {
  const { names, bridgeSubnet, gatewaySubnet } = options;
  const inner = `{ "${names.bridge}", "${names.gatewayBridge}", "${names.ingressLink}" }`;
  return {
    sets: {
      [HostSet.BOUND]: {
        kind: 'map',
        declaration: 'type inet_proto . inet_service : ipv4_addr . inet_service;',
      },
      [HostSet.BOUND_AT]: {
        kind: 'map',
        declaration: 'type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service;',
      },
    },
    chains: {
      // route_localnet (for 127.0.0.1 in front of published ports) would let containers reach the
      // host's loopback. Their own packets still bear that address here, before any reverse
      // translation.
      guard: [
        'type filter hook prerouting priority raw; policy accept;',
        `iifname ${inner} ip daddr 127.0.0.0/8 drop`,
      ],
      translate: [
        `${WITH_PORTS} dnat ip to ip daddr . meta l4proto . th dport map @${HostSet.BOUND_AT}`,
        `${WITH_PORTS} dnat ip to meta l4proto . th dport map @${HostSet.BOUND}`,
      ],
      prerouting: [
        'type nat hook prerouting priority dstnat; policy accept;',
        'fib daddr type local jump translate',
      ],
      output: [
        'type nat hook output priority -100; policy accept;',
        'fib daddr type local jump translate',
      ],
      postrouting: [
        'type nat hook postrouting priority srcnat; policy accept;',
        `ip saddr 127.0.0.0/8 oifname ${inner} masquerade`,
        // A container that meets itself or a neighbour behind a port of the host: answers must come
        // back here.
        `ip saddr ${bridgeSubnet} oifname "${names.bridge}" ct status dnat masquerade`,
        `ip saddr ${gatewaySubnet} oifname "${names.gatewayBridge}" ct status dnat masquerade`,
        `ip saddr { ${bridgeSubnet}, ${gatewaySubnet} } oifname != ${inner} masquerade`,
      ],
      forward: [
        'type filter hook forward priority filter; policy accept;',
        'ct state established,related accept',
        'ct status dnat accept',
        // Neighbours on the default bridge may talk (also where bridged frames pass these hooks).
        `iifname "${names.bridge}" oifname "${names.bridge}" accept`,
        // What nobody published is reached neither from outside nor from the other bridge.
        `oifname ${inner} drop`,
        `iifname "${names.ingressLink}" drop`,
      ],
    },
  };
}

/** A container's port as reached through the host. */
export interface Binding {
  protocol: 'tcp' | 'udp' | 'sctp';
  /** `0.0.0.0`, or one address of the host. */
  hostIp: string;
  hostPort: number;
  /** The container's. */
  address: string;
  containerPort: number;
}

export const ANY_ADDRESS = '0.0.0.0';

export function bindingSet(binding: Binding): string {
  return binding.hostIp === ANY_ADDRESS ? HostSet.BOUND : HostSet.BOUND_AT;
}

export function bindingElement(binding: Binding): NftElement {
  const port = `${binding.protocol} . ${binding.hostPort}`;
  return {
    key: binding.hostIp === ANY_ADDRESS ? port : `${binding.hostIp} . ${port}`,
    value: `${binding.address} . ${binding.containerPort}`,
  };
}
