import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import { assemble, fromWire, type RaftNode } from '@skep/raft';
import { type BoundService, implement } from '@skep/rpc';
import { Peers, TakenSchema } from '@skep/wire/skep';
import {
  ProcessRaftMessageResponseSchema,
  Raft,
  ResolveAddressResponseSchema,
  StreamRaftMessageResponseSchema,
} from '@skep/wire/swarmkit';
import { LANE_ANSWER_EVERY } from '../../limits.js';

/**
 * Messages of the peers (wire-raft.md 2.1, 2.2). An answer says that a message was taken, no more.
 */
export function raftService(raft: Pick<RaftNode, 'receive' | 'status'>): BoundService {
  return implement(Raft, {
    async streamRaftMessage(requests) {
      const envelope = await assemble(requests);
      if (envelope) await raft.receive(envelope);
      return create(StreamRaftMessageResponseSchema);
    },
    async processRaftMessage({ message }) {
      if (message) await raft.receive(fromWire(message));
      return create(ProcessRaftMessageResponseSchema);
    },
    async resolveAddress({ raftId }) {
      const member = raft.status.members.find((one) => one.raftId === raftId);
      if (!member) {
        throw new RpcError(Code.NOT_FOUND, `raft: member ${raftId} is not known`);
      }
      return create(ResolveAddressResponseSchema, { addr: member.address });
    },
  });
}

/**
 * The same over one long call, for peers of our own kind. A request without a message asks whether
 * it works.
 */
export function peersService(raft: Pick<RaftNode, 'receive'>): BoundService {
  return implement(Peers, {
    async *exchange(requests) {
      let count = 0;
      for await (const { message } of requests) {
        if (message) await raft.receive(fromWire(message));
        count++;
        if (message && count < LANE_ANSWER_EVERY) continue;
        yield create(TakenSchema, { count });
        count = 0;
      }
    },
  });
}
