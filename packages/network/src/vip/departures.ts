import type { AttachedSandbox } from '../sandbox/contract.js';
import type { NetworkEndpoint, TableChange, TablesView } from '../tables/contract.js';
import { endpointAddress } from './endpoint-address.js';

/** An address to which flows through virtual IPs must not go on. */
export interface LeftAddress {
  address: string;
  /** Only datagrams move elsewhere: what is left of its connections drains. */
  udpOnly: boolean;
}

export interface Departure extends LeftAddress {
  networkId: string;
}

/** Those that a container could have had flows to. */
export function departuresFor(
  { networks }: AttachedSandbox,
  departures: readonly Departure[],
): Departure[] {
  const ids = new Set(networks.map(({ networkId }) => networkId));
  return departures.filter(({ networkId }) => ids.has(networkId));
}

/** Who is gone, is on a node that is, or takes nothing new any more, by these changes. */
export function departuresOf(changes: readonly TableChange[], view: TablesView): Departure[] {
  return changes.flatMap((change): Departure[] => {
    if (change.table !== 'endpoint' || !change.before) return [];
    const { before, after } = change;
    const address = endpointAddress(before);
    if (!address || !before.serviceId) return [];
    const stays = after !== undefined && isSame(after, before, address);
    if (stays && (after.ready || !before.ready)) return [];
    const isLost = view.node(before.networkId, before.nodeId)?.down ?? false;
    return [{ networkId: before.networkId, address, udpOnly: stays && !isLost }];
  });
}

function isSame(after: NetworkEndpoint, before: NetworkEndpoint, address: string): boolean {
  return endpointAddress(after) === address && after.serviceId === before.serviceId;
}
