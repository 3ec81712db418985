import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { ClusterSchema, type RootCASchema } from '@skep/wire/swarmkit';
import { describe, expect, it } from 'vitest';
import { clusterInfoToJson } from './cluster.js';
import { issuerOf } from './issuer.js';

const ROOT = `-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIUfAuYMS2DNbFFgg2nJvzflZUifH4wCgYIKoZIzj0EAwIw
EzERMA8GA1UEAwwIc3dhcm0tY2EwIBcNMjYxMTIxMTExMTIyWhgPMjEyNjEwMjgx
MTExMjJaMBMxETAPBgNVBAMMCHN3YXJtLWNhMFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEYYHv/vsITJKRlzoKbxgrtBrtOfIIL2WcPcS0FDRSy+vB9jaSvPyZBOAG
JOaBmu9maECHv7qHt/Th5YGXQZu606NTMFEwHQYDVR0OBBYEFOgydIiKY7Y4kmd+
M4jYYH6VVxdgMB8GA1UdIwQYMBaAFOgydIiKY7Y4kmd+M4jYYH6VVxdgMA8GA1Ud
EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhANL6177Oc4Ei6LwFMGjuZKi7
aJLn01k7y2cI81UOG5K1AiAZuMPy/LX6K0a9R66ZAiHOaB9JPQMiYbxTeX7eW/gc
oQ==
-----END CERTIFICATE-----
`;
/** From the same certificate by `openssl x509 -pubkey | openssl pkey -pubin -outform DER`. */
const PUBLIC_KEY =
  'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYYHv/vsITJKRlzoKbxgrtBrtOfIIL2WcPcS0FDRSy+vB9jaSvPyZBOAGJOaBmu9maECHv7qHt/Th5YGXQZu60w==';
/** A sequence of one name: CN (2.5.4.3) as a UTF-8 string, `swarm-ca`. */
const SUBJECT = '30133111300f06035504030c08737761726d2d6361';

describe('issuerOf', () => {
  it('cuts subject and public key out of a root certificate', () => {
    const issuer = issuerOf(Buffer.from(ROOT));
    expect(Buffer.from(issuer!.subject).toString('hex')).toBe(SUBJECT);
    expect(Buffer.from(issuer!.publicKey).toString('base64')).toBe(PUBLIC_KEY);
  });

  it('says nothing about what is no certificate', () => {
    expect(issuerOf(new Uint8Array())).toBeUndefined();
    expect(issuerOf(Buffer.from('-----BEGIN'))).toBeUndefined();
  });
});

describe('the TLS info of a cluster', () => {
  const shown = (rootCa: MessageInitShape<typeof RootCASchema>) =>
    clusterInfoToJson(create(ClusterSchema, { rootCa }));

  it('names the issuer of node certificates: of the new root while roots are exchanged', () => {
    const caCert = Buffer.from(ROOT);
    expect(shown({ caCert })).toMatchObject({
      RootRotationInProgress: false,
      TLSInfo: { TrustRoot: ROOT, CertIssuerPublicKey: PUBLIC_KEY },
    });
    const rotating = shown({ caCert: Buffer.from('old'), rootRotation: { caCert } });
    expect(rotating).toMatchObject({
      RootRotationInProgress: true,
      TLSInfo: { TrustRoot: 'old', CertIssuerPublicKey: PUBLIC_KEY },
    });
  });
});
