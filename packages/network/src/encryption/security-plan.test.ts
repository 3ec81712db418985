import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KernelCommand, SecurityView } from '../kernel/contract.js';
import { SimKernel } from '../kernel/simulated/kernel.js';
import { type IpsecKeys, ipsecKeys } from './ipsec-keys.js';
import { parameterIndex, planSecurity, securityChanges } from './security-plan.js';
import { WIREGUARD_OVERHEAD_BYTES } from './wireguard.js';

const LOCAL = '192.168.1.1';
const NOTHING: SecurityView = { associations: [], policies: [] };

function keysOf(...times: number[]): IpsecKeys {
  const told = times.map((time) => ({
    subsystem: 'networking:ipsec',
    key: new Uint8Array(16).fill(time),
    lamportTime: BigInt(time),
  }));
  const keys = ipsecKeys(told);
  if (!keys) throw new Error('no keys');
  return keys;
}

const plan = (peers: readonly string[], keys: IpsecKeys) =>
  planSecurity({ localAddress: LOCAL, udpPort: 4_789, keys, peers });

describe('the index of a way', () => {
  it('is what Docker Engines work out (wire.md 9)', () => {
    expect(parameterIndex('192.168.1.1', '192.168.1.2', 0x1234)).toBe(0x2da3_35ee);
    expect(parameterIndex('192.168.1.2', '192.168.1.1', 0x1234)).toBe(0x76ee_ea36);
  });
});

describe('keys for IPsec', () => {
  it('are the three of their subsystem, the second oldest being the one to seal with', () => {
    const { all, primary } = keysOf(0x1_0000_0009, 7, 8);
    expect(all.map(({ tag }) => tag)).toEqual([7, 8, 9]);
    expect(primary.tag).toBe(8);
    const key = new Uint8Array(16);
    expect(ipsecKeys([{ subsystem: 'networking:gossip', key, lamportTime: 1n }])).toBeUndefined();
    const short = { subsystem: 'networking:ipsec', key: key.subarray(1), lamportTime: 1n };
    expect(ipsecKeys([short])).toBeUndefined();
  });
});

describe('what the kernel should have', () => {
  it('is a way in for each key, and a way out for the primary one', () => {
    const { associations, policies } = plan(['192.168.1.2'], keysOf(1, 0x1234, 0x1235));
    const out = { source: LOCAL, destination: '192.168.1.2', spi: 0x2da3_35ee };
    expect(associations).toHaveLength(4);
    const key = [...new Uint8Array(16).fill(0x34), 0x2d, 0xa3, 0x35, 0xee];
    expect(associations.at(-1)).toMatchObject({ ...out, key: new Uint8Array(key) });
    expect(associations[1]).toMatchObject({ source: '192.168.1.2', spi: 0x76ee_ea36 });
    expect(policies).toMatchObject([{ ...out, mark: 13_681_891, udpPort: 4_789 }]);
  });

  it('is the other half of what a Docker Engine has', () => {
    // As Docker 20.10 logged it, a worker in a swarm of ours whose keys had the tags 54406 to 54408.
    const engine = { address: '192.168.104.101', in: [0x9676_9224, 0x29c9_7957, 0xa0fa_3a9a] };
    const { associations } = planSecurity({
      localAddress: '192.168.104.100',
      udpPort: 4_789,
      keys: keysOf(54_406, 54_407, 54_408),
      peers: [engine.address],
    });
    const out = associations.filter(({ destination }) => destination === engine.address);
    expect(out.map(({ spi }) => spi)).toEqual([engine.in[1]]);
    const back = associations.filter(({ source }) => source === engine.address);
    expect(back.map(({ spi }) => spi)).toContain(0xdba2_e107);
    const other = planSecurity({
      localAddress: engine.address,
      udpPort: 4_789,
      keys: keysOf(54_406, 54_407, 54_408),
      peers: ['192.168.104.100'],
    });
    const its = other.associations.filter(({ destination }) => destination === engine.address);
    expect(its.map(({ spi }) => spi)).toEqual(engine.in);
  });

  it('never adds as much to a packet as WireGuard', () => {
    const spiSequenceIvPadTailTag = 4 + 4 + 8 + 3 + 2 + 8;
    expect(spiSequenceIvPadTailTag).toBeLessThan(WIREGUARD_OVERHEAD_BYTES);
  });

  it('takes the place of another swarm’s key under the same index', () => {
    const other = plan(['192.168.1.2'], keysOf(1, 2, 3));
    const wanted = structuredClone(other);
    for (const { key } of wanted.associations) key.fill(9, 0, 16);
    const { add, remove } = securityChanges(other, wanted);
    expect(add.map(({ op }) => op)).toEqual(
      wanted.associations.flatMap(() => ['xfrm-state-remove', 'xfrm-state-add']),
    );
    expect(remove).toEqual([]);
  });

  it('is made anew before it has used up its numbers', () => {
    const wanted = plan(['192.168.1.2'], keysOf(1, 2, 3));
    const used = (usedNumbers: number) => ({
      ...wanted,
      associations: wanted.associations.map((one) => ({ ...one, usedNumbers })),
    });
    expect(securityChanges(used(2 ** 31 - 1), wanted).add).toEqual([]);
    expect(securityChanges(used(2 ** 31), wanted).add).toHaveLength(8);
  });

  it('is taken to be right where the kernel does not show keys', () => {
    const wanted = plan(['192.168.1.2'], keysOf(1, 2, 3));
    const shown = structuredClone(wanted);
    for (const { key } of shown.associations) key.fill(0);
    expect(securityChanges(shown, wanted)).toEqual({ add: [], remove: [] });
  });
});

describe('changes of what the kernel has', () => {
  const someKeys = fc
    .uniqueArray(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 3 })
    .map((times) => keysOf(...times));
  const somePeers = fc.uniqueArray(fc.integer({ min: 2, max: 6 }).map((n) => `192.168.1.${n}`));
  const someSetting = fc.record({ peers: somePeers, keys: someKeys });
  const run = (kernel: SimKernel, commands: KernelCommand[]) => kernel.run(commands);

  it('lead from any to any, and at no moment send by a key that is not there', async () => {
    await fc.assert(
      fc.asyncProperty(someSetting, someSetting, async (before, after) => {
        const kernel = new SimKernel();
        const steps = [plan(before.peers, before.keys), plan(after.peers, after.keys), NOTHING];
        for (const wanted of steps) {
          const { add, remove } = securityChanges(await kernel.security(''), wanted);
          for (const command of [...add, ...remove]) {
            await run(kernel, [command]);
            const { associations, policies } = await kernel.security('');
            const indexes = associations.map(({ destination, spi }) => `${destination} ${spi}`);
            for (const { destination, spi } of policies) {
              expect(indexes).toContain(`${destination} ${spi}`);
            }
          }
          const now = await kernel.security('');
          expect(securityChanges(now, wanted)).toEqual({ add: [], remove: [] });
          expect(now.associations).toHaveLength(wanted.associations.length);
          expect(now.policies).toHaveLength(wanted.policies.length);
        }
      }),
      { numRuns: 200 },
    );
  });
});
