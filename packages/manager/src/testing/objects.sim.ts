import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type ClusterObject,
  completeObject,
  type NetworkObject,
  type NodeObject,
  OWN_AGENT,
  type ServiceObject,
  type TaskObject,
  timestampFromMs,
} from '@skep/wire';
import {
  ClusterSchema,
  NetworkSchema,
  NodeSchema,
  NodeSpec_Availability,
  NodeStatus_State,
  ServiceSchema,
  TaskSchema,
  TaskState,
  type UpdateStatus,
  type UpdateStatus_UpdateState,
  UpdateStatusSchema,
} from '@skep/wire/swarmkit';

type ClusterInit = MessageInitShape<typeof ClusterSchema>;
type NetworkInit = MessageInitShape<typeof NetworkSchema>;
type ServiceInit = MessageInitShape<typeof ServiceSchema>;
type TaskInit = MessageInitShape<typeof TaskSchema>;
type NodeInit = MessageInitShape<typeof NodeSchema>;

/** Complete objects for tests: sensible where nothing is said. */

export function clusterOf(init: ClusterInit = {}): ClusterObject {
  const spec = { annotations: { name: 'default' }, ...init.spec };
  const whole = { id: 'cluster', ...init, spec } as ClusterInit;
  return completeObject('cluster', create(ClusterSchema, whole));
}

export function networkOf(id: string, spec: NetworkInit['spec'] = {}): NetworkObject {
  const whole = { id, spec: { annotations: { name: id }, ...spec } } as NetworkInit;
  return completeObject('network', create(NetworkSchema, whole));
}

export function ingressOf(id = 'ingress'): NetworkObject {
  return networkOf(id, { ingress: true, driverConfig: {}, ipam: { driver: {} } });
}

export function serviceOf(id: string, spec: ServiceInit['spec'] = {}): ServiceObject {
  const whole = { id, specVersion: { index: 1n }, spec: { annotations: { name: id }, ...spec } };
  return completeObject('service', create(ServiceSchema, whole as ServiceInit));
}

export function taskOf(id: string, init: TaskInit = {}): TaskObject {
  const whole = { id, desiredState: TaskState.RUNNING, specVersion: { index: 1n }, ...init };
  return completeObject('task', create(TaskSchema, whole as TaskInit));
}

/** A node that is ready and active, with 4 processors and 8 GiB. */
export function nodeOf(id: string, init: NodeInit = {}): NodeObject {
  const whole = {
    id,
    spec: { annotations: { name: '' }, availability: NodeSpec_Availability.ACTIVE },
    status: { state: NodeStatus_State.READY, addr: '127.0.0.1' },
    description: {
      hostname: id,
      platform: { os: 'linux', architecture: 'x86_64' },
      resources: { nanoCpus: 4_000_000_000n, memoryBytes: 8n * 2n ** 30n },
      engine: { plugins: [OWN_AGENT, { type: 'Network', name: 'overlay' }] },
    },
    ...init,
  };
  return completeObject('node', create(NodeSchema, whole as NodeInit));
}

/** The status of an update that began before anything else. */
export function updateStatusOf(state: UpdateStatus_UpdateState): UpdateStatus {
  const startedAt = timestampFromMs(0);
  return create(UpdateStatusSchema, { state, startedAt, message: 'as a test wants it' });
}
