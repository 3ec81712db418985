import { create } from '@bufbuild/protobuf';
import {
  generateJoinToken,
  normalizePem,
  parseJoinToken,
  RootCa,
  rootDigest,
  SimExternalAuthority,
} from '@skep/ca';
import { Code } from '@skep/platform';
import {
  ClusterSpecSchema,
  ExternalCASchema,
  IssuanceStatus_State,
  UpdateClusterRequestSchema,
} from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { createControl } from '../control/control.js';
import { SimAuthority, SimMember } from './authority.sim.js';

/** `docker swarm ca --rotate`, with what is given in the place of the defaults. */
async function rotate(sim: SimAuthority, caConfig: object = {}, external?: SimExternalAuthority) {
  const { room, cluster } = sim;
  const control = createControl({
    ...room.options,
    external,
    members: { list: () => [], canRemove: () => false },
    newJoinToken: (root) => generateJoinToken(root, room.random),
  });
  const { spec, meta } = cluster;
  const forceRotate = spec.caConfig.forceRotate + 1n;
  const request = create(UpdateClusterRequestSchema, {
    clusterId: cluster.id,
    clusterVersion: meta.version,
    spec: create(ClusterSpecSchema, {
      ...spec,
      caConfig: { ...spec.caConfig, forceRotate, ...caConfig },
    }),
  });
  await control.updateCluster(request);
}

const isRotating = (sim: SimAuthority) => sim.cluster.rootCa.rootRotation !== undefined;

async function withMembers(count: number) {
  const sim = await SimAuthority.start();
  const members: SimMember[] = [];
  for (let at = 0; at < count; at++) members.push(await SimMember.join(sim));
  await sim.room.settle();
  return { sim, members };
}

const rotatingNodes = (sim: SimAuthority) =>
  [...sim.room.store.view.all('node')].filter(
    ({ certificate }) => certificate.status?.state === IssuanceStatus_State.ROTATE,
  ).length;

