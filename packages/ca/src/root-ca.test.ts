import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code, RealClock, SimClock, SimRandom } from '@skep/platform';
import { afterAll, describe, expect, it } from 'vitest';
import { checkCrossSigned } from './external/index.js';
import {
  createNodeRequest,
  parseNodeCertificate,
  renewalDelayMs,
  tlsInfoOf,
  verifyNodeCertificate,
} from './node-certificate.js';
import { RootCa } from './root-ca.js';
import { issue } from './x509/certificate.js';
import { encodeName } from './x509/name.js';
import { parseCertificates } from './x509/parse.js';
import { Signer } from './x509/signer.js';

const clock = new SimClock();
const dependencies = { clock, random: new SimRandom(1) };
const HOUR_MS = 3_600_000;

const directory = mkdtempSync(join(tmpdir(), 'skep-ca-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function openssl(args: string[], input?: string): string {
  return execFileSync('openssl', args, { input, stdio: ['pipe', 'pipe', 'pipe'] }).toString();
}

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

function nodeCertificate(root: RootCa, role: 'manager' | 'worker' = 'worker', expiryMs?: number) {
  const { keyPem, csrPem } = createNodeRequest();
  const request = { csrPem, nodeId: 'nodeid1', role, clusterId: 'clusterid1' };
  const certificatePem = root.signNodeCertificate(expiryMs ? { ...request, expiryMs } : request);
  return { keyPem, csrPem, certificatePem };
}

describe('RootCa', () => {
  it('makes a root as SwarmKit does, but valid an hour back', () => {
    const root = RootCa.create(dependencies);
    const x509 = new X509Certificate(root.certificatePem);
    expect(x509.subject).toBe('CN=swarm-ca');
    expect(x509.ca).toBe(true);
    expect(x509.subjectAltName).toBeUndefined();
    expect(x509.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
    expect(Date.parse(x509.validFrom)).toBe(clock.now() - 60 * 60_000);
    expect(Date.parse(x509.validTo) - Date.parse(x509.validFrom)).toBe(630_720_000_000);
    expect(root.canSign).toBe(true);
    expect(root.digest).toMatch(/^[0-9a-z]{50}$/);
  });

  it.each(['worker', 'manager'] as const)('signs the certificate of a %s', (role) => {
    const root = RootCa.create(dependencies);
    const { certificatePem, keyPem } = nodeCertificate(root, role);
    const x509 = new X509Certificate(certificatePem);
    expect(x509.subject).toBe(`O=clusterid1\nOU=swarm-${role}\nCN=nodeid1`);
    const names = `DNS:swarm-${role}, DNS:nodeid1`;
    expect(x509.subjectAltName).toBe(role === 'manager' ? `${names}, DNS:swarm-ca` : names);
    expect(x509.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
    expect(x509.ca).toBe(false);
    expect(x509.serialNumber.length).toBeLessThanOrEqual(40);
    expect(x509.checkPrivateKey(createPrivateKey(keyPem))).toBe(true);
    expect(verifyNodeCertificate(certificatePem, root.certificatePem, clock.now())).toMatchObject({
      nodeId: 'nodeid1',
      role,
      clusterId: 'clusterid1',
    });
  });

  it('gives the validity asked for, and the default for less than an hour', () => {
    const root = RootCa.create(dependencies);
    for (const [expiryMs, expectedMs] of [
      [undefined, 2160 * HOUR_MS],
      [HOUR_MS - 1, 2160 * HOUR_MS],
      [HOUR_MS, HOUR_MS],
      [48 * HOUR_MS, 48 * HOUR_MS],
    ] as const) {
      const { certificatePem } = nodeCertificate(root, 'worker', expiryMs);
      const { notBeforeMs, notAfterMs } = parseNodeCertificate(certificatePem);
      expect(notBeforeMs).toBe(Math.round(clock.now() / 60_000) * 60_000 - HOUR_MS);
      expect(notAfterMs - notBeforeMs).toBe(expectedMs + HOUR_MS);
    }
  });

  it('takes up what it made, with or without the key', () => {
    const { certificatePem, keyPem, digest } = RootCa.create(dependencies);
    const again = new RootCa({ certificatePem, keyPem: keyPem ?? '' }, dependencies);
    expect(again.digest).toBe(digest);
    expect(again.canSign).toBe(true);
    const trustOnly = new RootCa({ certificatePem }, dependencies);
    expect(trustOnly.canSign).toBe(false);
    const { csrPem } = createNodeRequest();
    const request = { csrPem, nodeId: 'n', role: 'worker', clusterId: 'c' } as const;
    const error = { code: Code.FAILED_PRECONDITION };
    expect(() => trustOnly.signNodeCertificate(request)).toThrow(expect.objectContaining(error));
  });

  it('signs with keys of every kind that SwarmKit takes', () => {
    const keys = [
      ...['P-256', 'P-384', 'P-521'].map((namedCurve) => generateKeyPairSync('ec', { namedCurve })),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ];
    for (const { privateKey } of keys) {
      const keyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
      const root = new RootCa({ certificatePem: selfSigned(keyPem), keyPem }, dependencies);
      const { certificatePem } = nodeCertificate(root);
      verifyNodeCertificate(certificatePem, root.certificatePem, clock.now());
    }
  });

  it('refuses keys and roots that do not do', () => {
    const { certificatePem, keyPem = '' } = RootCa.create(dependencies);
    const other = RootCa.create(dependencies);
    const make = (certificate: string, key?: string) => () =>
      new RootCa(
        key ? { certificatePem: certificate, keyPem: key } : { certificatePem: certificate },
        dependencies,
      );
    expect(make(certificatePem, other.keyPem)).toThrow('certificate key mismatch');
    expect(make('nonsense', keyPem)).toThrow('no certificates found');
    expect(make(certificatePem, 'nonsense')).toThrow('invalid root certificate authority');
    const ed25519 = generateKeyPairSync('ed25519').privateKey;
    const edPem = ed25519.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(make(certificatePem, edPem)).toThrow('unsupported signing key');
    const leaf = nodeCertificate(other).certificatePem;
    expect(make(leaf)).toThrow('not a self-signed authority');
    expect(make(selfSigned(keyPem, clock.now() - 2 * HOUR_MS))).toThrow('has expired');
  });

  it('refuses requests that are damaged or not signed with their own key', () => {
    const root = RootCa.create(dependencies);
    const sign = (csrPem: string) => () =>
      root.signNodeCertificate({ csrPem, nodeId: 'n', role: 'worker', clusterId: 'c' });
    expect(sign('')).toThrow('not a certificate request');
    const { csrPem } = createNodeRequest();
    const der = Buffer.from(csrPem.split('\n').slice(1, -2).join(''), 'base64');
    for (let offset = 0; offset < der.length; offset += 1) {
      const damaged = Buffer.from(der);
      damaged[offset] = (damaged[offset] ?? 0) ^ 0x01;
      const label = 'CERTIFICATE REQUEST';
      const body = damaged.toString('base64');
      const pem = `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
      expect(sign(pem), `byte ${offset}`).toThrow(
        expect.objectContaining({ code: Code.INVALID_ARGUMENT }),
      );
    }
  });
});

/** A root certificate for any key, valid for an hour from `startMs`. */
function selfSigned(keyPem: string, startMs = clock.now()): string {
  const signer = Signer.fromPem(keyPem);
  const subjectDer = encodeName({ commonName: 'swarm-ca' });
  return issue(
    {
      subjectDer,
      publicKeyDer: signer.publicKeyDer,
      dnsNames: [],
      isAuthority: true,
      notBeforeMs: startMs,
      notAfterMs: startMs + HOUR_MS,
    },
    { signer, nameDer: subjectDer },
    dependencies.random,
  );
}

describe('node certificates', () => {
  it('are refused from another root, out of date, or when no node’s', () => {
    const root = RootCa.create(dependencies);
    const other = RootCa.create(dependencies);
    const { certificatePem } = nodeCertificate(root);
    const { notBeforeMs, notAfterMs } = parseNodeCertificate(certificatePem);
    const verify = (pem: string, rootPem: string, nowMs: number) => () =>
      verifyNodeCertificate(pem, rootPem, nowMs);
    const unknown = verify(certificatePem, other.certificatePem, clock.now());
    expect(unknown).toThrow('unknown authority');
    expect(verify(certificatePem, root.certificatePem, notAfterMs + 1000)).toThrow('expired');
    expect(verify(certificatePem, root.certificatePem, notBeforeMs - 1000)).toThrow('not yet');
    const notNode = verify(root.certificatePem, root.certificatePem, clock.now());
    expect(notNode).toThrow('not the certificate of a node');
    const both = other.certificatePem + root.certificatePem;
    expect(verify(certificatePem, both, clock.now())).not.toThrow();
  });

  it('tell who signed them', () => {
    const root = RootCa.create(dependencies);
    const { certificatePem } = nodeCertificate(root);
    const info = tlsInfoOf(certificatePem, root.certificatePem);
    expect(Buffer.from(info.certIssuerSubject).toString('hex')).toBe(
      '30133111300f06035504031308737761726d2d6361',
    );
    expect(info.certIssuerSubject).toEqual(root.issuerSubjectDer);
    expect(info.certIssuerPublicKey).toEqual(root.issuerPublicKeyDer);
    const { publicKey } = new X509Certificate(root.certificatePem);
    const der = publicKey.export({ type: 'spki', format: 'der' });
    expect(Buffer.from(info.certIssuerPublicKey)).toEqual(der);
    const other = RootCa.create(dependencies);
    expect(() => tlsInfoOf(certificatePem, other.certificatePem)).toThrow('not known');
  });

  it('are followed to the old root through an intermediate', () => {
    const oldRoot = RootCa.create(dependencies);
    const newRoot = RootCa.create(dependencies);
    const crossSigned = oldRoot.crossSign(newRoot.certificatePem);
    const { certificatePem, keyPem = '' } = newRoot;
    const material = { certificatePem: oldRoot.certificatePem, keyPem };
    const rotating = new RootCa({ ...material, intermediatesPem: crossSigned }, dependencies);
    const chain = nodeCertificate(rotating).certificatePem;
    expect(parseCertificates(chain)).toHaveLength(2);
    for (const rootPem of [oldRoot.certificatePem, certificatePem]) {
      verifyNodeCertificate(chain, rootPem, clock.now());
      const info = tlsInfoOf(chain, rootPem);
      expect(info.certIssuerPublicKey).toEqual(newRoot.issuerPublicKeyDer);
    }
  });

  it('are renewed in a random minute between half and four fifths of their time', () => {
    const validity = { notBeforeMs: 0, notAfterMs: 1000 * 60_000 };
    const random = new SimRandom(5);
    const delays = Array.from({ length: 500 }, () => renewalDelayMs(validity, 0, random));
    for (const delay of delays) {
      expect(delay % 60_000).toBe(0);
      expect(delay).toBeGreaterThanOrEqual(500 * 60_000);
      expect(delay).toBeLessThanOrEqual(800 * 60_000);
    }
    expect(Math.max(...delays) - Math.min(...delays)).toBeGreaterThan(250 * 60_000);
    expect(renewalDelayMs(validity, 801 * 60_000, random)).toBe(0);
  });
});

describe.runIf(hasOpenssl())('openssl', () => {
  const nowSeconds = String(Math.floor(clock.now() / 1000));

  it('verifies a node’s certificate for both purposes, and its name', () => {
    const root = RootCa.create(dependencies);
    const { certificatePem } = nodeCertificate(root, 'manager');
    const rootPath = file('root.crt', root.certificatePem);
    const leafPath = file('node.crt', certificatePem);
    for (const purpose of ['sslserver', 'sslclient']) {
      const args = ['verify', '-x509_strict', '-attime', nowSeconds, '-purpose', purpose];
      const names = ['-verify_hostname', 'swarm-ca'];
      expect(openssl([...args, ...names, '-CAfile', rootPath, leafPath])).toContain('OK');
    }
    const text = openssl(['x509', '-in', leafPath, '-noout', '-text']);
    expect(text).toMatch(/Key Usage: critical\s+Digital Signature, Key Encipherment\n/);
    expect(text).toMatch(/Basic Constraints: critical\s+CA:FALSE/);
    const rootText = openssl(['x509', '-in', rootPath, '-noout', '-text']);
    expect(rootText).toMatch(/Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    expect(rootText).toMatch(/Basic Constraints: critical\s+CA:TRUE/);
  });

  it('verifies our certificate request, and we take one of its making', () => {
    const { csrPem } = createNodeRequest('someone');
    const seen = openssl(['req', '-verify', '-noout', '-subject'], csrPem);
    expect(seen).toContain('CN = someone');
    const key = file(
      'other.key',
      openssl(['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']),
    );
    const theirs = openssl(['req', '-new', '-key', key, '-subj', '/CN=x', '-sha256']);
    const root = RootCa.create(dependencies);
    const request = { csrPem: theirs, nodeId: 'n', role: 'worker', clusterId: 'c' } as const;
    expect(root.signNodeCertificate(request)).toContain('BEGIN CERTIFICATE');
  });

  it('follows chains from roots that it made itself, names and key identifiers and all', () => {
    const real = { clock: new RealClock(), random: dependencies.random };
    const key = join(directory, 'acme.key');
    const extensions = [
      'basicConstraints=critical,CA:TRUE',
      'keyUsage=critical,keyCertSign,cRLSign',
      'subjectKeyIdentifier=0102030405\n',
    ].join('\n');
    const name = 'C=DE\nST=Berlin\nO=Acüme\nOU=Hives\nCN=Acme Root\n';
    const head =
      '[req]\nprompt=no\nutf8=yes\ndistinguished_name=name\nx509_extensions=extensions\n';
    const config = file('acme.cnf', `${head}[name]\n${name}[extensions]\n${extensions}`);
    const made = ['-x509', '-nodes', '-newkey', 'rsa:2048', '-sha256', '-days', '3650'];
    const certificatePem = openssl(['req', ...made, '-config', config, '-keyout', key]);
    const acme = new RootCa({ certificatePem, keyPem: readFileSync(key, 'utf8') }, real);
    const verify = ['verify', '-x509_strict', '-purpose', 'sslserver', '-CAfile'];
    const acmePath = file('acme.crt', certificatePem);
    const leafPath = file('acme-leaf.crt', nodeCertificate(acme).certificatePem);
    expect(openssl([...verify, acmePath, leafPath])).toContain('OK');

    const ours = RootCa.create(real);
    for (const [old, next] of [
      [ours, acme],
      [acme, ours],
    ] as const) {
      const intermediatesPem = old.crossSign(next.certificatePem);
      checkCrossSigned(intermediatesPem, next.certificatePem, old.certificatePem);
      const keyPem = next.keyPem ?? '';
      const rotating = new RootCa(
        { certificatePem: old.certificatePem, keyPem, intermediatesPem },
        real,
      );
      const leaf = file('leaf.crt', nodeCertificate(rotating).certificatePem);
      const between = file('between.crt', intermediatesPem);
      const oldPath = file('old.crt', old.certificatePem);
      expect(openssl([...verify, oldPath, '-untrusted', between, leaf])).toContain('OK');
      const nextPath = file('next.crt', next.certificatePem);
      expect(openssl([...verify, nextPath, leaf])).toContain('OK');
    }
  });
});

describe('crossSign', () => {
  it('keeps all of a certificate but its issuer, and is only for authorities', () => {
    const [old, next] = [RootCa.create(dependencies), RootCa.create(dependencies)];
    const [before] = parseCertificates(next.certificatePem);
    const [after] = parseCertificates(old.crossSign(next.certificatePem));
    expect(after).toMatchObject({
      subjectDer: before?.subjectDer,
      publicKeyDer: before?.publicKeyDer,
      serialDer: before?.serialDer,
      validityDer: before?.validityDer,
      subjectKeyId: before?.subjectKeyId,
    });
    expect(after?.extensions).toHaveLength(before?.extensions.length ?? 0);
    const { certificatePem } = nodeCertificate(next);
    const refusal = { code: Code.INVALID_ARGUMENT, message: 'certificate not a CA' };
    expect(() => old.crossSign(certificatePem)).toThrow(expect.objectContaining(refusal));
    const trustOnly = new RootCa({ certificatePem: old.certificatePem }, dependencies);
    const noKey = { code: Code.FAILED_PRECONDITION };
    expect(() => trustOnly.crossSign(next.certificatePem)).toThrow(expect.objectContaining(noKey));
  });
});
