import { type Random, RpcError, randomBelow, SimRandom } from '@skep/platform';
import { MessageType } from '@skep/wire/raftpb';
import type { CoreSettings, Message } from '../contract.js';
import { SafetyChecker } from './checker.js';
import { TestCluster } from './cluster.js';
import { changeData, emptyDisk, type TestNode } from './node.js';

/**
 * Something that happens in a random network; `first` and `second` choose whom or what it happens
 * to.
 */
export interface Event {
  kind: EventKind;
  first: number;
  second: number;
}

/** What happens how often. */
export const WEIGHTS = {
  deliver: 400,
  duplicate: 30,
  drop: 20,
  take: 80,
  write: 120,
  settle: 60,
  calm: 10,
  tick: 60,
  silence: 6,
  propose: 80,
  crash: 8,
  change: 12,
  compact: 8,
  transfer: 3,
  campaign: 3,
  read: 20,
  hint: 4,
  unreachable: 4,
  partition: 4,
  heal: 8,
};

export type EventKind = keyof typeof WEIGHTS;
export type Weights = Record<EventKind, number>;

/** Leaders come and go before they have done much: what elections can break, breaks here. */
export const STORM: Weights = {
  ...WEIGHTS,
  calm: 0,
  deliver: 300,
  drop: 60,
  settle: 120,
  tick: 20,
  change: 60,
  propose: 20,
  campaign: 25,
  partition: 15,
  heal: 10,
  compact: 0,
  transfer: 0,
};

export interface RandomNetworkOptions {
  settings: Partial<CoreSettings>;
  seed: number;
  voters: number;
  /** Ids up to this one join and leave; 0 for a fixed membership. */
  idsMax: number;
  /**
   * No change leaves fewer. After one from two to one the network may stand still: see
   * `configChanged`.
   */
  votersMin: number;
}

const MESSAGES_MAX = 200;

/** Cores under random events, held to Raft's safety at every step. */
export class RandomNetwork {
  readonly cluster: TestCluster;
  readonly checker: SafetyChecker;
  readonly #idsMax: bigint;
  readonly #votersMin: number;
  #counter = 0;

  constructor({ settings, seed, voters, idsMax, votersMin }: RandomNetworkOptions) {
    const ids = Array.from({ length: voters }, (_, at) => BigInt(at + 1));
    this.#idsMax = BigInt(idsMax);
    this.#votersMin = votersMin;
    this.checker = new SafetyChecker(() => this.cluster.nodes.values());
    this.cluster = new TestCluster({
      settings,
      random: new SimRandom(seed),
      voters: ids,
      observer: this.checker,
    });
    for (let id = BigInt(voters + 1); id <= this.#idsMax; id++) {
      this.cluster.add(id, emptyDisk(ids));
    }
  }

  run(event: Event): void {
    this.#act(event);
    for (const node of this.cluster.nodes.values()) node.take();
    this.checker.checkLeaders();
    const { messages } = this.cluster;
    while (messages.length > MESSAGES_MAX) this.#lose(messages.shift()!);
  }

