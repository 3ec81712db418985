import type { SandboxRequest, TaskEndpoint } from '@skep/containers';
import { Code, RpcError } from '@skep/platform';
import { HOST } from '../kernel/contract.js';
import { INTERFACES_PER_SANDBOX_MAX } from '../limits.js';
import type { Names } from '../names.js';
import type { OverlayPlace } from '../overlay/contract.js';
import { segmentWith } from '../overlay/segments.js';
import { localAttachment, orderedEndpoints } from './attachment.js';
import type { InterfacePlan } from './plan.js';
import { bareAddress } from './plan.js';

/** What the interfaces of a sandbox hang on. */
export interface InterfaceContext {
  names: Names;
  mtuBytes: number;
  /** Default network and gateway bridge: their own addresses. */
  bridgeGateway: string;
  egressGateway: string;
  place(networkId: string): OverlayPlace | undefined;
  /**
   * Bridged frames of this host pass the rules for routed packets (br_netfilter). A port of the
   * host is then translated on the bridge: the frame goes back to the port it came from, or to a
   * neighbour's. The forward chain keeps strangers apart in that case; otherwise the bridge port
   * itself does.
   */
  bridgeFilter: boolean;
}

/**
 * The interfaces of a sandbox in Docker's order: swarm networks first, the way out last; the default
 * network, which a plain container was made on, comes before what it was connected to later.
 * `localAddress` is the one on the default network or the gateway bridge, with prefix length.
 */
export function planInterfaces(
  request: SandboxRequest,
  sandboxId: string,
  localAddress: string,
  context: InterfaceContext,
): InterfacePlan[] {
  const local = localAttachment(request) === 'none' ? 0 : 1;
  const endpoints = orderedEndpoints(request);
  if (endpoints.length + local > INTERFACES_PER_SANDBOX_MAX) throw tooMany(request);
  const before = request.mode === 'bridge' ? local : 0;
  const swarm = endpoints.map((endpoint, index) =>
    planSwarm(endpoint, sandboxId, before + index, context),
  );
  if (local === 0) return swarm;
  const place = request.mode === 'bridge' ? 0 : swarm.length;
  const own = planLocal(request, sandboxId, place, localAddress, context);
  return request.mode === 'bridge' ? [own, ...swarm] : [...swarm, own];
}

export function tooMany(request: SandboxRequest): RpcError {
  const limit = INTERFACES_PER_SANDBOX_MAX;
  const message = `container ${request.name} asks for more than ${limit} networks`;
  return new RpcError(Code.INVALID_ARGUMENT, message);
}

/** The interface on a bridge of this host. */
export function planLocal(
  request: SandboxRequest,
  sandboxId: string,
  place: number,
  address: string,
  context: InterfaceContext,
): InterfacePlan {
  const { names, mtuBytes } = context;
  const isGateway = localAttachment(request) === 'gateway';
  return {
    place,
    link: `eth${place}`,
    bridgeNamespace: HOST,
    bridge: isGateway ? names.gatewayBridge : names.bridge,
    hostLink: names.vethOf(sandboxId, place),
    address,
    mtuBytes,
    port: { hairpin: true, isolated: isGateway && !context.bridgeFilter },
    defaultGateway: isGateway ? context.egressGateway : context.bridgeGateway,
  };
}

/** The interface on a swarm network. Rejects NOT_FOUND when that does not stand on this node. */
export function planSwarm(
  endpoint: TaskEndpoint,
  sandboxId: string,
  place: number,
  context: InterfaceContext,
): InterfacePlan {
  const overlay = context.place(endpoint.networkId);
  const segment = overlay && segmentWith(overlay.segments, endpoint.address);
  if (!overlay || !segment) {
    throw new RpcError(Code.NOT_FOUND, `network ${endpoint.networkName} not found on this node`);
  }
  const others = overlay.segments.filter((other) => other !== segment);
  return {
    place,
    link: `eth${place}`,
    networkId: endpoint.networkId,
    bridgeNamespace: overlay.namespace,
    bridge: segment.bridge,
    hostLink: context.names.vethOf(sandboxId, place),
    address: endpoint.address,
    mtuBytes: overlay.mtuBytes,
    port: {},
    // The node's bridge routes between the subnets of one network.
    routes: others.map(({ subnet }) => ({ destination: subnet, gateway: segment.gateway })),
    ...(endpoint.ingress ? { answerGateway: bareAddress(overlay.nodeAddress) } : {}),
  };
}
