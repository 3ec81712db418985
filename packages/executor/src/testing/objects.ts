import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { completeObject, type NodeObject, type TaskObject } from '@skep/wire';
import {
  type ContainerSpecSchema,
  NodeSchema,
  PortConfig_PublishMode,
  TaskSchema,
  type TaskSpecSchema,
} from '@skep/wire/swarmkit';

type SpecFields = MessageInitShape<typeof ContainerSpecSchema>;
type TaskFields = Omit<MessageInitShape<typeof TaskSchema>, '$typeName'>;

/** Task t1 in slot 2 of service `web`, of one container. */
export function makeTask(
  spec: SpecFields,
  fields: TaskFields = {},
  specFields: Omit<MessageInitShape<typeof TaskSpecSchema>, '$typeName'> = {},
): TaskObject {
  const task = create(TaskSchema, {
    id: 't1',
    nodeId: 'n1',
    serviceId: 's1',
    slot: 2n,
    serviceAnnotations: { name: 'web', labels: { tier: 'front' } },
    ...fields,
    spec: { runtime: { case: 'container', value: { image: 'nginx', ...spec } }, ...specFields },
  });
  return completeObject('task', task);
}

const ingressNetwork = {
  id: 'net1',
  spec: { annotations: { name: 'ingress' }, ingress: true },
  driverState: { name: 'overlay' },
  ipam: { configs: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1' }] },
};

/** What makes a task reachable through the routing mesh on port 8080. */
export const published: TaskFields = {
  networks: [{ network: ingressNetwork, addresses: ['10.0.0.7/24'] }],
  endpoint: {
    ports: [{ targetPort: 80, publishedPort: 8080, publishMode: PortConfig_PublishMode.INGRESS }],
  },
};

/** The node as it is attached to the ingress network. */
export function makeNode(): NodeObject {
  const attachments = [{ network: ingressNetwork, addresses: ['10.0.0.2/24'] }];
  return completeObject('node', create(NodeSchema, { id: 'n1', attachments }));
}