  #act({ kind, first, second }: Event): void {
    const { cluster } = this;
    const nodes = [...cluster.nodes.values()];
    const node = nodes[first % nodes.length]!;
    switch (kind) {
      case 'deliver':
      case 'duplicate':
      case 'drop':
        this.#actOnMessage(kind, first);
        return;
      case 'take':
        node.take();
        return;
      case 'write':
        node.write();
        return;
      case 'settle':
        node.settle();
        return;
      case 'calm':
        this.#settle();
        return;
      case 'tick':
        node.core.tick();
        return;
      case 'silence':
        for (let count = 0; count <= second % 20; count++) node.core.tick();
        return;
      case 'crash':
        node.restart();
        return;
      case 'compact':
        node.compact(BigInt(second % 4));
        return;
      case 'campaign':
        node.core.campaign(second % 2 === 0);
        return;
      case 'hint':
        node.core.hintLeaderLost();
        return;
      case 'unreachable':
        node.core.reportUnreachable(BigInt(second % nodes.length) + 1n);
        return;
      case 'partition':
        cluster.passes = ({ from, to }) =>
          ((second >> Number(from)) & 1) === ((second >> Number(to)) & 1);
        return;
      case 'heal':
        cluster.heal();
        return;
      default:
        this.#ask(kind, node, second);
    }
  }

  #ask(kind: 'propose' | 'change' | 'transfer' | 'read', chosen: TestNode, second: number): void {
    const context = `${++this.#counter}`;
    const leader = this.cluster.leader;
    const node = kind === 'read' || second % 8 === 0 ? chosen : (leader ?? chosen);
    const { isReady, transferTo, voters } = node.core.status;
    if (kind === 'read') {
      this.checker.onRead(context);
      node.core.requestRead(Buffer.from(context));
      return;
    }
    const { role } = node.core.status;
    // Changes are asked for before the leader is ready, too: it is for the core to refuse them.
    if (role !== 'leader' || transferTo !== 0n || (kind !== 'change' && !isReady)) return;
    if (kind === 'propose') {
      node.core.propose(Buffer.from(context));
    } else if (kind === 'transfer') {
      const to = BigInt(second % this.cluster.nodes.size) + 1n;
      if (to !== node.id && voters.has(to)) node.core.transferLeadership(to);
    } else if (this.#idsMax > 0n) {
      const id = (BigInt(second) % this.#idsMax) + 1n;
      const isMember = voters.has(id);
      if (isMember && voters.size <= this.#votersMin) return;
      this.#proposeChange(node, changeData(isMember ? 'remove' : 'add', id));
    }
  }

  #proposeChange(node: TestNode, data: Uint8Array): void {
    try {
      node.core.proposeChange(data);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
    }
  }

  #actOnMessage(kind: 'deliver' | 'duplicate' | 'drop', which: number): void {
    const { messages } = this.cluster;
    if (messages.length === 0) return;
    const at = which % messages.length;
    const message = messages[at]!;
    if (kind !== 'duplicate') messages.splice(at, 1);
    if (kind === 'drop' || !this.cluster.passes(message)) this.#lose(message);
    else this.#deliver(message);
  }

  #lose(message: Message): void {
    if (message.type !== MessageType.MsgSnap) return;
    this.cluster.nodes.get(message.from)?.core.reportSnapshot(message.to, false);
  }

  #deliver(message: Message): void {
    const node = this.cluster.nodes.get(message.to);
    if (!node) return;
    this.checker.beforeDelivery(node, message);
    node.core.step(message);
    if (message.type !== MessageType.MsgSnap) return;
    this.cluster.nodes.get(message.from)?.core.reportSnapshot(message.to, true);
  }

  /**
   * Ends all faults; in a while every voter holds the same log. Throws when that does not come
   * about.
   */
  recover(): void {
    const { cluster } = this;
    cluster.heal();
    for (let count = 0; count < 400; count++) {
      for (const node of cluster.nodes.values()) node.core.tick();
      this.#settle();
      if (this.#isUniform()) return;
    }
    throw new Error('the network did not come to rest');
  }

  #settle(): void {
    const { cluster } = this;
    for (let isQuiet = false; !isQuiet; ) {
      isQuiet = true;
      for (const node of cluster.nodes.values()) if (node.settle()) isQuiet = false;
      const messages = cluster.messages;
      cluster.messages = [];
      for (const message of messages) {
        if (cluster.passes(message)) this.#deliver(message);
        else this.#lose(message);
      }
      if (messages.length > 0) isQuiet = false;
      this.checker.checkLeaders();
    }
  }

  #isUniform(): boolean {
    const { leader } = this.cluster;
    if (!leader?.core.status.isReady) return false;
    const { last, commit, voters } = leader.core.status;
    if (commit !== last.index || commit < this.checker.lastApplied) return false;
    return [...voters].every((id) => {
      const { status } = this.cluster.node(id).core;
      return status.applied === last.index && status.last.term === last.term;
    });
  }
}

const KINDS = Object.keys(WEIGHTS) as EventKind[];

/** An event by these weights. */
export function randomEvent(random: Random, weights: Weights = WEIGHTS): Event {
  const sum = KINDS.reduce((total, kind) => total + weights[kind], 0);
  let rest = randomBelow(random, sum);
  const kind = KINDS.find((candidate) => (rest -= weights[candidate]) < 0)!;
  return { kind, first: randomBelow(random, 1 << 16), second: randomBelow(random, 1 << 16) };
}
