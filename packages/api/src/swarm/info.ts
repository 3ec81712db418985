import { create } from '@bufbuild/protobuf';
import type { Control } from '@skep/manager';
import { type Clock, errorMessage } from '@skep/platform';
import {
  type Cluster,
  ListClustersRequestSchema,
  ListNodesRequestSchema,
} from '@skep/wire/swarmkit';
import { HttpError } from '../server/errors.js';
import { clusterInfoToJson } from './convert/cluster.js';
import { type Json, omitEmpty } from './convert/json.js';
import { managerOf } from './manager.js';
import type { SwarmNode } from './node.js';

/** Line breaks and all, as Docker has it. */
const TWO_MANAGERS = [
  'WARNING: Running Swarm in a two-manager configuration. This configuration provides',
  '         no fault tolerance, and poses a high risk to lose control over the cluster.',
  '         Refer to https://docs.docker.com/engine/swarm/admin_guide/ to configure the',
  '         Swarm for fault-tolerance.',
].join('\n');

/** The `Swarm` part of GET /info. Never fails: what goes wrong stands in its `Error`. */
export async function swarmInfo(node: SwarmNode, clock: Clock): Promise<Json> {
  const { error, controlAvailable, remoteManagers } = node.info();
  const base = {
    NodeID: node.nodeId(),
    NodeAddr: node.nodeAddress(),
    LocalNodeState: node.localNodeState(),
    ControlAvailable: controlAvailable,
    Error: error,
    RemoteManagers:
      remoteManagers.length > 0
        ? remoteManagers.map(({ nodeId, address }) => ({ NodeID: nodeId, Addr: address }))
        : null,
  };
  if (!controlAvailable) return base;
  try {
    return { ...base, ...(await managerInfo(managerOf(node, clock))) };
  } catch (failure) {
    return { ...base, Error: errorMessage(failure) };
  }
}

async function managerInfo(control: Control): Promise<Json> {
  const cluster = await theCluster(control);
  const { nodes } = await control.listNodes(create(ListNodesRequestSchema));
  const managers = nodes.filter(({ managerStatus }) => managerStatus).length;
  return {
    Cluster: clusterInfoToJson(cluster),
    ...omitEmpty({
      Nodes: nodes.length,
      Managers: managers,
      Warnings: managers === 2 ? [TWO_MANAGERS] : [],
    }),
  };
}

/** The one cluster object. */
export async function theCluster(control: Control): Promise<Cluster> {
  const [cluster] = (await control.listClusters(create(ListClustersRequestSchema))).clusters;
  if (!cluster) throw new HttpError(404, 'This node is not part of a swarm');
  return cluster;
}

/** The `Swarm` header of /_ping: by it the CLI hides what this node cannot do. */
export function swarmHeader(node: SwarmNode): string {
  const state = node.localNodeState();
  if (state !== 'active') return state;
  return node.info().isManager ? 'active/manager' : 'active/worker';
}
