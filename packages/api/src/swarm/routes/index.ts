import type { Routes } from '../../server/server.js';
import type { SwarmDependencies } from './dependencies.js';
import { serviceLogRoutes } from './logs.js';
import { nodeRoutes } from './nodes.js';
import { configRoutes, secretRoutes } from './payloads.js';
import { serviceRoutes } from './services.js';
import { swarmRoutes } from './swarm.js';
import { taskRoutes } from './tasks.js';

export type { SwarmDependencies } from './dependencies.js';

/** Every route of the swarm but its part of /networks, /info and /events. */
export function allSwarmRoutes(deps: SwarmDependencies): Routes[] {
  return [
    swarmRoutes(deps),
    nodeRoutes(deps),
    serviceRoutes(deps),
    serviceLogRoutes(deps),
    taskRoutes(deps),
    secretRoutes(deps),
    configRoutes(deps),
  ];
}
