import { create } from '@bufbuild/protobuf';
import { Code, RpcError, SimClock, SimDisk, SimRandom, settle, silentLogger } from '@skep/platform';
import { completeObject } from '@skep/wire';
import { IssuanceStatus_State, NodeSchema, NodeRole as WireRole } from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RoleChange } from './node-identity-store.js';
import { NodeIdentityStore } from './node-identity-store.js';
import { Renewer } from './renewer.js';
import { FakeSwarm } from './testing/fake-swarm.js';

const ADDRESS = '10.0.0.1:2377';
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const YEAR_MS = 365 * 24 * HOUR_MS;

describe('Renewer', () => {
  let clock: SimClock;
  let random: SimRandom;
  let disk: SimDisk;
  let swarm: FakeSwarm;
  let store: NodeIdentityStore;
  let renewer: Renewer;
  let renewals: RoleChange[];
  let errors: unknown[];
  let observed: boolean[];

  beforeEach(() => {
    clock = new SimClock();
    random = new SimRandom(11);
    disk = new SimDisk();
    swarm = new FakeSwarm(clock, random);
    swarm.expiryMs = 10 * HOUR_MS;
    renewals = [];
    errors = [];
    observed = [];
  });

  async function start(role: 'manager' | 'worker' = 'worker') {
    store = await NodeIdentityStore.open({ disk, clock, random, directory: '/swarm' });
    await store.adopt(swarm.member(role));
    restart();
  }

  function restart() {
    renewer = new Renewer({
      store,
      dialer: swarm.dialer(store),
      remotes: {
        choose: () => ({ nodeId: 'm1', address: ADDRESS }),
        observe: (_manager, isGood) => observed.push(isGood),
      },
      clock,
      random,
      logger: silentLogger,
      onRenewed: (change) => renewals.push(change),
      onFailure: (error) => errors.push(error),
    });
    renewer.start();
  }

  const nodeId = () => store.identity!.nodeId;

  /** This node's object, as a session message brings it. */
  function node(desired: 'manager' | 'worker', state = IssuanceStatus_State.ISSUED, csr = 'csr1') {
    const desiredRole = desired === 'manager' ? WireRole.MANAGER : WireRole.WORKER;
    const certificate = { csr: Buffer.from(csr), status: { state } };
    return completeObject(
      'node',
      create(NodeSchema, { id: nodeId(), spec: { desiredRole }, certificate }),
    );
  }

  const issued = () => swarm.calls.filter((call) => call.endsWith('IssueNodeCertificate')).length;

  it('renews at a random minute between half and four fifths of the validity', async () => {
    const ages = new Set<number>();
    for (let seed = 1; seed <= 8; seed++) {
      clock = new SimClock();
      random = new SimRandom(seed);
      swarm = new FakeSwarm(clock, random);
      swarm.expiryMs = 99 * HOUR_MS; // valid for 100 h in all, from an hour ago
      renewals = [];
      await start();
      let minutes = 0;
      for (; renewals.length === 0; minutes++) await clock.advance(MINUTE_MS);
      await renewer.stop();
      expect(minutes).toBeGreaterThanOrEqual(49 * 60);
      expect(minutes).toBeLessThanOrEqual(79 * 60 + 1);
      ages.add(minutes);
    }
    expect(ages.size).toBeGreaterThan(4);
  });

  it('asks over mutual TLS, without a token, with a new key', async () => {
    await start();
    const before = store.current()!;
    renewer.renew();
    await clock.advance(499);
    expect(issued()).toBe(0);
    await clock.advance(1);
    expect(renewals).toEqual([{ before: 'worker', after: 'worker' }]);
    expect(swarm.dials).toEqual([{ address: ADDRESS, options: { serverName: 'swarm-ca' } }]);
    expect(store.current()!.keyPem).not.toBe(before.keyPem);
    expect(store.identity).toMatchObject({ role: 'worker', clusterId: 'cluster1' });
    expect(observed).toEqual([true, true]);
    await clock.advance(HOUR_MS);
    expect(renewals).toHaveLength(1);
    await renewer.stop();
    expect(clock.pendingTimers).toBe(0);
    expect(swarm.open).toBe(0);
  });

  it('renews at once past its middle age, also when it was not running then', async () => {
    await start();
    await renewer.stop();
    await clock.advance(9 * HOUR_MS);
    restart();
    await settle();
    expect(renewals).toHaveLength(1);
    await renewer.stop();
  });

  it('notices a clock that jumped', async () => {
    swarm.expiryMs = 90 * 24 * HOUR_MS;
    await start();
    const jumping = { offsetMs: 0 };
    const now = clock.now.bind(clock);
    clock.now = () => now() + jumping.offsetMs;
    await clock.advance(HOUR_MS);
    jumping.offsetMs = 80 * 24 * HOUR_MS;
    await clock.advance(5 * MINUTE_MS);
    expect(renewals).toHaveLength(1);
    await renewer.stop();
  });

  it('becomes a manager when that is wanted, trying until managers agree on it', async () => {
    await start();
    renewer.observe(node('worker'));
    await clock.advance(MINUTE_MS);
    expect(issued()).toBe(0);
    renewer.observe(node('manager'));
    await clock.advance(500);
    expect(renewals).toEqual([{ before: 'worker', after: 'worker' }]);
    swarm.nodes.get(nodeId())!.role = 'manager';
    swarm.unlockKey = random.bytes(32);
    await clock.advance(20_000);
    expect(renewals.at(-1)).toEqual({ before: 'worker', after: 'manager' });
    expect(store.protection).toEqual({ unlockKey: swarm.unlockKey, version: 7n });
    const count = issued();
    renewer.observe(node('manager'));
    await clock.advance(MINUTE_MS);
    expect(issued()).toBe(count);
    await renewer.stop();
  });

  it('never writes the key of a new manager before it knows how to protect it', async () => {
    await start();
    swarm.nodes.get(nodeId())!.role = 'manager';
    const unavailable = () => new RpcError(Code.UNAVAILABLE, 'no leader');
    swarm.failures['GetUnlockKey'] = Array.from({ length: 5 }, unavailable);
    renewer.renew();
    await clock.advance(9_000);
    expect(errors).toHaveLength(1);
    expect(store.identity?.role).toBe('worker');
    await clock.advance(20_000);
    expect(store.identity?.role).toBe('manager');
    await renewer.stop();
  });

  it('becomes a worker when that is wanted, with an open key', async () => {
    await start('manager');
    await store.protect({ unlockKey: random.bytes(32), version: 3n });
    swarm.nodes.get(nodeId())!.role = 'worker';
    renewer.observe(node('worker'));
    await clock.advance(1_000);
    expect(renewals).toEqual([{ before: 'manager', after: 'worker' }]);
    expect(store.protection.unlockKey).toBeUndefined();
    await renewer.stop();
  });

  it('rotates once for each request that is to be replaced', async () => {
    await start();
    const rotating = node('worker', IssuanceStatus_State.ROTATE);
    renewer.observe(rotating);
    renewer.observe(rotating);
    await clock.advance(1_000);
    renewer.observe(rotating);
    await clock.advance(MINUTE_MS);
    expect(renewals).toHaveLength(1);
    renewer.observe(node('worker', IssuanceStatus_State.ROTATE, 'csr2'));
    await clock.advance(1_000);
    expect(renewals).toHaveLength(2);
    await renewer.stop();
  });

  it('backs off from seconds to an hour, and recovers', async () => {
    await start();
    swarm.down.add(ADDRESS);
    renewer.renew();
    await clock.advance(10_500);
    expect(errors.length).toBeGreaterThanOrEqual(2);
    await clock.advance(24 * HOUR_MS);
    const tries = errors.length;
    expect(tries).toBeLessThan(100);
    await clock.advance(5 * HOUR_MS);
    expect(errors.length).toBeGreaterThan(tries);
    expect(observed.every((isGood) => !isGood)).toBe(true);
    await renewer.stop();
    expect(clock.pendingTimers).toBe(0);
  });

  it('tries again at once when asked while it backs off', async () => {
    await start();
    swarm.down.add(ADDRESS);
    renewer.renew();
    await clock.advance(3 * HOUR_MS);
    swarm.down.clear();
    renewer.renew();
    await clock.advance(500);
    expect(renewals).toHaveLength(1);
    await renewer.stop();
  });

  it('says that the certificate has expired, or the clock is wrong', async () => {
    await start();
    await renewer.stop();
    await clock.advance(YEAR_MS);
    swarm.failures['IssueNodeCertificate'] = Array.from(
      { length: 10 },
      () => new RpcError(Code.UNAVAILABLE, 'certificate has expired'),
    );
    restart();
    await clock.advance(MINUTE_MS);
    expect(String(errors[0])).toMatch(
      /certificate of this node is valid from 2025-12-31T23.* to 2026-01-01T10.* says 2027-01-01/,
    );
    expect(errors.length).toBeLessThan(10);
    await renewer.stop();
  });

  it('fetches roots that were rotated unseen, if its certificate holds under them', async () => {
    await start();
    const old = swarm.root.certificatePem;
    swarm.rotateRoot();
    renewer.renew();
    await clock.advance(500);
    expect(errors).toHaveLength(1); // what the manager serves does not vouch for this node: refused
    expect(store.current()?.rootPem).toBe(old);
    const served = old + swarm.root.certificatePem;
    Object.defineProperty(swarm.root, 'certificatePem', { value: served });
    await clock.advance(10_000);
    expect(renewals).toHaveLength(1);
    expect(store.current()?.rootPem).toBe(served);
    expect(swarm.calls).toContain(`${ADDRESS} GetRootCACertificate`);
    expect(swarm.dials.every(({ options }) => options.trust !== 'anyone')).toBe(true);
    await renewer.stop();
  });

  it('is refused when the node was removed, and goes on trying rarely', async () => {
    await start();
    swarm.nodes.clear();
    renewer.renew();
    await clock.advance(500);
    expect(errors[0]).toMatchObject({ code: Code.NOT_FOUND });
    expect(issued()).toBe(1);
    await renewer.stop();
  });

  it('stops in the middle of an attempt', async () => {
    await start();
    swarm.silent.add(ADDRESS);
    renewer.renew();
    await clock.advance(600);
    await renewer.stop();
    expect(errors).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });
});
