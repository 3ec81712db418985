import { RAFT_SERVICE } from '@skep/manager';
import { type Clock, Code, RpcError } from '@skep/platform';
import { type Envelope, type Member, type PeerClient, toChunks } from '@skep/raft';
import type { Channel, Dialer } from '@skep/rpc';
import {
  Health,
  Raft,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '@skep/wire/swarmkit';
import { Lane } from './lane.js';

/** Raft's calls to its peers, over a channel of their own to each: nothing else delays them. */
export function raftPeerClient(dialer: Dialer, clock: Clock): PeerClient {
  const peers = new Map<string, Peer>();
  const peerAt = ({ address }: Member): Peer => {
    let peer = peers.get(address);
    if (!peer) {
      peer = new Peer(dialer.dial(address, { serverName: 'swarm-manager' }), clock);
      peers.set(address, peer);
    }
    return peer;
  };
  return {
    sendMessage: (member, envelope, timeoutMs) => peerAt(member).send(envelope, timeoutMs),
    checkHealth: (member, timeoutMs) => isHealthy(peerAt(member).channel, timeoutMs),
    async resolveAddress(member, raftId, timeoutMs) {
      const { resolveAddress } = Raft.method;
      return (await peerAt(member).channel.unary(resolveAddress, { raftId }, { timeoutMs })).addr;
    },
    watchConnection: (member, listener) => peerAt(member).channel.onConnection(listener),
    close({ address }) {
      peers.get(address)?.close();
      peers.delete(address);
    },
  };
}

async function isHealthy(channel: Channel, timeoutMs: number): Promise<boolean> {
  try {
    const request = { service: RAFT_SERVICE };
    const answer = await channel.unary(Health.method.check, request, { timeoutMs });
    return answer.status === ServingStatus.SERVING;
  } catch (error) {
    if (error instanceof RpcError && error.code !== Code.INTERNAL) return false;
    throw error;
  }
}

/**
 * The way to one peer: a lane where it knows them, else a call for each message, as SwarmKit does
 * it.
 */
class Peer {
  readonly channel: Channel;
  readonly #clock: Clock;
  #lane: Lane | undefined;
  /** Whether a lane is being opened, or cannot be over the present connection. */
  #isLaneAsked = false;

  constructor(channel: Channel, clock: Clock) {
    this.channel = channel;
    this.#clock = clock;
    channel.onConnection(() => {
      this.#isLaneAsked = false;
    });
  }

  async send(envelope: Envelope, timeoutMs: number): Promise<void> {
    if (this.#lane && !this.#lane.isUsable) this.#dropLane();
    if (this.#lane && !envelope.snapshotData) return this.#lane.send(envelope, timeoutMs);
    const { streamRaftMessage } = Raft.method;
    await this.channel.clientStream(streamRaftMessage, toChunks(envelope), { timeoutMs });
    // The peer is there: what follows may go over a lane.
    if (!this.#lane && !this.#isLaneAsked) void this.#openLane(timeoutMs);
  }

  close(): void {
    this.#isLaneAsked = true;
    this.#dropLane();
    this.channel.close();
  }

  #dropLane(): void {
    this.#lane?.close();
    this.#lane = undefined;
  }

  async #openLane(timeoutMs: number): Promise<void> {
    this.#isLaneAsked = true;
    try {
      const lane = await Lane.open(this.channel, this.#clock, timeoutMs);
      this.#lane = lane;
      this.#isLaneAsked = false;
    } catch (error) {
      const isOtherKind = error instanceof RpcError && error.code === Code.UNIMPLEMENTED;
      this.#isLaneAsked = isOtherKind;
    }
  }
}