describe('a rotation of the root', () => {
  it('gives 100 nodes new certificates within a minute, each once, and loses none', async () => {
    const { sim, members } = await withMembers(100);
    const { tokens, rootPem: oldPem } = sim;
    await rotate(sim);
    expect(sim.rootPem).toBe(oldPem);
    let seconds = 0;
    for (; isRotating(sim) && seconds < 60; seconds++) await sim.room.clock.advance(1_000);
    expect(seconds).toBeLessThanOrEqual(10);
    expect(isRotating(sim)).toBe(false);
    expect(members.map(({ renewals }) => renewals)).toEqual(members.map(() => 1));
    expect(sim.rootPem).not.toBe(oldPem);
    for (const { id } of members) sim.identityOf(id);
    const { joinTokens, caCertHash } = sim.cluster.rootCa;
    expect(parseJoinToken(joinTokens.worker).rootDigest).toBe(rootDigest(sim.rootPem));
    expect(joinTokens.worker).not.toBe(joinTokens.manager);
    expect(caCertHash).toMatch(/^sha256:[0-9a-f]{64}$/);
    await expect(sim.request(tokens.worker)).rejects.toMatchObject({ code: Code.INVALID_ARGUMENT });
    await SimMember.join(sim, joinTokens.worker);
  });

  it('asks no more than thirty nodes every three seconds', async () => {
    const { sim, members } = await withMembers(70);
    for (const member of members) member.isDown = true;
    await rotate(sim);
    const counts: number[] = [];
    for (let at = 0; at < 4; at++) {
      await sim.room.settle();
      counts.push(rotatingNodes(sim));
      await sim.room.clock.advance(2_999);
      counts.push(rotatingNodes(sim));
      await sim.room.clock.advance(1);
    }
    expect(counts).toEqual([30, 30, 60, 60, 70, 70, 70, 70]);
  });

  it('waits for a node that is down, until it comes back or is removed', async () => {
    for (const way of ['back', 'removed']) {
      const { sim, members } = await withMembers(3);
      const [down] = members;
      if (down) down.isDown = true;
      await rotate(sim);
      await sim.room.clock.advance(3_600_000);
      expect(isRotating(sim)).toBe(true);
      if (down && way === 'removed') await sim.room.remove('node', down.id);
      if (down && way === 'back') {
        down.isDown = false;
        down.wake(sim.room.get('node', down.id));
      }
      await sim.room.settle();
      expect(isRotating(sim)).toBe(false);
    }
  });

  it('takes in nodes that join meanwhile, by the tokens and roots there still are', async () => {
    const { sim, members } = await withMembers(2);
    const [down] = members;
    if (down) down.isDown = true;
    await rotate(sim);
    await sim.room.settle();
    const late = await SimMember.join(sim);
    expect(late.renewals).toBe(0);
    const chain = Buffer.from(sim.certificateOf(late.id).certificate).toString();
    expect(chain.match(/BEGIN/g)).toHaveLength(2);
    if (down) await sim.room.remove('node', down.id);
    await sim.room.settle();
    expect(isRotating(sim)).toBe(false);
    expect(late.renewals).toBe(0);
    sim.identityOf(late.id);
  });

  it('begun again replaces the first, and ends with the last root', async () => {
    const { sim, members } = await withMembers(5);
    const [down] = members;
    if (down) down.isDown = true;
    await rotate(sim);
    await sim.room.clock.advance(3_000);
    const first = sim.cluster.rootCa.rootRotation;
    await rotate(sim);
    await sim.room.clock.advance(6_000);
    const second = sim.cluster.rootCa.rootRotation;
    expect(second?.caCert).not.toEqual(first?.caCert);
    if (down) {
      down.isDown = false;
      down.wake(sim.room.get('node', down.id));
    }
    await sim.room.clock.advance(6_000);
    expect(isRotating(sim)).toBe(false);
    expect(sim.cluster.rootCa.caCert).toEqual(second?.caCert);
    for (const { id } of members) sim.identityOf(id);
  });

  it('is seen through by the next leader', async () => {
    const { sim } = await withMembers(10);
    await sim.authority.stop();
    await rotate(sim);
    await sim.room.clock.advance(10_000);
    expect(rotatingNodes(sim)).toBe(0);
    expect(sim.room.clock.pendingTimers).toBe(0);
    sim.authority.start();
    await sim.room.clock.advance(3_000);
    expect(isRotating(sim)).toBe(false);
  });

  it('goes to a root that users bring, and back when they bring the old one', async () => {
    const { sim, members } = await withMembers(3);
    const { root: old } = sim;
    const wanted = RootCa.create(sim.room);
    const config = (root: RootCa) => ({
      signingCaCert: Buffer.from(`comment\n${root.certificatePem}`),
      signingCaKey: Buffer.from(root.keyPem ?? ''),
    });
    await rotate(sim, config(wanted));
    await sim.room.clock.advance(3_000);
    expect(sim.rootPem).toBe(normalizePem(wanted.certificatePem));
    const [down] = members;
    if (down) down.isDown = true;
    await rotate(sim, config(old));
    await sim.room.clock.advance(3_000);
    expect(isRotating(sim)).toBe(true);
    await rotate(sim, config(wanted));
    await sim.room.settle();
    expect(isRotating(sim)).toBe(false);
    expect(sim.rootPem).toBe(normalizePem(wanted.certificatePem));
    for (const { id } of members) sim.identityOf(id);
  });
});

describe('a rotation to an external authority and back', () => {
  it('has certificates signed outside, and waits while nobody answers there', async () => {
    const plain = await SimAuthority.start();
    const external = new SimExternalAuthority(RootCa.create(plain.room), plain.room);
    const sim = await SimAuthority.start(external);
    const members = [await SimMember.join(sim), await SimMember.join(sim)];
    const caCert = Buffer.from(external.root.certificatePem);
    const externalCas = [create(ExternalCASchema, { url: 'https://ca.example/sign', caCert })];
    await rotate(sim, { signingCaCert: caCert, externalCas }, external);
    external.isReachable = false;
    await sim.room.clock.advance(60_000);
    expect(members.map(({ id }) => sim.stateOf(id))).toEqual([1, 1]);
    external.isReachable = true;
    await sim.room.clock.advance(10_000);
    expect(isRotating(sim)).toBe(false);
    expect(sim.cluster.rootCa.caKey).toHaveLength(0);
    expect(external.requests).toHaveLength(2);
    for (const { id } of members) sim.identityOf(id);

    await rotate(sim, { signingCaCert: new Uint8Array(0), externalCas }, external);
    expect(external.requests.at(-1)?.profile).toBe('CA');
    await sim.room.clock.advance(6_000);
    expect(isRotating(sim)).toBe(false);
    expect(sim.cluster.rootCa.caKey).not.toHaveLength(0);
    for (const { id } of members) sim.identityOf(id);
  });
});
