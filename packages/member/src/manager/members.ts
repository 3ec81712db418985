import type { ManagerMembers } from '@skep/manager';
import type { RaftMember } from '@skep/raft';
import { RaftMemberStatus_Reachability as Reachability } from '@skep/wire/swarmkit';

/** The managers, as the leader's rooms see them. */
export function managerMembers(raft: RaftMember): ManagerMembers {
  return {
    get ownId() {
      return raft.status.raftId;
    },
    list: () =>
      raft.status.members.map(({ raftId, nodeId, address, isLeader, isReachable }) => ({
        raftId,
        nodeId,
        address,
        leader: isLeader,
        reachability: isReachable ? Reachability.REACHABLE : Reachability.UNREACHABLE,
      })),
    canRemove: (raftId) => raft.canRemove(raftId),
    remove: (raftId) => raft.removeMember(raftId),
    transferLeadership: () => raft.transferLeadership(),
    onChange: (listener) => raft.onChange(listener),
  };
}
