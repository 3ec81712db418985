import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Code, RealClock, SimClock, SimRandom, silentLogger } from '@skep/platform';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createNodeRequest, parseNodeCertificate } from '../node-certificate.js';
import { RootCa } from '../root-ca.js';
import { issue } from '../x509/certificate.js';
import { encodeName } from '../x509/name.js';
import { requestedKey } from '../x509/request.js';
import { Signer } from '../x509/signer.js';
import { SimExternalAuthority } from './authority.sim.js';
import { CfsslAuthority } from './cfssl.js';
import { checkCrossSigned, checkNodeCertificate } from './checks.js';
import { RealHttpsClient } from './https.real.js';
import { crossSigningFields, nodeCertificateFields } from './requests.js';

// Both ends of the connection check certificates by the machine's own clock.
const dependencies = { clock: new RealClock(), random: new SimRandom(4) };
const HOUR_MS = 3_600_000;

type Answer = (request: string, response: ServerResponse) => void;

/** A CFSSL server on this machine, which only talks to who has a certificate of the root. */
class CfsslServer {
  readonly root = RootCa.create(dependencies);
  readonly asked: string[] = [];
  answer: Answer = (_request, response) => void response.end();
  readonly #server: Server;

  constructor() {
    const { keyPem, certificatePem } = serverCertificate(this.root);
    const tls = { key: keyPem, cert: certificatePem, ca: this.root.certificatePem };
    const strict = { ...tls, requestCert: true, rejectUnauthorized: true };
    this.#server = createServer(strict, (request, response) => this.#serve(request, response));
    this.#server.on('tlsClientError', () => {});
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.asked.push((request.socket as TLSSocket).getPeerCertificate().subject.CN);
    this.answer(Buffer.concat(chunks).toString(), response);
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    return `https://localhost:${port}/api/v1/cfssl/sign`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function serverCertificate(root: RootCa) {
  const { keyPem, csrPem } = createNodeRequest();
  const nowMs = dependencies.clock.now();
  const template = {
    subjectDer: encodeName({ commonName: 'cfssl' }),
    publicKeyDer: requestedKey(csrPem),
    dnsNames: ['localhost'],
    isAuthority: false,
    notBeforeMs: nowMs - HOUR_MS,
    notAfterMs: nowMs + HOUR_MS,
  };
  const issuer = { signer: Signer.fromPem(root.keyPem ?? ''), nameDer: root.issuerSubjectDer };
  return { keyPem, certificatePem: issue(template, issuer, dependencies.random) };
}

function identityFrom(root: RootCa) {
  const { keyPem, csrPem } = createNodeRequest();
  const request = { csrPem, nodeId: 'manager1', role: 'manager', clusterId: 'c1' } as const;
  return { keyPem, certificatePem: root.signNodeCertificate(request) };
}

let server: CfsslServer;
let url: string;
let clock: SimClock;

beforeEach(async () => {
  server = new CfsslServer();
  url = await server.listen();
  clock = new SimClock();
});

afterEach(() => server.close());

function authority(identity = identityFrom(server.root)): CfsslAuthority {
  const https = new RealHttpsClient();
  return new CfsslAuthority({ https, clock, log: silentLogger, identity: () => identity });
}

const newRequest = () => ({
  csrPem: createNodeRequest().csrPem,
  nodeId: 'node1',
  role: 'manager' as const,
  clusterId: 'c1',
});

const sign = (urls = [url], trustPem = server.root.certificatePem) =>
  authority().sign({ urls, trustPem }, nodeCertificateFields(newRequest()));

const result = (certificate: string) =>
  JSON.stringify({ success: true, result: { certificate }, errors: [], messages: [] });

describe('an external authority that speaks CFSSL', () => {
  it('signs a node’s certificate, asked in CFSSL’s own words', async () => {
    const request = newRequest();
    const seen: Record<string, unknown>[] = [];
    const signer = new SimExternalAuthority(server.root, dependencies);
    server.answer = (body, response) => {
      seen.push(JSON.parse(body));
      response.end(result(signer.signNode(nodeCertificateFields(request)).trimEnd()));
    };
    const { root } = server;
    const address = { urls: [url], trustPem: root.certificatePem };
    const pem = await authority().sign(address, nodeCertificateFields(request));
    checkNodeCertificate(pem, request, root.certificatePem, dependencies.clock.now());
    expect(parseNodeCertificate(pem)).toMatchObject({ nodeId: 'node1', role: 'manager' });
    expect(seen).toEqual([
      {
        hosts: ['swarm-manager', 'node1', 'swarm-ca'],
        certificate_request: request.csrPem,
        subject: { CN: 'node1', names: [{ OU: 'swarm-manager', O: 'c1' }] },
      },
    ]);
    expect(server.asked).toEqual(['manager1']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('cross-signs a new root when asked under its profile for authorities', async () => {
    const next = RootCa.create(dependencies);
    const signer = new SimExternalAuthority(server.root, dependencies);
    const fields = crossSigningFields(next.certificatePem, next.keyPem ?? '');
    const seen: Record<string, unknown>[] = [];
    const address = { urls: [url], trustPem: server.root.certificatePem };
    server.answer = (body, response) => {
      seen.push(JSON.parse(body));
      void signer.sign(address, fields).then((pem) => response.end(result(pem)));
    };
    const pem = await authority().sign(address, fields);
    checkCrossSigned(pem, next.certificatePem, server.root.certificatePem);
    expect(() => checkCrossSigned(pem, server.root.certificatePem, next.certificatePem)).toThrow();
    expect(seen[0]).toMatchObject({
      subject: { CN: 'swarm-ca', names: [] },
      profile: 'CA',
      extensions: [{ id: '2.5.29.19', critical: true, value: '30030101ff' }],
    });
  });

  it('is asked at its next address when the first does not answer', async () => {
    server.answer = (_body, response) => response.end(result('PEM'));
    expect(await sign(['https://localhost:1/', url])).toBe('PEM\n');
  });

  it.each<[string, Code, string, Answer]>([
    [
      'is overloaded',
      Code.UNAVAILABLE,
      'unexpected status code in CSR response: 503 - later',
      (_body, response) => response.writeHead(503).end('later'),
    ],
    [
      'answers something else',
      Code.UNAVAILABLE,
      'unable to parse JSON response',
      (_body, response) => response.end('<html>'),
    ],
    [
      'answers no object',
      Code.UNAVAILABLE,
      'unable to parse JSON response',
      (_body, response) => response.end('null'),
    ],
    [
      'answers without end',
      Code.UNAVAILABLE,
      'unable to perform certificate signing request: the answer is too long',
      (_body, response) => response.end('x'.repeat(300 * 1024)),
    ],
    [
      'refuses',
      Code.INVALID_ARGUMENT,
      'response errors: [{1200 bad request}]',
      (_body, response) =>
        response.end('{"success":false,"errors":[{"code":1200,"message":"bad request"}]}'),
    ],
    [
      'refuses without a word',
      Code.INVALID_ARGUMENT,
      'certificate signing request failed',
      (_body, response) => response.end('{"success":true,"result":null}'),
    ],
  ])('may say no: it %s', async (_what, code, message, answer) => {
    server.answer = answer;
    await expect(sign()).rejects.toMatchObject({ code, message });
  });

  it('has five seconds to answer', async () => {
    let arrived = () => {};
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    server.answer = () => arrived();
    const call = sign();
    const outcome = expect(call).rejects.toMatchObject({
      code: Code.UNAVAILABLE,
      message: 'unable to perform certificate signing request: no answer within 5 s',
    });
    await arrival;
    await clock.advance(5_000);
    await outcome;
  });

  it('is given up on when the caller stops', async () => {
    const abort = new AbortController();
    server.answer = () => abort.abort();
    const address = { urls: [url, url], trustPem: server.root.certificatePem };
    const call = authority().sign(address, nodeCertificateFields(newRequest()), abort.signal);
    await expect(call).rejects.toMatchObject({ code: Code.UNAVAILABLE });
    expect(server.asked).toHaveLength(1);
  });
});

describe('whom an external authority is taken for', () => {
  it('is who shows a certificate of the root, to a manager that shows one, too', async () => {
    await authority().probe(url, server.root.certificatePem);
    expect(server.asked).toEqual([]);
  });

  it('is nobody else', async () => {
    const other = RootCa.create(dependencies);
    const refused = { code: Code.UNAVAILABLE };
    await expect(authority().probe(url, other.certificatePem)).rejects.toMatchObject(refused);
    await expect(sign([url], other.certificatePem)).rejects.toMatchObject(refused);
    const wrongName = url.replace('localhost', '127.0.0.1');
    const trust = server.root.certificatePem;
    await expect(authority().probe(wrongName, trust)).rejects.toMatchObject(refused);
    const stranger = authority(identityFrom(other));
    const address = { urls: [url], trustPem: trust };
    const call = stranger.sign(address, nodeCertificateFields(newRequest()));
    await expect(call).rejects.toMatchObject(refused);
    expect(server.asked).toEqual([]);
  });

  it('must be reachable', async () => {
    const probe = authority().probe('https://localhost:1/', server.root.certificatePem);
    await expect(probe).rejects.toMatchObject({ code: Code.UNAVAILABLE });
  });
});

describe('what an external authority signed', () => {
  const root = RootCa.create(dependencies);
  const nowMs = dependencies.clock.now();
  const check = (signed: ReturnType<typeof newRequest>, asked: ReturnType<typeof newRequest>) =>
    checkNodeCertificate(root.signNodeCertificate(signed), asked, root.certificatePem, nowMs);

  it('must be what it was asked for', () => {
    const asked = newRequest();
    check(asked, asked);
    const wrong = 'the external CA signed something else';
    expect(() => check(newRequest(), asked)).toThrow(
      `${wrong}: the certificate is for another key`,
    );
    for (const change of [{ nodeId: 'x' }, { clusterId: 'x' }, { role: 'worker' }]) {
      const signed = { ...asked, ...change } as typeof asked;
      expect(() => check(signed, asked)).toThrow('the certificate is for another subject');
    }
    const other = RootCa.create(dependencies).signNodeCertificate(asked);
    expect(() => checkNodeCertificate(other, asked, root.certificatePem, nowMs)).toThrow(wrong);
  });
});
