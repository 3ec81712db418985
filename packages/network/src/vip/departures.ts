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

/** Who is gone, is on a node that is, or takes nothing new any more, by these changes: each once. */
export function departuresOf(changes: readonly TableChange[], view: TablesView): Departure[] {
  const found = new Map<string, Departure>();
  for (const change of changes) {
    for (const departure of departuresBy(change, view)) {
      const key = `${departure.networkId} ${departure.address}`;
      const udpOnly = departure.udpOnly && (found.get(key)?.udpOnly ?? true);
      found.set(key, { ...departure, udpOnly });
    }
  }
  return [...found.values()];
}

function departuresBy(change: TableChange, view: TablesView): Departure[] {
  if (change.table === 'node') return lostWith(change, view);
  if (change.table !== 'endpoint' || !change.before) return [];
  const { before, after } = change;
  const address = endpointAddress(before);
  if (!address || !before.serviceId) return [];
  const stays = after !== undefined && isSame(after, before, address);
  if (stays && (after.ready || !before.ready)) return [];
  const isLost = view.node(before.networkId, before.nodeId)?.down ?? false;
  return [{ networkId: before.networkId, address, udpOnly: stays && !isLost }];
}

/** Also those whose connections drained when their node went. */
function lostWith(
  { before, after }: Extract<TableChange, { table: 'node' }>,
  view: TablesView,
): Departure[] {
  if (!after?.down || before?.down) return [];
  const { networkId, nodeId } = after;
  return view.endpoints(networkId).flatMap((endpoint) => {
    const address = endpointAddress(endpoint);
    const isLost = address && endpoint.nodeId === nodeId && endpoint.serviceId && !endpoint.ready;
    return isLost ? [{ networkId, address, udpOnly: false }] : [];
  });
}

function isSame(after: NetworkEndpoint, before: NetworkEndpoint, address: string): boolean {
  return endpointAddress(after) === address && after.serviceId === before.serviceId;
}
