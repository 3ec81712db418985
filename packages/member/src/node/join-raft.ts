import { Code, RpcError } from '@skep/platform';
import type { JoinAnswer } from '@skep/raft';
import type { Dialer } from '@skep/rpc';
import { RaftMembership } from '@skep/wire/swarmkit';
import { RAFT_JOIN_TIMEOUT_MS } from '../limits.js';
import type { Remotes } from '../remotes/index.js';

/** Asks one of the known managers to take this one in (wire-raft.md 1.1); they pass it on to the leader. */
export async function joinRaft(options: {
  dialer: Dialer;
  remotes: Remotes;
  nodeId: string;
  /** `ip:port` the others reach this manager at. */
  address: string;
}): Promise<JoinAnswer> {
  const { dialer, remotes, nodeId, address } = options;
  const manager = remotes.choose({ exclude: [nodeId, address] });
  const channel = dialer.dial(manager.address, { serverName: 'swarm-manager' });
  try {
    const answer = await channel.unary(
      RaftMembership.method.join,
      { addr: address },
      { timeoutMs: RAFT_JOIN_TIMEOUT_MS },
    );
    remotes.observe(manager, true);
    const members = answer.members.map((member) => ({
      raftId: member.raftId,
      nodeId: member.nodeId,
      address: member.addr,
    }));
    return { raftId: answer.raftId, members };
  } catch (error) {
    const isUnreachable = error instanceof RpcError && error.code === Code.UNAVAILABLE;
    if (isUnreachable) remotes.observe(manager, false);
    throw error;
  } finally {
    channel.close();
  }
}
