import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type NetworkObject, type ServiceObject, type TaskObject, VNI_OPTION } from '@skep/wire';
import {
  DriverSchema,
  EndpointSchema,
  IPAMOptionsSchema,
  type NetworkAttachmentSchema,
  type TaskSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import type { Fields } from '../control/fixture.sim.js';
import { ingressOf, networkOf, serviceOf, taskOf } from '../testing/objects.sim.js';

type Attachments = MessageInitShape<typeof NetworkAttachmentSchema>[];

/** An overlay network as the allocator leaves it: `10.0.<number>.0/24`. */
export function overlayOf(id: string, number: number, spec = {}): NetworkObject {
  const network = id === 'ingress' ? ingressOf(id) : networkOf(id, spec);
  const { options } = network.spec.driverConfig ?? {};
  const vni = String(4_096 + number);
  const configs = [{ subnet: `10.0.${number}.0/24`, gateway: `10.0.${number}.1` }];
  return {
    ...network,
    driverState: create(DriverSchema, {
      name: 'overlay',
      options: { ...options, [VNI_OPTION]: vni },
    }),
    ipam: create(IPAMOptionsSchema, { configs }),
  };
}

/** A service with virtual IPs, by network id. */
export function serviceWith(
  id: string,
  spec: Parameters<typeof serviceOf>[1],
  virtualIps: Record<string, string>,
): ServiceObject {
  const endpoint = create(EndpointSchema, {
    virtualIps: Object.entries(virtualIps).map(([networkId, addr]) => ({ networkId, addr })),
  });
  return { ...serviceOf(id, spec), endpoint };
}

/** Addresses in networks, by network id. */
export function attachments(addresses: Record<string, string>, ingress = false): Attachments {
  return Object.entries(addresses).map(([id, address]) => ({
    network: { id, spec: { ingress } },
    addresses: [address],
  }));
}

/** A task that runs on a node, with addresses in networks. */
export function runningTask(
  id: string,
  nodeId: string,
  addresses: Record<string, string>,
  more: Fields<typeof TaskSchema> = {},
): TaskObject {
  const fields: Fields<typeof TaskSchema> = {
    nodeId,
    serviceId: 's1',
    serviceAnnotations: { name: 'web' },
    slot: 1n,
    status: { state: TaskState.RUNNING },
    networks: attachments(addresses),
    ...more,
  };
  return taskOf(id, fields);
}
