import { create } from '@bufbuild/protobuf';
import { checkNodeCertificate, generateJoinToken, RootCa, SimExternalAuthority } from '@skep/ca';
import { Code } from '@skep/platform';
import { durationFromMs } from '@skep/wire';
import {
  BlacklistedCertificateSchema,
  CAConfigSchema,
  IssuanceStatus_State,
  IssuanceStatusSchema,
  IssueNodeCertificateRequestSchema,
  NodeRole,
  NodeSpec_Availability,
  NodeSpec_Membership,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { managerKey } from '../cluster/unlock-key.js';
import { nodeOf } from '../testing/objects.sim.js';
import { SimRoom } from '../testing/room.sim.js';
import { newCsr, SimAuthority } from './authority.sim.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const REFUSED = {
  code: Code.INVALID_ARGUMENT,
  message: 'A valid join token is necessary to join this cluster',
};

let sim: SimAuthority;

beforeEach(async () => {
  sim = await SimAuthority.start();
});

const issue = (init: object) => create(IssueNodeCertificateRequestSchema, init);

describe('a node that joins', () => {
  it.each([
    ['worker', NodeRole.WORKER],
    ['manager', NodeRole.MANAGER],
  ] as const)('becomes a %s by its token', async (role, expected) => {
    const { nodeId, nodeMembership } = await sim.request(sim.tokens[role]);
    expect(nodeId).toMatch(/^[0-9a-z]{25}$/);
    expect(nodeMembership).toBe(NodeSpec_Membership.ACCEPTED);
    const { status, certificate } = await sim.status(nodeId);
    expect(status?.state).toBe(IssuanceStatus_State.ISSUED);
    expect(certificate).toEqual(sim.certificateOf(nodeId));
    expect(sim.room.get('node', nodeId)).toMatchObject({
      role: expected,
      spec: { desiredRole: expected, membership: NodeSpec_Membership.ACCEPTED },
      VXLANUDPPort: 4789,
    });
    expect(sim.identityOf(nodeId)).toMatchObject({ nodeId, role, clusterId: 'cluster' });
  });

  it('is not made a manager by asking for it with the token of workers', async () => {
    const request = issue({ csr: newCsr(), token: sim.tokens.worker, role: NodeRole.MANAGER });
    const { nodeId } = await sim.authority.issueNodeCertificate(undefined, request);
    await sim.status(nodeId);
    expect(sim.identityOf(nodeId).role).toBe('worker');
    expect(sim.room.get('node', nodeId).role).toBe(NodeRole.WORKER);
  });

  it('has the availability it asks for', async () => {
    const availability = NodeSpec_Availability.DRAIN;
    const request = issue({ csr: newCsr(), token: sim.tokens.worker, availability });
    const { nodeId } = await sim.authority.issueNodeCertificate(undefined, request);
    expect(sim.room.get('node', nodeId).spec.availability).toBe(availability);
  });

  it('is refused with a token that is wrong, truncated, longer, or of another swarm', async () => {
    const { worker, manager } = sim.tokens;
    const other = generateJoinToken(RootCa.create(sim.room).certificatePem, sim.room.random);
    const wrong = ['', 'SWMTKN-1', worker.slice(0, -1), `${manager}0`, other, worker.toUpperCase()];
    for (let at = 0; at < worker.length; at += 7) {
      wrong.push(worker.slice(0, at) + (worker[at] === 'x' ? 'y' : 'x') + worker.slice(at + 1));
    }
    for (const token of wrong) {
      await expect(sim.request(token), token).rejects.toMatchObject(REFUSED);
    }
    expect(sim.room.store.view.count('node')).toBe(0);
  });

  it('is refused with a token from before its rotation', async () => {
    const { worker } = sim.tokens;
    const next = generateJoinToken(sim.rootPem, sim.room.random);
    await sim.room.change('cluster', 'cluster', ({ rootCa }) => ({
      rootCa: { ...rootCa, joinTokens: { ...rootCa.joinTokens, worker: next } },
    }));
    await expect(sim.request(worker)).rejects.toMatchObject(REFUSED);
    expect((await sim.request(next)).nodeId).not.toBe('');
  });

  it('gets no certificate for a request that is damaged, and is told so', async () => {
    const { nodeId } = await sim.request(sim.tokens.worker, Buffer.from('nonsense'));
    const { status } = await sim.status(nodeId);
    expect(status).toMatchObject({
      state: IssuanceStatus_State.FAILED,
      err: expect.stringContaining('failed to sign node certificate: invalid certificate request'),
    });
  });

  it.each([
    ['no request', { csr: new Uint8Array(0) }],
    ['a request of 17 KiB', { csr: new Uint8Array(17 * 1024) }],
    ['an availability nobody knows', { csr: newCsr(), availability: 9 }],
  ])('is refused with %s', async (_what, init) => {
    const call = sim.authority.issueNodeCertificate(
      undefined,
      issue({ token: sim.tokens.worker, ...init }),
    );
    await expect(call).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
  });

  it('waits while it is not accepted', async () => {
    const { nodeId } = await sim.request(sim.tokens.worker);
    await sim.room.change('node', nodeId, ({ spec, certificate }) => ({
      spec: { ...spec, membership: NodeSpec_Membership.PENDING },
      certificate: {
        ...certificate,
        csr: newCsr(),
        status: create(IssuanceStatusSchema, { state: IssuanceStatus_State.PENDING }),
      },
    }));
    expect(sim.stateOf(nodeId)).toBe(IssuanceStatus_State.PENDING);
    await sim.room.change('node', nodeId, ({ spec }) => ({
      spec: { ...spec, membership: NodeSpec_Membership.ACCEPTED },
    }));
    expect(sim.stateOf(nodeId)).toBe(IssuanceStatus_State.ISSUED);
  });

  it('has the validity the cluster says', async () => {
    await sim.room.change('cluster', 'cluster', ({ spec }) => ({
      spec: {
        ...spec,
        caConfig: { ...spec.caConfig, nodeCertExpiry: durationFromMs(5 * HOUR_MS) },
      },
    }));
    const { nodeId } = await sim.request(sim.tokens.worker);
    await sim.status(nodeId);
    const { notBeforeMs, notAfterMs } = sim.identityOf(nodeId);
    expect(notAfterMs - notBeforeMs).toBe(6 * HOUR_MS);
  });
});

