import { create, toBinary } from '@bufbuild/protobuf';
import { checkCrossSigned, generateJoinToken, RootCa, SimExternalAuthority } from '@skep/ca';
import { Code } from '@skep/platform';
import { type ClusterObject, durationFromMs } from '@skep/wire';
import {
  BlacklistedCertificateSchema,
  ClusterSchema,
  ClusterSpecSchema,
  EncryptionConfigSchema,
  EncryptionKeySchema,
  ExternalCASchema,
  GetClusterRequestSchema,
  ListClustersRequestSchema,
  RootRotationSchema,
  UpdateClusterRequestSchema,
} from '@skep/wire/swarmkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { managerKey, managerUnlockKey } from '../../cluster/unlock-key.js';
import { clusterOf } from '../../testing/objects.sim.js';
import { SimRoom } from '../../testing/room.sim.js';
import { createControl } from '../control.js';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const bytes = (text: string) => Buffer.from(text);

let room: SimRoom;
let root: RootCa;
let external: SimExternalAuthority | undefined;

const stored = () => room.get('cluster', 'cluster');

function control() {
  return createControl({
    ...room.options,
    external,
    members: { list: () => [], canRemove: () => false },
    newJoinToken: (pem) => generateJoinToken(pem, room.random),
  });
}

/** Changes parts of the spec, all else as it is stored. */
function update(change: object, rotation = {}, version = stored().meta.version) {
  const spec = create(ClusterSpecSchema, { ...stored().spec, ...change });
  const request = { clusterId: 'cluster', clusterVersion: version, spec, rotation };
  return control().updateCluster(create(UpdateClusterRequestSchema, request));
}

const configure = (change: object) =>
  update({ caConfig: { ...stored().spec.caConfig, ...change } });

async function putRoot(change: Partial<ClusterObject['rootCa']> = {}): Promise<void> {
  await room.change('cluster', 'cluster', ({ rootCa }) => ({ rootCa: { ...rootCa, ...change } }));
}

beforeEach(async () => {
  room = new SimRoom();
  root = RootCa.create(room);
  external = undefined;
  const caCert = bytes(root.certificatePem);
  await room.put(
    'cluster',
    clusterOf({
      rootCa: {
        caCert,
        caKey: bytes(root.keyPem ?? ''),
        joinTokens: { worker: 'w', manager: 'm' },
      },
    }),
  );
});

const refused = (message: string) => ({ code: Code.INVALID_ARGUMENT, message });
const unreachable = (which: string) =>
  refused(
    'there must be at least one valid, reachable external CA ' +
      `corresponding to the ${which} CA certificate`,
  );

