import { Code, RpcError } from '@skep/platform';
import { roleOfUnit } from '../role.js';
import type { RootCa, RootCaDependencies } from '../root-ca.js';
import { issue } from '../x509/certificate.js';
import { encodeName } from '../x509/name.js';
import { parseCertificates } from '../x509/parse.js';
import { requestedKey } from '../x509/request.js';
import { Signer } from '../x509/signer.js';
import type { ExternalAddress, ExternalAuthority, ExternalCertificate } from './contract.js';

const YEAR_MS = 365 * 24 * 3_600_000;

/** An external authority in memory, which signs whatever it is asked to with a root of its own. */
export class SimExternalAuthority implements ExternalAuthority {
  /** While false, nobody answers. */
  isReachable = true;
  /** What it was asked to sign, in order. */
  readonly requests: ExternalCertificate[] = [];
  readonly root: RootCa;
  readonly #dependencies: RootCaDependencies;

  /** @param root with its key */
  constructor(root: RootCa, dependencies: RootCaDependencies) {
    this.root = root;
    this.#dependencies = dependencies;
  }

  async sign(
    address: ExternalAddress,
    certificate: ExternalCertificate,
    signal?: AbortSignal,
  ): Promise<string> {
    this.#reach(address.trustPem);
    signal?.throwIfAborted();
    this.requests.push(certificate);
    return certificate.profile === 'CA' ? this.#signRoot(certificate) : this.signNode(certificate);
  }

  async probe(_url: string, trustPem: string): Promise<void> {
    this.#reach(trustPem);
  }

  /** A node's certificate, as CFSSL makes it from the fields it is given. */
  signNode({ csrPem, commonName: nodeId, names }: ExternalCertificate): string {
    const role = roleOfUnit(names['OU']) ?? 'worker';
    return this.root.signNodeCertificate({ csrPem, nodeId, role, clusterId: names['O'] ?? '' });
  }

  #signRoot({ csrPem, commonName }: ExternalCertificate): string {
    const { clock, random } = this.#dependencies;
    const nowMs = clock.now();
    const template = {
      subjectDer: encodeName({ commonName }),
      publicKeyDer: requestedKey(csrPem),
      dnsNames: [],
      isAuthority: true,
      notBeforeMs: nowMs,
      notAfterMs: nowMs + YEAR_MS,
    };
    const signer = Signer.fromPem(this.root.keyPem ?? '');
    return issue(template, { signer, nameDer: this.root.issuerSubjectDer }, random);
  }

  /** As TLS would: only who trusts its root gets through. */
  #reach(trustPem: string): void {
    const isTrusted = parseCertificates(trustPem).some(
      ({ publicKeyDer }) => Buffer.compare(publicKeyDer, this.root.issuerPublicKeyDer) === 0,
    );
    if (this.isReachable && isTrusted) return;
    throw new RpcError(Code.UNAVAILABLE, 'unable to perform certificate signing request: refused');
  }
}
