import { create } from '@bufbuild/protobuf';
import { completeClusterSpec } from '@skep/wire';
import { ClusterSpecSchema, UpdateClusterRequestSchema } from '@skep/wire/swarmkit';
import type { FastifyRequest } from 'fastify';
import { callManager } from '../../server/errors.js';
import { flag, type Query } from '../../server/query.js';
import type { Routes } from '../../server/server.js';
import { mergeClusterSpec, swarmToJson } from '../convert/cluster.js';
import { dropUnknownInitFields } from '../convert/old-versions.js';
import { JsonReader } from '../convert/reader.js';
import { invalid, membershipError, unlockError } from '../errors.js';
import { theCluster } from '../info.js';
import { checkMayLeave } from '../leave.js';
import { initFromJson, joinFromJson, unlockKeyFromJson } from '../requests.js';
import { manager, type SwarmDependencies } from './dependencies.js';
import { strictFlag, versionOf } from './query.js';

const CLUSTER_NAME = 'default';

/** /swarm: membership and the cluster's settings. */
export function swarmRoutes(deps: SwarmDependencies): Routes {
  const { node, addresses } = deps;
  return (app) => {
    app.post('/swarm/init', async (request, reply) => {
      dropUnknownInitFields(request.body, request.apiVersion);
      const json = JsonReader.of(request.body, 'InitRequest');
      if (!json.boolean('ForceNewCluster')) refuseInSwarm(deps);
      else refuseOnWorker(deps);
      const id = await node.init(initFromJson(json, addresses));
      return reply.type('application/json').send(JSON.stringify(id));
    });
    app.post('/swarm/join', async (request, reply) => {
      refuseInSwarm(deps);
      await node.join(joinFromJson(JsonReader.of(request.body, 'JoinRequest'), addresses));
      return reply.code(200).send();
    });
    app.post('/swarm/leave', async (request, reply) => {
      if (node.localNodeState() === 'inactive') throw membershipError('notInSwarm');
      const force = flag(request.query as Query, 'force');
      if (!force) await checkMayLeave(deps);
      await node.leave(force);
      return reply.code(200).send();
    });
    app.get('/swarm', async () => swarmToJson(await theCluster(manager(deps))));
    app.post('/swarm/update', async (request, reply) => {
      await update(deps, request);
      return reply.code(200).send();
    });
    app.get('/swarm/unlockkey', async () => {
      node.control(); // for its refusal
      return { UnlockKey: await callManager(() => node.unlockKey()) };
    });
    app.post('/swarm/unlock', async (request, reply) => {
      const json = JsonReader.of(request.body, 'UnlockRequest');
      if (node.localNodeState() !== 'locked') {
        node.control(); // a node that is no manager has another answer
        throw unlockError('notLocked');
      }
      await node.unlock(unlockKeyFromJson(json));
      return reply.code(200).send();
    });
  };
}

function refuseInSwarm({ node }: SwarmDependencies): void {
  if (node.localNodeState() !== 'inactive') throw membershipError('alreadyInSwarm');
}

/** A worker has no state that a cluster could be made of. */
function refuseOnWorker({ node }: SwarmDependencies): void {
  if (node.localNodeState() === 'active' && !node.info().isManager) throw membershipError('worker');
}

async function update(deps: SwarmDependencies, request: FastifyRequest): Promise<void> {
  const query = request.query as Query;
  const clusterVersion = versionOf(
    query,
    (value, reason) => `invalid swarm version '${value}': ${reason}`,
  );
  const rotation = {
    workerJoinToken: strictFlag(query, 'rotateWorkerToken'),
    managerJoinToken: strictFlag(query, 'rotateManagerToken'),
    managerUnlockKey: strictFlag(query, 'rotateManagerUnlockKey'),
  };
  const control = manager(deps);
  const { id: clusterId } = await theCluster(control);
  const json = JsonReader.of(request.body, 'Spec');
  const name = json.string('Name') || CLUSTER_NAME;
  if (name !== CLUSTER_NAME) throw invalid('swarm spec must be named "default"');
  const empty = completeClusterSpec(create(ClusterSpecSchema, { annotations: { name } }));
  const spec = mergeClusterSpec(json, empty);
  await control.updateCluster(
    create(UpdateClusterRequestSchema, { clusterId, clusterVersion, spec, rotation }),
  );
}
