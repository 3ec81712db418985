import { create } from '@bufbuild/protobuf';
import type { Clock } from '@skep/platform';
import { ListNodesRequestSchema, RaftMemberStatus_Reachability } from '@skep/wire/swarmkit';
import { leaveRefusal, type ManagerCounts, membershipError } from './errors.js';
import { managerOf } from './manager.js';
import type { SwarmNode } from './node.js';

/** Throws what speaks against leaving without force: that the node is locked, or a manager. */
export async function checkMayLeave(deps: { node: SwarmNode; clock: Clock }): Promise<void> {
  const { node } = deps;
  if (node.localNodeState() === 'locked') throw membershipError('leaveLocked');
  const { isManager, controlAvailable } = node.info();
  if (!isManager) return;
  if (!controlAvailable) throw leaveRefusal('unprepared');
  throw leaveRefusal(await countManagers(deps).catch(() => undefined));
}

async function countManagers({
  node,
  clock,
}: {
  node: SwarmNode;
  clock: Clock;
}): Promise<ManagerCounts> {
  const { nodes } = await managerOf(node, clock).listNodes(create(ListNodesRequestSchema));
  const inState = (state: RaftMemberStatus_Reachability) =>
    nodes.filter(({ managerStatus }) => managerStatus?.reachability === state);
  const reachable = inState(RaftMemberStatus_Reachability.REACHABLE);
  return {
    reachable: reachable.length,
    unreachable: inState(RaftMemberStatus_Reachability.UNREACHABLE).length,
    isCounted: reachable.some(({ id }) => id === node.nodeId()),
  };
}
