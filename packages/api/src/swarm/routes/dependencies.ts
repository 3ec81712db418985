import type { ImageEngine } from '@skep/containers';
import type { Control } from '@skep/manager';
import type { Clock, Random } from '@skep/platform';
import type { FastifyRequest } from 'fastify';
import type { AddressSource } from '../address/choose.js';
import { managerOf } from '../manager.js';
import type { SwarmNode } from '../node.js';

/** What the swarm's routes are made of. */
export interface SwarmDependencies {
  node: SwarmNode;
  clock: Clock;
  random: Random;
  /** Where addresses to listen on and to advertise come from. */
  addresses: AddressSource;
  /** A network of this node alone, by name or id; undefined when there is none. */
  localNetwork(nameOrId: string): Promise<{ name: string } | undefined>;
  images: Pick<ImageEngine, 'pinned'>;
}

export type ById = FastifyRequest<{ Params: { id: string } }>;

/** The manager, for one request. */
export function manager({ node, clock }: SwarmDependencies): Control {
  return managerOf(node, clock);
}
