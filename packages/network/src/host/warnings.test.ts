import { expect, it } from 'vitest';
import type { BaseChainView } from '../kernel/contract.js';
import { SimKernel } from '../kernel/simulated/kernel.js';
import { Names } from '../names.js';
import { hostWarnings, overlayWarnings } from './warnings.js';

const names = new Names({ prefix: 'skep', execRoot: '/run' });
const subnets = { bridge: '172.17.0.0/16', gateway: '172.18.0.0/16', link: '172.19.0.0/30' };
const host = new SimKernel().host.view();
const findings = { host, subnets, names, bridgeFilter: undefined, legacyTables: [] };

function chain(table: string, hook: string, policy = 'accept'): BaseChainView {
  return { family: 'inet', table, chain: hook, hook, policy };
}

it.each([
  ['nobody has rules', []],
  ['all is accepted', [chain('foreign', 'forward'), chain('foreign', 'input', 'drop')]],
])('says nothing where %s', (_, chains) => {
  expect(hostWarnings({ ...findings, chains })).toEqual([]);
});

it('names the chain that drops what is forwarded, and the links it has to accept', () => {
  const [warning] = hostWarnings({ ...findings, chains: [chain('ufw', 'forward', 'drop')] });
  expect(warning).toContain('chain inet ufw forward drops forwarded packets by policy');
  expect(warning).toContain('unless it accepts skep0, skep_gw and skep_in');
});

it('knows that firewalld rejects without a policy', () => {
  const warnings = hostWarnings({ ...findings, chains: [chain('firewalld', 'forward')] });
  expect(warnings).toEqual([expect.stringContaining('--zone=trusted --add-interface=LINK')]);
});

it('names the chain that keeps tunnels out, once there are overlay networks', () => {
  const chains = [chain('ufw', 'input', 'drop')];
  const networks = [{ name: 'back', subnets: [{ subnet: '10.0.1.0/24' }] }];
  expect(overlayWarnings({ chains, host, networks: [], udpPort: 4789 })).toEqual([]);
  expect(overlayWarnings({ chains, host, networks, udpPort: 4789 })).toEqual([
    expect.stringContaining('unless it accepts UDP port 4789 (VXLAN) from the other nodes'),
  ]);
});
