import { HOST, type KernelCommand, type NamespacePath } from '../kernel/contract.js';
import { INGRESS_BRIDGE, INGRESS_UPLINK, type Names } from '../names.js';
import { bareAddress, macOfAddress } from '../sandbox/plan.js';
import type { IngressAttachment } from './contract.js';

/** The two ends of the link between the host and its ingress namespace, with prefix length. */
export interface LinkAddresses {
  host: string;
  inner: string;
}

function sysctl(namespace: NamespacePath, name: string, value: string) {
  return { op: 'sysctl', namespace, name, value } as const;
}

/**
 * A namespace that holds the ingress network's bridge and routes between it and the host. Clients
 * keep their address on the way through, so questions and answers look asymmetric to it: no reverse
 * path filter here.
 */
export function planIngressNamespace(
  names: Names,
  ingress: IngressAttachment,
  addresses: LinkAddresses,
  mtuBytes: number,
): KernelCommand[] {
  const namespace = names.ingressNamespace;
  const mac = macOfAddress(ingress.nodeAddress);
  const at = { namespace, link: INGRESS_BRIDGE };
  return [
    { op: 'namespace-add', path: namespace },
    sysctl(namespace, 'net.ipv4.ip_forward', '1'),
    ...['all', 'default'].flatMap((scope) => [
      sysctl(namespace, `net.ipv4.conf.${scope}.rp_filter`, '0'),
      sysctl(namespace, `net.ipv4.conf.${scope}.send_redirects`, '0'),
    ]),
    // Frames between tasks are no business of the rules for routed packets.
    { ...sysctl(namespace, 'net.bridge.bridge-nf-call-iptables', '0'), optional: true },
    { ...sysctl(namespace, 'net.ipv6.conf.default.disable_ipv6', '1'), optional: true },
    { op: 'link-change', namespace, link: 'lo', change: { up: true } },
    { op: 'bridge-add', ...at, mac },
    { op: 'link-change', ...at, change: { up: true, mtuBytes } },
    { op: 'address-add', ...at, address: ingress.nodeAddress },
    {
      op: 'veth-add',
      mtuBytes,
      near: { namespace: HOST, link: names.ingressLink },
      far: { namespace, link: INGRESS_UPLINK },
    },
    { op: 'address-add', namespace: HOST, link: names.ingressLink, address: addresses.host },
    { op: 'address-add', namespace, link: INGRESS_UPLINK, address: addresses.inner },
    {
      op: 'route-add',
      namespace,
      destination: 'default',
      gateway: bareAddress(addresses.host),
    },
    // 127.0.0.1 in front of a published port leaves by this link; the table guards what comes back.
    sysctl(HOST, `net.ipv4.conf.${names.ingressLink}.route_localnet`, '1'),
  ];
}

/** To be run with `continue`. The link goes first: its name must be free for the next namespace. */
export function planIngressRemoval(names: Names): KernelCommand[] {
  return [
    { op: 'link-remove', namespace: HOST, link: names.ingressLink },
    { op: 'namespace-remove', path: names.ingressNamespace },
  ];
}