describe('the root a cluster is to have', () => {
  const config = (wanted: RootCa) => ({
    signingCaCert: bytes(wanted.certificatePem),
    signingCaKey: bytes(wanted.keyPem ?? ''),
  });

  it('changes when its number does, once', async () => {
    await configure({ forceRotate: 3n });
    const { rootRotation, lastForcedRotation, caCert } = stored().rootCa;
    expect(lastForcedRotation).toBe(3n);
    expect(caCert).toEqual(bytes(root.certificatePem));
    await configure({ forceRotate: 3n });
    expect(stored().rootCa.rootRotation).toEqual(rootRotation);
    const { cluster } = await configure({ forceRotate: 4n });
    expect(stored().rootCa.rootRotation).not.toEqual(rootRotation);
    expect(cluster?.rootCa?.rootRotation?.caKey).toHaveLength(0);
    expect(cluster?.rootCa?.rootRotation?.crossSignedCaCert).not.toHaveLength(0);
  });

  it('is vouched for by the first root, also when it replaces one on its way', async () => {
    await configure({ forceRotate: 1n });
    await configure({ forceRotate: 2n });
    const { caKey, crossSignedCaCert, caCert } = stored().rootCa.rootRotation!;
    const keyPem = Buffer.from(caKey).toString();
    const intermediatesPem = Buffer.from(crossSignedCaCert).toString();
    const { certificatePem } = root;
    const rotating = new RootCa({ certificatePem, keyPem, intermediatesPem }, room);
    checkCrossSigned(intermediatesPem, Buffer.from(caCert).toString(), certificatePem);
    const next = new RootCa({ certificatePem: Buffer.from(caCert).toString() }, room);
    expect(rotating.issuerPublicKeyDer).toEqual(next.issuerPublicKeyDer);
  });

  it('given up for the one there is, leaves nothing of the rotation', async () => {
    await configure({ forceRotate: 1n });
    await configure({ ...config(root), forceRotate: 2n });
    expect(stored().rootCa).toMatchObject({ rootRotation: undefined, lastForcedRotation: 2n });
    expect(stored().rootCa.caKey).toEqual(bytes(root.keyPem ?? ''));
  });

  it('must be one that nodes will take, for a year at least', async () => {
    const other = RootCa.create(room);
    await expect(configure({ signingCaKey: bytes('k') })).rejects.toMatchObject(
      refused('if a signing CA key is provided, the signing CA cert must also be provided'),
    );
    await expect(configure({ signingCaCert: bytes('nonsense') })).rejects.toMatchObject(
      refused('could not parse the desired CA certificate'),
    );
    const both = {
      ...config(other),
      signingCaCert: bytes(other.certificatePem + root.certificatePem),
    };
    await expect(configure(both)).rejects.toMatchObject(
      refused('the desired CA certificate cannot contain multiple certificates'),
    );
    const mixed = { ...config(other), signingCaKey: bytes(root.keyPem ?? '') };
    await expect(configure(mixed)).rejects.toMatchObject(refused('certificate key mismatch'));
    const same = reissued(root);
    await expect(configure(config(same))).rejects.toMatchObject(
      refused('Cannot update to a cert with an identical key'),
    );
    expect(stored().rootCa.rootRotation).toBeUndefined();
  });

  it('expires too soon within a year', async () => {
    const old = RootCa.create(room);
    await room.clock.advance(19 * 365 * DAY_MS - HOUR_MS);
    await configure(config(old));
    await room.clock.advance(1);
    await expect(configure(config(old))).rejects.toMatchObject(
      refused('CA certificate expires too soon'),
    );
  });

  it('is not changed by who read an older version', async () => {
    const { version } = stored().meta;
    await configure({ forceRotate: 1n });
    const { rootRotation } = stored().rootCa;
    const late = update({ caConfig: { ...stored().spec.caConfig, forceRotate: 2n } }, {}, version);
    await expect(late).rejects.toMatchObject({ message: 'update out of sequence' });
    expect(stored().rootCa.rootRotation).toEqual(rootRotation);
  });

  it('is changed by one of two who ask at the same time', async () => {
    const { version } = stored().meta;
    const calls = [1n, 2n].map((forceRotate) =>
      update({ caConfig: { ...stored().spec.caConfig, forceRotate } }, {}, version),
    );
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  });
});

/** The same root's key under another certificate. */
function reissued(old: RootCa): RootCa {
  const { keyPem = '' } = old;
  const certificatePem = old.crossSign(old.certificatePem);
  return new RootCa({ certificatePem, keyPem }, room);
}

describe('external authorities', () => {
  const entry = (url: string, caCert = '') =>
    create(ExternalCASchema, { url, caCert: bytes(caCert) });
  const url = 'https://ca.example/sign';

  it.each([
    ['external CA # 1: invalid URL: "ca"', [entry('ca')]],
    ['external CA # 2: invalid HTTP scheme', [entry(url), entry('http://ca.example')]],
    [
      'external CA # 1: could not parse the CA certificate: no certificates found',
      [entry(url, 'x')],
    ],
    ['at most 32 external CAs can be given', Array.from({ length: 33 }, () => entry(url))],
  ])('are refused: %s', async (message, externalCas) => {
    await expect(configure({ externalCas })).rejects.toMatchObject(refused(message));
  });

  it('that are stored already stay, whatever is wrong with them', async () => {
    const { caConfig } = stored().spec;
    const externalCas = [entry('http://ca.example')];
    await room.change('cluster', 'cluster', ({ spec }) => ({
      spec: { ...spec, caConfig: { ...caConfig, externalCas } },
    }));
    await configure({ nodeCertExpiry: durationFromMs(DAY_MS) });
  });

  it('must be reachable where the swarm has no key of its own', async () => {
    external = new SimExternalAuthority(root, room);
    await putRoot({ caKey: new Uint8Array(0) });
    await expect(configure({})).rejects.toMatchObject(unreachable('current'));
    await configure({ externalCas: [entry(url)] });
    external.isReachable = false;
    await expect(configure({})).rejects.toMatchObject(unreachable('current'));
    const key = {
      signingCaCert: bytes(root.certificatePem),
      signingCaKey: bytes(root.keyPem ?? ''),
    };
    await configure(key);
    expect(stored().rootCa.caKey).toEqual(bytes(root.keyPem ?? ''));
  });

  it('must be reachable for a root that comes without a key, and stay so on the way', async () => {
    const outside = RootCa.create(room);
    external = new SimExternalAuthority(outside, room);
    external.isReachable = false;
    const externalCas = [entry(url, outside.certificatePem)];
    const wanted = { signingCaCert: bytes(outside.certificatePem), externalCas };
    await expect(configure(wanted)).rejects.toMatchObject(unreachable('desired'));
    external.isReachable = true;
    await expect(configure({ ...wanted, externalCas: [entry(url)] })).rejects.toMatchObject(
      unreachable('desired'),
    );
    await configure(wanted);
    const later = { signingCaCert: new Uint8Array(0) };
    await configure(later);
    await expect(configure({ ...later, externalCas: [] })).rejects.toMatchObject(
      unreachable('next'),
    );
  });

  it('of one root cannot give way to those of another', async () => {
    external = new SimExternalAuthority(root, room);
    await putRoot({ caKey: new Uint8Array(0) });
    const outside = RootCa.create(room);
    external.probe = async () => {};
    const externalCas = [entry(url), entry(url, outside.certificatePem)];
    const wanted = { signingCaCert: bytes(outside.certificatePem), externalCas };
    await expect(configure(wanted)).rejects.toMatchObject(
      refused('rotating from one external CA to a different external CA is not supported'),
    );
  });

  it('that fail to sign a new root leave the old one', async () => {
    external = new SimExternalAuthority(root, room);
    await putRoot({ caKey: new Uint8Array(0) });
    external.sign = async () => root.certificatePem;
    await expect(configure({ externalCas: [entry(url)], forceRotate: 1n })).rejects.toMatchObject({
      code: Code.INTERNAL,
      message: 'unable to generate a cross-signed certificate for root rotation',
    });
    expect(stored().rootCa.rootRotation).toBeUndefined();
  });
});

