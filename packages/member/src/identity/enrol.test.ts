import { createPrivateKey, X509Certificate } from 'node:crypto';
import { Code, RpcError, SimClock, SimRandom, settle } from '@skep/platform';
import { NodeSpec_Availability } from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { type EnrolOptions, enrol } from './enrol.js';
import { IdentityError } from './errors.js';
import { FakeSwarm } from './testing/fake-swarm.js';
import { fetchProtection } from './unlock-key.js';

const ADDRESS = '10.0.0.1:2377';
const OTHER = '10.0.0.2:2377';
const YEAR_MS = 365 * 86_400_000;

describe('enrol', () => {
  let clock: SimClock;
  let random: SimRandom;
  let swarm: FakeSwarm;

  beforeEach(() => {
    clock = new SimClock();
    random = new SimRandom(5);
    swarm = new FakeSwarm(clock, random);
  });

  const join = (options: Partial<EnrolOptions> = {}) =>
    enrol({
      dialer: swarm.dialer(),
      clock,
      random,
      addresses: [ADDRESS],
      token: swarm.tokens.worker,
      availability: NodeSpec_Availability.ACTIVE,
      signal: new AbortController().signal,
      ...options,
    });

  /** The error that an attempt ends with, once time has passed. */
  async function failure(attempt: Promise<unknown>, ms = 0): Promise<RpcError> {
    const failed = attempt.then(
      () => new Error('it went well'),
      (error: unknown) => error,
    );
    await clock.advance(ms);
    return (await failed) as RpcError;
  }

  it('asks anyone for the roots, then a manager they vouch for for a certificate', async () => {
    const enrolment = await join({ token: swarm.tokens.manager });
    expect(swarm.calls).toEqual([
      `${ADDRESS} GetRootCACertificate`,
      `${ADDRESS} IssueNodeCertificate`,
      `${ADDRESS} NodeCertificateStatus`,
    ]);
    expect(swarm.dials.map(({ options }) => options)).toEqual([
      { serverName: 'swarm-ca', trust: 'anyone', withCertificate: false },
      { serverName: 'swarm-ca', rootPem: swarm.root.certificatePem, withCertificate: false },
    ]);
    expect(enrolment).toMatchObject({
      nodeId: [...swarm.nodes.keys()][0],
      clusterId: 'cluster1',
      role: 'manager',
      rootPem: swarm.root.certificatePem,
    });
    const { certificatePem, keyPem } = enrolment.credentials;
    expect(new X509Certificate(certificatePem).checkPrivateKey(createPrivateKey(keyPem))).toBe(
      true,
    );
    expect(swarm.open).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('has the role the token gives', async () => {
    expect((await join()).role).toBe('worker');
  });

  it('refuses texts that are no token, and tokens of swarms that require FIPS', async () => {
    for (const token of ['', 'SWMTKN-1-abc-def', swarm.tokens.worker.slice(0, -1)]) {
      const error = await failure(join({ token }));
      expect(error).toBeInstanceOf(IdentityError);
      expect(error).toMatchObject({ code: Code.INVALID_ARGUMENT, message: 'invalid join token' });
    }
    const [prefix, , ...rest] = swarm.tokens.worker.split('-');
    const fips = await failure(join({ token: [prefix, '2', '1', ...rest].join('-') }));
    expect(fips.message).toBe('node is not FIPS-enabled but cluster requires FIPS');
    expect(swarm.calls).toEqual([]);
  });

  it('refuses a swarm that the token is not of, before it tells the token', async () => {
    const stranger = new FakeSwarm(clock, random);
    const error = await failure(join({ token: stranger.tokens.worker }));
    expect(error.message).toMatch(
      /^remote CA does not match fingerprint\. Expected: [0-9a-f]{64}$/,
    );
    expect(error).toBeInstanceOf(IdentityError);
    expect(swarm.calls).toEqual([`${ADDRESS} GetRootCACertificate`]);
  });

  it('passes on what managers say of a token that was rotated', async () => {
    const token = `${swarm.tokens.worker.slice(0, -25)}${'0'.repeat(25)}`;
    const error = await failure(join({ token }));
    expect(error.message).toBe('A valid join token is necessary to join this cluster');
    expect(error).not.toBeInstanceOf(IdentityError);
    expect(swarm.calls.filter((call) => call.endsWith('IssueNodeCertificate'))).toHaveLength(1);
  });

  it('tries five times in all, two seconds apart, and says what was wrong last', async () => {
    swarm.down.add(ADDRESS);
    const attempt = failure(join(), 60_000);
    expect((await attempt).message).toBe(`connect ECONNREFUSED ${ADDRESS}`);
    expect(swarm.calls).toHaveLength(5);
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives a silent address five seconds each time, and turns to the next one', async () => {
    swarm.silent.add(ADDRESS);
    const joining = join({ addresses: [ADDRESS, OTHER] });
    await clock.advance(5_000 + 2_000);
    expect((await joining).role).toBe('worker');
    expect(swarm.calls.slice(0, 2)).toEqual([
      `${ADDRESS} GetRootCACertificate`,
      `${OTHER} GetRootCACertificate`,
    ]);
  });

  it('hands in one request only, however long the decision takes', async () => {
    swarm.issuesAtOnce = false;
    const joining = join();
    await clock.advance(120_000);
    expect(swarm.nodes.size).toBe(1);
    swarm.down.add(ADDRESS);
    await clock.advance(30_000);
    swarm.down.delete(ADDRESS);
    swarm.issue([...swarm.nodes.keys()][0]!);
    await clock.advance(30_000);
    expect((await joining).role).toBe('worker');
    expect(swarm.nodes.size).toBe(1);
  });

  it('waits no longer than ten minutes for a decision', async () => {
    swarm.issuesAtOnce = false;
    const error = await failure(join(), 660_000);
    expect(error.code).toBe(Code.DEADLINE_EXCEEDED);
    expect(error.message).toBe('the request for a certificate was not decided in time');
    expect(clock.pendingTimers).toBe(0);
  });

  it('gives up when the request is refused or its node removed', async () => {
    swarm.issuesAtOnce = false;
    const refused = failure(join(), 60_000);
    await settle();
    swarm.issue([...swarm.nodes.keys()][0]!, 'unsupported key');
    expect((await refused).message).toBe('the swarm refuses a certificate: unsupported key');
    const removed = failure(join(), 60_000);
    await settle();
    swarm.nodes.clear();
    expect((await removed).code).toBe(Code.NOT_FOUND);
  });

  it('takes no certificate that was issued for another request', async () => {
    swarm.issuesAtOnce = false;
    const joining = failure(join(), 660_000);
    await settle();
    const [nodeId] = swarm.nodes.keys();
    swarm.issue(nodeId!);
    swarm.nodes.get(nodeId!)!.csr = Buffer.from('another');
    expect((await joining).code).toBe(Code.DEADLINE_EXCEEDED);
  });

  it('can be given up', async () => {
    const abort = new AbortController();
    swarm.silent.add(ADDRESS);
    const joining = failure(join({ signal: abort.signal }), 1_000);
    await settle();
    abort.abort(new RpcError(Code.CANCELED, 'the node leaves'));
    expect((await joining).message).toBe('the node leaves');
    expect(swarm.open).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not join through itself', async () => {
    const isOwnAddress = (address: string) => address === ADDRESS;
    const error = await failure(join({ isOwnAddress }));
    expect(error.message).toBe(
      `a node cannot join a swarm through itself: ${ADDRESS} is its own address`,
    );
    await join({ isOwnAddress, addresses: [ADDRESS, OTHER] });
    expect(swarm.calls[0]).toBe(`${OTHER} GetRootCACertificate`);
    expect((await failure(join({ addresses: [] }))).message).toBe(
      'at least 1 RemoteAddr is required to join',
    );
  });

  it('says that the clock is wrong when it is a year off', async () => {
    const late = new SimClock();
    await late.advance(YEAR_MS);
    swarm = new FakeSwarm(late, random);
    const behind = await failure(join({ dialer: swarm.dialer() }));
    expect(behind.message).toMatch(
      /^the swarm's root certificate is valid from 2026-12-31T23:00.*, but the clock .* says 2026-01-01/,
    );
    swarm = new FakeSwarm(new SimClock(), random);
    await clock.advance(YEAR_MS);
    const ahead = await failure(join({ dialer: swarm.dialer() }));
    expect(ahead.message).toMatch(
      /^the certificate of this node is valid from .* but the clock of this node says 2027/,
    );
    swarm.failures['IssueNodeCertificate'] = [
      new RpcError(Code.UNAVAILABLE, 'certificate has expired'),
    ];
    const refused = await failure(join({ dialer: swarm.dialer() }));
    expect(refused).toBeInstanceOf(IdentityError);
    expect(refused.message).toContain('out of date, if the clock of this node is right');
  });
});

describe('fetchProtection', () => {
  it('asks with the certificate that is not in use yet, and is patient', async () => {
    const clock = new SimClock();
    const random = new SimRandom(6);
    const swarm = new FakeSwarm(clock, random);
    const { credentials, rootPem } = swarm.member('manager');
    const identity = { ...credentials, rootPem };
    const fetch = () =>
      fetchProtection({
        dialer: swarm.dialer(),
        clock,
        identity,
        pick: () => ({ address: ADDRESS }),
        signal: new AbortController().signal,
      });
    expect(await fetch()).toEqual({ unlockKey: undefined, version: 7n });
    swarm.unlockKey = random.bytes(32);
    swarm.failures['GetUnlockKey'] = [new RpcError(Code.UNAVAILABLE, 'no leader')];
    const fetched = fetch();
    await clock.advance(2_000);
    expect(await fetched).toEqual({ unlockKey: swarm.unlockKey, version: 7n });
    swarm.failures['GetUnlockKey'] = [new RpcError(Code.UNIMPLEMENTED, 'unknown method')];
    expect(await fetch()).toEqual({ unlockKey: undefined, version: 0n });
  });
});
