import { expect, it } from 'vitest';
import { SimKernel } from '../kernel/simulated/kernel.js';
import type { AttachedSandbox } from '../sandbox/contract.js';
import { DatagramAnswers } from './datagram-answers.js';

async function container(ingress: boolean) {
  const kernel = new SimKernel();
  const namespace = '/run/netns/c1';
  await kernel.run([{ op: 'namespace-add', path: namespace }]);
  const network = { networkId: 'net', networkName: 'net', link: 'eth0', address: '10.0.1.11/24' };
  const sandbox: AttachedSandbox = {
    containerId: 'c1',
    name: 'c1',
    namespace,
    networks: [{ ...network, aliases: [], ingress }],
    names: { hostname: '', servers: [], search: [], options: [] },
  };
  return { kernel, sandbox, answers: new DatagramAnswers({ kernel, table: 'skep_in' }) };
}

it('gives answers to datagrams the address that was asked, and forgets nobody over a restart', async () => {
  const { kernel, sandbox, answers } = await container(true);
  await answers.added(sandbox);
  const { tables } = kernel.at(sandbox.namespace);
  const rules = tables.get('skep_in')?.chains.get('answered')?.join('\n');
  expect(rules).toContain('ip saddr set 10.0.1.11');
  const elements = [{ key: '198.51.100.9 . 5000 . 53' }];
  tables.apply([{ kind: 'elements-add', table: 'skep_in', set: 'askers', elements }]);
  await new DatagramAnswers({ kernel, table: 'skep_in' }).added(sandbox);
  expect(tables.get('skep_in')?.sets.get('askers')?.elements.size).toBe(1);
});

it('leaves containers alone that nobody reaches by the mesh', async () => {
  const { kernel, sandbox, answers } = await container(false);
  await answers.added(sandbox);
  expect(kernel.at(sandbox.namespace).tables.names()).toEqual([]);
});
