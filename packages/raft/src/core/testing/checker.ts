import { invariant } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import type { LogEntry, LogPosition } from '../../log/entry.js';
import type { Effects, Message } from '../contract.js';
import type { RaftCore } from '../core.js';
import type { TestNode, TestObserver } from './node.js';

interface Written {
  data: Uint8Array;
  previousTerm: bigint;
}

/**
 * Holds a network of cores to the five properties of the Raft paper's figure 3, and to what peers
 * rely on.
 */
export class SafetyChecker implements TestObserver {
  readonly #leaders = new Map<bigint, bigint>();
  /** Last index that a leader appended, and in which term. */
  readonly #appended = new WeakMap<RaftCore, LogPosition>();
  readonly #written = new Map<string, Written>();
  /** What was applied anywhere, by index. */
  readonly #applied = new Map<bigint, LogEntry>();
  readonly #votes = new Map<string, bigint>();
  /** Where reads must come out at least, by context. */
  readonly #reads = new Map<string, bigint>();
  readonly #nodes: () => Iterable<TestNode>;
  #lastApplied = 0n;

  constructor(nodes: () => Iterable<TestNode>) {
    this.#nodes = nodes;
  }

  /** Largest index applied anywhere: it is committed. */
  get lastApplied(): bigint {
    return this.#lastApplied;
  }

  onTake(node: TestNode, { entries, hardState, reads }: Effects): void {
    const { role, term } = node.core.status;
    if (hardState) {
      invariant(hardState.term >= node.disk.hardState.term, 'a term went back');
      invariant(hardState.commit >= node.disk.hardState.commit, 'a commit went back');
    }
    if (role === 'leader') this.#checkAppendOnly(node, term, entries);
    for (const { context, index } of reads) {
      const least = this.#reads.get(Buffer.from(context).toString());
      invariant(least !== undefined && index >= least, 'a stale read was confirmed');
    }
  }

  #checkAppendOnly(node: TestNode, term: bigint, entries: readonly LogEntry[]): void {
    const own = entries.filter((entry) => entry.term === term);
    if (own.length === 0) return;
    const last = this.#appended.get(node.core);
    const isNew = last?.term !== term || own[0]!.index > last.index;
    invariant(isNew, 'leader append-only: a leader replaced an entry of its own');
    this.#appended.set(node.core, own.at(-1)!);
  }

  /**
   * To be called after anything happened: whoever leads leads alone, and holds all that is
   * committed.
   */
  checkLeaders(): void {
    for (const node of this.#nodes()) {
      const { role, term } = node.core.status;
      if (role !== 'leader') continue;
      const known = this.#leaders.get(term);
      if (known === node.id) continue;
      invariant(known === undefined, 'election safety: two leaders in one term', {
        term: `${term}`,
      });
      this.#leaders.set(term, node.id);
      for (const [index, entry] of this.#applied) this.#checkComplete(node, index, entry.term);
    }
  }

  #checkComplete(node: TestNode, index: bigint, term: bigint): void {
    const { base } = node.disk;
    if (index < base.index) return;
    const held = node.termOf(index);
    const isBelowSnapshot = node.unwritten.some(
      ({ snapshot }) => snapshot && snapshot.index >= index,
    );
    invariant(held === term || isBelowSnapshot, 'leader completeness: a leader lacks an entry', {
      index: `${index}`,
      term: `${term}`,
      held: `${held}`,
    });
  }

  onApply(node: TestNode, entry: LogEntry): void {
    const { index, term, data } = entry;
    const known = this.#applied.get(index);
    if (known) {
      const isSame = known.term === term && Buffer.compare(known.data, data) === 0;
      invariant(isSame, 'state machine safety: two nodes applied different entries', {
        index: `${index}`,
      });
      return;
    }
    this.#applied.set(index, entry);
    if (index > this.#lastApplied) this.#lastApplied = index;
    const ownTerm = node.core.status.term;
    for (const other of this.#nodes()) {
      const { role, term: otherTerm } = other.core.status;
      if (role === 'leader' && otherTerm > ownTerm) this.#checkComplete(other, index, term);
    }
  }

  onWritten(_node: TestNode, { index, term, data }: LogEntry, previousTerm: bigint): void {
    const key = `${index}/${term}`;
    const known = this.#written.get(key);
    if (!known) {
      this.#written.set(key, { data, previousTerm });
      return;
    }
    const isSame = known.previousTerm === previousTerm && Buffer.compare(known.data, data) === 0;
    invariant(isSame, 'log matching: two logs differ up to the same entry', { at: key });
  }

  onAnswer(node: TestNode, { type, to, term, index, reject }: Message): void {
    if (reject) return;
    if (type === MessageType.MsgVoteResp) {
      const key = `${node.id}/${term}`;
      const known = this.#votes.get(key) ?? to;
      invariant(known === to, 'a node voted twice in one term', { key });
      this.#votes.set(key, to);
      const { term: durableTerm, vote } = node.disk.hardState;
      const isDurable = durableTerm > term || (durableTerm === term && vote === to);
      invariant(isDurable, 'a vote left before it was durable');
    } else if (type === MessageType.MsgAppResp && node.core.status.term === term) {
      invariant(index <= node.lastOnDisk, 'an entry was acknowledged before it was durable');
    }
  }

  /** A leader must never tell of a commit that the follower does not hold: etcd would panic. */
  beforeDelivery(node: TestNode, { type, term, commit }: Message): void {
    if (type !== MessageType.MsgHeartbeat || term < node.core.status.term) return;
    invariant(commit <= node.core.status.last.index, 'a heartbeat commits what was not stored');
  }

  /** A read is asked for: everything committed by now must be in it. */
  onRead(context: string): void {
    this.#reads.set(context, this.#lastApplied);
  }
}
