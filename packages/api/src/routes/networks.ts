import { Code, RpcError } from '@skep/platform';
import type { FastifyRequest } from 'fastify';
import { HttpError } from '../server/errors.js';
import { filters, type Query, text } from '../server/query.js';
import type { Routes } from '../server/server.js';
import { MEMBERSHIP_TEXTS } from '../swarm/errors.js';
import { managerOf } from '../swarm/manager.js';
import {
  createSwarmNetwork,
  inspectSwarmNetwork,
  listSwarmNetworks,
  removeSwarmNetwork,
} from '../swarm/networks.js';
import type { SwarmDependencies } from '../swarm/routes/index.js';

type ById = FastifyRequest<{ Params: { id: string } }>;
type Network = Record<string, unknown>;

/** The node's own networks. */
export interface LocalNetworkSource {
  list(filters: Record<string, string[]>): object[];
  /** Throws NOT_FOUND. */
  inspect(nameOrId: string): object;
}

const LIST_FILTERS = ['dangling', 'driver', 'id', 'label', 'name', 'scope', 'type'];

/** /networks: the node's own and the swarm's, in one list. */
export function networkRoutes(local: LocalNetworkSource, swarm: SwarmDependencies): Routes {
  const isManager = () => swarm.node.info().controlAvailable;
  const manager = () => managerOf(swarm.node, swarm.clock);

  async function find(id: string, scope: string | undefined): Promise<object> {
    if (scope !== 'swarm') {
      try {
        return local.inspect(id);
      } catch (error) {
        if (!(error instanceof RpcError && error.code === Code.NOT_FOUND)) throw error;
      }
    }
    if (scope !== 'local' && isManager()) {
      try {
        return await inspectSwarmNetwork(manager(), id);
      } catch (error) {
        if (!(error instanceof HttpError && error.status === 404)) throw error;
      }
    }
    throw new HttpError(404, `network ${id} not found`);
  }

  return (app) => {
    app.get('/networks', async (request) => {
      const wanted = filters(request.query as Query, LIST_FILTERS);
      // A swarm that cannot answer must not hide the node's own networks.
      const ofSwarm = isManager() ? await listSwarmNetworks(manager()).catch(() => []) : [];
      const matching = ofSwarm.filter((network) => matches(network as Network, wanted));
      return [...local.list(wanted), ...matching];
    });
    app.get('/networks/:id', (request: ById) =>
      find(request.params.id, text(request.query as Query, 'scope')),
    );
    app.post('/networks/create', async (request, reply) => {
      const wanted = (request.body ?? {}) as { Driver?: string; Scope?: string };
      if (wanted.Driver !== 'overlay' && wanted.Scope !== 'swarm') {
        throw new HttpError(501, 'making local networks is not supported by this engine');
      }
      if (!isManager()) throw new HttpError(403, MEMBERSHIP_TEXTS.noSwarm);
      const Id = await createSwarmNetwork(manager(), request.body);
      return reply.code(201).send({ Id, Warning: '' });
    });
    app.delete('/networks/:id', async (request: ById, reply) => {
      const found = (await find(request.params.id, undefined)) as Network;
      if (found.Scope === 'local') {
        const name = String(found.Name);
        throw new HttpError(403, `${name} is a pre-defined network and cannot be removed`);
      }
      await removeSwarmNetwork(manager(), String(found.Id));
      return reply.code(204).send();
    });
    app.post('/networks/prune', async () => ({ NetworksDeleted: null }));
    for (const action of ['connect', 'disconnect']) {
      app.post(`/networks/:id/${action}`, async () => {
        throw new HttpError(501, 'attaching running containers is not supported by this engine');
      });
    }
  };
}

/** Docker's list filters, for a network of the swarm. */
function matches(network: Network, wanted: Record<string, string[]>): boolean {
  const labels = (network.Labels ?? {}) as Record<string, string>;
  const tests: Record<string, (value: string) => boolean> = {
    driver: (value) => network.Driver === value,
    id: (value) => String(network.Id).startsWith(value),
    label: (value) => {
      const [key = '', ...rest] = value.split('=');
      return key in labels && (rest.length === 0 || labels[key] === rest.join('='));
    },
    name: (value) => String(network.Name).includes(value),
    scope: (value) => value === 'swarm',
    type: (value) => value === 'custom',
    dangling: (value) => ['0', 'false'].includes(value),
  };
  return Object.entries(wanted).every(
    ([key, values]) => values.length === 0 || values.some((value) => tests[key]?.(value)),
  );
}
