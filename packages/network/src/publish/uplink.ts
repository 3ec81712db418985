import {
  HOST,
  type KernelCommand,
  type NamespacePath,
  type NamespaceView,
} from '../kernel/contract.js';
import { INGRESS_UPLINK } from '../names.js';
import { bareAddress } from '../sandbox/plan.js';

/** The link between the host and its ingress namespace. */
export interface Uplink {
  /** The host's end. */
  link: string;
  /** Of the two ends, with prefix length. */
  addresses: { host: string; inner: string };
  mtuBytes: number;
}

/**
 * The namespace routes already, and finds no way strange. Clients keep their address on the way
 * through, so questions and answers look asymmetric to it.
 */
export function planUplink(namespace: NamespacePath, uplink: Uplink): KernelCommand[] {
  const { link, addresses, mtuBytes } = uplink;
  return [
    {
      op: 'veth-add',
      mtuBytes,
      near: { namespace: HOST, link },
      far: { namespace, link: INGRESS_UPLINK },
    },
    { op: 'address-add', namespace: HOST, link, address: addresses.host },
    { op: 'address-add', namespace, link: INGRESS_UPLINK, address: addresses.inner },
    {
      op: 'route-add',
      namespace,
      destination: 'default',
      gateway: bareAddress(addresses.host),
    },
    // 127.0.0.1 in front of a published port leaves by this link; the table guards what comes back.
    { op: 'sysctl', namespace: HOST, name: `net.ipv4.conf.${link}.route_localnet`, value: '1' },
  ];
}

/** To be run with `continue`; takes the other end with it. */
export function planUplinkRemoval({ link }: Uplink): KernelCommand {
  return { op: 'link-remove', namespace: HOST, link };
}

export function isUplinkIntact(uplink: Uplink, host: NamespaceView, inner: NamespaceView): boolean {
  const { link, addresses } = uplink;
  const has = (view: NamespaceView, name: string, address: string) =>
    view.addresses.some((other) => other.link === name && other.address === address) &&
    view.links.some((other) => other.name === name && other.up);
  const leaves = inner.routes.some(
    (route) => route.destination === 'default' && route.link === INGRESS_UPLINK,
  );
  const { host: hostAddress, inner: innerAddress } = addresses;
  return has(host, link, hostAddress) && has(inner, INGRESS_UPLINK, innerAddress) && leaves;
}
