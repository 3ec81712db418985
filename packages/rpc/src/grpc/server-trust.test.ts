import { afterEach, describe, expect, it } from 'vitest';
import type { DialOptions, TlsIdentity } from '../contract.js';
import { failureOf, heartbeat, heartbeatService } from '../testing/calls.js';
import { GrpcSwarm } from '../testing/grpc-swarm.js';
import { CLUSTER_ID, TestAuthority, TestIdentity } from '../testing/identities.js';

/**
 * What a dockerd shows while its roots rotate: old root, then the new one as the old one vouches
 * for it.
 */
const OLD_ROOT = `-----BEGIN CERTIFICATE-----
MIIBWTCB/6ADAgECAgEBMAoGCCqGSM49BAMCMBMxETAPBgNVBAMMCHN3YXJtLWNh
MCAXDTIwMDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjATMREwDwYDVQQDDAhz
d2FybS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJi9snF2P/3aB6+MPzmf
BSb2HHWw7vsd30Oie3MS+EbDRH/u+7P0Wvaz5ZswkBaZ0q3P21/VQoSYlphYm6eo
xCmjQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQW
BBQ5GQJMiNKbDuUTCqLgmMJ1VtjEFTAKBggqhkjOPQQDAgNJADBGAiEA4DOkd+aI
mX9DDPoiIFgd6X7tl13sM4e1B63+qHe7bP0CIQDYL026K6jV6ovlP+Up4Dc/3blJ
XsOFxArE9w3Z5BkkFA==
-----END CERTIFICATE-----
`;
const CHAIN = `-----BEGIN CERTIFICATE-----
MIIB5jCCAYygAwIBAgIBAzAKBggqhkjOPQQDAjATMREwDwYDVQQDDAhzd2FybS1j
YTAgFw0yMDAxMDEwMDAwMDBaGA8yMTAwMDEwMTAwMDAwMFowUTEjMCEGA1UECgwa
Y2x1c3RlcjAwMDAwMDAwMDAwMDAwMDAwMDAxFjAUBgNVBAsMDXN3YXJtLW1hbmFn
ZXIxEjAQBgNVBAMMCW1hbmFnZXItMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IA
BFG9yfYE6HNjNc5NJWXWRo6oZJntWINc956nCnn/HCNJfn8Sn8dHA6IM2AMHhL74
5swkL+PSJqm++6tf4sVtTAijgZAwgY0wDAYDVR0TAQH/BAIwADAOBgNVHQ8BAf8E
BAMCBaAwHQYDVR0lBBYwFAYIKwYBBQUHAwEGCCsGAQUFBwMCMC0GA1UdEQQmMCSC
DXN3YXJtLW1hbmFnZXKCCW1hbmFnZXItMYIIc3dhcm0tY2EwHwYDVR0jBBgwFoAU
rcJXXaeY6CecCrlIrgKhlq6mjmMwCgYIKoZIzj0EAwIDSAAwRQIgOE7wbxmApEH3
Za+/zBQB5b7A4WYojX+LB0HoBQR0sm8CIQD6gMcTL4tMXFsdf0VDdDuREhJVypaU
1sTl1mwm03IQ0A==
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----
MIIBVzCB/6ADAgECAgECMAoGCCqGSM49BAMCMBMxETAPBgNVBAMMCHN3YXJtLWNh
MCAXDTIwMDEwMTAwMDAwMFoYDzIxMDAwMTAxMDAwMDAwWjATMREwDwYDVQQDDAhz
d2FybS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCeDefkBieZp/L6ot09J
SQVC2gFEzKjWg3oewmlgnvDKTjlHEDlwFY8LDk6fG45CsLfnYjuNr2Sg5PDHftaN
+qujQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1UdDgQW
BBStwlddp5joJ5wKuUiuAqGWrqaOYzAKBggqhkjOPQQDAgNHADBEAiAbtwtIIRzV
q3m5FgK3inViWORaZGy5t0OuwwObwzwGnQIgDs6RCsUX3uSK1pT0K65/zPQcwrC7
I3rBqqudJT4P6o8=
-----END CERTIFICATE-----
`;
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYLSV9A8U3VjCbyUa
QJlEjNEgW2ESOJknAs9898C3PbWhRANCAARRvcn2BOhzYzXOTSVl1kaOqGSZ7ViD
XPeepwp5/xwjSX5/Ep/HRwOiDNgDB4S++ObMJC/j0iapvvurX+LFbUwI
-----END PRIVATE KEY-----
`;

const MANAGER: DialOptions = { serverName: 'swarm-manager' };
const swarm = new GrpcSwarm();
afterEach(() => swarm.close());

/** A call by a node that trusts `rootPem`, to a manager with this identity. */
async function call(manager: TlsIdentity, rootPem: string, options = MANAGER): Promise<unknown> {
  const services = [heartbeatService()];
  const listener = await swarm.serve(services, { identity: new TestIdentity(manager) });
  const dialer = swarm.dialer(new TestIdentity({ ...swarm.worker, rootPem }));
  const channel = dialer.dial(listener.address, { withCertificate: false, ...options });
  return failureOf(heartbeat(channel));
}

const unauthorized = expect.stringContaining('Permission denied');
const untrusted = expect.stringContaining('x509: certificate signed by unknown authority');

describe('a server', () => {
  const rotating = { rootPem: OLD_ROOT, certificatePem: CHAIN, keyPem: KEY };

  it('is trusted by the old roots of a dockerd that rotates them', async () => {
    expect(await call(rotating, OLD_ROOT)).toMatchObject({ message: unauthorized });
  });

  it('is not trusted when its chain ends at another root of the same name', async () => {
    const other = new TestAuthority(CLUSTER_ID);
    const manager = other.issue('manager-1', 'manager');
    const certificatePem = manager.certificatePem + other.root.certificatePem;
    const chained = { ...manager, certificatePem };
    expect(await call(chained, swarm.manager.rootPem)).toMatchObject({ message: untrusted });
    expect(await call(rotating, swarm.manager.rootPem)).toMatchObject({ message: untrusted });
  });

  it('is not trusted when it is none of a manager', async () => {
    const worker = swarm.authority.issue('worker-2', 'worker');
    expect(await call(worker, worker.rootPem)).toMatchObject({
      message: expect.stringContaining('not swarm-manager'),
    });
  });

  it('sees a certificate that is not in use yet, where that is shown instead', async () => {
    const listener = await swarm.serve([heartbeatService()]);
    const newcomer = swarm.authority.issue('worker-3', 'worker');
    const dialer = swarm.dialer(new TestIdentity());
    const channel = dialer.dial(listener.address, { ...MANAGER, identity: newcomer });
    expect((await heartbeat(channel)).period?.seconds).toBe(5n);
  });
});