describe('a node that renews', () => {
  const renew = (nodeId: string, role: 'worker' | 'manager' = 'worker', csr = newCsr()) =>
    sim.authority.issueNodeCertificate({ nodeId, role }, issue({ csr }));

  it('needs no token, and gets the role it has by now', async () => {
    const { nodeId } = await sim.request(sim.tokens.worker);
    await sim.status(nodeId);
    await sim.room.change('node', nodeId, () => ({ role: NodeRole.MANAGER }));
    await renew(nodeId);
    await sim.status(nodeId);
    expect(sim.identityOf(nodeId).role).toBe('manager');
  });

  it('is told when it was removed, and is not taken for known when it was refused', async () => {
    await expect(renew('gone')).rejects.toMatchObject({ code: Code.NOT_FOUND });
    const { nodeId } = await sim.request(sim.tokens.worker);
    await sim.room.change('cluster', 'cluster', () => ({
      blacklistedCertificates: {
        [nodeId]: create(BlacklistedCertificateSchema),
      },
    }));
    await expect(renew(nodeId)).rejects.toMatchObject(REFUSED);
  });

  it('has the last of its requests signed', async () => {
    const { nodeId } = await sim.request(sim.tokens.worker);
    await sim.status(nodeId);
    const last = newCsr();
    await Promise.all([renew(nodeId), renew(nodeId, 'worker', last)]);
    await sim.room.settle();
    const { csr, status } = sim.certificateOf(nodeId);
    expect(csr).toEqual(last);
    expect(status?.state).toBe(IssuanceStatus_State.ISSUED);
    sim.identityOf(nodeId);
  });
});

