import { readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { RootCa } from '@skep/ca';
import { RealClock, RealRandom } from '@skep/platform';
import { must } from './exec.ts';

/** What SwarmKit asks an external authority to sign, in CFSSL's JSON. */
interface SigningRequest {
  certificate_request: string;
  subject: { CN: string; names: { OU: string; O: string }[] };
}

/** A certificate authority outside of any swarm, which signs what it is asked to. */
export class Cfssl {
  readonly #root = RootCa.create({ clock: new RealClock(), random: new RealRandom() });
  #server: Server | undefined;
  /** PEM file of its root. */
  readonly rootPath: string;
  url = '';
  /** Common names it has signed for. */
  readonly signed: string[] = [];

  private constructor(directory: string) {
    this.rootPath = join(directory, 'outside.crt');
  }

  /** Starts one at an address of this host; keys and certificates go below `directory`. */
  static async start(directory: string, host: string): Promise<Cfssl> {
    const authority = new Cfssl(directory);
    const path = (name: string) => join(directory, `outside-${name}`);
    writeFileSync(authority.rootPath, authority.rootPem);
    writeFileSync(path('root.key'), authority.#root.keyPem ?? '');
    writeFileSync(path('names'), `subjectAltName=IP:${host}\n`);
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const request = ['-keyout', path('key'), '-out', path('csr'), '-subj', '/CN=outside'];
    await must('openssl', ['req', ...curve, ...request]);
    const issuer = ['-CA', authority.rootPath, '-CAkey', path('root.key'), '-CAcreateserial'];
    const files = ['-in', path('csr'), '-out', path('crt'), '-extfile', path('names')];
    await must('openssl', ['x509', '-req', ...issuer, ...files, '-days', '2']);
    const [key, cert] = [readFileSync(path('key')), readFileSync(path('crt'))];
    const server = createServer({ key, cert }, (asked, answer) => {
      void authority.#answer(asked, answer);
    });
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    authority.#server = server;
    const { port } = server.address() as AddressInfo;
    authority.url = `https://${host}:${port}/api/v1/cfssl/sign`;
    return authority;
  }

  get rootPem(): string {
    return this.#root.certificatePem;
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((resolve) => this.#server?.close(resolve));
  }

  async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { certificate_request: csrPem, subject }: SigningRequest = JSON.parse(await text(asked));
    const { OU, O: clusterId } = subject.names[0] ?? { OU: '', O: '' };
    const role = OU === 'swarm-manager' ? 'manager' : 'worker';
    const request = { csrPem, nodeId: subject.CN, role, clusterId } as const;
    const certificate = this.#root.signNodeCertificate(request);
    this.signed.push(subject.CN);
    answer.end(JSON.stringify({ success: true, result: { certificate }, errors: [] }));
  }
}
