import type { ManagerLink } from '@skep/agent';
import type { Clock } from '@skep/platform';
import type { Dialer } from '@skep/rpc';
import { channelImages, localImages, type SwarmImages } from '../images/index.js';
import { AgentConnector } from '../link/index.js';
import type { Manager } from '../manager/manager.js';
import { type NetworksFollower, withNetworks } from '../networks/index.js';
import type { Remotes } from '../remotes/index.js';
import { localLink, localNetworks } from './local-link.js';

export interface ConnectorOptions {
  nodeId: string;
  clock: Clock;
  dialer: Dialer;
  remotes: Remotes;
  /** Follows the tables of the manager that the agent talks to. */
  networks?: NetworksFollower | undefined;
  /** Asks the manager that the agent talks to. */
  images?: SwarmImages | undefined;
  /** Host this node is reached at, for what managers show of it. */
  ownHost(): string;
  /** This node's manager, if it is one. */
  manager(): Manager | undefined;
  /** Calls `listener` when the leader may be another. */
  onChange(listener: () => void): void;
}

/**
 * The manager that this node's agent talks to: the one in the same process while that leads; else the leader
 * where it is known, so that nobody has to forward; else any of the managers.
 */
export function managerConnector(options: ConnectorOptions): () => Promise<ManagerLink> {
  const { clock, dialer, images, manager, networks, nodeId, ownHost, remotes } = options;
  const connector = new AgentConnector({
    clock,
    dialer,
    networks,
    remotes: {
      choose: (avoid) => manager()?.otherLeader ?? remotes.choose({ exclude: [nodeId], avoid }),
      observe: (which, isGood) => remotes.observe(which, isGood),
    },
  });
  options.onChange(() => {
    // A manager in between would take the session with it when it hangs, and one that led before is asked in vain.
    const leader = manager()?.otherLeader ?? (manager()?.rooms && { nodeId });
    const current = connector.manager;
    if (leader && current && leader.nodeId !== current.nodeId) connector.close();
  });
  return async () => {
    const rooms = manager()?.rooms;
    if (!rooms) {
      const link = await connector.connect();
      if (connector.channel) images?.follow(channelImages(connector.channel));
      return link;
    }
    connector.close();
    images?.follow(localImages(nodeId, rooms.images));
    const link = localLink(nodeId, ownHost(), rooms);
    return networks ? withNetworks(link, localNetworks(nodeId, rooms), networks) : link;
  };
}
