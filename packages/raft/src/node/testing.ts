import {
  type Cancel,
  type Clock,
  type Random,
  SimClock,
  SimDisk,
  SimRandom,
  settle,
  silentLogger,
} from '@skep/platform';
import type { StateMachine } from '../contract.js';
import { SimPeerNetwork } from '../peers/network.sim.js';
import type { Entry, RaftNodeOptions, RaftSettings } from './contract.js';
import { RaftNode } from './raft-node.js';

/**
 * A state machine that remembers the texts it was given; empty entries leave no trace but the
 * index.
 */
export class TextMachine implements StateMachine {
  texts: string[] = [];
  lastIndex = 0n;
  readonly aborted: Error[] = [];
  onApply: (text: string) => void = () => {};

  apply(index: bigint, data: Uint8Array): void {
    if (index <= this.lastIndex) throw new Error(`entry ${index} applied twice`);
    this.lastIndex = index;
    const text = Buffer.from(data).toString();
    if (text !== '') this.texts.push(text);
    this.onApply(text);
  }

  abort(reason: Error): void {
    this.aborted.push(reason);
  }

  snapshot(): Iterable<Uint8Array> {
    return [Buffer.from(JSON.stringify(this.texts))];
  }

  restore(data: Uint8Array): void {
    this.texts = JSON.parse(Buffer.from(data).toString());
  }
}

/** The time of one process: when that is killed, nothing of it happens any more. */
export class ProcessClock implements Clock {
  readonly #clock: SimClock;
  #isKilled = false;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  kill(): void {
    this.#isKilled = true;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  after(delayMs: number, fn: () => void): Cancel {
    return this.#clock.after(delayMs, () => this.#isKilled || fn());
  }

  soon(fn: () => void): void {
    this.#clock.soon(() => this.#isKilled || fn());
  }

  sleep(delayMs: number): Promise<void> {
    return this.#clock.sleep(delayMs);
  }
}

/** A manager alone on a simulated disk. */
export class SoloRig {
  readonly clock = new SimClock();
  readonly random: SimRandom;
  readonly disk: SimDisk;
  readonly fatal: unknown[] = [];
  machine = new TextMachine();
  settings: RaftSettings = { segmentBytes: 8192, reserveBytes: 1024 };
  options: Partial<RaftNodeOptions> = {};
  #process = new ProcessClock(this.clock);
  readonly #network = new SimPeerNetwork(this.clock);

  constructor(seed = 1, disk = new SimDisk()) {
    this.random = new SimRandom(seed);
    this.disk = disk;
  }

  make(): RaftNode {
    this.#process.kill();
    this.#process = new ProcessClock(this.clock);
    return new RaftNode({
      disk: this.disk,
      directory: '/raft',
      random: this.random,
      clock: this.#process,
      log: silentLogger,
      nodeId: 'n1',
      address: '10.0.0.1:2377',
      settings: this.settings,
      transport: (events) => this.#network.transport('10.0.0.1:2377', events),
      onFatal: (error) => this.fatal.push(error),
      ...this.options,
    });
  }

  /** A node with an empty state machine, started. */
  async start(entry: Entry = { kind: 'found' }): Promise<RaftNode> {
    this.machine = new TextMachine();
    const node = this.make();
    await node.start(this.machine, entry);
    return node;
  }

  /** A power cut, after which an arbitrary part of what was not synced is there. */
  async crash(random: Random): Promise<void> {
    this.disk.cutPower();
    await settle();
    this.disk.crash({ random });
  }

  /** Proposes texts one by one, each when the one before is applied. */
  async write(node: RaftNode, ...texts: string[]): Promise<void> {
    for (const text of texts) {
      const applied = new Promise<void>((resolve) => {
        this.machine.onApply = (seen) => seen === text && resolve();
      });
      node.propose(Buffer.from(text));
      await applied;
    }
  }
}
