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
import { JsonReader } from './convert/reader.js';
import { findNetwork } from './lookup.js';

/**
 * The swarm's part of /networks; the routes put it together with the node's own networks. `control` is what
 * `managerOf` gives, so errors are worded already.
 */

const PREDEFINED_LABEL = 'com.docker.swarm.predefined';
const PREDEFINED_NAMES = ['bridge', 'host', 'none', 'default'];

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

/** The body of POST /networks/create for a network of the swarm; resolves with its id. */
export async function createSwarmNetwork(control: Control, body: unknown): Promise<string> {
  const spec = networkSpecFromJson(JsonReader.of(body, 'NetworkCreateRequest'));
  const name = spec.annotations?.name ?? '';
  if (PREDEFINED_NAMES.includes(name)) {
    throw new HttpError(403, `${name} is a pre-defined network and cannot be created`);
  }
  const { network } = await control.createNetwork(create(CreateNetworkRequestSchema, { spec }));
  return network?.id ?? '';
}

export async function removeSwarmNetwork(control: Control, input: string): Promise<void> {
  const { id: networkId } = await findNetwork(control, input);
  await control.removeNetwork(create(RemoveNetworkRequestSchema, { networkId }));
}
