import { Code, RpcError } from '@skep/platform';
import type { Proposer, StateMachine } from '../contract.js';
import { NoSpaceError } from '../errors.js';
import { ENTRY_PAYLOAD_BYTES_MAX, PENDING_BYTES_MAX, PENDING_ENTRIES_MAX } from '../limits.js';
import type { RaftLog } from '../log/log.js';
import type { Engine } from './engine.js';
import { Proposals } from './proposals.js';
import { noQuorum, notLeader, type Quorum } from './refusals.js';

export interface LeadingOptions {
  engine: Engine;
  machine: StateMachine;
  log: RaftLog;
  quorum(): Quorum;
  /** This node leads and may write from now on, or does so no more. */
  onLeads(leads: boolean): void;
}

/** What a node may do while it leads, and what becomes of it when it leads no more. */
export class Leading implements Proposer {
  readonly #options: LeadingOptions;
  readonly #proposals = new Proposals({ entries: PENDING_ENTRIES_MAX, bytes: PENDING_BYTES_MAX });
  #leads = false;
  #isRetired = false;

  constructor(options: LeadingOptions) {
    this.#options = options;
  }

  /** Whether this node leads and was told so. */
  get leads(): boolean {
    return this.#leads;
  }

  /** Entries proposed and not applied. */
  get pending(): number {
    return this.#proposals.count;
  }

  get nextIndex(): bigint {
    this.checkLeads();
    return this.#options.engine.status.last.index + 1n;
  }

  propose(entry: Uint8Array): void {
    this.checkLeads();
    if (entry.length === 0 || entry.length > ENTRY_PAYLOAD_BYTES_MAX) {
      const text = `raft: an entry of ${entry.length} bytes cannot be proposed`;
      throw new RpcError(Code.INVALID_ARGUMENT, text);
    }
    this.#proposals.checkLimits(entry.length);
    const { log, engine } = this.#options;
    const { count, bytes } = this.#proposals;
    if (!log.hasRoom(count + 1, bytes + entry.length)) throw new NoSpaceError();
    const position = engine.with((core) => core.propose(entry));
    if (!position) throw notLeader();
    this.#proposals.add(position.index, entry.length);
  }

  /** Throws the `RpcError` that says why, unless this node may write. */
  checkLeads(): void {
    const { engine, quorum } = this.#options;
    if (engine.isRenewing) throw new NoSpaceError();
    const { role, leaderId, isReady, transferTo } = engine.status;
    const reach = quorum();
    if (leaderId === 0n || (role === 'leader' && reach.reachable < reach.needed)) {
      throw noQuorum(reach);
    }
    if (role !== 'leader' || !isReady || transferTo !== 0n) throw notLeader();
  }

  /** Everything up to `index` is applied. */
  applied(index: bigint): void {
    this.#proposals.finish(index);
  }

  /** Looks whether this node leads by now. */
  progressed(): void {
    const { engine, onLeads } = this.#options;
    if (this.#leads || this.#isRetired || !engine.status.isReady) return;
    this.#leads = true;
    onLeads(true);
  }

  /** This node was removed: it does not lead any more, even while its core hands over. */
  retire(): void {
    this.#isRetired = true;
    this.end(notLeader());
  }

  /** The outcome of what was proposed will not be known here, and nothing more may be. */
  end(reason: Error): void {
    const { machine, onLeads } = this.#options;
    if (this.pending > 0) {
      this.#proposals.clear();
      machine.abort(reason);
    }
    if (!this.#leads) return;
    this.#leads = false;
    onLeads(false);
  }
}
