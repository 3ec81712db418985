import { beforeEach, describe, expect, it } from 'vitest';
import { Iptables } from './iptables.js';
import { SimIptables } from './iptables.sim.js';

const HOOK = '-m comment --comment "containers of skepd" -j SKEP-FORWARD';
const DOCKER = [
  '-j DOCKER-USER',
  '-j DOCKER-ISOLATION-STAGE-1',
  '-o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  '-o docker0 -j DOCKER',
  '-i docker0 ! -o docker0 -j ACCEPT',
  '-i docker0 -o docker0 -j ACCEPT',
];
const UFW = [
  '-j ufw-before-logging-forward',
  '-j ufw-before-forward',
  '-j ufw-after-forward',
  '-j ufw-after-logging-forward',
  '-j ufw-reject-forward',
  '-j ufw-track-forward',
];

let host: SimIptables;
let iptables: Iptables;
beforeEach(() => {
  host = new SimIptables();
  const links = { inner: ['skep0', 'skep_gw'], asked: ['skep_in'] };
  iptables = new Iptables({ processes: host, flavour: 'nft', chain: 'SKEP-FORWARD', links });
});

function forward(...rules: string[]): string[] {
  host.policy = 'DROP';
  host.chains.set('FORWARD', rules);
  return rules;
}

describe('a chain FORWARD that drops', () => {
  it.each([
    ['by its policy alone', [], 0],
    ['after what Docker wants', DOCKER, 6],
    ['with ufw: after its denials, before it logs and rejects', UFW, 3],
    ['with ufw, and Docker started later', [...DOCKER, ...UFW], 9],
    ['by a last rule', ['-i eth1 -j ACCEPT', '-j REJECT --reject-with icmp-port-unreachable'], 1],
  ])('%s: lets ours through where nobody else decides', async (_, rules, place) => {
    forward(...rules);
    expect(await iptables.settle(true)).toEqual({ isClosed: true, changed: true });
    expect(host.chains.get('FORWARD')).toEqual([
      ...rules.slice(0, place),
      HOOK,
      ...rules.slice(place),
    ]);
    expect(await iptables.settle(true)).toEqual({ isClosed: true, changed: false });
  });

  it('accepts what containers begin, and from others only answers and what is published', async () => {
    forward();
    await iptables.settle(true);
    expect(host.chains.get('SKEP-FORWARD')).toEqual([
      '-i skep0 -j ACCEPT',
      '-i skep_gw -j ACCEPT',
      '-i skep_in -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-o skep0 -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT',
      '-o skep_gw -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT',
      '-o skep_in -m conntrack --ctstate RELATED,ESTABLISHED,DNAT -j ACCEPT',
    ]);
  });

  it('does not open bridges of Docker’s, and knows of them when they come', async () => {
    forward();
    await iptables.settle(true);
    forward(...DOCKER, HOOK);
    expect((await iptables.settle(true)).changed).toBe(true);
    expect(host.chains.get('SKEP-FORWARD')?.[0]).toBe('-o docker0 -j RETURN');
  });

  it('has ours back when they were moved, spoilt, doubled or flushed', async () => {
    forward(...DOCKER);
    await iptables.settle(true);
    const right = [...(host.chains.get('FORWARD') ?? [])];
    const own = [...(host.chains.get('SKEP-FORWARD') ?? [])];
    for (const wrong of [[...DOCKER], [HOOK, ...DOCKER], [HOOK, ...DOCKER, HOOK]]) {
      forward(...wrong);
      await iptables.settle(true);
      expect(host.chains.get('FORWARD')).toEqual(right);
    }
    host.chains.get('SKEP-FORWARD')?.pop();
    await iptables.settle(true);
    expect(host.chains.get('SKEP-FORWARD')).toEqual(own);
  });

  it('comes after the rules of ufw, also where that is enabled later', async () => {
    forward();
    await iptables.settle(true);
    forward(HOOK, ...UFW);
    await iptables.settle(true);
    expect(host.chains.get('FORWARD')?.indexOf(HOOK)).toBe(3);
  });
});

describe('nothing of ours', () => {
  it.each([
    ['is put where all is accepted', 'ACCEPT', true],
    ['stays where it is not wanted', 'DROP', false],
  ])('%s', async (_, policy, mayOpen) => {
    forward(...DOCKER);
    await iptables.settle(true);
    host.policy = policy;
    const isClosed = policy === 'DROP';
    expect(await iptables.settle(mayOpen)).toEqual({ isClosed, changed: true });
    expect([...host.chains]).toEqual([['FORWARD', DOCKER]]);
    expect(await iptables.settle(mayOpen)).toEqual({ isClosed, changed: false });
  });
});

it('says which iptables is missing', async () => {
  const links = { inner: ['skep0'], asked: [] };
  const legacy = { processes: host, flavour: 'legacy', chain: 'SKEP-FORWARD', links } as const;
  await expect(new Iptables(legacy).settle(true)).rejects.toThrow(
    'iptables (legacy) is not installed',
  );
});
