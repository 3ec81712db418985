import { create } from '@bufbuild/protobuf';
import type { Clock } from '@skep/platform';
import { GetNodeRequestSchema } from '@skep/wire/swarmkit';
import type { EventHub } from '../../events/hub.js';
import type { SwarmManager, SwarmNode } from '../node.js';
import { changed } from './attributes.js';
import { nodeName } from './to-event.js';

const NS_PER_MS = 1_000_000;

export interface ManagerEventsOptions {
  node: SwarmNode;
  hub: EventHub;
  clock: Clock;
}

/**
 * Tells of managers that begin or cease to lead, or to be reached. That is no object of the swarm but what
 * this node's Raft sees, so every manager tells what it saw.
 */
export class ManagerEvents {
  readonly #options: ManagerEventsOptions;
  #known = new Map<string, SwarmManager>();
  /** Names are asked for when a manager turns up: while there is no leader nobody could say. */
  readonly #names = new Map<string, string>();

  constructor(options: ManagerEventsOptions) {
    this.#options = options;
  }

  /** Compares the managers with those of the last call. */
  look(): void {
    const before = this.#known;
    const { managers } = this.#options.node.info();
    this.#known = new Map(managers.map((manager) => [manager.nodeId, manager]));
    for (const id of this.#names.keys()) if (!this.#known.has(id)) this.#names.delete(id);
    for (const manager of managers) {
      if (!this.#names.has(manager.nodeId)) void this.#learnName(manager.nodeId);
      const old = before.get(manager.nodeId);
      if (old) this.#tell(old, manager);
    }
  }

  #tell(old: SwarmManager, now: SwarmManager): void {
    const changes = {
      ...changed('leader', String(old.isLeader), String(now.isLeader)),
      ...changed('reachability', reachability(old), reachability(now)),
    };
    if (Object.keys(changes).length === 0) return;
    const { hub, clock } = this.#options;
    const name = this.#names.get(now.nodeId) ?? '';
    hub.publish({
      Type: 'node',
      Action: 'update',
      Actor: { ID: now.nodeId, Attributes: { name, ...changes } },
      scope: 'swarm',
      timeNano: BigInt(Math.round(clock.now() * NS_PER_MS)),
    });
  }

  async #learnName(nodeId: string): Promise<void> {
    this.#names.set(nodeId, '');
    try {
      const control = this.#options.node.control();
      const { node } = await control.getNode(create(GetNodeRequestSchema, { nodeId }));
      if (node && this.#names.has(nodeId)) this.#names.set(nodeId, nodeName(node));
    } catch {
      this.#names.delete(nodeId); // asked again at the next change
    }
  }
}

function reachability({ isReachable }: SwarmManager): string {
  return isReachable ? 'reachable' : 'unreachable';
}
