import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import type { Transaction } from '@skep/store';
import type { CompleteNodeSpec, NodeObject } from '@skep/wire';
import {
  AnnotationsSchema,
  NodeRole,
  type NodeSpec,
  NodeSpec_Availability,
  NodeSpec_Membership,
  type Version,
} from '@skep/wire/swarmkit';
import type { ControlContext } from '../context.js';
import { failedPrecondition, invalidArgument, notFound } from '../errors.js';
import { memberOf } from './manager-status.js';

/** Gives a node another spec, read at `version`. The role manager and others then act on it. */
export function updateNode(
  tx: Transaction,
  nodeId: string,
  version: Version,
  given: NodeSpec,
  members: ControlContext['members'],
): NodeObject {
  const stored = tx.get('node', nodeId);
  if (!stored) throw notFound('node', nodeId);
  const spec = checkNodeSpec(given);
  checkRoleChange(tx, stored, spec, members);
  return tx.update('node', { ...stored, meta: { ...stored.meta, version }, spec });
}

/** Numbers that name nothing would leave a node in a state that no part of the swarm can act on. */
function checkNodeSpec(spec: NodeSpec): CompleteNodeSpec {
  const isKnown =
    spec.desiredRole in NodeRole &&
    spec.availability in NodeSpec_Availability &&
    spec.membership in NodeSpec_Membership;
  if (!isKnown) throw invalidArgument();
  return { ...spec, annotations: spec.annotations ?? create(AnnotationsSchema) };
}

/** A manager may become a worker while the swarm keeps a manager, and a quorum of them. */
function checkRoleChange(
  tx: Transaction,
  stored: NodeObject,
  spec: CompleteNodeSpec,
  members: ControlContext['members'],
): void {
  if (stored.spec.desiredRole !== NodeRole.MANAGER || spec.desiredRole !== NodeRole.WORKER) return;
  // Managers on their way out do not count: two that are the last may not both be sent off.
  const remain = [...tx.all('node')].some(
    (node) =>
      node.id !== stored.id &&
      node.role === NodeRole.MANAGER &&
      node.spec.desiredRole === NodeRole.MANAGER,
  );
  if (!remain) throw failedPrecondition('attempting to demote the last manager of the swarm');
  const member = memberOf(members, stored.id);
  if (!member) throw new RpcError(Code.NOT_FOUND, "can't find manager in raft memberlist");
  if (!members.canRemove(member.raftId)) {
    throw failedPrecondition(
      "can't remove member from the raft: this would result in a loss of quorum",
    );
  }
}