describe('an external authority', () => {
  /** A swarm whose certificates are signed outside, by whoever answers last. */
  async function signedOutside() {
    const { certificatePem, keyPem = '' } = sim.root;
    const root = new RootCa({ certificatePem, keyPem }, sim.room);
    const outside = new SimExternalAuthority(root, sim.room);
    const caught: (() => void)[] = [];
    const sign = outside.sign.bind(outside);
    let isSlow = false;
    outside.sign = async (address, certificate, signal) => {
      const isOver = new Promise<void>((resolve, reject) => {
        caught.push(resolve);
        signal?.addEventListener('abort', () => reject(new Error('given up')));
      });
      if (isSlow) await isOver;
      return sign(address, certificate);
    };
    const swarm = await SimAuthority.start(outside);
    await swarm.room.change('cluster', 'cluster', ({ rootCa, spec }) => ({
      rootCa: { ...rootCa, caCert: Buffer.from(certificatePem), caKey: new Uint8Array(0) },
      spec: { ...spec, caConfig: create(CAConfigSchema, { externalCas: [{ url: 'https://ca' }] }) },
    }));
    const slow = (value: boolean) => {
      isSlow = value;
      for (const release of caught.splice(0)) release();
    };
    return { swarm, outside, slow };
  }

  it('that is slow does not have an old answer taken for a new request’s', async () => {
    const { swarm, slow } = await signedOutside();
    slow(true);
    const { nodeId } = await swarm.request(swarm.tokens.worker);
    const last = newCsr();
    const caller = { nodeId, role: 'worker' as const };
    await swarm.authority.issueNodeCertificate(caller, issue({ csr: last }));
    await swarm.room.settle();
    slow(false);
    await swarm.room.settle();
    const { csr, certificate, status } = swarm.certificateOf(nodeId);
    expect(status?.state).toBe(IssuanceStatus_State.ISSUED);
    expect(csr).toEqual(last);
    const request = {
      csrPem: last.toString(),
      nodeId,
      role: 'worker',
      clusterId: 'cluster',
    } as const;
    const chain = Buffer.from(certificate).toString();
    checkNodeCertificate(chain, request, swarm.rootPem, swarm.room.clock.now());
  });

  it('that is slow holds up no leader that resigns', async () => {
    const { swarm, slow } = await signedOutside();
    slow(true);
    const { nodeId } = await swarm.request(swarm.tokens.worker);
    await swarm.room.settle();
    await swarm.authority.stop();
    slow(false);
    await swarm.room.settle();
    expect(swarm.stateOf(nodeId)).toBe(IssuanceStatus_State.PENDING);
    expect(swarm.room.clock.pendingTimers).toBe(0);
  });

  it('that does not answer is left alone for ten seconds, and takes no blame to nodes', async () => {
    const { swarm, outside } = await signedOutside();
    outside.isReachable = false;
    const ids: string[] = [];
    for (let at = 0; at < 3; at++) ids.push((await swarm.request(swarm.tokens.worker)).nodeId);
    await swarm.room.clock.advance(9_999);
    outside.isReachable = true;
    expect(ids.map((id) => swarm.stateOf(id))).toEqual([2, 2, 2]);
    await swarm.room.clock.advance(1);
    expect(ids.map((id) => swarm.stateOf(id))).toEqual([3, 3, 3]);
  });

  it('is not bothered with what cannot be a request', async () => {
    const { swarm, outside } = await signedOutside();
    const { nodeId } = await swarm.request(swarm.tokens.worker, Buffer.from('x'));
    expect((await swarm.status(nodeId)).status?.state).toBe(IssuanceStatus_State.FAILED);
    expect(outside.requests).toEqual([]);
  });

  it('that cannot be spoken to from here is waited for', async () => {
    await sim.room.change('cluster', 'cluster', ({ spec }) => ({
      spec: { ...spec, caConfig: create(CAConfigSchema, { externalCas: [{ url: 'https://ca' }] }) },
    }));
    const { nodeId } = await sim.request(sim.tokens.worker);
    await sim.room.clock.advance(30_000);
    expect(sim.stateOf(nodeId)).toBe(IssuanceStatus_State.PENDING);
  });
});

describe('the status of a request', () => {
  it('is refused for no node, and for one that is not known', async () => {
    await expect(sim.status('')).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    await expect(sim.status('x')).rejects.toMatchObject({ code: Code.NOT_FOUND });
  });

  it('is waited for until the caller gives up, the node is removed or the leader resigns', async () => {
    await sim.authority.stop();
    const ids: string[] = [];
    for (const id of ['a', 'b', 'c']) {
      await sim.room.put('node', waiting(id));
      ids.push(id);
    }
    sim.authority.start();
    const abort = new AbortController();
    const calls = ids.map((id) => sim.status(id, id === 'a' ? abort.signal : undefined));
    const outcomes = Promise.allSettled(calls);
    await sim.room.settle();
    abort.abort();
    await sim.room.remove('node', 'b');
    await sim.authority.stop();
    const codes = (await outcomes).map((outcome) =>
      outcome.status === 'rejected' ? outcome.reason.code : undefined,
    );
    expect(codes).toEqual([Code.CANCELED, Code.NOT_FOUND, Code.ABORTED]);
  });
});

/** A node that waits to be accepted. */
function waiting(id: string) {
  return nodeOf(id, {
    spec: { membership: NodeSpec_Membership.PENDING },
    certificate: { csr: newCsr(), cn: id, status: { state: IssuanceStatus_State.PENDING } },
  });
}

