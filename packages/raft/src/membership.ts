import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type ConfChange, ConfChangeSchema, ConfChangeType } from '@skep/wire/raftpb';
import {
  type ClusterSnapshot,
  ClusterSnapshotSchema,
  RaftMemberSchema,
  RaftMemberStatusSchema,
} from '@skep/wire/swarmkit';

export { ConfChangeType };

/** A manager as Raft knows it. */
export interface Member {
  /** 1 … 2^63, random, never used again. */
  raftId: bigint;
  nodeId: string;
  /** host:port where its peers reach it. */
  address: string;
}

/** A change of membership, as it stands in the log. */
export interface MembershipChange {
  /** Request id of the proposer; 0 in the entry that founds a cluster. */
  id: bigint;
  type: ConfChangeType;
  raftId: bigint;
  /** Left out when a member is removed. */
  member?: Member;
}

/** The bytes of a RaftMember, its empty status included as SwarmKit writes it. */
export function encodeMember({ raftId, nodeId, address }: Member): Uint8Array {
  const status = create(RaftMemberStatusSchema);
  const member = create(RaftMemberSchema, { raftId, nodeId, addr: address, status });
  return toBinary(RaftMemberSchema, member);
}

export function decodeMember(bytes: Uint8Array): Member {
  const { raftId, nodeId, addr } = fromBinary(RaftMemberSchema, bytes);
  return { raftId, nodeId, address: addr };
}

/** The bytes of a ConfChange with the member as its context (wire-raft.md 1.3). */
export function encodeChange({ id, type, raftId, member }: MembershipChange): Uint8Array {
  const context = member ? encodeMember(member) : new Uint8Array(0);
  const message = create(ConfChangeSchema, { id, type, nodeId: raftId, context });
  return toBinary(ConfChangeSchema, message);
}

/** Request id of an encoded change. */
export function changeId(data: Uint8Array): bigint {
  return fromBinary(ConfChangeSchema, data).id;
}

/** Whether an encoded change removes this member. */
export function removes(data: Uint8Array, raftId: bigint): boolean {
  const { type, nodeId } = fromBinary(ConfChangeSchema, data);
  return type === ConfChangeType.ConfChangeRemoveNode && nodeId === raftId;
}

/** Whom an encoded change takes in, or gives an address; undefined for other changes. */
export function announcedMember(data: Uint8Array): Member | undefined {
  const { type, context } = fromBinary(ConfChangeSchema, data);
  const { ConfChangeAddNode, ConfChangeUpdateNode } = ConfChangeType;
  if (type !== ConfChangeAddNode && type !== ConfChangeUpdateNode) return undefined;
  const member = readMember(context);
  return member?.raftId === 0n ? undefined : member;
}

function readMember(context: Uint8Array): Member | undefined {
  try {
    return decodeMember(context);
  } catch {
    return undefined;
  }
}

/** Who belongs to the cluster, as of the last applied entry. */
export class Membership {
  readonly #members = new Map<bigint, Member>();
  readonly #voters = new Set<bigint>();
  readonly #removed = new Set<bigint>();

  get members(): readonly Member[] {
    return [...this.#members.values()];
  }

  /** Ids that count in the quorum: those of the members, unless a change named no member. */
  get voters(): readonly bigint[] {
    return [...this.#voters];
  }

  /** Ids that were removed, for ever. */
  get removed(): readonly bigint[] {
    return [...this.#removed];
  }

  hasVoter(raftId: bigint): boolean {
    return this.#voters.has(raftId);
  }

  hasRemoved(raftId: bigint): boolean {
    return this.#removed.has(raftId);
  }

  member(raftId: bigint): Member | undefined {
    return this.#members.get(raftId);
  }

  /**
   * Applies a committed change; applying it again changes nothing. A member that cannot be read, or
   * comes back after its removal, still votes: the configuration changes on every node, whatever it
   * thinks.
   */
  apply(data: Uint8Array): void {
    const change = fromBinary(ConfChangeSchema, data);
    switch (change.type) {
      case ConfChangeType.ConfChangeAddNode:
        this.#voters.add(change.nodeId);
        this.#register(change);
        return;
      case ConfChangeType.ConfChangeUpdateNode:
        if (this.#members.has(change.nodeId)) this.#register(change);
        return;
      case ConfChangeType.ConfChangeRemoveNode:
        this.#voters.delete(change.nodeId);
        this.#members.delete(change.nodeId);
        this.#removed.add(change.nodeId);
        return;
      case ConfChangeType.ConfChangeAddLearnerNode:
        return;
    }
  }

  #register(change: ConfChange): void {
    const member = readMember(change.context);
    if (!member || member.raftId === 0n || this.#removed.has(member.raftId)) return;
    this.#members.set(member.raftId, member);
  }

  snapshot(): ClusterSnapshot {
    const members = this.members.map(({ raftId, nodeId, address }) =>
      create(RaftMemberSchema, {
        raftId,
        nodeId,
        addr: address,
        status: create(RaftMemberStatusSchema),
      }),
    );
    return create(ClusterSnapshotSchema, { members, removed: [...this.#removed] });
  }

  restore(snapshot: ClusterSnapshot, voters: readonly bigint[]): void {
    this.#members.clear();
    this.#voters.clear();
    this.#removed.clear();
    for (const { raftId, nodeId, addr } of snapshot.members) {
      this.#members.set(raftId, { raftId, nodeId, address: addr });
    }
    for (const voter of voters) this.#voters.add(voter);
    for (const raftId of snapshot.removed) this.#removed.add(raftId);
  }
}
