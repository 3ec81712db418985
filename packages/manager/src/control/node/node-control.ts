import { create } from '@bufbuild/protobuf';
import type { NodeObject } from '@skep/wire';
import {
  GetNodeResponseSchema,
  type ListNodesRequest_Filters,
  ListNodesResponseSchema,
  RemoveNodeResponseSchema,
  UpdateNodeResponseSchema,
} from '@skep/wire/swarmkit';
import type { Control } from '../../contract.js';
import type { ControlContext } from '../context.js';
import { invalidArgument, notFound } from '../errors.js';
import { hasLabels, isOneOf, startsWithOneOf } from '../filter.js';
import { withManagerStatus } from './manager-status.js';
import { removeNode } from './removal.js';
import { updateNode } from './update.js';

type NodeControl = Pick<Control, 'getNode' | 'listNodes' | 'updateNode' | 'removeNode'>;

/** Nodes. Their manager status comes fresh from the consensus room, not from the store. */
export function nodeControl({ store, clock, members }: ControlContext): NodeControl {
  return {
    async getNode({ nodeId }) {
      if (!nodeId) throw invalidArgument();
      const node = store.view.get('node', nodeId);
      if (!node) throw notFound('node', nodeId);
      return create(GetNodeResponseSchema, { node: withManagerStatus(node, members) });
    },

    async listNodes({ filters }) {
      const nodes = [...store.view.all('node')]
        .filter((node) => !filters || matches(node, filters))
        .map((node) => withManagerStatus(node, members));
      return create(ListNodesResponseSchema, { nodes });
    },

    async updateNode({ nodeId, nodeVersion, spec }) {
      if (!nodeId || !nodeVersion || !spec) throw invalidArgument();
      const node = await store.update((tx) => updateNode(tx, nodeId, nodeVersion, spec, members));
      return create(UpdateNodeResponseSchema, { node: withManagerStatus(node, members) });
    },

    async removeNode({ nodeId, force }) {
      if (!nodeId) throw invalidArgument();
      await removeNode(store, { nodeId, force, nowMs: clock.now(), members });
      return create(RemoveNodeResponseSchema);
    },
  };
}

/** Names are host names; `labels` are those of the engine, `nodeLabels` those the swarm's users set. */
function matches(node: NodeObject, filters: ListNodesRequest_Filters): boolean {
  const { description, spec } = node;
  const wantsName = filters.names.length + filters.namePrefixes.length > 0;
  if (!description && (wantsName || Object.keys(filters.labels).length > 0)) return false;
  const hostname = description?.hostname ?? '';
  return (
    isOneOf(hostname, filters.names) &&
    startsWithOneOf(hostname, filters.namePrefixes) &&
    startsWithOneOf(node.id, filters.idPrefixes) &&
    hasLabels(description?.engine?.labels ?? {}, filters.labels) &&
    hasLabels(spec.annotations.labels, filters.nodeLabels) &&
    isOneOf(node.role, filters.roles) &&
    isOneOf(spec.membership, filters.memberships)
  );
}
