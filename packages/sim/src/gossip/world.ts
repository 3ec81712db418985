import { type GossipFlaws, SimGossipNetwork } from '@skep/gossip';
import { Draw, Repairs, streamOf, Timeline, type Trace, ViolationError } from '../engine/index.js';
import { Links } from '../net/index.js';
import type { GossipScenario } from './contract.js';
import { GossipMachine } from './machine.js';

const KEY_BYTES = 16;
/** Packets kept that may be heard again. */
const OVERHEARD_MAX = 20_000;

/** Machines that gossip, and the ways between them. */
export class GossipWorld {
  readonly scenario: GossipScenario;
  readonly timeline = new Timeline();
  readonly repairs = new Repairs(this.timeline);
  readonly links: Links;
  readonly machines: GossipMachine[];
  readonly draw: Draw;
  /** Everything that ever went from one machine to another, the newest. */
  readonly overheard: Uint8Array[] = [];
  readonly #trace: Trace;
  #keys: Uint8Array[];
  #violation: ViolationError | undefined;

  constructor(scenario: GossipScenario, trace: Trace, flaws: GossipFlaws) {
    const { seed, quality, machines, drifts } = scenario;
    this.scenario = scenario;
    this.#trace = trace;
    this.draw = new Draw(streamOf(seed, 'gossip world'));
    this.#keys = [1, 2, 3].map(() => this.draw.random.bytes(KEY_BYTES));
    const { timeline } = this;
    this.links = new Links({ timeline, random: streamOf(seed, 'links'), quality });
    const network = new SimGossipNetwork({
      send: (from, to, isReliable, arrive) => {
        this.links.send(from, to, isReliable, () => this.#at(to)?.life?.clock.whenAwake(arrive));
      },
    });
    this.machines = Array.from({ length: machines }, (_, place) => {
      const name = `m${place + 1}`;
      return new GossipMachine({
        ...{ name, ip: `10.9.0.${place + 1}`, timeline, network, flaws },
        drift: drifts[place] ?? 0,
        random: streamOf(seed, name),
        keys: () => this.keys,
        seeds: () => this.machines.map(({ ip }) => ip),
        note: (what) => this.note(name, what),
      });
    });
    this.timeline.observe(() => {
      if (this.#violation) throw this.#violation;
    });
  }

  /** The second oldest seals, as on a node that has them from its manager. */
  get keys(): readonly Uint8Array[] {
    const [oldest, primary, ...others] = this.#keys;
    return [primary, oldest, ...others].filter((key) => key !== undefined);
  }

  /** Returns what hands the new keys to a machine, now or later. */
  rotateKeys(): (machine: GossipMachine) => void {
    this.#keys = [...this.#keys.slice(1), this.draw.random.bytes(KEY_BYTES)];
    return (machine) => machine.life?.node.setKeys(this.keys);
  }

  note(who: string, what: string): void {
    this.#trace.note(this.timeline.nowMs, who, what);
  }

  /** Waits for a promise of the world's own; when it fails, the run does. */
  async watch(promise: Promise<void>): Promise<void> {
    try {
      await promise;
    } catch (error) {
      this.#violation ??=
        error instanceof ViolationError ? error : new ViolationError('crash', String(error));
    }
  }

  /** Takes a machine down, and brings it up again later, or with the end of all faults. */
  startLater(machine: GossipMachine, afterMs: number): void {
    this.repairs.after(afterMs, () => void this.watch(machine.start()));
  }

  overhear(packet: Uint8Array): void {
    this.overheard.push(packet);
    if (this.overheard.length > OVERHEARD_MAX) this.overheard.shift();
  }

  #at(ip: string): GossipMachine | undefined {
    return this.machines.find((machine) => machine.ip === ip);
  }
}
