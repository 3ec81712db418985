import type { ContainerEngine } from '@skep/containers';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { EventHub } from '../events/hub.js';
import { HttpError } from '../server/errors.js';
import { filters, type Query, text } from '../server/query.js';
import type { Routes } from '../server/server.js';
import { checkShape } from '../server/shape.js';
import { JsonReader } from '../swarm/convert/reader.js';
import { managerOf } from '../swarm/manager.js';
import { checkNetworkRequest } from '../swarm/network-config.js';
import type { NodeNetworks } from '../swarm/network-details.js';
import { LIST_FILTERS, PRUNE_FILTERS, untilMs } from '../swarm/network-filters.js';
import {
  createSwarmNetwork,
  hasSwarmNetwork,
  pruneSwarmNetworks,
  removeSwarmNetwork,
} from '../swarm/networks.js';
import type { SwarmDependencies } from '../swarm/routes/index.js';
import { NETWORK_CONNECT, NETWORK_DISCONNECT } from './bodies.js';
import { type LocalNetworkSource, type NetworkJson, NetworkList } from './network-list.js';
import { refuseEndpoint } from './unsupported.js';

export interface NetworkRouteOptions {
  local: LocalNetworkSource;
  swarm: SwarmDependencies;
  engine: Pick<ContainerEngine, 'connect' | 'disconnect' | 'list'>;
  node: NodeNetworks;
  events: Pick<EventHub, 'publish'>;
}

type ById = FastifyRequest<{ Params: { id: string } }>;

/** What a client that names a network and a container sends. */
interface Connection {
  Container?: string;
  EndpointConfig?: Parameters<ContainerEngine['connect']>[2];
}

const NS_PER_MS = 1_000_000;

/** /networks: the node's own and the swarm's, in one list. */
export function networkRoutes(options: NetworkRouteOptions): Routes {
  const { swarm } = options;
  const networks = new NetworkList(options);
  const isManager = () => swarm.node.info().controlAvailable;
  const manager = () => managerOf(swarm.node, swarm.clock);
  return (app) => {
    app.get('/networks', (request) => networks.list(filters(request.query as Query, LIST_FILTERS)));
    app.get('/networks/:id', (request: ById) => {
      const query = request.query as Query;
      return networks.inspect(request.params.id, text(query, 'scope') ?? '', verboseOf(query));
    });
    app.post('/networks/create', async (request, reply) => {
      const json = JsonReader.of(request.body, 'CreateRequest');
      const name = json.string('Name');
      if (isManager() && (await hasSwarmNetwork(manager(), name))) {
        throw new HttpError(409, `network with name ${name} already exists`);
      }
      checkNetworkRequest(json, isManager());
      const Id = await createSwarmNetwork(manager(), json);
      return reply.code(201).send({ Id, Warning: '' });
    });
    app.delete('/networks/:id', async (request: ById, reply) => {
      const found = await networks.find(request.params.id, '');
      if (found.Scope === 'local') {
        const name = String(found.Name);
        throw new HttpError(403, `${name} is a pre-defined network and cannot be removed`);
      }
      await removeSwarmNetwork(manager(), String(found.Id));
      return reply.code(204).send();
    });
    app.post('/networks/prune', async (request) => {
      const wanted = filters(request.query as Query, PRUNE_FILTERS);
      const nowMs = swarm.clock.now();
      const limitMs = untilMs(wanted, nowMs);
      const deleted = isManager() ? await pruneSwarmNetworks(manager(), wanted, limitMs) : [];
      tellPruned(options, nowMs);
      return { NetworksDeleted: deleted.length > 0 ? deleted : null };
    });
    connections(app, options, networks);
  };
}

function connections(
  app: FastifyInstance,
  { engine }: NetworkRouteOptions,
  networks: NetworkList,
): void {
  app.post('/networks/:id/connect', async (request: ById, reply) => {
    checkShape(request.body, NETWORK_CONNECT, 'ConnectRequest');
    const { Container = '', EndpointConfig } = (request.body ?? {}) as Connection;
    const network = await nameOf(networks, request.params.id);
    refuseEndpoint(EndpointConfig);
    await engine.connect(Container, network, EndpointConfig ?? {});
    return reply.code(200).send();
  });
  app.post('/networks/:id/disconnect', async (request: ById, reply) => {
    checkShape(request.body, NETWORK_DISCONNECT, 'DisconnectRequest');
    const { Container = '' } = (request.body ?? {}) as Connection;
    await engine.disconnect(Container, await nameOf(networks, request.params.id));
    return reply.code(200).send();
  });
}

/** What a network is called; as it was asked for where only a manager elsewhere may know it. */
async function nameOf(networks: NetworkList, input: string): Promise<string> {
  try {
    const found: NetworkJson = await networks.find(input, '');
    return String(found.Name);
  } catch (error) {
    if (error instanceof HttpError && error.status === 404) return input;
    throw error;
  }
}

function verboseOf(query: Query): boolean {
  const value = text(query, 'verbose');
  if (!value || /^(0|f|false)$/i.test(value)) return false;
  if (/^(1|t|true)$/i.test(value)) return true;
  const reason = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
  throw new HttpError(400, `invalid value for verbose: ${value}: ${reason}`);
}

function tellPruned({ events }: NetworkRouteOptions, nowMs: number): void {
  events.publish({
    Type: 'network',
    Action: 'prune',
    Actor: { ID: '', Attributes: { reclaimed: '0' } },
    scope: 'local',
    timeNano: BigInt(Math.round(nowMs * NS_PER_MS)),
  });
}