describe('locking managers', () => {
  const lock = (autoLockManagers: boolean, rotation = {}) =>
    update({ encryptionConfig: create(EncryptionConfigSchema, { autoLockManagers }) }, rotation);
  const key = () => Buffer.from(managerUnlockKey(stored())).toString('hex');

  it('makes a key, keeps it, and takes it away with the lock', async () => {
    const gossip = create(EncryptionKeySchema, { subsystem: 'other', key: bytes('o') });
    await room.change('cluster', 'cluster', () => ({ unlockKeys: [gossip] }));
    await lock(false, { managerUnlockKey: true });
    expect(key()).toBe('');
    await lock(true);
    const first = key();
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    await lock(true);
    expect(key()).toBe(first);
    await lock(true, { managerUnlockKey: true });
    expect(key()).not.toBe(first);
    expect(stored().unlockKeys).toHaveLength(2);
    await lock(false);
    expect(stored().unlockKeys).toEqual([gossip]);
  });
});

describe('what is shown of a cluster', () => {
  it('has no key in it, whatever way it is asked for', async () => {
    const secrets = ['rootkey', 'rotationkey', 'signingkey', 'signingcert', 'gossip', 'unlock'];
    const [rootKey, rotationKey, signingKey, signingCert, gossip, unlock] = secrets.map(bytes);
    await putRoot({
      caKey: rootKey!,
      rootRotation: create(RootRotationSchema, { caKey: rotationKey!, caCert: bytes('next') }),
    });
    await room.change('cluster', 'cluster', ({ spec }) => ({
      spec: {
        ...spec,
        encryptionConfig: { ...spec.encryptionConfig, autoLockManagers: true },
        caConfig: { ...spec.caConfig, signingCaKey: signingKey!, signingCaCert: signingCert! },
      },
      networkBootstrapKeys: [create(EncryptionKeySchema, { key: gossip! })],
      unlockKeys: [managerKey(unlock!)],
      blacklistedCertificates: { gone: create(BlacklistedCertificateSchema) },
    }));
    const one = await control().getCluster(
      create(GetClusterRequestSchema, { clusterId: 'cluster' }),
    );
    const all = await control().listClusters(create(ListClustersRequestSchema));
    const unchanged = { signingCaCert: new Uint8Array(0), signingCaKey: new Uint8Array(0) };
    const { cluster: updated } = await configure(unchanged);
    for (const cluster of [one.cluster, all.clusters[0], updated]) {
      const shown = Buffer.from(toBinary(ClusterSchema, cluster!)).toString('latin1');
      for (const secret of secrets) expect(shown).not.toContain(secret);
      expect(shown).toContain('gone');
      expect(shown).toContain('next');
    }
  });
});
