import type { SandboxRequest } from '@skep/containers';
import { Code, RpcError } from '@skep/platform';
import { HOST } from '../kernel/contract.js';
import { INTERFACES_PER_SANDBOX_MAX } from '../limits.js';
import { INGRESS_BRIDGE, type Names } from '../names.js';
import type { IngressAttachment } from '../publish/contract.js';
import type { InterfacePlan } from './plan.js';
import { bareAddress } from './plan.js';

/** What the interfaces of a sandbox hang on. */
export interface InterfaceContext {
  names: Names;
  mtuBytes: number;
  /** Default network and gateway bridge: their own addresses. */
  bridgeGateway: string;
  egressGateway: string;
  ingress: IngressAttachment | undefined;
  /**
   * Bridged frames of this host pass the rules for routed packets (br_netfilter). A port of the
   * host is then translated on the bridge: the frame goes back to the port it came from, or to a
   * neighbour's. The forward chain keeps strangers apart in that case; otherwise the bridge port
   * itself does.
   */
  bridgeFilter: boolean;
}

/** Whether a sandbox sits on the default bridge, on swarm networks, or has no interface. */
export function attachmentOf(request: SandboxRequest): 'bridge' | 'swarm' | 'none' {
  if (request.mode === 'bridge') return 'bridge';
  if (request.mode !== 'task') return 'none';
  return request.endpoints.length > 0 ? 'swarm' : 'bridge';
}

/**
 * The interfaces of a sandbox in Docker's order: swarm networks first, the way out last.
 * `localAddress` is the one on the default network or the gateway bridge, with prefix length.
 */
export function planInterfaces(
  request: SandboxRequest,
  sandboxId: string,
  localAddress: string,
  context: InterfaceContext,
): InterfacePlan[] {
  const attachment = attachmentOf(request);
  if (attachment === 'none') return [];
  const { names, mtuBytes } = context;
  const swarm = attachment === 'swarm' ? planSwarm(request, sandboxId, context) : [];
  const place = swarm.length;
  const last: InterfacePlan = {
    link: `eth${place}`,
    bridgeNamespace: HOST,
    bridge: attachment === 'swarm' ? names.gatewayBridge : names.bridge,
    hostLink: names.vethOf(sandboxId, place),
    address: localAddress,
    mtuBytes,
    port: { hairpin: true, isolated: attachment === 'swarm' && !context.bridgeFilter },
    defaultGateway: attachment === 'swarm' ? context.egressGateway : context.bridgeGateway,
  };
  return [...swarm, last];
}

function planSwarm(
  request: SandboxRequest,
  sandboxId: string,
  context: InterfaceContext,
): InterfacePlan[] {
  if (request.endpoints.length >= INTERFACES_PER_SANDBOX_MAX) {
    const limit = INTERFACES_PER_SANDBOX_MAX;
    const message = `container ${request.name} asks for more than ${limit} networks`;
    throw new RpcError(Code.INVALID_ARGUMENT, message);
  }
  return request.endpoints.map((endpoint, place) => {
    const { ingress } = context;
    if (!endpoint.ingress || ingress?.networkId !== endpoint.networkId) {
      throw new RpcError(Code.NOT_FOUND, `network ${endpoint.networkName} not found on this node`);
    }
    return {
      link: `eth${place}`,
      bridgeNamespace: context.names.ingressNamespace,
      bridge: INGRESS_BRIDGE,
      hostLink: context.names.vethOf(sandboxId, place),
      address: endpoint.address,
      mtuBytes: context.mtuBytes,
      port: {},
      answerGateway: bareAddress(ingress.nodeAddress),
    };
  });
}
