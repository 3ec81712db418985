import { RaftMemberStatus_Reachability } from '@skep/wire/swarmkit';
import type { ManagerMember, ManagerMembers } from '../contract.js';

/** The consensus room as a script: members, who may go, and what was asked. The first to come leads. */
export class SimMembers implements ManagerMembers {
  readonly ownId = 1n;
  readonly #members: ManagerMember[] = [];
  readonly #listeners = new Set<() => void>();
  #added = 0;
  /** What was asked, in order: `remove 2`, `transfer`. */
  readonly asked: string[] = [];
  /** Whether the others keep a quorum. */
  mayGo: (raftId: bigint) => boolean = () => true;
  /** Fails, or never answers, in place of a removal or transfer. */
  trouble: (() => Promise<void>) | undefined;

  constructor(...nodeIds: string[]) {
    for (const nodeId of nodeIds) this.add(nodeId);
  }

  add(nodeId: string): void {
    const number = ++this.#added;
    this.#members.push({
      raftId: BigInt(number),
      nodeId,
      address: `10.0.0.${number}:2377`,
      leader: number === 1,
      reachability: RaftMemberStatus_Reachability.REACHABLE,
    });
    this.changed();
  }

  list(): readonly ManagerMember[] {
    return this.#members;
  }

  canRemove(raftId: bigint): boolean {
    return this.mayGo(raftId);
  }

  async remove(raftId: bigint): Promise<void> {
    this.asked.push(`remove ${raftId}`);
    await this.trouble?.();
    const at = this.#members.findIndex((member) => member.raftId === raftId);
    if (at >= 0) this.#members.splice(at, 1);
    this.changed();
  }

  async transferLeadership(): Promise<void> {
    this.asked.push('transfer');
    await this.trouble?.();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  get listenerCount(): number {
    return this.#listeners.size;
  }

  changed(): void {
    for (const listener of this.#listeners) listener();
  }
}
