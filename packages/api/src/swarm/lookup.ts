import { create } from '@bufbuild/protobuf';
import type { Control } from '@skep/manager';
import {
  type Config,
  GetConfigRequestSchema,
  GetNetworkRequestSchema,
  GetNodeRequestSchema,
  GetSecretRequestSchema,
  GetServiceRequestSchema,
  GetTaskRequestSchema,
  ListConfigsRequestSchema,
  ListNetworksRequestSchema,
  ListNodesRequestSchema,
  ListSecretsRequestSchema,
  ListServicesRequestSchema,
  ListTasksRequestSchema,
  type Network,
  type Node,
  type Secret,
  type Service,
  type Task,
} from '@skep/wire/swarmkit';
import { HttpError } from '../server/errors.js';
import { invalid } from './errors.js';

interface Kind<T> {
  name: string;
  get(id: string): Promise<T | undefined>;
  list(filters: { names: string[] } | { idPrefixes: string[] }): Promise<T[]>;
}

/** What a user may call an object: its full id, else its exact name, else a unique beginning of its id. */
async function lookUp<T>(kind: Kind<T>, input: string): Promise<T> {
  const byId = await kind.get(input).catch(onlyNotFound);
  if (byId) return byId;
  let found = await kind.list({ names: [input] }).catch(() => []);
  if (found.length === 0) found = await kind.list({ idPrefixes: [input] });
  const [first, ...others] = found;
  if (!first) throw new HttpError(404, `${kind.name} ${input} not found`);
  if (others.length > 0) {
    throw invalid(`${kind.name} ${input} is ambiguous (${found.length} matches found)`);
  }
  return first;
}

function onlyNotFound(error: unknown): undefined {
  if (error instanceof HttpError && (error.status === 404 || error.status === 400)) {
    return undefined;
  }
  throw error;
}

export function findService(
  control: Control,
  input: string,
  insertDefaults = false,
): Promise<Service> {
  const get = async (serviceId: string) =>
    (await control.getService(create(GetServiceRequestSchema, { serviceId, insertDefaults })))
      .service;
  const service = lookUp<Service>(
    {
      name: 'service',
      get,
      list: async (filters) =>
        (await control.listServices(create(ListServicesRequestSchema, { filters }))).services,
    },
    input,
  );
  if (!insertDefaults) return service;
  return service.then(async (found) =>
    found.id === input ? found : ((await get(found.id)) ?? found),
  );
}

export function findNode(control: Control, input: string): Promise<Node> {
  return lookUp(
    {
      name: 'node',
      get: async (nodeId) => (await control.getNode(create(GetNodeRequestSchema, { nodeId }))).node,
      list: async (filters) =>
        (await control.listNodes(create(ListNodesRequestSchema, { filters }))).nodes,
    },
    input,
  );
}

export function findTask(control: Control, input: string): Promise<Task> {
  return lookUp(
    {
      name: 'task',
      get: async (taskId) => (await control.getTask(create(GetTaskRequestSchema, { taskId }))).task,
      list: async (filters) =>
        (await control.listTasks(create(ListTasksRequestSchema, { filters }))).tasks,
    },
    input,
  );
}

export function findNetwork(control: Control, input: string): Promise<Network> {
  return lookUp(
    {
      name: 'network',
      get: async (networkId) =>
        (await control.getNetwork(create(GetNetworkRequestSchema, { networkId }))).network,
      list: async (filters) =>
        (await control.listNetworks(create(ListNetworksRequestSchema, { filters }))).networks,
    },
    input,
  );
}

export function findSecret(control: Control, input: string): Promise<Secret> {
  return lookUp(
    {
      name: 'secret',
      get: async (secretId) =>
        (await control.getSecret(create(GetSecretRequestSchema, { secretId }))).secret,
      list: async (filters) =>
        (await control.listSecrets(create(ListSecretsRequestSchema, { filters }))).secrets,
    },
    input,
  );
}

export function findConfig(control: Control, input: string): Promise<Config> {
  return lookUp(
    {
      name: 'config',
      get: async (configId) =>
        (await control.getConfig(create(GetConfigRequestSchema, { configId }))).config,
      list: async (filters) =>
        (await control.listConfigs(create(ListConfigsRequestSchema, { filters }))).configs,
    },
    input,
  );
}
