import { HOST, type KernelCommand, type NamespacePath } from '../kernel/contract.js';
import { INGRESS_BRIDGE } from '../names.js';
import type { MeshEffect } from './mesh-state.js';
import { partsOfKey } from './port-key.js';

/**
 * The flows that the kernel would send on to where they went before a change. To be run with
 * `continue`.
 */
export function forgetFlows(
  ingressNamespace: NamespacePath,
  { departures, opened, closed, revived }: MeshEffect,
): KernelCommand[] {
  return [
    // What follows of a connection is then new, and answered with a reset instead of silence.
    ...departures.map(({ address: replySource, udpOnly }): KernelCommand => {
      const match = udpOnly ? { replySource, protocol: 'udp' as const } : { replySource };
      return { op: 'conntrack-remove', namespace: ingressNamespace, match };
    }),
    // The address may soon be a task's on another node, which has another MAC in this network.
    ...departures
      .filter(({ udpOnly }) => !udpOnly)
      .map(({ address }): KernelCommand => {
        const at = { namespace: ingressNamespace, link: INGRESS_BRIDGE };
        return { op: 'neighbour-remove', ...at, address };
      }),
    // Senders of datagrams may never pause, and would stay where nobody was.
    ...revived.flatMap((key) => forgetDatagrams(ingressNamespace, key)),
    ...[...opened, ...closed].flatMap((key) => forgetDatagrams(HOST, key)),
  ];
}

/** Nothing for protocols with connections: those end. */
function forgetDatagrams(namespace: NamespacePath, key: string): KernelCommand[] {
  const { protocol, port: originPort } = partsOfKey(key);
  if (protocol !== 'udp') return [];
  return [{ op: 'conntrack-remove', namespace, match: { protocol, originPort } }];
}
