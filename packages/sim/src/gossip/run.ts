import type { GossipFlaws } from '@skep/gossip';
import { must, type Trace, ViolationError } from '../engine/index.js';
import type { Run } from '../run/kind.js';
import type { GossipScenario } from './contract.js';
import type { GossipMachine } from './machine.js';
import { strike } from './strike.js';
import { GossipWorld } from './world.js';

/** Simulated time in which all must have found each other, ms. */
const FORM_WITHIN_MS = 40_000;
/** Simulated time in which all tables must be equal once nothing goes wrong any more, ms. */
const RECOVER_WITHIN_MS = 90_000;
/** And in which they must stay so. */
const QUIET_MS = 10_000;
const LOOK_EVERY_MS = 200;
const LATE_WRITES_MS = 100;

export interface GossipRunOptions {
  scenario: GossipScenario;
  trace: Trace;
  flaws?: GossipFlaws;
}

/** A run of one scenario, from the first packet to the last comparison. Throws a violation. */
export class GossipRun implements Run {
  readonly #world: GossipWorld;
  #writes = 0;
  #isWriting = true;

  constructor({ scenario, trace, flaws = new Set() }: GossipRunOptions) {
    this.#world = new GossipWorld(scenario, trace, flaws);
  }

  /** Events that happened. */
  get eventCount(): number {
    return this.#world.timeline.eventCount;
  }

  async run(): Promise<void> {
    const world = this.#world;
    const { timeline, scenario } = world;
    for (const machine of world.machines) {
      this.#overhear(machine);
      await machine.start();
    }
    await this.#until('all find each other', FORM_WITHIN_MS, () => this.#strangers());
    for (const { atMs, fault } of scenario.faults) {
      timeline.after(atMs, () => strike(world, fault));
    }
    for (const machine of world.machines) this.#writeLater(machine);
    if (scenario.faults.length === 0) this.#watchForDeaths();
    await timeline.run(timeline.nowMs + scenario.lengthMs);
    this.#isWriting = false;
    await timeline.run(timeline.nowMs + LATE_WRITES_MS);
    world.repairs.all();
    world.note('world', 'is well again');
    await this.#until('all tables are equal', RECOVER_WITHIN_MS, () => this.#difference());
    await timeline.run(timeline.nowMs + QUIET_MS);
    await this.#until('all tables stay equal', 0, () => this.#difference());
  }

  /** Each machine writes as it likes: it alone writes its keys. */
  #writeLater(machine: GossipMachine): void {
    const { draw, scenario, timeline } = this.#world;
    timeline.after(draw.between(0, scenario.writePauseMs), () => {
      if (!this.#isWriting) return;
      if (!machine.life?.clock.isPaused) this.#write(machine);
      this.#writeLater(machine);
    });
  }

  #write(machine: GossipMachine): void {
    const { draw, scenario } = this.#world;
    const networkId = `net${draw.between(1, scenario.networks)}`;
    const key = `${machine.name}-${draw.between(1, 5)}`;
    const value = `${++this.#writes}`;
    const what = draw.weighted({ join: 20, put: 60, long: 2, delete: 15, leave: 3 });
    if (what === 'leave') machine.leave(networkId);
    else if (!machine.wanted.has(networkId)) machine.join(networkId);
    else if (what === 'delete') machine.delete(networkId, key);
    else machine.put(networkId, key, what === 'long' ? value.padEnd(3_000, '.') : value);
  }

  /** Nobody who is there is ever taken for dead while only packets get lost. */
  #watchForDeaths(): void {
    const { machines, timeline } = this.#world;
    const names = new Set(machines.map(({ life }) => life?.node.name));
    timeline.after(LOOK_EVERY_MS, () => {
      for (const { life, name } of machines) {
        for (const member of life?.node.members() ?? []) {
          must(member.state !== 'dead' || !names.has(member.name), 'no-false-death', () => {
            return `${name} takes ${member.name} for dead, which is there`;
          });
        }
      }
      this.#watchForDeaths();
    });
  }

  #overhear(machine: GossipMachine): void {
    const { start } = machine;
    machine.start = async () => {
      await start.call(machine);
      const node = machine.life?.node;
      if (!node) return;
      const { onPacket } = node;
      node.onPacket = (packet, from) => {
        this.#world.overhear(packet);
        onPacket.call(node, packet, from);
      };
    };
  }

  async #until(what: string, withinMs: number, notYet: () => string | undefined): Promise<void> {
    const { timeline } = this.#world;
    const endMs = timeline.nowMs + withinMs;
    for (let reason = notYet(); reason; reason = notYet()) {
      if (timeline.nowMs >= endMs) {
        throw new ViolationError('liveness', `not within ${withinMs} ms: ${what}. ${reason}`);
      }
      await timeline.run(timeline.nowMs + LOOK_EVERY_MS);
    }
  }

  #strangers(): string | undefined {
    const { machines } = this.#world;
    const stranger = machines.find(({ life }) => life?.node.stats().members !== machines.length);
    return stranger && `${stranger.name} knows ${stranger.life?.node.stats().members} members`;
  }

  /** Of each network what all who take part want to stand there; that is what each of them shows. */
  #difference(): string | undefined {
    const { machines, scenario } = this.#world;
    for (let number = 1; number <= scenario.networks; number++) {
      const networkId = `net${number}`;
      const parts = machines.filter(({ wanted }) => wanted.has(networkId));
      const all = new Map(parts.flatMap(({ wanted }) => [...(wanted.get(networkId) ?? [])]));
      for (const machine of parts) {
        const wrong =
          differenceOf(all, machine.shown(networkId)) ??
          differenceOf(all, machine.life?.told.get(networkId) ?? new Map());
        if (wrong) return `${machine.name} in ${networkId}: ${wrong}`;
      }
    }
    return this.#strangers();
  }
}

function differenceOf(
  wanted: ReadonlyMap<string, string>,
  shown: ReadonlyMap<string, string>,
): string | undefined {
  const keys = new Set([...wanted.keys(), ...shown.keys()]);
  const key = [...keys].find((each) => wanted.get(each) !== shown.get(each));
  if (key === undefined) return undefined;
  return `${key} is ${shown.get(key)}, and should be ${wanted.get(key)}`;
}
