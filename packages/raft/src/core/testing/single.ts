import { SimRandom } from '@skep/platform';
import type { MessageType } from '@skep/wire/raftpb';
import { EntryType, type LogEntry } from '../../log/entry.js';
import type { CoreSettings, Message } from '../contract.js';
import { emptyMessage } from '../outbox.js';
import { emptyDisk, TEST_SETTINGS, TestNode } from './node.js';

/** Entries of these terms, from index 1 on. */
export function entriesOf(terms: readonly number[], from = 1): LogEntry[] {
  return terms.map((term, at) => ({
    index: BigInt(from + at),
    term: BigInt(term),
    type: EntryType.EntryNormal,
    data: Buffer.from(`${from + at}/${term}`),
  }));
}

export interface SingleOptions {
  /** Voters besides node 1. */
  others?: readonly number[];
  term?: number;
  commit?: number;
  /** Terms of the entries in the log. */
  terms?: readonly number[];
  settings?: Partial<CoreSettings>;
  seed?: number;
}

/** Node 1 alone on a bench: messages go in by hand, and what comes out is kept. */
export class Single extends TestNode {
  readonly sent: Message[];

  constructor(options: SingleOptions = {}) {
    const { others = [2, 3], term = 0, commit = 0, terms = [], settings, seed = 1 } = options;
    const disk = emptyDisk([1n, ...others.map(BigInt)]);
    disk.hardState = { term: BigInt(term), vote: 0n, commit: BigInt(commit) };
    disk.entries = entriesOf(terms);
    const sent: Message[] = [];
    super({
      id: 1n,
      disk,
      settings: { ...TEST_SETTINGS, ...settings },
      random: new SimRandom(seed),
      send: (message) => sent.push(message),
    });
    this.sent = sent;
    this.settle();
  }

  /** Puts in a message to node 1 and returns what it leads to. */
  receive(
    type: MessageType,
    from: number,
    term: number,
    fields: Partial<Message> = {},
  ): readonly Message[] {
    const message = emptyMessage(type, BigInt(from), 1n, BigInt(term));
    this.core.step(Object.assign(message, fields));
    return this.flush();
  }

  tick(ticks = 1): readonly Message[] {
    for (let count = 0; count < ticks; count++) this.core.tick();
    return this.flush();
  }

  /** What was sent since the last time. */
  flush(): readonly Message[] {
    this.settle();
    return this.sent.splice(0);
  }

  get status() {
    return this.core.status;
  }
}
