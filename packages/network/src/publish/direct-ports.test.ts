import { silentLogger } from '@skep/platform';
import { expect, it } from 'vitest';
import { SimKernel } from '../kernel/simulated/kernel.js';
import type { AttachedSandbox } from '../sandbox/contract.js';
import { updateOf } from '../tables/objects.sim.js';
import { Tables } from '../tables/tables.js';
import { DirectPorts } from './direct-ports.js';
import { DOCKER, HERE, INGRESS, THERE, taskOf } from './mesh.sim.js';

const NAMESPACE = '/run/netns/c1';

async function container() {
  const kernel = new SimKernel();
  await kernel.run([{ op: 'namespace-add', path: NAMESPACE }]);
  const ports = new DirectPorts({ kernel, logger: silentLogger, table: 'skep_to' });
  const tables = new Tables();
  tables.addReader(ports);
  const network = { networkId: 'net', networkName: 'net', link: 'eth0', address: '10.0.1.11/24' };
  const sandbox: AttachedSandbox = {
    containerId: 'c1',
    name: 'c1',
    namespace: NAMESPACE,
    networks: [{ ...network, aliases: [], ingress: true }],
    names: { hostname: '', servers: [], search: [], options: [] },
  };
  const table = () => kernel.at(NAMESPACE).tables.get('skep_to');
  const targets = () => Object.fromEntries(table()?.sets.get('targets')?.elements ?? []);
  return { kernel, ports, tables, sandbox, table, targets };
}

const rows = { networks: [INGRESS], nodes: [HERE, THERE], endpoints: [taskOf('t1')] };

it('leads clients of a Docker Engine to a task’s own port, while there is one', async () => {
  const { ports, sandbox, table, tables, targets } = await container();
  await tables.update(updateOf(1n, { complete: true, ...rows }));
  await ports.added(sandbox);
  expect(table()).toBeUndefined();
  await tables.update(updateOf(2n, { nodes: [DOCKER] }));
  expect(targets()).toEqual({ 'tcp . 8080': '10.0.1.11 . 80' });
  // What comes from this node's bridge, by the mesh of our own kind, is translated already.
  expect(table()?.chains.get('prerouting')?.join()).toContain('ether saddr != 02:42:0a:00:01:02');
  const moved = [{ protocol: 'tcp' as const, targetPort: 81, publishedPort: 8080 }];
  await tables.update(updateOf(3n, { endpoints: [taskOf('t1', { ports: moved })] }));
  expect(targets()).toEqual({ 'tcp . 8080': '10.0.1.11 . 81' });
  await tables.update(updateOf(4n, { gone: [{ table: 'node', networkId: 'net', id: 'n3' }] }));
  expect(table()).toBeUndefined();
});

it('has the table in a container from its start, and leaves it at a restart', async () => {
  const { kernel, ports, sandbox, tables, targets } = await container();
  const known = { complete: true, ...rows, nodes: [HERE, DOCKER] };
  await tables.update(updateOf(1n, known));
  await ports.added(sandbox);
  expect(targets()).toEqual({ 'tcp . 8080': '10.0.1.11 . 80' });
  const { generation } = kernel.at(NAMESPACE).tables;
  const later = new DirectPorts({ kernel, logger: silentLogger, table: 'skep_to' });
  const laterTables = new Tables();
  laterTables.addReader(later);
  await later.added(sandbox);
  await laterTables.update(updateOf(2n, known));
  expect(kernel.at(NAMESPACE).tables.generation).toBe(generation);
});
