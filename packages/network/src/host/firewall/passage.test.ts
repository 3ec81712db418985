import { silentLogger } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { HOST } from '../../kernel/contract.js';
import { SimKernel } from '../../kernel/simulated/kernel.js';
import { Names } from '../../names.js';
import { SimFirewallCmd } from './firewall-cmd.sim.js';
import { SimIptables } from './iptables.sim.js';
import { Passage } from './passage.js';

const names = new Names({ prefix: 'skep', execRoot: '/run' });
const FIREWALLD = {
  chains: [{ family: 'inet', table: 'firewalld', chain: 'f', hook: 'forward', policy: 'accept' }],
  legacyTables: [],
};
const LAYOUT = { sets: {}, chains: { forward: ['reject'] } };

let kernel: SimKernel;
let firewalld: SimFirewallCmd;

function passage(mayOpen = true): Passage {
  return new Passage({ kernel, processes: firewalld, logger: silentLogger, names, mayOpen });
}

/** What firewalld has in the kernel, which changes with each of its starts. */
async function load(rules: number): Promise<void> {
  const layout = { ...LAYOUT, chains: { forward: Array(rules).fill('reject') } };
  const replace = { kind: 'table-replace', table: 'firewalld', layout } as const;
  await kernel.run([{ op: 'nft', namespace: HOST, changes: [replace] }]);
}

beforeEach(async () => {
  kernel = new SimKernel();
  firewalld = new SimFirewallCmd();
  await load(2);
});

describe('firewalld', () => {
  it('gets the links containers send from, once, and again when it was started anew', async () => {
    const way = passage();
    expect([...(await way.settle(FIREWALLD))]).toEqual([]);
    expect([...firewalld.zones]).toEqual([
      ['skep0', 'trusted'],
      ['skep_gw', 'trusted'],
    ]);
    const { calls } = firewalld;
    await way.settle(FIREWALLD);
    expect(firewalld.calls).toBe(calls);
    firewalld.zones.clear();
    await load(3);
    await way.settle(FIREWALLD);
    expect(firewalld.zones.size).toBe(2);
  });

  it('keeps links where its administrator has them', async () => {
    firewalld.zones.set('skep0', 'containers');
    await passage().settle(FIREWALLD);
    expect(firewalld.zones.get('skep0')).toBe('containers');
  });

  it('is closed, and tried again, while it does not answer', async () => {
    const way = passage();
    firewalld.isRunning = false;
    expect([...(await way.settle(FIREWALLD))]).toEqual(['firewalld']);
    expect(way.hasFailed).toBe(true);
    firewalld.isRunning = true;
    expect([...(await way.settle(FIREWALLD))]).toEqual([]);
    expect(way.hasFailed).toBe(false);
  });

  it.each([
    ['a daemon that may not', (): Promise<unknown> => passage(false).settle(FIREWALLD)],
    ['the removal of all that is ours', () => passage().removeAll(FIREWALLD)],
  ])('has the links taken out again by %s, but for permanent ones', async (_, remove) => {
    firewalld.permanent.set('skep0', 'trusted');
    firewalld.zones.set('skep0', 'trusted').set('skep_gw', 'trusted');
    await remove();
    expect([...firewalld.zones.keys()]).toEqual(['skep0']);
  });
});

describe('iptables', () => {
  const chain = { family: 'ip', table: 'filter', chain: 'FORWARD', hook: 'forward' };
  const IPTABLES = { chains: [{ ...chain, policy: 'drop' }], legacyTables: ['filter'] };

  it('is closed where the program is missing, or when it is to be left alone', async () => {
    const host = new SimIptables();
    host.policy = 'DROP';
    const settle = (mayOpen: boolean) =>
      new Passage({ kernel, processes: host, logger: silentLogger, names, mayOpen }).settle(
        IPTABLES,
      );
    expect([...(await settle(true))]).toEqual(['iptables-legacy']);
    expect([...host.chains.keys()]).toEqual(['FORWARD', 'SKEP-FORWARD']);
    expect([...(await settle(false))]).toEqual(['iptables-nft', 'iptables-legacy']);
    expect([...host.chains.keys()]).toEqual(['FORWARD']);
  });
});
