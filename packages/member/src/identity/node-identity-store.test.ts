import { Code, SimClock, SimDisk, SimRandom } from '@skep/platform';
import { beforeEach, describe, expect, it } from 'vitest';
import { NodeIdentityStore } from './node-identity-store.js';
import { FakeSwarm } from './testing/fake-swarm.js';

describe('NodeIdentityStore', () => {
  let clock: SimClock;
  let random: SimRandom;
  let disk: SimDisk;
  let swarm: FakeSwarm;

  beforeEach(() => {
    clock = new SimClock();
    random = new SimRandom(9);
    disk = new SimDisk();
    swarm = new FakeSwarm(clock, random);
  });

  const open = (unlockKey?: Uint8Array) =>
    NodeIdentityStore.open({ disk, clock, random, directory: '/swarm', unlockKey });

  /** A store with an identity, and what it was told. */
  async function joined(role: 'manager' | 'worker' = 'worker') {
    const store = await open();
    const member = swarm.member(role);
    await store.adopt(member);
    let changes = 0;
    store.onChange(() => changes++);
    return { store, member, changes: () => changes };
  }

  it('is nobody at first, and then whom the certificate says, after a crash too', async () => {
    const { store, member } = await joined('manager');
    expect(await store.adopt(swarm.member('worker'))).toEqual({
      before: 'manager',
      after: 'worker',
    });
    await store.adopt(member);
    disk.crash();
    const again = await open();
    expect(again.state).toBe('ready');
    expect(again.identity).toMatchObject({
      nodeId: member.nodeId,
      role: 'manager',
      clusterId: 'cluster1',
    });
    expect(again.current()).toEqual({ ...member.credentials, rootPem: member.rootPem });
    expect(Buffer.from(again.tlsInfo()!.trustRoot).toString()).toBe(member.rootPem);
    expect(again.isInDate).toBe(true);
  });

  it('has nothing without a certificate', async () => {
    const store = await open();
    expect(store.state).toBe('none');
    expect([store.current(), store.identity, store.tlsInfo()]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(store.isInDate).toBe(false);
    expect(await store.updateRoot(swarm.root.certificatePem)).toBe(false);
  });

  it('uses a certificate only once it is on disk', async () => {
    const { store, member, changes } = await joined();
    const renewed = swarm.member('worker', member.nodeId);
    disk.cutPowerAt(disk.operations + 1);
    await expect(store.adopt(renewed)).rejects.toThrow();
    expect(store.current()?.certificatePem).toBe(member.credentials.certificatePem);
    expect(changes()).toBe(0);
    disk.crash();
    await store.adopt(renewed);
    expect(store.current()?.certificatePem).toBe(renewed.credentials.certificatePem);
    expect(changes()).toBe(1);
  });

  it('is locked until it gets the unlock key', async () => {
    const unlockKey = random.bytes(32);
    const { store, member } = await joined('manager');
    expect(await store.protect({ unlockKey, version: 5n })).toEqual({
      replaces: true,
      locksNow: true,
    });
    expect(store.previousUnlockKey).toEqual({ unlockKey: undefined });
    await store.settleProtection();
    const locked = await open();
    expect(locked.state).toBe('locked');
    expect(locked.current()).toBeUndefined();
    expect(await locked.unlock(random.bytes(32))).toBe(false);
    expect(locked.state).toBe('locked');
    expect(await locked.unlock(unlockKey)).toBe(true);
    expect(locked.identity?.nodeId).toBe(member.nodeId);
    expect(locked.protection).toEqual({ unlockKey, version: 5n });
    expect(locked.previousUnlockKey).toBeUndefined();
    expect((await open(unlockKey)).state).toBe('ready');
  });

  it('opens the key of a manager that becomes a worker', async () => {
    const unlockKey = random.bytes(32);
    const { store, member } = await joined('manager');
    await store.protect({ unlockKey, version: 5n });
    await store.adopt({ credentials: swarm.member('manager', member.nodeId).credentials });
    expect((await open()).state).toBe('locked');
    await store.adopt({ credentials: swarm.member('worker', member.nodeId).credentials });
    expect((await open()).state).toBe('ready');
    await store.adopt({
      credentials: swarm.member('manager', member.nodeId).credentials,
      protection: { unlockKey, version: 4n },
    });
    expect((await open()).state).toBe('locked');
  });

  it('takes over roots that vouch for its certificate', async () => {
    const { store, member, changes } = await joined();
    const oldRoot = swarm.root.certificatePem;
    swarm.rotateRoot();
    const both = oldRoot + swarm.root.certificatePem;
    expect(await store.updateRoot(oldRoot)).toBe(false);
    expect(await store.updateRoot(both)).toBe(true);
    expect(changes()).toBe(1);
    expect(store.current()).toEqual({ ...member.credentials, rootPem: both });
    expect((await open()).current()?.rootPem).toBe(both);
  });

  it('refuses roots that do not, and what is no root', async () => {
    const { store, member, changes } = await joined();
    swarm.rotateRoot();
    await expect(store.updateRoot(swarm.root.certificatePem)).rejects.toMatchObject({
      code: Code.FAILED_PRECONDITION,
      message: 'new root CA does not match existing TLS credentials',
    });
    await expect(store.updateRoot('nonsense')).rejects.toMatchObject({
      code: Code.INVALID_ARGUMENT,
    });
    await expect(store.updateRoot(member.credentials.certificatePem)).rejects.toThrow();
    expect(store.current()?.rootPem).toBe(member.rootPem);
    expect((await open()).current()?.rootPem).toBe(member.rootPem);
    expect(changes()).toBe(0);
  });

  it('knows an expired certificate as its own', async () => {
    const { member } = await joined();
    await clock.advance(10 * 3_600_000);
    const store = await open();
    expect(store.identity?.nodeId).toBe(member.nodeId);
    expect(store.isInDate).toBe(false);
  });

  it('does not start with the certificate of another swarm', async () => {
    await joined();
    const stranger = new FakeSwarm(clock, random);
    const path = '/swarm/certificates/swarm-root-ca.crt';
    await disk.writeFileAtomic(path, Buffer.from(stranger.root.certificatePem));
    await expect(open()).rejects.toThrow('not signed by the root certificates beside it');
  });

  it('keeps nothing when it leaves', async () => {
    const { store, changes } = await joined();
    await store.wipe();
    expect([store.state, store.current(), store.identity]).toEqual(['none', undefined, undefined]);
    expect(await disk.list('/swarm/certificates')).toEqual([]);
    expect(changes()).toBe(1);
    expect((await open()).state).toBe('none');
  });
});
