import { type Clock, Code, type Random, RpcError, randomU63 } from '@skep/platform';
import { CHANGE_TIMEOUT_MS } from '../limits.js';
import { EntryType, type LogEntry } from '../log/entry.js';
import {
  ConfChangeType,
  changeId,
  encodeChange,
  type Member,
  type Membership,
  type MembershipChange,
} from '../membership.js';
import type { JoinAnswer } from './contract.js';

export interface ChangesOptions {
  clock: Clock;
  random: Random;
  membership: Membership;
  /** Throws the `RpcError` that says why, unless this node leads and is ready. */
  checkLeads(): void;
  /**
   * Proposes a change; false while another one may not be applied yet. Throws when this node may
   * not.
   */
  propose(data: Uint8Array): boolean;
  canRemove(raftId: bigint): boolean;
  /** Whether those that stay are a quorum of themselves, by their answers from now on. */
  quorumStaysWithout(raftId: bigint): Promise<boolean>;
  /** Whether anything ever came from this member since this node started. */
  hasHeardFrom(raftId: bigint): boolean;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** A leader's changes of membership, one at a time. */
export class MembershipChanges {
  readonly #options: ChangesOptions;
  readonly #waiters = new Map<bigint, Waiter>();
  /** Members that this node, then the only voter, added since it started. */
  readonly #addedAsSecond = new Set<bigint>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  add(nodeId: string, address: string, heldRaftId: bigint | undefined): Promise<JoinAnswer> {
    return this.#inTurn(async () => {
      const { membership, checkLeads } = this.#options;
      const known = membership.members.find((member) => member.nodeId === nodeId);
      if (known && this.#mayKeepId(known, heldRaftId)) {
        if (known.address !== address) await this.#update({ ...known, address });
        return this.#answer(known.raftId);
      }
      checkLeads();
      if (known) await this.#remove(known.raftId);
      const member = { raftId: this.#newId(), nodeId, address };
      const isSecond = membership.voters.length === 1;
      await this.#apply({ type: ConfChangeType.ConfChangeAddNode, raftId: member.raftId, member });
      if (isSecond) this.#addedAsSecond.add(member.raftId);
      return this.#answer(member.raftId);
    });
  }

  remove(raftId: bigint): Promise<void> {
    return this.#inTurn(() => this.#remove(raftId));
  }

  update(member: Member): Promise<void> {
    return this.#inTurn(() => this.#update(member));
  }

  /** An entry was applied. */
  applied({ type, data }: LogEntry): void {
    if (type !== EntryType.EntryConfChange || this.#waiters.size === 0) return;
    const id = changeId(data);
    this.#waiters.get(id)?.resolve();
    this.#waiters.delete(id);
  }

  /** This node leads no more: what becomes of the changes it proposed, it does not learn. */
  abort(reason: Error): void {
    for (const { reject } of this.#waiters.values()) reject(reason);
    this.#waiters.clear();
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run);
    this.#last = result.catch(() => undefined);
    return result;
  }

  /**
   * Whoever lost its log has forgotten its votes and what it acknowledged, so it must not come back
   * under its id. Kept is the id of a member that says that it has its log, and of the second of
   * two whose answer got lost. That one was never heard of, and nobody else can have had its vote
   * or its acknowledgement; nor could it be removed, or anything else be written, without its
   * agreement. So it is answered even when the leader has stepped down for want of it.
   */
  #mayKeepId({ raftId }: Member, heldRaftId: bigint | undefined): boolean {
    if (heldRaftId === raftId) return true;
    return this.#addedAsSecond.has(raftId) && !this.#options.hasHeardFrom(raftId);
  }

  async #update(member: Member): Promise<void> {
    const { raftId } = member;
    await this.#apply({ type: ConfChangeType.ConfChangeUpdateNode, raftId, member });
  }

  async #remove(raftId: bigint): Promise<void> {
    const { membership, canRemove, quorumStaysWithout, checkLeads } = this.#options;
    checkLeads();
    if (!membership.hasVoter(raftId) && !membership.member(raftId)) {
      throw new RpcError(Code.NOT_FOUND, 'raft: member not found');
    }
    if (!canRemove(raftId) || !(await quorumStaysWithout(raftId))) {
      const text =
        'raft: member cannot be removed, because removing it may result in loss of quorum';
      throw new RpcError(Code.FAILED_PRECONDITION, text);
    }
    await this.#apply({ type: ConfChangeType.ConfChangeRemoveNode, raftId });
  }

  /** Random, never used before. */
  #newId(): bigint {
    const { membership, random } = this.#options;
    for (;;) {
      const raftId = randomU63(random);
      const isTaken = membership.hasVoter(raftId) || membership.hasRemoved(raftId);
      if (!isTaken && !membership.member(raftId)) return raftId;
    }
  }

  #answer(raftId: bigint): JoinAnswer {
    return { raftId, members: this.#options.membership.members };
  }

  /** Resolves when the change is applied here. */
  #apply(change: Omit<MembershipChange, 'id'>): Promise<void> {
    const { clock, random, checkLeads, propose } = this.#options;
    const id = randomU63(random);
    return new Promise<void>((resolve, reject) => {
      checkLeads();
      if (!propose(encodeChange({ ...change, id }))) {
        const text = 'raft: another change of membership is under way';
        throw new RpcError(Code.FAILED_PRECONDITION, text);
      }
      const cancel = clock.after(CHANGE_TIMEOUT_MS, () => {
        this.#waiters.delete(id);
        const text = 'raft: the change of membership was not agreed on in time';
        reject(new RpcError(Code.DEADLINE_EXCEEDED, text));
      });
      const settle = (fn: () => void) => () => {
        cancel();
        fn();
      };
      this.#waiters.set(id, {
        resolve: settle(resolve),
        reject: (error) => settle(() => reject(error))(),
      });
    });
  }
}
