import { create } from '@bufbuild/protobuf';
import type { Control } from '@skep/manager';
import {
  CreateNetworkRequestSchema,
  ListNetworksRequestSchema,
  RemoveNetworkRequestSchema,
} from '@skep/wire/swarmkit';
import { HttpError } from '../server/errors.js';
import type { Json } from './convert/json.js';
import { networkResourceToJson, networkSpecFromJson } from './convert/network.js';
import type { JsonReader } from './convert/reader.js';
import { findNetwork } from './lookup.js';
import { matchesPrune } from './network-filters.js';

/**
 * The swarm's part of /networks; the routes put it together with the node's own networks. `control` is what
 * `managerOf` gives, so errors are worded already.
 */

const PREDEFINED_LABEL = 'com.docker.swarm.predefined';

/** All networks of the swarm but the predefined ones, which every node lists as its own. */
export async function listSwarmNetworks(control: Control): Promise<Json[]> {
  const { networks } = await control.listNetworks(create(ListNetworksRequestSchema));
  return networks
    .filter(({ spec }) => spec?.annotations?.labels[PREDEFINED_LABEL] !== 'true')
    .map(networkResourceToJson);
}

/** By full id, exact name or beginning of the id; predefined networks too. */
export async function inspectSwarmNetwork(control: Control, input: string): Promise<Json> {
  return networkResourceToJson(await findNetwork(control, input));
}

/** Whether there is a network of exactly this name; false where the manager cannot say. */
export async function hasSwarmNetwork(control: Control, name: string): Promise<boolean> {
  const request = create(ListNetworksRequestSchema, { filters: { names: [name] } });
  const { networks } = await control.listNetworks(request).catch(() => ({ networks: [] }));
  return networks.some(({ spec }) => spec?.annotations?.labels[PREDEFINED_LABEL] !== 'true');
}

/** The body of POST /networks/create for a network of the swarm; resolves with its id. */
export async function createSwarmNetwork(control: Control, json: JsonReader): Promise<string> {
  const spec = networkSpecFromJson(json);
  const { network } = await control.createNetwork(create(CreateNetworkRequestSchema, { spec }));
  return network?.id ?? '';
}

export async function removeSwarmNetwork(control: Control, networkId: string): Promise<void> {
  await control.removeNetwork(create(RemoveNetworkRequestSchema, { networkId }));
}

/**
 * Removes the networks that nobody uses, the mesh's aside, which goes only by name. Resolves with the names
 * of those removed: only the manager knows which are in use, so each is tried.
 */
export async function pruneSwarmNetworks(
  control: Control,
  wanted: Readonly<Record<string, readonly string[]>>,
  untilMs: number | undefined,
): Promise<string[]> {
  const networks = await listSwarmNetworks(control);
  const removed: string[] = [];
  for (const network of networks) {
    if (network.Ingress === true || !matchesPrune(network, wanted, untilMs)) continue;
    try {
      await removeSwarmNetwork(control, String(network.Id));
      removed.push(String(network.Name));
    } catch (error) {
      if (!(error instanceof HttpError)) throw error; // in use, or gone by now
    }
  }
  return removed;
}
