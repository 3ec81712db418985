import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import type { Transaction } from '@skep/store';
import type { CompleteNodeSpec, NodeObject } from '@skep/wire';
import {
  AnnotationsSchema,
  GetNodeResponseSchema,
  type ListNodesRequest_Filters,
  ListNodesResponseSchema,
  ManagerStatusSchema,
  NodeRole,
  type NodeSpec,
  NodeStatus_State,
  RemoveNodeResponseSchema,
  UpdateNodeResponseSchema,
} from '@skep/wire/swarmkit';
import type { Control, ManagerMember } from '../../contract.js';
import { findCluster, refuseCertificateOf } from '../cluster/refused-certificates.js';
import type { ControlContext } from '../context.js';
import { failedPrecondition, invalidArgument, notFound } from '../errors.js';
import { hasLabels, isOneOf, startsWithOneOf } from '../filter.js';

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

    async updateNode({ nodeId, nodeVersion: version, spec }) {
      if (!nodeId || !version || !spec) throw invalidArgument();
      const node = await store.update((tx) => {
        const stored = tx.get('node', nodeId);
        if (!stored) throw notFound('node', nodeId);
        checkRoleChange(tx, stored, spec, members);
        const meta = { ...stored.meta, version };
        return tx.update('node', { ...stored, meta, spec: completeNodeSpec(spec) });
      });
      return create(UpdateNodeResponseSchema, { node: withManagerStatus(node, members) });
    },

    async removeNode({ nodeId, force }) {
      if (!nodeId) throw invalidArgument();
      await store.update((tx) => {
        const node = tx.get('node', nodeId);
        if (!node) throw notFound('node', nodeId);
        checkRemovable(node, force, members);
        const cluster = findCluster(tx);
        tx.update('cluster', refuseCertificateOf(cluster, node, clock.now()));
        tx.remove('node', nodeId);
      });
      return create(RemoveNodeResponseSchema);
    },
  };
}

function completeNodeSpec(spec: NodeSpec): CompleteNodeSpec {
  return { ...spec, annotations: spec.annotations ?? create(AnnotationsSchema) };
}

function memberOf(members: ControlContext['members'], nodeId: string): ManagerMember | undefined {
  return members.list().find((member) => member.nodeId === nodeId);
}

function withManagerStatus(node: NodeObject, members: ControlContext['members']): NodeObject {
  const member = memberOf(members, node.id);
  if (!member) return node.managerStatus ? { ...node, managerStatus: undefined } : node;
  const { raftId, address: addr, leader, reachability } = member;
  const managerStatus = create(ManagerStatusSchema, { raftId, addr, leader, reachability });
  return { ...node, managerStatus };
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

/** A manager may become a worker while the swarm keeps a manager, and a quorum of them. */
function checkRoleChange(
  tx: Transaction,
  stored: NodeObject,
  spec: NodeSpec,
  members: ControlContext['members'],
): void {
  if (stored.spec.desiredRole !== NodeRole.MANAGER || spec.desiredRole !== NodeRole.WORKER) return;
  const managers = [...tx.all('node')].filter((node) => node.role === NodeRole.MANAGER);
  if (managers.length === 1 && managers[0]?.id === stored.id) {
    throw failedPrecondition('attempting to demote the last manager of the swarm');
  }
  const member = memberOf(members, stored.id);
  if (!member) throw new RpcError(Code.NOT_FOUND, "can't find manager in raft memberlist");
  if (!members.canRemove(member.raftId)) {
    throw failedPrecondition(
      "can't remove member from the raft: this would result in a loss of quorum",
    );
  }
}

function checkRemovable(
  node: NodeObject,
  force: boolean,
  members: ControlContext['members'],
): void {
  if (node.spec.desiredRole === NodeRole.MANAGER && memberOf(members, node.id)) {
    throw failedPrecondition(
      `node ${node.id} is a cluster manager and is a member of the raft cluster. ` +
        'It must be demoted to worker before removal',
    );
  }
  if (!force && node.status.state === NodeStatus_State.READY) {
    throw failedPrecondition(`node ${node.id} is not down and can't be removed`);
  }
}
