import { create } from '@bufbuild/protobuf';
import { CLUSTER_DEFAULTS, defaultClusterSpec } from '@skep/manager';
import type { FoundRequest } from '@skep/member';
import { durationFromMs } from '@skep/wire';
import {
  NodeSpec_Availability,
  RestartPolicy_RestartCondition,
  type ServiceSpec,
  ServiceSpecSchema,
  UpdateConfig_FailureAction,
} from '@skep/wire/swarmkit';
import { PORT } from './machine.js';

/** A swarm with the settings that `docker swarm init` gives it. */
export function foundRequest(address: string): FoundRequest {
  return {
    listenAddress: `0.0.0.0:${PORT}`,
    advertiseAddress: address,
    dataPathAddress: '',
    dataPathPort: CLUSTER_DEFAULTS.dataPathPort,
    availability: NodeSpec_Availability.ACTIVE,
    defaultAddressPool: [],
    subnetSize: CLUSTER_DEFAULTS.subnetSize,
    spec: defaultClusterSpec(),
  };
}

/** What a user wants of a service. */
export interface Wish {
  name: string;
  /** How many; every node one when undefined. */
  replicas: number | undefined;
  /** Changes with each update of what is to run. */
  image: string;
}

export function serviceSpec({ image, name, replicas }: Wish): ServiceSpec {
  const mode: ServiceSpec['mode'] =
    replicas === undefined
      ? { case: 'global', value: { $typeName: 'docker.swarmkit.v1.GlobalService' } }
      : {
          case: 'replicated',
          value: {
            $typeName: 'docker.swarmkit.v1.ReplicatedService',
            replicas: BigInt(replicas),
          },
        };
  return create(ServiceSpecSchema, {
    annotations: { name },
    task: {
      networks: [{ target: NETWORK, aliases: [`${name}-alias`] }],
      runtime: { case: 'container', value: { image } },
      restart: {
        condition: RestartPolicy_RestartCondition.ANY,
        delay: durationFromMs(RESTART_DELAY_MS),
      },
    },
    mode,
    // By the mesh as well, on a port that the swarm picks.
    endpoint: { ports: [{ targetPort: 80 }] },
    update: { parallelism: 1n, failureAction: UpdateConfig_FailureAction.CONTINUE },
  });
}

/** The network that all services are in. */
export const NETWORK = 'net';

/** Short, so that what restarts does so within a run. */
const RESTART_DELAY_MS = 500;
