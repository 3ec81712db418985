import { Code, RpcError, silentLogger } from '@skep/platform';
import type { FastifyInstance } from 'fastify';
import { beforeEach, expect, it } from 'vitest';
import { createServer } from '../server/server.js';
import { SimSwarmNode } from '../swarm/node.sim.js';
import { allSwarmRoutes } from '../swarm/routes/index.js';
import { networkRoutes } from './networks.js';

let node: SimSwarmNode;
let app: FastifyInstance;

beforeEach(() => {
  node = new SimSwarmNode();
  const addresses = {
    interfaces: () => [],
    defaultAdvertiseAddress: '10.1.0.5',
    ownSubnets: () => [],
  };
  const { clock, random } = node;
  const deps = { node, clock, random, addresses, localNetwork: async () => undefined };
  const bridge = { Name: 'bridge', Scope: 'local' };
  const local = {
    list: () => [bridge],
    inspect: () => {
      throw new RpcError(Code.NOT_FOUND, 'no such network');
    },
  };
  const routes = [...allSwarmRoutes(deps), networkRoutes(local, deps)];
  app = createServer({ log: silentLogger, serverName: 'test' }, routes);
});

const create = async () => {
  const payload = { Name: 'net', Driver: 'overlay' };
  const { statusCode, body } = await app.inject({
    method: 'POST',
    url: '/networks/create',
    payload,
  });
  return [statusCode, JSON.parse(body).message];
};
const names = async () => {
  const { body } = await app.inject({ method: 'GET', url: '/networks' });
  return (JSON.parse(body) as { Name: string }[]).map(({ Name }) => Name);
};

it.each(['noSwarm', 'worker', 'notReady'] as const)(
  'an overlay network is made by managers alone: %s',
  async (reason) => {
    node.become('active', reason);
    expect(await create()).toEqual([
      403,
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    ]);
    expect(await names()).toEqual(['bridge']);
  },
);

it('a swarm without a leader hides no network of the node', async () => {
  const payload = { ListenAddr: '10.1.0.5:2377' };
  await app.inject({ method: 'POST', url: '/swarm/init', payload });
  expect(await names()).toEqual(['bridge', 'ingress']);
  const broken = () => Promise.reject(new RpcError(Code.UNKNOWN, 'The swarm has no leader.'));
  node.control = () => new Proxy({}, { get: () => broken }) as never;
  expect(await names()).toEqual(['bridge']);
});
