import type { SandboxRequest, TaskEndpoint } from '@skep/containers';

/**
 * The bridge of this host that a sandbox is plugged into beside its swarm networks: the default
 * network, or the way out that is no network to anybody.
 */
export type LocalAttachment = 'bridge' | 'gateway' | 'none';

export function localAttachment(request: SandboxRequest): LocalAttachment {
  const { mode, endpoints } = request;
  if (mode === 'host' || mode === 'none') return 'none';
  if (mode === 'bridge' || endpoints.length === 0) return 'bridge';
  // Behind the routing mesh a task answers clients from anywhere: it has a way out in any case.
  return endpoints.some(({ internal, ingress }) => ingress || !internal) ? 'gateway' : 'none';
}

/** The swarm networks in the order of their interfaces: the ingress network first. */
export function orderedEndpoints({ endpoints }: SandboxRequest): TaskEndpoint[] {
  return [
    ...endpoints.filter(({ ingress }) => ingress),
    ...endpoints.filter(({ ingress }) => !ingress),
  ];
}
