import { expect, it } from 'vitest';
import type { BaseChainView } from '../kernel/contract.js';
import { SimKernel } from '../kernel/simulated/kernel.js';
import { Names } from '../names.js';
import { hostWarnings, inputWarnings } from './warnings.js';

const names = new Names({ prefix: 'skep', execRoot: '/run' });
const subnets = { bridge: '172.17.0.0/16', gateway: '172.18.0.0/16', link: '172.19.0.0/30' };
const host = new SimKernel().host.view();
const findings = { host, subnets, names, bridgeFilter: undefined, closed: new Set<never>() };

function chain(table: string, hook: string, policy = 'accept'): BaseChainView {
  return { family: 'inet', table, chain: hook, hook, policy };
}

const IPTABLES = { ...chain('filter', 'forward', 'drop'), family: 'ip', chain: 'FORWARD' };

it.each([
  ['nobody has rules', []],
  ['all is accepted', [chain('foreign', 'forward'), chain('foreign', 'input', 'drop')]],
  ['there is a way through', [IPTABLES, chain('firewalld', 'forward')]],
])('says nothing where %s', (_, chains) => {
  expect(hostWarnings({ ...findings, chains })).toEqual([]);
});

it('names a chain that drops what is forwarded, and what lets it through', () => {
  const [warning] = hostWarnings({ ...findings, chains: [chain('own', 'forward', 'drop')] });
  expect(warning).toContain('chain inet own forward drops forwarded packets');
  expect(warning).toContain('unless it accepts skep0, skep_gw and skep_in');
  expect(warning).toContain(
    "nft insert rule inet own forward iifname '{ skep0, skep_gw, skep_in }' accept",
  );
});

it.each([
  ['iptables-nft', 'chain ip filter FORWARD drops', 'iptables -I FORWARD -i LINK'],
  ['iptables-legacy', 'chain FORWARD of iptables-legacy drops', 'iptables -I FORWARD -i LINK'],
  ['firewalld', 'firewalld rejects', '--zone=trusted --add-interface=LINK'],
] as const)('names %s where there is no way through', (firewall, what, how) => {
  const chains = [IPTABLES, chain('firewalld', 'forward')];
  const warnings = hostWarnings({ ...findings, chains, closed: new Set([firewall]) });
  expect(warnings).toEqual([expect.stringContaining(what)]);
  expect(warnings).toEqual([expect.stringContaining(how)]);
});

it.each([
  ['drops', chain('own', 'input', 'drop')],
  ['rejects as firewalld does', chain('firewalld', 'input')],
])('names a chain that %s what comes in, with all ports', (_, input) => {
  const chains = [input, chain('other', 'input')];
  const [warning, ...more] = inputWarnings({ chains, udpPorts: [4789, 7947] });
  expect(warning).toContain(
    'TCP 2377 (to managers), TCP and UDP 7946 (gossip), TCP 7947 (images), and UDP 4789 and 7947',
  );
  expect(more).toEqual([]);
});
