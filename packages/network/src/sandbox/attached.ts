import type { AttachedSandbox } from './contract.js';
import type { Sandbox } from './registry.js';

/** A sandbox as its readers see it; undefined when it is on no swarm network. */
export function attachedSandbox({ request, plan }: Sandbox): AttachedSandbox | undefined {
  const networks = plan.interfaces.flatMap(({ networkId, link, address }) => {
    const endpoint = request.endpoints.find((other) => other.networkId === networkId);
    if (!endpoint) return [];
    const { networkName, aliases, ingress } = endpoint;
    return [{ networkId: endpoint.networkId, networkName, link, address, aliases, ingress }];
  });
  if (networks.length === 0) return undefined;
  const { containerId, names } = request;
  const name = request.name.replace(/^\//, '');
  return { containerId, name, namespace: plan.namespace, networks, names };
}
