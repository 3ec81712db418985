import { create } from '@bufbuild/protobuf';
import {
  ListNodesRequestSchema,
  NodeRole,
  NodeSpec_Membership,
  RemoveNodeRequestSchema,
  UpdateNodeRequestSchema,
} from '@skep/wire/swarmkit';
import type { FastifyRequest } from 'fastify';
import { filters, flag, type Query } from '../../server/query.js';
import type { Routes } from '../../server/server.js';
import { enumValue, type Json } from '../convert/json.js';
import { nodeSpecFromJson, nodeToJson } from '../convert/node.js';
import { JsonReader } from '../convert/reader.js';
import { findNode } from '../lookup.js';
import { type ById, manager, type SwarmDependencies } from './dependencies.js';
import { labelsOf, translate, versionOf } from './query.js';

const FILTERS = ['name', 'id', 'label', 'role', 'membership', 'node.label'];

/** /nodes. */
export function nodeRoutes(deps: SwarmDependencies): Routes {
  return (app) => {
    app.get('/nodes', (request) => list(deps, request));
    app.get('/nodes/:id', async (request: ById) =>
      nodeToJson(await findNode(manager(deps), request.params.id)),
    );
    app.delete('/nodes/:id', async (request: ById, reply) => {
      const control = manager(deps);
      const node = await findNode(control, request.params.id);
      const force = flag(request.query as Query, 'force');
      await control.removeNode(create(RemoveNodeRequestSchema, { nodeId: node.id, force }));
      return reply.code(200).send();
    });
    app.post('/nodes/:id/update', async (request: ById, reply) => {
      const nodeVersion = versionOf(
        request.query as Query,
        (value, reason) => `invalid node version '${value}': ${reason}`,
      );
      const control = manager(deps);
      const spec = nodeSpecFromJson(JsonReader.of(request.body, 'NodeSpec'));
      const { id: nodeId } = await findNode(control, request.params.id);
      await control.updateNode(create(UpdateNodeRequestSchema, { nodeId, nodeVersion, spec }));
      return reply.code(200).send();
    });
  };
}

async function list(deps: SwarmDependencies, request: FastifyRequest): Promise<Json[]> {
  const control = manager(deps);
  const wanted = filters(request.query as Query, FILTERS);
  const listRequest = create(ListNodesRequestSchema, {
    filters: {
      namePrefixes: wanted.name ?? [],
      idPrefixes: wanted.id ?? [],
      labels: labelsOf(wanted.label),
      nodeLabels: labelsOf(wanted['node.label']),
      roles: translate(wanted.role, (text) => enumValue(NodeRole, text), 'role'),
      memberships: translate(
        wanted.membership,
        (text) => enumValue(NodeSpec_Membership, text),
        'membership',
      ),
    },
  });
  const { nodes } = await control.listNodes(listRequest);
  return nodes.map(nodeToJson);
}
