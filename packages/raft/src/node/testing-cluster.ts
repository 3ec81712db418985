import {
  type Random,
  RpcError,
  SimClock,
  SimDisk,
  SimRandom,
  settle,
  silentLogger,
} from '@skep/platform';
import { SimPeerClient } from '../peers/client.sim.js';
import type { PeerEvents, PeerTransport } from '../peers/contract.js';
import { SimPeerNetwork } from '../peers/network.sim.js';
import { PeerQueues } from '../peers/queues.js';
import type { Entry, RaftNodeOptions, RaftSettings } from './contract.js';
import { RaftNode } from './raft-node.js';
import { ProcessClock, TextMachine } from './testing.js';

/** One manager's machine: what stays of it through crashes, and what runs on it. */
export interface Place {
  name: string;
  address: string;
  disk: SimDisk;
  machine: TextMachine;
  node: RaftNode;
  process: ProcessClock;
  fatal: unknown[];
  /** Whether it leads, as it was told last. */
  leads: boolean;
  isUp: boolean;
  unlisten(): void;
}

const QUIET_MS = 5_000;
const STEP_MS = 50;

/** Managers on simulated disks, a simulated network, one clock. */
export class ClusterRig {
  readonly clock = new SimClock();
  readonly network = new SimPeerNetwork(this.clock);
  readonly random: SimRandom;
  readonly places = new Map<string, Place>();
  settings: RaftSettings = { segmentBytes: 16_384, reserveBytes: 1024 };
  options: Partial<RaftNodeOptions> = {};
  /**
   * Carries messages by calls, through the queues of the real transport, in place of one by one.
   */
  usesCalls = false;

  constructor(seed = 1) {
    this.random = new SimRandom(seed);
  }

  /** A cluster of so many, all caught up. */
  static async of(
    size: number,
    prepare: (rig: ClusterRig) => void = () => {},
  ): Promise<ClusterRig> {
    const rig = new ClusterRig();
    prepare(rig);
    await rig.start('n1', { kind: 'found' });
    for (let n = 2; n <= size; n++) await rig.join(`n${n}`);
    await rig.untilQuiet();
    return rig;
  }

  get up(): readonly Place[] {
    return [...this.places.values()].filter(({ isUp }) => isUp);
  }

  place(name: string): Place {
    const place = this.places.get(name);
    if (!place) throw new Error(`there is no ${name}`);
    return place;
  }

  node(name: string): RaftNode {
    return this.place(name).node;
  }

  /** Starts a manager, anew or again. */
  async start(name: string, entry: Entry = { kind: 'resume' }): Promise<Place> {
    const before = this.places.get(name);
    before?.process.kill();
    before?.unlisten();
    const place = this.#make(name, before?.disk ?? new SimDisk());
    this.places.set(name, place);
    const { node, machine } = place;
    place.unlisten = this.network.listen(place.address, node);
    node.onLeadership((leads) => void (place.leads = leads));
    await this.soon(node.start(machine, entry));
    return place;
  }

  #make(name: string, disk: SimDisk): Place {
    const process = new ProcessClock(this.clock);
    const address = `${name}:2377`;
    const fatal: unknown[] = [];
    const node = new RaftNode({
      disk,
      directory: '/raft',
      random: this.random,
      clock: process,
      log: silentLogger,
      nodeId: name,
      address,
      settings: this.settings,
      transport: (events) => this.#transport(address, events, process),
      onFatal: (error) => fatal.push(error),
      ...this.options,
    });
    const machine = new TextMachine();
    const shared = { name, address, disk, machine, node, process, fatal };
    return { ...shared, leads: false, isUp: true, unlisten: () => {} };
  }

  #transport(address: string, events: PeerEvents, clock: ProcessClock): PeerTransport {
    if (!this.usesCalls) return this.network.transport(address, events);
    return new PeerQueues({ client: new SimPeerClient(this.network, address), clock, events });
  }

  /** Has a new manager join through the present leader. */
  async join(name: string): Promise<Place> {
    const join = async () => (await this.leader()).node.addMember(name, `${name}:2377`);
    return this.start(name, { kind: 'join', join });
  }

  /** A power cut; with `random`, an arbitrary part of what was not synced is kept. */
  async crash(name: string, random?: Random): Promise<void> {
    const place = this.place(name);
    place.isUp = false;
    place.leads = false;
    place.process.kill();
    place.unlisten();
    place.disk.cutPower();
    await settle();
    place.disk.crash(random ? { random } : {});
  }

  async stop(name: string): Promise<void> {
    const place = this.place(name);
    await this.soon(place.node.stop());
    place.isUp = false;
    place.unlisten();
  }

  /** Lets only those in the same group hear each other. */
  partition(...groups: readonly (readonly string[])[]): void {
    const groupOf = (address: string) =>
      groups.findIndex((group) => group.includes(address.slice(0, -5)));
    this.network.fate = ({ from, to }) => (groupOf(from) === groupOf(to) ? [0] : []);
  }

  heal(): void {
    this.network.fate = () => [0];
  }

  /** Moves time on until the promise settles. */
  async soon<T>(promise: Promise<T>, withinMs = 30_000): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    await settle();
    for (let passedMs = 0; !isSettled && passedMs < withinMs; passedMs += STEP_MS) {
      await this.clock.advance(STEP_MS);
    }
    if (!isSettled) throw new Error(`nothing came of it within ${withinMs} ms`);
    return promise;
  }

  /** Moves time on until `condition` holds. */
  async until(condition: () => boolean, withinMs = 30_000): Promise<void> {
    await settle();
    for (let passedMs = 0; !condition(); passedMs += STEP_MS) {
      if (passedMs >= withinMs) throw new Error(`not so within ${withinMs} ms: ${condition}`);
      await this.clock.advance(STEP_MS);
    }
  }

  /** The manager that leads in the highest term, once one does. */
  async leader(withinMs = 30_000): Promise<Place> {
    await this.until(() => this.leaders.length > 0, withinMs);
    return this.leaders[0]!;
  }

  get leaders(): readonly Place[] {
    const leading = this.up.filter(({ leads }) => leads);
    return leading.sort((a, b) => Number(b.node.status.term - a.node.status.term));
  }

  /** Writes texts through whoever leads, trying again where that is refused. */
  async write(...texts: string[]): Promise<void> {
    for (const text of texts) {
      const written = () => this.up.some(({ machine }) => machine.texts.includes(text));
      await this.until(() => this.#propose(text));
      await this.until(written);
    }
  }

  #propose(text: string): boolean {
    try {
      this.leaders[0]?.node.propose(Buffer.from(text));
      return this.leaders.length > 0;
    } catch (error) {
      if (error instanceof RpcError) return false;
      throw error;
    }
  }

  /** Waits until all that are up have applied the same, then returns the texts. */
  async untilQuiet(): Promise<readonly string[]> {
    await this.leader();
    const isEven = () => {
      const [first, ...others] = this.up.map(({ node }) => node.status.appliedIndex);
      return others.every((index) => index === first);
    };
    await this.clock.advance(QUIET_MS / 10);
    await this.until(isEven, 60_000);
    const [first, ...others] = this.up.map(({ machine }) => machine.texts.join());
    for (const other of others) if (other !== first) throw new Error('the managers differ');
    for (const { fatal } of this.up) if (fatal.length > 0) throw fatal[0];
    return this.up[0]!.machine.texts;
  }
}
