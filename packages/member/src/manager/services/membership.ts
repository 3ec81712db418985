import { create } from '@bufbuild/protobuf';
import { RAFT_SERVICE } from '@skep/manager';
import { Code, errorMessage, RpcError } from '@skep/platform';
import type { RaftMember } from '@skep/raft';
import { type BoundService, type CallContext, type Dialer, implement } from '@skep/rpc';
import {
  Health,
  JoinResponseSchema,
  LeaveResponseSchema,
  RaftMemberSchema,
  RaftMembership,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '@skep/wire/swarmkit';
import { HEALTH_CHECK_TIMEOUT_MS } from '../../limits.js';
import { nodeIdOf } from './caller.js';

export interface MembershipServiceOptions {
  raft: RaftMember;
  dialer: Dialer;
}

/** Managers that come and go, on the leader (wire-raft.md 1.1, 1.2). */
export function membershipService({ raft, dialer }: MembershipServiceOptions): BoundService {
  return implement(RaftMembership, {
    async join({ addr }, context) {
      const address = joinAddress(addr, context);
      await checkHealth(dialer, address);
      const { raftId, members } = await raft.addMember(nodeIdOf(context), address);
      return create(JoinResponseSchema, {
        raftId,
        members: members.map((member) =>
          create(RaftMemberSchema, {
            raftId: member.raftId,
            nodeId: member.nodeId,
            addr: member.address,
            status: {},
          }),
        ),
      });
    },
    async leave({ node }) {
      if (!node) throw new RpcError(Code.INVALID_ARGUMENT, 'no node information provided');
      await raft.removeMember(node.raftId);
      return create(LeaveResponseSchema);
    },
  });
}

/** The address a manager says it has; where it names no host, the one it calls from. */
function joinAddress(address: string, { caller }: CallContext): string {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(address);
  if (!match) throw new RpcError(Code.INVALID_ARGUMENT, `invalid address ${address || '""'}`);
  const host = match[1] ?? match[2] ?? '';
  if (host !== '' && host !== '0.0.0.0' && host !== '::') return address;
  const own = caller.address.includes(':') ? `[${caller.address}]` : caller.address;
  return `${own}:${match[3]}`;
}

/** A member that cannot be reached would cost the others their quorum: so it must answer first. */
async function checkHealth(dialer: Dialer, address: string): Promise<void> {
  const channel = dialer.dial(address, { serverName: 'swarm-manager' });
  try {
    const { status } = await channel.unary(
      Health.method.check,
      { service: RAFT_SERVICE },
      { timeoutMs: HEALTH_CHECK_TIMEOUT_MS },
    );
    if (status === ServingStatus.SERVING) return;
  } catch (error) {
    const text = 'could not connect to prospective new cluster member using its advertised address';
    throw new RpcError(Code.UNKNOWN, `${text}: ${errorMessage(error)}`, { cause: error });
  } finally {
    channel.close();
  }
  const text = 'health check returned status NOT_SERVING';
  throw new RpcError(Code.UNKNOWN, `${address}: ${text}`);
}
