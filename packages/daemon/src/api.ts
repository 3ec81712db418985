import {
  allSwarmRoutes,
  attachRoutes,
  containerRoutes,
  createServer,
  EventHub,
  eventRoutes,
  imageRoutes,
  logRoutes,
  type NodeNetworks,
  networkRoutes,
  refusedRoutes,
  type SwarmDependencies,
  SwarmEvents,
  type SystemFacts,
  swarmHeader,
  swarmInfo,
  systemRoutes,
  volumeRoutes,
} from '@skep/api';
import type { EngineEvent } from '@skep/containers';
import type { ContainerExecutor } from '@skep/executor';
import type { NetworkResource } from '@skep/network';
import type { Clock, Logger, Random } from '@skep/platform';
import type { EngineRooms } from './engine-rooms.js';
import type { StaticFacts } from './facts.js';
import { systemInterfaces } from './interfaces.js';
import type { SwarmMembership } from './swarm/membership.js';
import { VERSION } from './version.js';

export interface ApiParts {
  rooms: EngineRooms;
  executor: Pick<ContainerExecutor, 'attachedNetworks'>;
  membership: SwarmMembership;
  facts: StaticFacts;
  log: Logger;
  clock: Clock;
  random: Random;
}

/** The Engine API over the rooms of this daemon. */
export function assembleApi(parts: ApiParts) {
  const { rooms, membership, facts, log, clock } = parts;
  const { containers, images, volumes } = rooms;
  const events = gatherEvents(parts);
  const swarm = swarmDependencies(parts);
  const currentFacts = (): SystemFacts => ({
    ...facts,
    containerdVersion: rooms.containerdVersion,
    containerdAvailable: rooms.available(),
  });
  return createServer({ log, serverName: `Skep/${VERSION} (linux)` }, [
    systemRoutes({
      facts: currentFacts,
      containers,
      images,
      volumes,
      swarmInfo: () => swarmInfo(membership, clock),
      swarmHeader: () => swarmHeader(membership),
      warnings: () => rooms.network.warnings(),
      nowIso: () => new Date(clock.now()).toISOString(),
    }),
    containerRoutes(containers),
    attachRoutes(containers),
    logRoutes(containers),
    imageRoutes(images),
    volumeRoutes(volumes),
    networkRoutes({
      local: rooms.network.localNetworks,
      swarm,
      engine: containers,
      node: nodeNetworks(parts),
      events,
    }),
    ...allSwarmRoutes(swarm),
    eventRoutes(events),
    refusedRoutes,
  ]);
}

/** One stream of what happens in all rooms and in the swarm. */
function gatherEvents({ rooms, membership, clock, log }: ApiParts): EventHub {
  const hub = new EventHub();
  const local = (event: EngineEvent) => hub.publish({ ...event, scope: 'local' });
  rooms.containers.onEvent(local);
  rooms.images.onEvent(local);
  rooms.volumes.onEvent(local);
  new SwarmEvents({ node: membership, hub, clock, log }).start();
  return hub;
}

/** What this node knows of the swarm's networks that it takes part in. */
function nodeNetworks({ executor, rooms }: ApiParts): NodeNetworks {
  const { overlays, tables } = rooms.network;
  return {
    attached: () => executor.attachedNetworks,
    tables,
    differences: (networkId) => {
      const overlay = overlays.list().find(({ id }) => id === networkId);
      if (!overlay) return [];
      const { divergence, failure } = overlay;
      const differs = `${divergence} entries of the kernel differed when they were last compared`;
      return [...(divergence > 0 ? [differs] : []), ...(failure ? [failure] : [])];
    },
  };
}

/** What the swarm's routes know of this machine's addresses and networks. */
function swarmDependencies({ rooms, membership, clock, random }: ApiParts): SwarmDependencies {
  const { localNetworks } = rooms.network;
  return {
    node: membership,
    clock,
    random,
    addresses: {
      interfaces: systemInterfaces,
      defaultAdvertiseAddress: '',
      ownSubnets: () => ownSubnets(localNetworks.list()),
    },
    images: rooms.images,
    localNetwork: async (nameOrId) => {
      const found = localNetworks.list().find(({ Id, Name }) => [Id, Name].includes(nameOrId));
      return found && { name: found.Name };
    },
  };
}

/** Subnets of our own bridges: addresses in them are no other machine's way to us. */
function ownSubnets(networks: readonly NetworkResource[]): string[] {
  return networks.flatMap(({ IPAM }) => (IPAM.Config ?? []).map(({ Subnet }) => Subnet));
}
