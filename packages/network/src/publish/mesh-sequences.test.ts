import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { NetworkEndpoint, NetworkNode, TableUpdate } from '../tables/contract.js';
import { nodeOf, serviceOf, updateOf } from '../tables/objects.sim.js';
import { HERE, INGRESS, SimMesh, taskOf } from './mesh.sim.js';

/** What happens in a swarm, in any order. */
type Step =
  | { kind: 'task'; id: number; node: number; ready: boolean; port: number; address: number }
  | { kind: 'task gone'; id: number }
  | { kind: 'node'; id: number; ownAgent: boolean }
  | { kind: 'node gone'; id: number }
  | { kind: 'service'; clientAffinity: boolean }
  /** Of the daemon, on the same kernel. */
  | { kind: 'restart' }
  /** A leader tells everything anew. */
  | { kind: 'new leader' };

const task = fc.record({
  kind: fc.constant('task' as const),
  id: fc.integer({ min: 1, max: 5 }),
  node: fc.integer({ min: 1, max: 4 }),
  ready: fc.boolean(),
  port: fc.integer({ min: 8080, max: 8082 }),
  // A task's address can be that of one which is not gone yet.
  address: fc.integer({ min: 20, max: 23 }),
});
const id = fc.integer({ min: 2, max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: task },
  fc.record({ kind: fc.constant('task gone' as const), id: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('node' as const), id, ownAgent: fc.boolean() }),
  fc.record({ kind: fc.constant('node gone' as const), id }),
  fc.record({ kind: fc.constant('service' as const), clientAffinity: fc.boolean() }),
  fc.record({ kind: fc.constant('restart' as const) }),
  fc.record({ kind: fc.constant('new leader' as const) }),
);

/** The store, as one node's tables see it. */
class Truth {
  readonly nodes = new Map<string, NetworkNode>([['n1', HERE]]);
  readonly endpoints = new Map<string, NetworkEndpoint>();
  service = serviceOf('web');

  complete(): Partial<TableUpdate> {
    const nodes = [...this.nodes.values()];
    const endpoints = [...this.endpoints.values()];
    return { complete: true, networks: [INGRESS], services: [this.service], nodes, endpoints };
  }

  /** What changes with a step. */
  take(next: Step): Partial<TableUpdate> {
    switch (next.kind) {
      case 'task':
        return this.#takeTask(next);
      case 'task gone':
        this.endpoints.delete(`t${next.id}`);
        return { gone: [{ table: 'endpoint', networkId: 'net', id: `t${next.id}` }] };
      case 'node': {
        const node = nodeOf(`n${next.id}`, { ownAgent: next.ownAgent });
        this.nodes.set(node.nodeId, node);
        return { nodes: [node] };
      }
      case 'node gone':
        this.nodes.delete(`n${next.id}`);
        return { gone: [{ table: 'node', networkId: 'net', id: `n${next.id}` }] };
      case 'service':
        this.service = serviceOf('web', { clientAffinity: next.clientAffinity });
        return { services: [this.service] };
      default:
        return this.complete();
    }
  }

  #takeTask(next: Extract<Step, { kind: 'task' }>): Partial<TableUpdate> {
    const { port: publishedPort, ready } = next;
    const ports = [{ protocol: 'udp' as const, targetPort: 53, publishedPort }];
    const addresses = [`10.0.1.${next.address}/24`];
    const endpoint = taskOf(`t${next.id}`, { nodeId: `n${next.node}`, ready, ports, addresses });
    this.endpoints.set(endpoint.id, endpoint);
    return { endpoints: [endpoint] };
  }
}

async function standing(kernel?: SimMesh['kernel']): Promise<SimMesh> {
  const node = new SimMesh(kernel);
  await node.places.make(INGRESS, kernel !== undefined);
  return node;
}

function seen(node: SimMesh) {
  const peers = node.inner.rules.map(({ table }) => table);
  const routes = node.inner.routes.filter(({ link }) => link === 'br0').map(({ table }) => table);
  return {
    balanced: node.balanced(),
    published: node.published().toSorted(),
    elsewhere: node.elsewhere(),
    peers: peers.toSorted(),
    routes: routes.toSorted(),
    held: [...node.holder.held].toSorted(),
  };
}

it('ends like a node that hears of the outcome alone, whatever came before', async () => {
  const property = fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
    const truth = new Truth();
    let node = await standing();
    await node.tables.update(updateOf(1n, truth.complete()));
    for (const [place, next] of steps.entries()) {
      if (next.kind === 'restart') node = await standing(node.kernel);
      await node.tables.update(updateOf(BigInt(place + 2), truth.take(next)));
    }
    const fresh = await standing();
    // Where several tasks claim an address, the order of their coming counts.
    const addresses = [...truth.endpoints.values()].map((endpoint) => endpoint.addresses[0]);
    fc.pre(new Set(addresses).size === addresses.length);
    await fresh.tables.update(updateOf(99n, truth.complete()));
    expect(seen(node)).toEqual(seen(fresh));
  });
  await fc.assert(property, { numRuns: 200 });
});
