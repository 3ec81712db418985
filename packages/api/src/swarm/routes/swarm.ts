import { create } from '@bufbuild/protobuf';
import { completeClusterSpec } from '@skep/wire';
import { ClusterSpecSchema, UpdateClusterRequestSchema } from '@skep/wire/swarmkit';
import type { FastifyRequest } from 'fastify';
import { flag, type Query } from '../../server/query.js';
import type { Routes } from '../../server/server.js';
import { mergeClusterSpec, swarmToJson } from '../convert/cluster.js';
import { dropUnknownInitFields } from '../convert/old-versions.js';
import { JsonReader } from '../convert/reader.js';
import { invalid, membershipError } from '../errors.js';
import { theCluster } from '../info.js';
import { initFromJson, joinFromJson } from '../requests.js';
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
      await node.leave(flag(request.query as Query, 'force'));
      return reply.code(200).send();
    });
    app.get('/swarm', async () => swarmToJson(await theCluster(manager(deps))));
    app.post('/swarm/update', async (request, reply) => {
      await update(deps, request);
      return reply.code(200).send();
    });
    app.get('/swarm/unlockkey', async () => ({ UnlockKey: await node.unlockKey() }));
    app.post('/swarm/unlock', async (request, reply) => {
      await node.unlock(JsonReader.of(request.body, 'UnlockRequest').string('UnlockKey'));
      return reply.code(200).send();
    });
  };
}

function refuseInSwarm({ node }: SwarmDependencies): void {
  if (node.localNodeState() !== 'inactive') throw membershipError('alreadyInSwarm');
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
