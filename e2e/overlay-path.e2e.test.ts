import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SWITCH_ADDRESS } from './support/host-switch.ts';
import { ask } from './support/network-lab.ts';
import { OverlayLab, overlay } from './support/overlay-lab.ts';

const FRONT = overlay('front');
const BACK = overlay('back', {
  subnets: [{ subnet: '10.8.0.0/24', gateway: '10.8.0.1', vni: 4_108 }],
  internal: true,
});
const WIDE = overlay('wide', {
  subnets: [
    { subnet: '10.9.0.0/24', gateway: '10.9.0.1', vni: 4_109 },
    { subnet: '10.9.1.0/24', gateway: '10.9.1.1', vni: 4_110 },
  ],
});

describe('overlay networks between two nodes, on the real kernel', () => {
  let lab: OverlayLab;
  const at: Record<string, string> = {};
  beforeAll(async () => {
    lab = await OverlayLab.start(2);
    await lab.tellNetworks(FRONT, BACK, WIDE);
    at['a'] = await lab.run(1, 'a', [[FRONT, '10.7.0.11/24']]);
    at['b'] = await lab.run(2, 'b', [
      [FRONT, '10.7.0.12/24'],
      [BACK, '10.8.0.12/24'],
    ]);
    at['c'] = await lab.run(1, 'c', [[BACK, '10.8.0.11/24']]);
    at['d'] = await lab.run(1, 'd', [[WIDE, '10.9.0.11/24']]);
    at['e'] = await lab.run(2, 'e', [[WIDE, '10.9.1.12/24']]);
  });
  afterAll(() => lab?.cleanUp());

  const from = (id: string, address: string, protocol = 'tcp') =>
    ask(at[id] ?? '', address, 8_000, protocol);

  it('carry TCP and UDP, and show the other container’s own address', async () => {
    for (const protocol of ['tcp', 'udp']) {
      expect(await from('a', '10.7.0.12', protocol)).toBe('b 10.7.0.11');
      expect(await from('b', '10.7.0.11', protocol)).toBe('a 10.7.0.12');
    }
  });

  it('carry full packets uncut: 50 bytes less than the link below', async () => {
    expect(await lab.within(1, 'ip -o link show eth0', at['a'])).toContain('mtu 1450');
    const answer = await lab.within(1, 'busybox ping -c 1 -s 1422 10.7.0.12', at['a']);
    expect(answer).toContain('1 packets received');
  });

  it('reach each subnet of a network from each other', async () => {
    expect(await from('d', '10.9.1.12')).toBe('e 10.9.0.11');
    expect(await from('e', '10.9.0.11')).toBe('d 10.9.1.12');
  });

  it('keep networks apart', async () => {
    expect(await from('c', '10.8.0.12')).toBe('b 10.8.0.11');
    expect(await from('a', '10.8.0.12')).not.toMatch(/^b/);
  });

  it('lead out of the swarm, unless they are internal', async () => {
    expect(await lab.within(1, 'ip route get 192.0.2.1', at['a'])).toContain('dev eth1');
    await expect(lab.within(1, `ip route get ${SWITCH_ADDRESS}`, at['c'])).rejects.toThrow();
    const answer = await lab.within(2, `busybox ping -c 1 ${SWITCH_ADDRESS}`, at['b']);
    expect(answer).toContain('1 packets received');
  });

  it('take a running container on, and let it go', async () => {
    await lab.connect(1, 'c', FRONT, '10.7.0.13/24');
    expect(await from('c', '10.7.0.12')).toBe('b 10.7.0.13');
    expect(await lab.within(1, 'ip route get 192.0.2.1', at['c'])).toContain('via 172.');
    expect(await from('c', '10.8.0.12')).toBe('b 10.8.0.11');
    await lab.disconnect(1, 'c', FRONT);
    expect(await from('c', '10.7.0.12')).not.toMatch(/^b/);
    expect(await from('c', '10.8.0.12')).toBe('b 10.8.0.11');
  });

  it('go on through a restart of the daemon, and what was broken meanwhile is put right', async () => {
    const namespace = lab.namespaceOf(1, FRONT);
    const tunnel = () => lab.within(1, 'ip -o link show vxlan0 | cut -d: -f1', namespace);
    const before = await tunnel();
    await lab.restart(1, async () => {
      expect(await from('a', '10.7.0.12')).toBe('b 10.7.0.11');
      await lab.within(1, 'ip neigh flush nud permanent; bridge fdb flush dev vxlan0', namespace);
      expect(await from('a', '10.7.0.12')).not.toMatch(/^b/);
    });
    expect(await tunnel()).toBe(before);
    expect(await from('a', '10.7.0.12')).toBe('b 10.7.0.11');
    await lab.restart(1, () => lab.within(1, 'ip link del vxlan0', namespace).then(() => {}));
    expect(await from('a', '10.7.0.12')).toBe('b 10.7.0.11');
  });

  it('find an address at once that passes from a container of one node to one of another', async () => {
    const passing = [FRONT, '10.7.0.50/24'] as const;
    for (const [number, id] of [
      [2, 'there'],
      [1, 'here'],
      [2, 'again'],
    ] as const) {
      await lab.run(number, id, [passing]);
      for (const asker of ['a', 'b']) {
        const startedAt = performance.now();
        expect(await from(asker, '10.7.0.50')).toMatch(new RegExp(`^${id} `));
        expect(performance.now() - startedAt).toBeLessThan(900);
      }
      await lab.end(number, id);
    }
  });

  it('travel over IPv6 as well', async () => {
    await lab.tunnelBy(6);
    expect(await from('a', '10.7.0.12')).toBe('b 10.7.0.11');
    expect(await lab.within(1, 'ip -o link show br0', lab.namespaceOf(1, FRONT))).toContain(
      'mtu 1430',
    );
    const [before] = lab.node(1).network.overlays.list();
    await lab.restart(1);
    expect(lab.node(1).network.overlays.list()[0]).toEqual(before);
    await lab.tunnelBy(4);
    expect(await from('a', '10.7.0.12')).toBe('b 10.7.0.11');
  });

  it('say so where another program has the identifier', async () => {
    await lab.within(1, 'ip link add theirs type vxlan id 5000 dstport 4789 dev cable');
    const taken = overlay('taken', {
      subnets: [{ subnet: '10.10.0.0/24', gateway: '10.10.0.1', vni: 5_000 }],
    });
    await lab.tellNetworks(FRONT, BACK, WIDE, taken);
    const { overlays, warnings } = lab.node(1).network;
    const refused = overlays.whenReady(taken.id, new AbortController().signal);
    await expect(refused).rejects.toThrow(
      'network taken cannot be made on this node: VXLAN identifier 5000 on UDP port 4789 ' +
        'of this host is taken by another program',
    );
    expect(warnings().join()).toContain('network taken');
    await lab.within(1, 'ip link del theirs');
    await overlays.whenReady(taken.id, new AbortController().signal);
    await lab.tellNetworks(FRONT, BACK, WIDE);
  });

  it('leave nothing behind', async () => {
    for (const id of ['a', 'c', 'd']) await lab.end(1, id);
    for (const id of ['b', 'e']) await lab.end(2, id);
    await lab.tellNetworks();
    for (const network of [FRONT, BACK, WIDE]) {
      await expect(lab.within(1, 'true', lab.namespaceOf(1, network))).rejects.toThrow();
    }
    expect(await lab.within(1, 'ip -br link')).not.toMatch(/vxlan|br0/);
    expect(lab.node(1).network.overlays.list()).toEqual([]);
  });
});
