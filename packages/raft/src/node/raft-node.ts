import { Code, errorMessage, hasErrno, invariant, RpcError } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import type { StateMachine } from '../contract.js';
import type { RaftCore } from '../core/core.js';
import type { KeyWrapping } from '../keys/key-file.js';
import { TRANSFER_AT_STOP_MS, TRANSFER_TIMEOUT_MS } from '../limits.js';
import { REMOVED_TEXT } from '../peers/client.js';
import type { Envelope, PeerTransport } from '../peers/contract.js';
import type { Entry, JoinAnswer, RaftMember, RaftNodeOptions, RaftStatus } from './contract.js';
import { Listeners } from './listeners.js';
import { openNode } from './opening.js';
import { assemble, type Parts } from './parts.js';
import * as refusals from './refusals.js';
import { handOver } from './transfer.js';

type Phase = 'new' | 'starting' | 'running' | 'stopping' | 'stopped' | 'failed';

/** Messages a node sends only to itself; from elsewhere they mean nothing (wire-raft.md 2.2). */
const LOCAL_TYPES: ReadonlySet<MessageType> = new Set([
  MessageType.MsgHup,
  MessageType.MsgBeat,
  MessageType.MsgProp,
  MessageType.MsgUnreachable,
  MessageType.MsgSnapStatus,
  MessageType.MsgCheckQuorum,
]);

/** A manager's Raft node: the core with its disk, its peers and its time. */
export class RaftNode implements RaftMember {
  readonly #options: RaftNodeOptions;
  readonly #leadershipListeners = new Listeners<[boolean]>();
  readonly #changeListeners = new Listeners<[]>();
  readonly #progressListeners = new Listeners<[]>();
  #phase: Phase = 'new';
  #transport: PeerTransport | undefined;
  #parts: Parts | undefined;
  #isRemoved = false;
  /** What listeners were last told of. */
  #toldOf = '';
  #startFailed: ((error: unknown) => void) | undefined;

  constructor(options: RaftNodeOptions) {
    this.#options = options;
  }

