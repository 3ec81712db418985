import { invariant, type Random } from '@skep/platform';
import { EntryType, type LogPosition } from '../../log/entry.js';
import type { CoreSettings, Message } from '../contract.js';
import { emptyDisk, TEST_SETTINGS, type TestDisk, TestNode, type TestObserver } from './node.js';

export interface TestClusterOptions {
  settings?: Partial<CoreSettings>;
  random: Random;
  /** Ids of the first voters. */
  voters: readonly bigint[];
  observer?: TestObserver;
}

/** Nodes joined by a network that loses nothing, in order, unless told otherwise. */
export class TestCluster {
  readonly nodes = new Map<bigint, TestNode>();
  /** Under way. */
  messages: Message[] = [];
  /** Messages for which this is false are lost. */
  passes: (message: Message) => boolean = () => true;
  readonly settings: CoreSettings;
  readonly #options: TestClusterOptions;

  constructor(options: TestClusterOptions) {
    const { settings, voters } = options;
    this.settings = { ...TEST_SETTINGS, ...settings };
    this.#options = options;
    for (const id of voters) this.add(id, emptyDisk(voters));
  }

  add(id: bigint, disk: TestDisk = emptyDisk([]), settings: Partial<CoreSettings> = {}): TestNode {
    const node = new TestNode({
      id,
      disk,
      settings: { ...this.settings, ...settings },
      random: this.#options.random,
      observer: this.#options.observer,
      send: (message) => this.messages.push(message),
    });
    this.nodes.set(id, node);
    return node;
  }

  node(id: bigint): TestNode {
    const node = this.nodes.get(id);
    invariant(node, 'no such node', { id: `${id}` });
    return node;
  }

  get leader(): TestNode | undefined {
    const leaders = [...this.nodes.values()].filter(({ core }) => core.status.role === 'leader');
    leaders.sort((a, b) => (a.core.status.term < b.core.status.term ? 1 : -1));
    return leaders[0];
  }

  /** Lets everything happen that can without time passing. */
  settle(): void {
    for (let isQuiet = false; !isQuiet; ) {
      isQuiet = true;
      for (const node of this.nodes.values()) if (node.settle()) isQuiet = false;
      if (this.deliver()) isQuiet = false;
    }
  }

  /** Delivers what is under way. False when there is nothing. */
  deliver(): boolean {
    const messages = this.messages;
    this.messages = [];
    for (const message of messages) {
      if (this.passes(message)) this.nodes.get(message.to)?.core.step(message);
    }
    return messages.length > 0;
  }

  /** Ticks every node, or those named, and lets things settle after each tick. */
  tick(ticks: number, ids: readonly bigint[] = [...this.nodes.keys()]): void {
    for (let count = 0; count < ticks; count++) {
      for (const id of ids) this.node(id).core.tick();
      this.settle();
    }
  }

  campaign(id: bigint): void {
    this.node(id).core.campaign(false);
    this.settle();
  }

  propose(id: bigint, text: string): LogPosition {
    const position = this.node(id).core.propose(Buffer.from(text));
    this.settle();
    return position;
  }

  /** Cuts the nodes named off from the others. */
  isolate(...ids: bigint[]): void {
    this.passes = ({ from, to }) => ids.includes(from) === ids.includes(to);
  }

  heal(): void {
    this.passes = () => true;
  }
}

/** Applied texts, without the empty entries that open terms and without changes. */
export function textsOf(node: TestNode): string[] {
  return node.applied
    .filter(({ type, data }) => type === EntryType.EntryNormal && data.length > 0)
    .map(({ data }) => Buffer.from(data).toString());
}
