import { invariant, RpcError, SimRandom } from '@skep/platform';
import type { LogEntry } from '../../log/entry.js';
import type { CoreSettings, Effects, Message } from '../contract.js';
import { SafetyChecker } from './checker.js';
import { TestCluster } from './cluster.js';
import { formatEntry, formatMessage, formatRole, formatStatus, formatWrite } from './format.js';
import { changeData, emptyDisk, type TestNode } from './node.js';

const EMPTY_STATUS = 'follower in term 0';
const ROLE_LINE = /^\d+ is /;

/** Also writes down what is sent, applied and confirmed. */
class Scribe extends SafetyChecker {
  readonly lines: string[] = [];

  override onTake(node: TestNode, effects: Effects): void {
    super.onTake(node, effects);
    for (const message of effects.messages) this.lines.push(formatMessage(message));
    for (const { context, index } of effects.reads) {
      this.lines.push(`${node.id} may read ${Buffer.from(context)} at ${index}`);
    }
  }

  override onApply(node: TestNode, entry: LogEntry): void {
    super.onApply(node, entry);
    this.lines.push(`${node.id} applies ${formatEntry(entry)}`);
  }

  override onAnswer(node: TestNode, message: Message): void {
    super.onAnswer(node, message);
    this.lines.push(formatMessage(message));
  }
}

type Command = (...words: string[]) => void;

/**
 * Carries out a script's commands on a cluster, and says what came of each. See scripts/README.md.
 */
export class ScriptRunner {
  readonly #scribe = new Scribe(() => this.#nodes());
  #cluster: TestCluster | undefined;
  readonly #roles = new Map<bigint, string>();

  readonly #commands: Record<string, Command> = {
    cluster: (count, ...settings) => this.#found(Number(count), settings),
    node: (id, ...voters) => {
      this.#running.add(BigInt(id!), emptyDisk(voters.map(BigInt)));
    },
    tick: (id, ticks = '1') => {
      for (let count = 0; count < Number(ticks); count++) this.#core(id).tick();
    },
    pass: (ticks) => {
      for (let count = 0; count < Number(ticks); count++) {
        for (const { core } of this.#nodes()) core.tick();
        this.#settle([]);
      }
    },
    campaign: (id, kind) => this.#core(id).campaign(kind === 'transfer'),
    hint: (id) => this.#core(id).hintLeaderLost(),
    propose: (id, ...texts) => {
      for (const text of texts) this.#core(id).propose(Buffer.from(text));
    },
    add: (id, other) => this.#change(id, 'add', other),
    remove: (id, other) => this.#change(id, 'remove', other),
    read: (id, name) => {
      this.#scribe.onRead(name!);
      if (!this.#core(id).requestRead(Buffer.from(name!))) this.#say('nobody can be asked');
    },
    transfer: (id, to) => this.#core(id).transferLeadership(BigInt(to!)),
    unreachable: (id, other) => this.#core(id).reportUnreachable(BigInt(other!)),
    snapshot: (id, other, fate) =>
      this.#core(id).reportSnapshot(BigInt(other!), fate === 'delivered'),
    compact: (id, keep = '0') => this.#node(id).compact(BigInt(keep)),
    crash: (id) => this.#node(id).restart(),
    take: (id) => {
      this.#node(id).take();
    },
    write: (id, times = '1') => {
      for (let count = 0; count < Number(times); count++) this.#write(this.#node(id));
    },
    deliver: (...filter) => this.#deliver(filter),
    repeat: (...filter) => {
      this.#running.messages.push(...this.#running.messages.filter(matches(filter)));
    },
    drop: (...filter) => {
      const isDropped = matches(filter);
      this.#running.messages = this.#running.messages.filter((message) => !isDropped(message));
    },
    cut: (...ids) => this.#running.isolate(...ids.map(BigInt)),
    heal: () => this.#running.heal(),
    settle: (...ids) => this.#settle(ids.map(BigInt)),
    status: (...ids) => {
      for (const node of this.#nodes()) {
        if (ids.length > 0 && !ids.includes(`${node.id}`)) continue;
        for (const line of formatStatus(node.id, node.core)) this.#say(line);
      }
    },
    log: (id) => {
      const { base, entries } = this.#node(id).disk;
      this.#say(`${[`(${base.index}/${base.term})`, ...entries.map(formatEntry)].join(', ')}`);
    },
  };

  /**
   * Runs one command and returns the lines it led to. With `quiet` first, only what roles changed.
   */
  run(line: string): string[] {
    const words = line.split(/\s+/);
    const isQuiet = words[0] === 'quiet';
    const [name = '', ...rest] = isQuiet ? words.slice(1) : words;
    const command = this.#commands[name];
    invariant(command, `unknown command: ${line}`);
    try {
      command(...rest);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      this.#say(`refused: ${error.message}`);
    }
    this.#noteRoles(true);
    this.#scribe.checkLeaders();
    const lines = this.#scribe.lines.splice(0);
    return isQuiet ? lines.filter((text) => ROLE_LINE.test(text)) : lines;
  }

  #say(line: string): void {
    this.#scribe.lines.push(line);
  }

