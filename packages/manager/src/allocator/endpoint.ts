import { clone, create, equals } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { NetworkObject, ServiceObject } from '@skep/wire';
import {
  type Endpoint,
  Endpoint_VirtualIPSchema,
  EndpointSchema,
  EndpointSpecSchema,
} from '@skep/wire/swarmkit';
import type { AddressPlan } from './address-plan.js';
import {
  givesAddresses,
  ingressReady,
  networksOfService,
  publishesIngress,
  targetNetwork,
  wantsVirtualIps,
} from './networks.js';

/**
 * What a service's endpoint should be: its spec, its ports with their numbers, one virtual address in each
 * network. Takes what it lacks and frees what it no longer needs. Throws `AllocationError`.
 */
export function planEndpoint(plan: AddressPlan, view: ReadView, service: ServiceObject): Endpoint {
  const spec = service.spec.endpoint;
  const networks = virtualIpNetworks(view, service);
  const ports = plan.assignPorts(service.id, spec?.ports ?? []);
  const owner = `service/${service.id}` as const;
  const virtualIps = networks.map(({ id }) =>
    create(Endpoint_VirtualIPSchema, { networkId: id, addr: plan.address(owner, id) }),
  );
  for (const networkId of plan.networksOf(owner)) {
    if (!networks.some(({ id }) => id === networkId)) plan.releaseAddress(owner, networkId);
  }
  const endpoint = create(EndpointSchema, { ports, virtualIps });
  if (spec) endpoint.spec = clone(EndpointSpecSchema, spec);
  return endpoint;
}

/** Holds what the stored endpoint has and nothing more: after a change of it could not be made. */
export function keepEndpoint(plan: AddressPlan, { id, endpoint }: ServiceObject): void {
  const owner = `service/${id}` as const;
  const kept = new Set(endpoint?.virtualIps.map(({ networkId }) => networkId));
  for (const networkId of plan.networksOf(owner)) {
    if (!kept.has(networkId)) plan.releaseAddress(owner, networkId);
  }
  plan.restorePorts(id, endpoint?.ports ?? []);
}

/** The mesh's network first, as Docker orders them; each network once. */
function virtualIpNetworks(view: ReadView, service: ServiceObject): NetworkObject[] {
  const spec = service.spec.endpoint;
  if (!wantsVirtualIps(spec)) return [];
  const networks = new Map<string, NetworkObject>();
  if (publishesIngress(spec)) {
    const ingress = ingressReady(view);
    networks.set(ingress.id, ingress);
  }
  for (const { target } of networksOfService(service)) {
    const network = targetNetwork(view, target);
    if (givesAddresses(network)) networks.set(network.id, network);
  }
  return [...networks.values()];
}

export function sameEndpoint(a: Endpoint | undefined, b: Endpoint): boolean {
  return a !== undefined && equals(EndpointSchema, a, b);
}

/** Whether a service's endpoint was made from its present spec. Throws `AllocationError`. */
export function endpointIsCurrent(view: ReadView, service: ServiceObject): boolean {
  const { endpoint } = service;
  const { endpoint: spec } = service.spec;
  if (!endpoint) return false;
  const isSame =
    spec && endpoint.spec
      ? equals(EndpointSpecSchema, endpoint.spec, spec)
      : spec === endpoint.spec;
  const held = new Set(endpoint.virtualIps.map(({ networkId }) => networkId));
  return isSame && virtualIpNetworks(view, service).every(({ id }) => held.has(id));
}
