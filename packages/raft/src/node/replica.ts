import { Code, invariant, RpcError } from '@skep/platform';
import type { StateMachine } from '../contract.js';
import { REPLAY_BYTES_MAX } from '../limits.js';
import { EntryType, type LogEntry, type LogPosition } from '../log/entry.js';
import { Membership } from '../membership.js';
import { decodeContents, encodeContents } from '../snapshot/contents.js';
import type { RaftSnapshot } from '../snapshot/file.js';
import type { DiskState } from './disk-state.js';

/** What the applied part of the log amounts to: the state machine's state and the membership. */
export class Replica {
  readonly membership = new Membership();
  readonly #machine: StateMachine;
  #applied: LogPosition = { index: 0n, term: 0n };

  constructor(machine: StateMachine) {
    this.#machine = machine;
  }

  /** Position of the last entry applied, which is derived at each start and stored nowhere. */
  get applied(): LogPosition {
    return this.#applied;
  }

  /** Applies committed entries that follow the last one applied. */
  apply(entries: readonly LogEntry[]): void {
    for (const { index, term, type, data } of entries) {
      invariant(index === this.#applied.index + 1n, 'applied out of order', {
        index: String(index),
        applied: String(this.#applied.index),
      });
      this.#applied = { index, term };
      if (type === EntryType.EntryNormal) this.#machine.apply(index, data);
      else if (type === EntryType.EntryConfChange) this.membership.apply(data);
    }
  }

  snapshot(): RaftSnapshot {
    const membership = this.membership.snapshot();
    const data = encodeContents({ membership, store: this.#machine.snapshot() });
    return { ...this.#applied, voters: this.membership.voters, data };
  }

  /** State from the newest snapshot and every entry of the log after it. */
  async recover({ log, snapshots }: DiskState): Promise<void> {
    const snapshot = await snapshots.newest(log.base);
    if (snapshot) this.#restore(snapshot);
    if (this.#applied.index > log.last.index) {
      await log.append({ start: this.#applied }, true);
    }
    while (this.#applied.index < log.last.index) {
      const next = this.#applied.index + 1n;
      this.apply(await log.read(next, log.last.index, REPLAY_BYTES_MAX));
    }
  }

  #restore({ index, term, voters, data }: RaftSnapshot): void {
    const { membership, store } = decodeContents(data);
    this.membership.restore(membership, voters);
    this.#machine.restore(store);
    this.#applied = { index, term };
  }

  /** Throws FAILED_PRECONDITION unless `raftId` alone decides what is committed. */
  checkSoleVoter(raftId: bigint): void {
    const { voters } = this.membership;
    if (voters.length === 1 && voters[0] === raftId) return;
    const text = `raft: this node is not the only manager of its swarm: ${voters.length} vote`;
    throw new RpcError(Code.FAILED_PRECONDITION, text);
  }
}