  async start(machine: StateMachine, entry: Entry): Promise<void> {
    invariant(this.#phase === 'new', 'started twice');
    this.#phase = 'starting';
    const transport = this.#openTransport();
    this.#transport = transport;
    try {
      const opened = await openNode(this.#options, machine, entry);
      const options = this.#options;
      const owner = {
        onLeads: (leads: boolean) => this.#onLeads(leads),
        onChange: () => this.#changeListeners.tell(),
        onProgress: () => this.#onProgress(),
        onRemoved: () => this.#onRemoved(),
        onNoSpace: (error: Error) => this.#startFailed?.(error),
        onFailed: (error: unknown) => this.#fail(error),
      };
      this.#parts = await assemble({ ...opened, options, machine, transport, owner });
    } catch (error) {
      this.#phase = 'failed';
      await transport.close();
      throw error;
    }
    this.#phase = 'running';
    await this.#run(this.#parts);
  }

  /** Lets a started node go, and waits for it to lead where it alone decides that. */
  async #run({ engine, leading, raftId, replica }: Parts): Promise<void> {
    const { membership } = replica;
    if (membership.hasRemoved(raftId)) this.#onRemoved();
    const isAlone = membership.voters.length === 1 && membership.voters[0] === raftId;
    engine.run();
    const { term, leaderId } = engine.status;
    const fields = { raftId: `${raftId}`, term: `${term}`, index: `${replica.applied.index}` };
    this.#options.log.info({ ...fields, leader: `${leaderId}` }, 'raft log recovered');
    if (!isAlone) return;
    try {
      await this.#untilLeading(() => leading.leads);
      await this.#tellOwnAddress();
    } catch (error) {
      await this.stop();
      throw error;
    } finally {
      this.#startFailed = undefined;
    }
  }

  #untilLeading(leads: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      if (leads()) return resolve();
      this.#startFailed = reject;
      const stop = this.#leadershipListeners.add(() => {
        stop();
        resolve();
      });
    });
  }

  get status(): RaftStatus {
    const parts = this.#parts;
    if (!parts) return { ...NO_STATUS, isRemoved: this.#isRemoved };
    const { term, role, leaderId, commit, applied } = parts.engine.status;
    const { raftId, replica, transport } = parts;
    const members = replica.membership.members.map((member) => ({
      ...member,
      isLeader: member.raftId === leaderId,
      isReachable: member.raftId === raftId || transport.isActive(member.raftId),
    }));
    const isRunning = this.#phase === 'running' || this.#phase === 'stopping';
    return {
      raftId,
      term,
      role,
      leaderId: isRunning ? leaderId : 0n,
      commitIndex: commit,
      appliedIndex: applied,
      members,
      isRemoved: this.#isRemoved,
    };
  }

  get nextIndex(): bigint {
    return this.#running.leading.nextIndex;
  }

  propose(entry: Uint8Array): void {
    this.#running.leading.propose(entry);
  }

  onLeadership(listener: (leads: boolean) => void): () => void {
    return this.#leadershipListeners.add(listener);
  }

  onChange(listener: () => void): () => void {
    return this.#changeListeners.add(listener);
  }

  async readBarrier(): Promise<void> {
    await this.#running.barriers.wait();
  }

  async addMember(nodeId: string, address: string, heldRaftId?: bigint): Promise<JoinAnswer> {
    return this.#running.changes.add(nodeId, address, heldRaftId);
  }

  async removeMember(raftId: bigint): Promise<void> {
    await this.#running.changes.remove(raftId);
  }

  canRemove(raftId: bigint): boolean {
    return this.#running.canRemove(raftId);
  }

  async transferLeadership(to?: bigint): Promise<void> {
    const parts = this.#running;
    if (parts.engine.status.role !== 'leader') throw refusals.notLeader();
    await this.#handOver(parts, to, TRANSFER_TIMEOUT_MS);
  }

  async receive(envelope: Envelope): Promise<void> {
    const { from, to, type } = envelope.message;
    const parts = this.#parts;
    if (!parts || this.#phase === 'starting') return;
    const { membership } = parts.replica;
    if (membership.hasRemoved(from)) throw new RpcError(Code.NOT_FOUND, REMOVED_TEXT);
    if (to !== parts.raftId || LOCAL_TYPES.has(type) || !this.#isAnswering) return;
    if (type === MessageType.MsgVote) {
      // Nobody is voted for whom this node could not reach as its leader.
      if (!parts.engine.knows(from) || !(await parts.transport.checkHealth(from))) return;
    }
    parts.engine.receive(envelope);
  }

  async rewrapKey(wrapping: KeyWrapping, rotate: boolean): Promise<void> {
    const { keeper, engine, snapshots } = this.#running;
    try {
      await keeper.inTurn(() => keeper.rewrap(wrapping, rotate));
    } catch (error) {
      // What is in the file is unknown after a failed sync.
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) this.#fail(error);
      throw error;
    }
    if (!rotate) return;
    await engine.flush();
    snapshots.force();
  }

  configure(settings: Parameters<RaftMember['configure']>[0]): void {
    this.#parts?.snapshots.configure(settings);
  }

  async stop(): Promise<void> {
    const wasRunning = this.#phase === 'running';
    if (!wasRunning && this.#phase !== 'failed') return;
    const parts = this.#parts;
    if (wasRunning) this.#phase = 'stopping';
    if (parts && wasRunning) await this.#finish(parts);
    if (this.#phase === 'stopping') this.#phase = 'stopped';
    if (!parts) return;
    this.#parts = undefined;
    const { engine, snapshots, leading, changes, barriers, state } = parts;
    const reason = refusals.stopping();
    engine.stop();
    changes.abort(reason);
    barriers.close(reason);
    leading.end(reason);
    await engine.settled();
    await snapshots.settled();
    await parts.transport.close();
    await state.log.close();
  }

  /** Hands over to the others, or, alone, lets what was proposed be written. */
  async #finish(parts: Parts): Promise<void> {
    const { engine, leading } = parts;
    const { role, voters } = engine.status;
    if (role === 'leader' && [...voters].some((id) => id !== parts.raftId)) {
      await this.#handOver(parts, undefined, TRANSFER_AT_STOP_MS).catch((error: unknown) => {
        const fields = { error: errorMessage(error) };
        this.#options.log.warn(fields, 'leadership was not handed over before the stop');
      });
      return;
    }
    for (let pending = leading.pending + 1; leading.pending < pending; ) {
      pending = leading.pending;
      if (pending === 0) return;
      engine.pump();
      await engine.settled();
    }
  }

  /** The parts of a node that takes part. Throws FAILED_PRECONDITION where this one does not. */
  get #running(): Parts {
    if (this.#phase === 'running' && this.#parts && !this.#isRemoved) return this.#parts;
    throw refusals.notReady();
  }

  get #isAnswering(): boolean {
    return this.#phase === 'running' || this.#phase === 'stopping';
  }

  #handOver(
    { engine, transport }: Parts,
    to: bigint | undefined,
    timeoutMs: number,
  ): Promise<void> {
    const { clock } = this.#options;
    const transfer = (target: bigint) =>
      void engine.with((core) => core.transferLeadership(target));
    const onProgress = (listener: () => void) => this.#progressListeners.add(listener);
    const status = () => engine.status;
    return handOver({ clock, transport, status, transfer, onProgress }, to, timeoutMs);
  }

  #openTransport(): PeerTransport {
    const withCore = (fn: (core: RaftCore) => void) => this.#parts?.engine.with(fn);
    return this.#options.transport({
      onUnreachable: (raftId) => withCore((core) => core.reportUnreachable(raftId)),
      onSnapshotSent: (raftId, delivered) =>
        withCore((core) => core.reportSnapshot(raftId, delivered)),
      onRemoved: () => this.#onRemoved(),
      onConnection: (raftId, isUp) => {
        withCore((core) => {
          if (!isUp && core.status.leaderId === raftId) core.hintLeaderLost();
        });
        this.#changeListeners.tell();
      },
    });
  }

  #onLeads(leads: boolean): void {
    const { term } = this.#parts?.engine.status ?? NO_STATUS;
    const text = leads ? 'this manager leads' : 'this manager leads no more';
    this.#options.log.info({ term: `${term}` }, text);
    this.#leadershipListeners.tell(leads);
    if (leads && this.#phase === 'running' && !this.#startFailed) void this.#tellOwnAddress();
  }

  /** Has the others know where this node is reached now. Tried again when it leads again. */
  async #tellOwnAddress(): Promise<void> {
    const { replica, raftId, changes } = this.#running;
    const self = replica.membership.member(raftId);
    const { address } = this.#options;
    if (!self || self.address === address) return;
    await changes.update({ ...self, address }).catch((error: unknown) => {
      const fields = { error: errorMessage(error), address };
      this.#options.log.warn(fields, 'the new address of this manager is not known to the others');
    });
  }

  #onProgress(): void {
    this.#progressListeners.tell();
    const { role, leaderId } = this.#parts?.engine.status ?? NO_STATUS;
    const now = `${role} ${leaderId}`;
    if (now === this.#toldOf) return;
    this.#toldOf = now;
    this.#changeListeners.tell();
  }

  #onRemoved(): void {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    this.#options.log.warn({}, 'this manager was removed from its cluster');
    this.#parts?.leading.retire();
    this.#changeListeners.tell();
  }

  #fail(error: unknown): void {
    if (this.#phase === 'failed' || this.#phase === 'stopped') return;
    this.#phase = 'failed';
    this.#options.log.error({ error: errorMessage(error) }, 'raft failed, this manager stops');
    const reason = new RpcError(Code.UNAVAILABLE, 'raft: the log has failed', { cause: error });
    const { engine, leading, changes, barriers } = this.#parts ?? {};
    engine?.stop();
    changes?.abort(reason);
    barriers?.close(reason);
    leading?.end(reason);
    this.#startFailed?.(error);
    this.#options.onFatal(error);
  }
}

const NO_STATUS: RaftStatus = {
  raftId: 0n,
  term: 0n,
  role: 'follower',
  leaderId: 0n,
  commitIndex: 0n,
  appliedIndex: 0n,
  members: [],
  isRemoved: false,
};
