import type { ReadView } from '@skep/store';
import { dataPathOf } from '@skep/wire';
import {
  type EndpointSpec,
  PortConfig_Protocol,
  PortConfig_PublishMode,
} from '@skep/wire/swarmkit';
import { CLUSTER_DEFAULTS } from '../../cluster/defaults.js';
import type { ManagerMember } from '../../contract.js';
import { SHELF_PORT } from '../../images/limits.js';
import { invalidArgument } from '../errors.js';
import { GOSSIP_PORT } from '../limits.js';

const { TCP, UDP } = PortConfig_Protocol;

interface OwnPort {
  port: number;
  protocol: PortConfig_Protocol;
  use: string;
}

/**
 * Refuses what would take the swarm's own ports from it: the routing mesh stands before everything that
 * listens on a node, so a service on VXLAN's port would part all nodes from each other at once.
 */
export function checkOwnPorts(
  view: ReadView,
  endpoint: EndpointSpec | undefined,
  members: readonly ManagerMember[],
): void {
  const published = (endpoint?.ports ?? []).filter(
    ({ publishMode }) => publishMode === PortConfig_PublishMode.INGRESS,
  );
  if (published.length === 0) return;
  const own = ownPorts(view, members);
  for (const { publishedPort, protocol } of published) {
    const taken = own.find((one) => one.port === publishedPort && one.protocol === protocol);
    if (!taken) continue;
    const name = PortConfig_Protocol[protocol].toLowerCase();
    throw invalidArgument(
      `port '${publishedPort}' (${name}) is in use by the swarm itself, for ${taken.use}`,
    );
  }
}

function ownPorts(view: ReadView, members: readonly ManagerMember[]): OwnPort[] {
  const managers = members.map(({ address }) => ({
    port: Number(address.slice(address.lastIndexOf(':') + 1)),
    protocol: TCP,
  }));
  const dataPaths = [...view.all('cluster')].map(({ VXLANUDPPort }) => ({
    port: VXLANUDPPort || CLUSTER_DEFAULTS.dataPathPort,
    protocol: UDP,
  }));
  const tunnels = [...view.all('node')].flatMap(({ description }) => {
    const port = dataPathOf(description)?.wireguard?.port;
    return port ? [{ port, protocol: UDP }] : [];
  });
  return [
    ...managers.map((one) => ({ ...one, use: 'its managers' })),
    ...[TCP, UDP].map((protocol) => ({ port: GOSSIP_PORT, protocol, use: 'gossip' })),
    { port: SHELF_PORT, protocol: TCP, use: 'images that its nodes share' },
    ...dataPaths.map((one) => ({ ...one, use: 'overlay networks (VXLAN)' })),
    ...tunnels.map((one) => ({ ...one, use: 'encrypted overlay networks (WireGuard)' })),
  ];
}
