import { isDeepStrictEqual } from 'node:util';
import { canonicalAddress } from '../address/host-address.js';
import { subnetOf } from '../address/ipv4.js';
import {
  HOST,
  type KernelCommand,
  type LinkView,
  type NamespacePath,
  type NamespaceView,
} from '../kernel/contract.js';
import { macOfAddress } from '../sandbox/plan.js';
import type { OverlayNetwork } from '../tables/contract.js';
import { segmentsOf, segmentWith, type TunnelledSegment } from './segments.js';

/** UDP, of VXLAN where the swarm has no other (RFC 7348, 8). */
export const VXLAN_PORT_DEFAULT = 4_789;

/** How this node's tunnels reach the others. */
export interface DataPath {
  /** This node's own end; empty: the route to the other end decides. */
  address: string;
  /** The same on all nodes. */
  udpPort: number;
}

export interface OverlayPlan {
  namespace: NamespacePath;
  network: OverlayNetwork;
  dataPath: DataPath;
  mtuBytes: number;
}

/**
 * What brings the namespace of a network from what stands to what should be; undefined: nothing
 * stands. What is right is not touched.
 */
export function planOverlay(
  plan: OverlayPlan,
  standing: NamespaceView | undefined,
): KernelCommand[] {
  const segments = segmentsOf(plan.network).flatMap((segment) =>
    planSegment(plan, segment, standing),
  );
  return standing ? segments : [...planNamespace(plan.namespace), ...segments];
}

/** To be run with `continue`. Tunnels go first: the kernel clears a namespace later, by itself. */
export function planRemoval(
  namespace: NamespacePath,
  standing: NamespaceView | undefined,
): KernelCommand[] {
  const tunnels = standing?.links.filter(({ kind }) => kind === 'vxlan') ?? [];
  return [
    ...tunnels.map(({ name }): KernelCommand => ({ op: 'link-remove', namespace, link: name })),
    { op: 'namespace-remove', path: namespace },
  ];
}

/**
 * Containers of one network are reached through another of its subnets, and clients of the routing
 * mesh keep their address on the way: this namespace forwards, and finds no way strange.
 */
function planNamespace(namespace: NamespacePath): KernelCommand[] {
  const sysctl = (name: string, value: string): KernelCommand => ({
    op: 'sysctl',
    namespace,
    name,
    value,
  });
  return [
    { op: 'namespace-remove', path: namespace }, // a file left from before a reboot
    { op: 'namespace-add', path: namespace },
    sysctl('net.ipv4.ip_forward', '1'),
    ...['all', 'default'].flatMap((scope) => [
      sysctl(`net.ipv4.conf.${scope}.rp_filter`, '0'),
      sysctl(`net.ipv4.conf.${scope}.send_redirects`, '0'),
    ]),
    // Frames between containers are no business of the rules for routed packets.
    { ...sysctl('net.bridge.bridge-nf-call-iptables', '0'), optional: true } as KernelCommand,
    { ...sysctl('net.ipv6.conf.default.disable_ipv6', '1'), optional: true } as KernelCommand,
    { op: 'link-change', namespace, link: 'lo', change: { up: true } },
  ];
}

function planSegment(
  plan: OverlayPlan,
  segment: TunnelledSegment,
  standing: NamespaceView | undefined,
): KernelCommand[] {
  const linkOf = (name: string) => standing?.links.find((link) => link.name === name);
  const addresses = standing?.addresses
    .filter(({ link }) => link === segment.bridge)
    .map(({ address }) => address);
  return [
    ...planBridge(plan, segment, linkOf(segment.bridge)),
    ...planAddresses(plan, segment, addresses ?? []),
    ...planTunnel(plan, segment, linkOf(segment.tunnel)),
  ];
}

/** The bridge's MAC tells which of its addresses is this node's own, here and to other nodes. */
function planBridge(
  { namespace, network, mtuBytes }: OverlayPlan,
  segment: TunnelledSegment,
  standing: LinkView | undefined,
): KernelCommand[] {
  const at = { namespace, link: segment.bridge };
  const isOwn = segmentWith([segment], network.nodeAddress) !== undefined;
  const mac = macOfAddress(isOwn ? network.nodeAddress : `${segment.gateway}/32`);
  if (!standing) {
    return [
      { op: 'bridge-add', ...at, mac },
      { op: 'link-change', ...at, change: { up: true, mtuBytes } },
    ];
  }
  if (standing.mac === mac && standing.up && standing.mtuBytes === mtuBytes) return [];
  return [{ op: 'link-change', ...at, change: { up: true, mac, mtuBytes } }];
}

/** The node's own comes first: it is the source of what the namespace itself sends. */
function planAddresses(
  { namespace, network }: OverlayPlan,
  segment: TunnelledSegment,
  standing: readonly string[],
): KernelCommand[] {
  const at = { namespace, link: segment.bridge };
  const { prefixLength } = subnetOf(segment.subnet);
  const own = segmentWith([segment], network.nodeAddress) ? [network.nodeAddress] : [];
  const wanted = [...own, ...(segment.gateway ? [`${segment.gateway}/${prefixLength}`] : [])];
  if (isDeepStrictEqual(standing, wanted)) return [];
  return [
    // Removing the first of a subnet takes the others with it on some systems, so the last goes first.
    ...[...standing]
      .reverse()
      .map((address): KernelCommand => ({ op: 'address-remove', ...at, address })),
    ...wanted.map((address): KernelCommand => ({ op: 'address-add', ...at, address })),
  ];
}

function planTunnel(
  { namespace, dataPath, mtuBytes }: OverlayPlan,
  segment: TunnelledSegment,
  standing: LinkView | undefined,
): KernelCommand[] {
  const { vni, tunnel: link, bridge: master } = segment;
  const localAddress = canonicalAddress(dataPath.address);
  const spec = { vni, udpPort: dataPath.udpPort, localAddress };
  if (standing && isDeepStrictEqual(standing.vxlan, spec)) {
    const right = standing.up && standing.master === master && standing.mtuBytes === mtuBytes;
    const change = { up: true, master, mtuBytes };
    return right ? [] : [{ op: 'link-change', namespace, link, change }];
  }
  return [
    ...(standing ? [{ op: 'link-remove', namespace, link } as const] : []),
    { op: 'vxlan-add', namespace, underlay: HOST, link, master, mtuBytes, ...spec },
  ];
}
