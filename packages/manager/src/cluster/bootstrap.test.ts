import { SimClock, SimRandom, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import { NodeRole, NodeSpec_Availability } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { type BootstrapOptions, bootstrap } from './bootstrap.js';
import { defaultClusterSpec } from './defaults.js';
import { managerUnlockKey } from './unlock-key.js';

const options: BootstrapOptions = {
  random: new SimRandom(3),
  clusterId: 'c1',
  spec: defaultClusterSpec(),
  rootCa: {
    key: Uint8Array.of(1),
    certificate: Uint8Array.of(2),
    certificateHash: 'sha256:00',
    joinTokens: { worker: 'w', manager: 'm' },
  },
  defaultAddressPool: [],
  subnetSize: 24,
  dataPathPort: 4789,
  node: {
    id: 'n1',
    raftId: 9n,
    address: '10.0.0.1:2377',
    availability: NodeSpec_Availability.ACTIVE,
    certificate: Uint8Array.of(3),
  },
};

function newStore() {
  const random = new SimRandom(1);
  const store = new Store({ clock: new SimClock(), random, log: silentLogger });
  const proposer = new SimProposer(store);
  store.attach(proposer);
  return { store, proposer };
}

describe('bootstrap', () => {
  it('makes the cluster, this node, the ingress and the predefined networks', async () => {
    const { store } = newStore();
    await bootstrap(store, options);
    const cluster = store.view.named('cluster', 'default');
    expect(cluster).toMatchObject({
      id: 'c1',
      defaultAddressPool: ['10.0.0.0/8'],
      subnetSize: 24,
      rootCa: { caCertHash: 'sha256:00', joinTokens: { worker: 'w', manager: 'm' } },
    });
    expect(store.view.get('node', 'n1')).toMatchObject({
      role: NodeRole.MANAGER,
      managerStatus: { leader: true, addr: '10.0.0.1:2377' },
    });
    const names = [...store.view.all('network')].map(({ spec }) => spec.annotations.name);
    expect(names.sort()).toEqual(['bridge', 'host', 'ingress']);
  });

  it('makes three keys of each subsystem, each with a time of its own', async () => {
    const { store } = newStore();
    await bootstrap(store, options);
    const cluster = store.view.named('cluster', 'default');
    const keys = cluster?.networkBootstrapKeys ?? [];
    const count = (name: string) => keys.filter((key) => key.subsystem === name).length;
    expect([count('networking:gossip'), count('networking:ipsec')]).toEqual([3, 3]);
    expect(new Set(keys.map((key) => key.lamportTime)).size).toBe(6);
    expect(cluster?.encryptionKeyLamportClock).toBe(keys.at(-1)?.lamportTime);
    expect(keys.every((key) => key.key.length === 16)).toBe(true);
  });

  it('has a key to unlock managers with, where they are to be locked', async () => {
    const spec = defaultClusterSpec();
    spec.encryptionConfig.autoLockManagers = true;
    const given = new Uint8Array(32).fill(9);
    for (const unlockKey of [undefined, given]) {
      const { store } = newStore();
      await bootstrap(store, { ...options, spec, unlockKey });
      const cluster = store.view.named('cluster', 'default')!;
      expect(cluster.unlockKeys).toHaveLength(1);
      expect(cluster.unlockKeys[0]?.subsystem).toBe('swarm-manager');
      expect(managerUnlockKey(cluster)).toHaveLength(32);
      if (unlockKey) expect(managerUnlockKey(cluster)).toEqual(given);
    }
    const { store } = newStore();
    await bootstrap(store, options);
    expect(store.view.named('cluster', 'default')?.unlockKeys).toEqual([]);
  });

  it('writes nothing the second time, and leaves a removed ingress network removed', async () => {
    const { store, proposer } = newStore();
    await bootstrap(store, options);
    await store.update((tx) => tx.remove('network', tx.named('network', 'ingress')!.id));
    const entries = proposer.entries.length;
    await bootstrap(store, options);
    expect(proposer.entries).toHaveLength(entries);
    expect(store.view.named('network', 'ingress')).toBeUndefined();
  });
});
