import type { SandboxRequest, TaskEndpoint } from '@skep/containers';
import { Code, RpcError } from '@skep/platform';
import { localAttachment } from './attachment.js';
import type { Sandbox } from './registry.js';

/** A sandbox's request with other swarm networks; it stays on the default network if it is there. */
export function withEndpoints(request: SandboxRequest, endpoints: TaskEndpoint[]): SandboxRequest {
  return { ...request, endpoints, mode: modeWith(request, endpoints) };
}

function modeWith(request: SandboxRequest, endpoints: TaskEndpoint[]): SandboxRequest['mode'] {
  if (localAttachment(request) === 'bridge') return 'bridge';
  return endpoints.length > 0 ? 'task' : 'none';
}

/** Throws what Docker says to a container that cannot be connected. */
export function checkConnectable({ request }: Sandbox, endpoint: TaskEndpoint): void {
  if (request.mode === 'host') {
    const text =
      'container sharing network namespace with another container or host ' +
      'cannot be connected to any other network';
    throw new RpcError(Code.INVALID_ARGUMENT, text);
  }
  if (request.endpoints.some(({ networkId }) => networkId === endpoint.networkId)) {
    const name = request.name.replace(/^\//, '');
    const text = `endpoint with name ${name} already exists in network ${endpoint.networkName}`;
    throw new RpcError(Code.PERMISSION_DENIED, text);
  }
}

export function notConnected({ request }: Sandbox, networkId: string): RpcError {
  const text = `container ${request.containerId} is not connected to network ${networkId}`;
  return new RpcError(Code.NOT_FOUND, text);
}
