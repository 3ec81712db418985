import type { ReadView } from '@skep/store';
import type { NetworkObject, ServiceObject, TaskObject } from '@skep/wire';
import {
  type EndpointSpec,
  EndpointSpec_ResolutionMode,
  type NetworkAttachmentConfig,
  PortConfig_PublishMode,
} from '@skep/wire/swarmkit';
import { AllocationError } from './errors.js';
import { isAllocated, isIngress, isNodeLocal } from './network-plan.js';

/** The routing mesh's network, if there is one. */
export function ingressNetwork(view: ReadView): NetworkObject | undefined {
  for (const network of view.all('network')) if (isIngress(network)) return network;
  return undefined;
}

/** The mesh's network for one who needs it now. */
export function ingressReady(view: ReadView): NetworkObject {
  const ingress = ingressNetwork(view);
  if (!ingress) throw new AllocationError('ingress network is missing');
  return ready(ingress);
}

/** The network a service or task names, by id or by name, with its addresses planned. */
export function targetNetwork(view: ReadView, target: string): NetworkObject {
  const network = view.get('network', target) ?? view.named('network', target);
  if (!network) throw new AllocationError(`network ${target} not found`);
  return ready(network);
}

function ready(network: NetworkObject): NetworkObject {
  if (isAllocated(network)) return network;
  throw new AllocationError(`network ${network.spec.annotations.name} has no addresses yet`);
}

export function publishesIngress(spec: EndpointSpec | undefined): boolean {
  return (
    spec?.ports.some(({ publishMode }) => publishMode === PortConfig_PublishMode.INGRESS) ?? false
  );
}

/** Whether a service has a virtual address in each of its networks. */
export function wantsVirtualIps(spec: EndpointSpec | undefined): boolean {
  return spec?.mode !== EndpointSpec_ResolutionMode.DNSRR;
}

/** Networks of a service; those beside its task's are an old form, used when there are no others. */
export function networksOfService(service: ServiceObject): readonly NetworkAttachmentConfig[] {
  const { task, networks } = service.spec;
  return task.networks.length > 0 ? task.networks : networks;
}

export function networksOfTask(
  task: TaskObject,
  service: ServiceObject | undefined,
): readonly NetworkAttachmentConfig[] {
  if (task.spec.networks.length > 0 || !service) return task.spec.networks;
  return service.spec.networks;
}

export function givesAddresses(network: NetworkObject): boolean {
  return !isNodeLocal(network);
}
