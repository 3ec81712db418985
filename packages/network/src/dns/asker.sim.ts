import type { AttachedNetwork, AttachedSandbox } from '../sandbox/contract.js';

/** A container on the network `net` unless said otherwise. */
export function sandboxOf(more: Partial<AttachedSandbox> = {}): AttachedSandbox {
  return {
    containerId: `c1${'0'.repeat(62)}`,
    name: 'self.1.s1',
    namespace: '/run/netns/c1',
    networks: [attachedOf('net', '10.0.1.11/24')],
    names: { hostname: 'Box', servers: [], search: [], options: [] },
    ...more,
  };
}

export function attachedOf(
  networkId: string,
  address: string,
  more: Partial<AttachedNetwork> = {},
): AttachedNetwork {
  const at = { networkId, networkName: networkId, link: 'eth0', address };
  return { ...at, aliases: [], ingress: false, ...more };
}
