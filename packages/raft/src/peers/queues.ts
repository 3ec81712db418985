import type { Clock } from '@skep/platform';
import { PEER_SEND_TIMEOUT_MS } from '../limits.js';
import type { Member } from '../membership.js';
import type { PeerClient } from './client.js';
import type { Envelope, PeerEvents, PeerTransport } from './contract.js';
import { PeerQueue } from './queue.js';

export interface PeerQueuesOptions {
  client: PeerClient;
  clock: Clock;
  events: PeerEvents;
}

/** The way to the peers over calls: a queue and a sender for each (wire-raft.md 2.1, 2.3). */
export class PeerQueues implements PeerTransport {
  readonly #options: PeerQueuesOptions;
  readonly #queues = new Map<bigint, PeerQueue>();
  readonly #draining = new Set<PeerQueue>();
  #isClosed = false;

  constructor(options: PeerQueuesOptions) {
    this.#options = options;
  }

  send(to: Member, envelope: Envelope): void {
    if (!this.#isClosed) this.#queueTo(to).push(envelope);
  }

  setMembers(members: readonly Member[]): void {
    if (this.#isClosed) return;
    const wanted = new Set(members.map(({ raftId }) => raftId));
    for (const [raftId, queue] of this.#queues) {
      if (wanted.has(raftId)) continue;
      this.#queues.delete(raftId);
      this.#draining.add(queue);
      queue.drain(() => this.#draining.delete(queue));
    }
    for (const member of members) this.#queueTo(member).moveTo(member);
  }

  isActive(raftId: bigint): boolean {
    return this.#queues.get(raftId)?.activeSinceMs !== undefined;
  }

  activeForMs(raftId: bigint): number | undefined {
    const sinceMs = this.#queues.get(raftId)?.activeSinceMs;
    return sinceMs === undefined ? undefined : this.#options.clock.monotonic() - sinceMs;
  }

  async checkHealth(raftId: bigint): Promise<boolean> {
    return (await this.#queues.get(raftId)?.checkHealth()) ?? false;
  }

  /** Whoever has been active for longest is asked first; the others, too, may be there again. */
  async resolveAddress(raftId: bigint): Promise<string | undefined> {
    const { client } = this.#options;
    const since = ({ activeSinceMs }: PeerQueue) => activeSinceMs ?? Number.MAX_VALUE;
    const queues = [...this.#queues.values()].sort((a, b) => since(a) - since(b));
    for (const { member } of queues) {
      const asked = client.resolveAddress(member, raftId, PEER_SEND_TIMEOUT_MS);
      const address = await asked.catch(() => undefined);
      if (address !== undefined) return address;
    }
    return undefined;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const queue of [...this.#queues.values(), ...this.#draining]) queue.close();
    this.#queues.clear();
  }

  /** A new peer is asked for its health at once, so that it counts as reachable soon. */
  #queueTo(member: Member): PeerQueue {
    const known = this.#queues.get(member.raftId);
    if (known) return known;
    const queue = new PeerQueue({ ...this.#options, member });
    this.#queues.set(member.raftId, queue);
    void queue.checkHealth();
    return queue;
  }
}
