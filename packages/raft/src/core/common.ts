import type { Random } from '@skep/platform';
import type { MessageType } from '@skep/wire/raftpb';
import type { CoreFault, CoreSettings, CoreState, Message } from './contract.js';
import { CoreLog } from './core-log.js';
import { emptyMessage, Outbox } from './outbox.js';

/** What all parts of a core share: who it is, what it must not forget, and what leaves it. */
export class Common {
  readonly id: bigint;
  readonly settings: CoreSettings;
  readonly random: Random;
  readonly log: CoreLog;
  readonly outbox = new Outbox();
  term: bigint;
  /** Voted for in `term`; 0 for nobody. */
  vote: bigint;
  /** Leader of `term`; 0 while unknown. */
  leaderId = 0n;
  voters: ReadonlySet<bigint>;

  constructor(settings: CoreSettings, state: CoreState, random: Random) {
    this.id = state.id;
    this.settings = settings;
    this.random = random;
    this.log = new CoreLog(state);
    this.term = state.hardState.term;
    this.vote = state.hardState.vote;
    this.voters = new Set(state.voters);
  }

  /** A message of this node and term with nothing in it yet. */
  message(type: MessageType, to: bigint): Message {
    return emptyMessage(type, this.id, to, this.term);
  }

  hasFault(fault: CoreFault): boolean {
    return this.settings.faults?.has(fault) ?? false;
  }
}