  #found(count: number, words: readonly string[]): void {
    const settings: Partial<CoreSettings> = {};
    for (const word of words) {
      const [name, value] = word.split('=');
      if (name === 'prevote') settings.preVote = true;
      else if (name === 'checkquorum') settings.checkQuorum = true;
      else if (name === 'bytes') settings.appendBytesMax = Number(value);
      else if (name === 'inflight') settings.inflightMax = Number(value);
      else invariant(false, `unknown setting: ${word}`);
    }
    const voters = Array.from({ length: count }, (_, at) => BigInt(at + 1));
    const observer = this.#scribe;
    this.#cluster = new TestCluster({ settings, random: new SimRandom(1), voters, observer });
  }

  get #running(): TestCluster {
    invariant(this.#cluster, 'a script begins with "cluster"');
    return this.#cluster;
  }

  #nodes(): Iterable<TestNode> {
    return this.#cluster?.nodes.values() ?? [];
  }

  #node(id: string | undefined): TestNode {
    return this.#running.node(BigInt(id!));
  }

  #core(id: string | undefined) {
    return this.#node(id).core;
  }

  #change(id: string | undefined, type: 'add' | 'remove', other: string | undefined): void {
    const position = this.#core(id).proposeChange(changeData(type, BigInt(other!)));
    if (!position) this.#say('another change is pending');
  }

  #write(node: TestNode): boolean {
    const next = node.unwritten[0];
    const text = next && formatWrite(next);
    if (text) this.#say(`${node.id} writes ${text}`);
    return node.write();
  }

  #deliver(filter: readonly string[]): void {
    const isDelivered = matches(filter);
    const cluster = this.#running;
    const messages = cluster.messages.filter(isDelivered);
    cluster.messages = cluster.messages.filter((message) => !isDelivered(message));
    for (const message of messages) this.#arrive(message);
  }

  #arrive(message: Message): void {
    const node = this.#running.nodes.get(message.to);
    if (!node || !this.#running.passes(message)) {
      this.#say(`lost: ${formatMessage(message)}`);
      return;
    }
    this.#scribe.beforeDelivery(node, message);
    node.core.step(message);
    this.#noteRoles(false);
  }

  /**
   * Until nothing is left to do; with ids, only these nodes act, and nothing reaches the others.
   */
  #settle(ids: readonly bigint[]): void {
    const isActive = (id: bigint) => ids.length === 0 || ids.includes(id);
    for (let isQuiet = false; !isQuiet; ) {
      isQuiet = true;
      for (const node of this.#nodes()) {
        if (!isActive(node.id)) continue;
        while (node.take() || this.#write(node)) isQuiet = false;
        this.#noteRoles(false);
      }
      const cluster = this.#running;
      const messages = cluster.messages.filter(({ to }) => isActive(to));
      cluster.messages = cluster.messages.filter(({ to }) => !isActive(to));
      for (const message of messages) this.#arrive(message);
      if (messages.length > 0) isQuiet = false;
    }
  }

  #noteRoles(isLast: boolean): void {
    for (const { id, core } of this.#nodes()) {
      const role = formatRole(core.status);
      if ((this.#roles.get(id) ?? EMPTY_STATUS) === role) continue;
      this.#roles.set(id, role);
      this.#scribe.lines.splice(isLast ? 0 : this.#scribe.lines.length, 0, `${id} is ${role}`);
    }
  }
}

/** A filter of messages: `1->2` a pair, `App` a type; several must all fit. */
function matches(filter: readonly string[]): (message: Message) => boolean {
  return (message) => {
    const [from, , to, type] = formatMessage(message).split(' ');
    return filter.every((word) => word === type || word === `${from}->${to}`);
  };
}

/** The script with the outcome of each command as it came out. Comments and blank lines stay. */
export function runScript(script: string): string {
  const runner = new ScriptRunner();
  const output: string[] = [];
  for (const line of script.split('\n')) {
    if (line.startsWith('> ')) {
      output.push(line);
      for (const said of runner.run(line.slice(2).trim())) output.push(`  ${said}`);
    } else if (line === '' || line.startsWith('#')) {
      output.push(line);
    }
  }
  return output.join('\n');
}
