import { RAFT_SERVICE } from '@skep/manager';
import { Code, RpcError } from '@skep/platform';
import type { Member, PeerClient } from '@skep/raft';
import type { Channel, Dialer } from '@skep/rpc';
import {
  Health,
  Raft,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '@skep/wire/swarmkit';

/** Raft's calls to its peers, over a channel of their own to each: nothing else delays them. */
export function raftPeerClient(dialer: Dialer): PeerClient {
  const channels = new Map<string, Channel>();
  const channelTo = ({ address }: Member): Channel => {
    let channel = channels.get(address);
    if (!channel) {
      channel = dialer.dial(address, { serverName: 'swarm-manager' });
      channels.set(address, channel);
    }
    return channel;
  };
  return {
    async sendMessage(member, requests, timeoutMs) {
      const stream = toAsync(requests);
      await channelTo(member).clientStream(Raft.method.streamRaftMessage, stream, { timeoutMs });
    },
    async checkHealth(member, timeoutMs) {
      const request = { service: RAFT_SERVICE };
      try {
        const answer = channelTo(member).unary(Health.method.check, request, { timeoutMs });
        return (await answer).status === ServingStatus.SERVING;
      } catch (error) {
        if (error instanceof RpcError && error.code !== Code.INTERNAL) return false;
        throw error;
      }
    },
    async resolveAddress(member, raftId, timeoutMs) {
      const { resolveAddress } = Raft.method;
      return (await channelTo(member).unary(resolveAddress, { raftId }, { timeoutMs })).addr;
    },
    watchConnection(member, listener) {
      return channelTo(member).onConnection(listener);
    },
    close({ address }) {
      channels.get(address)?.close();
      channels.delete(address);
    },
  };
}

async function* toAsync<T>(items: Iterable<T>): AsyncIterable<T> {
  yield* items;
}
