import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type Clock, type Disk, hasErrno, newContainerId, type Random } from '@skep/platform';
import { overlaps, type Subnet, subnetOf } from '../address/ipv4.js';
import { type AddressPool, LINK_POOLS, pickSubnet } from '../address/pool.js';
import type { NamespaceView } from '../kernel/contract.js';
import type { Names } from '../names.js';

export const LOCAL_NAMES = ['bridge', 'host', 'none'] as const;
export type LocalName = (typeof LOCAL_NAMES)[number];

/** What this node decided about its local networks, kept over restarts and reboots. */
export interface LocalState {
  networks: Record<LocalName, { id: string; created: string }>;
  /** Of the default bridge, the gateway bridge, and the link to the ingress namespace. */
  subnets: { bridge: string; gateway: string; link: string };
}

export interface LocalStateOptions {
  disk: Disk;
  random: Random;
  clock: Clock;
  directory: string;
  pools: readonly AddressPool[];
  names: Names;
  host: NamespaceView;
}

const FILE = 'local.json';

function oursOn(names: Names): Set<string> {
  return new Set([names.bridge, names.gatewayBridge, names.ingressLink]);
}

/** Subnets that this host uses for something that is not ours. */
function takenSubnets(host: NamespaceView, names: Names): Subnet[] {
  const ours = oursOn(names);
  const routes = host.routes
    .filter(({ destination, link }) => destination !== 'default' && !ours.has(link))
    .map(({ destination }) => destination);
  const addresses = host.addresses
    .filter(({ link }) => !ours.has(link))
    .map(({ address }) => address);
  return [...routes, ...addresses].map(subnetOf).filter(({ prefixLength }) => prefixLength > 0);
}

function pickSubnets(
  options: LocalStateOptions,
  known: LocalState['subnets'] | undefined,
): LocalState['subnets'] {
  const taken = takenSubnets(options.host, options.names);
  const standing = options.host.addresses.filter(({ link }) => oursOn(options.names).has(link));
  const keep = (subnet: string | undefined) => {
    if (!subnet) return undefined;
    const free = !taken.some((other) => overlaps(other, subnetOf(subnet)));
    // Containers may live on it: a new overlap is the host's to solve, and a warning says so.
    const stands = standing.some(({ address }) => isWithin(address, subnet));
    if (!free && !stands) return undefined;
    taken.push(subnetOf(subnet));
    return subnet;
  };
  const pick = (pools: readonly AddressPool[]) => {
    const subnet = pickSubnet(pools, taken);
    taken.push(subnetOf(subnet));
    return subnet;
  };
  // All that can stay stays, before anything new is picked beside it.
  const kept = [known?.bridge, known?.gateway, known?.link].map(keep);
  return {
    bridge: kept[0] ?? pick(options.pools),
    gateway: kept[1] ?? pick(options.pools),
    link: kept[2] ?? pick(LINK_POOLS),
  };
}

function isWithin(address: string, subnet: string): boolean {
  return subnetOf(address).network === subnetOf(subnet).network;
}

async function read(options: LocalStateOptions): Promise<LocalState | undefined> {
  try {
    const bytes = await options.disk.readFile(join(options.directory, FILE));
    return JSON.parse(Buffer.from(bytes).toString('utf8')) as LocalState;
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Reads what was decided, decides the rest, and keeps it. */
export async function loadLocalState(options: LocalStateOptions): Promise<LocalState> {
  const known = await read(options);
  const created = new Date(options.clock.now()).toISOString();
  const fresh = () => ({ id: newContainerId(options.random), created });
  const state: LocalState = {
    networks: known?.networks ?? { bridge: fresh(), host: fresh(), none: fresh() },
    subnets: pickSubnets(options, known?.subnets),
  };
  // Unchanged, it is not written: a node must start on a full disk, too.
  if (known && isDeepStrictEqual(known, state)) return state;
  await options.disk.makeDirectory(options.directory, 0o700);
  const text = JSON.stringify(state, null, 2);
  await options.disk.writeFileAtomic(join(options.directory, FILE), Buffer.from(text));
  return state;
}