describe('leadership', () => {
  it('is needed: nothing is issued without it', async () => {
    await sim.authority.stop();
    const stopped = { code: Code.ABORTED, message: 'CA signer is stopped' };
    await expect(sim.request(sim.tokens.worker)).rejects.toMatchObject(stopped);
    await expect(sim.status('x')).rejects.toMatchObject(stopped);
    expect(sim.room.clock.pendingTimers).toBe(0);
  });

  it('that comes finds what was left unsigned', async () => {
    await sim.authority.stop();
    const accepted = { membership: NodeSpec_Membership.ACCEPTED };
    for (const state of [IssuanceStatus_State.PENDING, IssuanceStatus_State.RENEW]) {
      const id = `node${state}`;
      const certificate = { csr: newCsr(), cn: id, status: { state } };
      await sim.room.put('node', nodeOf(id, { spec: accepted, certificate }));
    }
    sim.authority.start();
    await sim.room.settle();
    for (const id of ['node1', 'node2']) expect(sim.identityOf(id).nodeId).toBe(id);
  });

  it('lost while a certificate is written leaves the next leader to sign it', async () => {
    const room = new SimRoom({ automatic: false });
    const lost = await SimAuthority.start(undefined, room);
    const request = lost.request(lost.tokens.worker);
    room.proposer.commit();
    const { nodeId } = await request;
    await room.settle(); // signed and proposed, but not committed
    room.proposer.lose(new Error('no longer the leader'));
    const stop = lost.authority.stop();
    await room.settle();
    await stop;
    expect(lost.stateOf(nodeId)).toBe(IssuanceStatus_State.PENDING);
    lost.authority.start();
    await room.settle();
    room.proposer.commit();
    await room.settle();
    expect(lost.identityOf(nodeId)).toMatchObject({ nodeId });
    await lost.authority.stop();
    expect(room.clock.pendingTimers).toBe(0);
  });

  it('that cannot write for a while signs when it can', async () => {
    const { proposer, clock } = sim.room;
    await sim.authority.stop();
    const certificate = { csr: newCsr(), cn: 'n', status: { state: IssuanceStatus_State.RENEW } };
    await sim.room.put('node', nodeOf('n', { certificate }));
    proposer.refuse(new Error('disk full'));
    sim.authority.start();
    await clock.advance(60_000);
    expect(sim.stateOf('n')).toBe(IssuanceStatus_State.RENEW);
    proposer.refuse(undefined);
    await clock.advance(10_000);
    expect(sim.identityOf('n').nodeId).toBe('n');
  });
});

describe('a leader whose clock is wrong', () => {
  /** A swarm founded so much later than the leader's clock says it is now. */
  async function foundedLater(aheadMs: number): Promise<SimAuthority> {
    await sim.room.clock.advance(aheadMs);
    const { certificatePem, keyPem = '' } = RootCa.create(sim.room);
    const late = await SimAuthority.start();
    await late.room.change('cluster', 'cluster', ({ rootCa }) => ({
      rootCa: {
        ...rootCa,
        caCert: Buffer.from(certificatePem),
        caKey: Buffer.from(keyPem),
      },
    }));
    return late;
  }

  it('by a year signs nothing, but ruins no request for the one that comes after', async () => {
    const late = await foundedLater(365 * DAY_MS);
    const { nodeId } = await late.request(late.tokens.worker);
    await late.room.clock.advance(60_000);
    expect(late.stateOf(nodeId)).toBe(IssuanceStatus_State.PENDING);
    await late.authority.stop();
    await late.room.clock.advance(365 * DAY_MS);
    late.authority.start();
    await late.room.settle();
    expect(late.identityOf(nodeId)).toMatchObject({ nodeId });
  });

  it('signs within ten seconds of the clock being right', async () => {
    const late = await foundedLater(65 * 60_000);
    const { nodeId } = await late.request(late.tokens.worker);
    await late.room.clock.advance(4 * 60_000);
    expect(late.stateOf(nodeId)).toBe(IssuanceStatus_State.PENDING);
    await late.room.clock.advance(60_000 + 10_000);
    expect(late.identityOf(nodeId)).toMatchObject({ nodeId });
  });
});

describe('keys and roots', () => {
  it('gives out the root certificate byte for byte', async () => {
    const { certificate } = await sim.authority.getRootCaCertificate();
    expect(Buffer.from(certificate).toString()).toBe(sim.root.certificatePem);
  });

  it('gives the unlock key while managers are to be locked', async () => {
    const key = new Uint8Array(32).fill(7);
    await sim.room.change('cluster', 'cluster', () => ({ unlockKeys: [managerKey(key)] }));
    expect(await sim.authority.getUnlockKey()).toMatchObject({ unlockKey: new Uint8Array(0) });
    await sim.room.change('cluster', 'cluster', ({ spec }) => ({
      spec: {
        ...spec,
        encryptionConfig: { ...spec.encryptionConfig, autoLockManagers: true },
      },
    }));
    const { unlockKey, version } = await sim.authority.getUnlockKey();
    expect(unlockKey).toEqual(key);
    expect(version).toEqual(sim.cluster.meta.version);
  });
});
