import { create } from '@bufbuild/protobuf';
import type { NodeObject } from '@skep/wire';
import { ManagerStatusSchema } from '@skep/wire/swarmkit';
import type { ManagerMember } from '../../contract.js';
import type { ControlContext } from '../context.js';

export function memberOf(
  members: ControlContext['members'],
  nodeId: string,
): ManagerMember | undefined {
  return members.list().find((member) => member.nodeId === nodeId);
}

/** The node with what the consensus room says of it now; what the store holds may be long past. */
export function withManagerStatus(
  node: NodeObject,
  members: ControlContext['members'],
): NodeObject {
  const member = memberOf(members, node.id);
  if (!member) return node.managerStatus ? { ...node, managerStatus: undefined } : node;
  const { raftId, address: addr, leader, reachability } = member;
  const managerStatus = create(ManagerStatusSchema, { raftId, addr, leader, reachability });
  return { ...node, managerStatus };
}
