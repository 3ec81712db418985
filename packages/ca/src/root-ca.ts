import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { type Clock, Code, errorMessage, type Random, RpcError } from '@skep/platform';
import { rootDigest } from './join-token.js';
import {
  NODE_BACKDATE_MS,
  NODE_EXPIRY_DEFAULT_MS,
  NODE_EXPIRY_MIN_MS,
  NODE_START_ROUND_MS,
  ROOT_BACKDATE_MS,
  ROOT_EXPIRY_MS,
} from './limits.js';
import { CA_NAME, type NodeRole, nodeNames, organizationalUnit } from './role.js';
import { crossSign, type Issuer, issue } from './x509/certificate.js';
import { encodeName } from './x509/name.js';
import { type ParsedCertificate, parseCertificates } from './x509/parse.js';
import { requestedKey } from './x509/request.js';
import { ACCEPTED_SIGNATURES, Signer } from './x509/signer.js';

/** Where time and chance come from. Keys are always made from the operating system's randomness. */
export interface RootCaDependencies {
  clock: Clock;
  random: Random;
}

export interface RootCaMaterial {
  /** PEM of the root certificates, exactly as nodes are given it. */
  certificatePem: string;
  /** PEM of the signing key; left out where another signs. */
  keyPem?: string;
  /**
   * Certificates that follow each leaf, while roots rotate. The key is then that of the first of
   * them.
   */
  intermediatesPem?: string;
}

export interface NodeCertificateRequest {
  /** The node's request. Only its key counts: name and role are given here. */
  csrPem: string;
  nodeId: string;
  role: NodeRole;
  clusterId: string;
  /** Validity from now on, ms; less than an hour means the default of 90 days. */
  expiryMs?: number;
}

/** A swarm's root of trust; one that has the key also signs. */
export class RootCa {
  readonly certificatePem: string;
  readonly keyPem: string | undefined;
  /** What join tokens say of these certificates. */
  readonly digest: string;
  readonly certificates: readonly ParsedCertificate[];
  readonly #dependencies: RootCaDependencies;
  readonly #intermediatesPem: string;
  readonly #signer: Signer | undefined;
  /** The intermediate that has the key while roots rotate, else the root. */
  readonly #issuer: ParsedCertificate;

  /**
   * Takes up root certificates, and the key of the first if given. Throws INVALID_ARGUMENT when one
   * of them cannot be read, is out of date, is signed in a way SwarmKit refuses, or when the key
   * does not fit.
   */
  constructor(material: RootCaMaterial, dependencies: RootCaDependencies) {
    const { certificatePem, keyPem, intermediatesPem = '' } = material;
    this.certificatePem = certificatePem;
    this.keyPem = keyPem;
    this.digest = rootDigest(certificatePem);
    this.#dependencies = dependencies;
    this.#intermediatesPem = intermediatesPem;
    try {
      this.certificates = parseCertificates(certificatePem);
      for (const root of this.certificates) checkRoot(root, dependencies.clock.now());
      const chain = intermediatesPem === '' ? [] : parseCertificates(intermediatesPem);
      this.#issuer = chain[0] ?? this.certificates[0]!;
      this.#signer = keyPem === undefined ? undefined : Signer.fromPem(keyPem);
    } catch (error) {
      const text = `invalid root certificate authority: ${errorMessage(error)}`;
      throw new RpcError(Code.INVALID_ARGUMENT, text, { cause: error });
    }
    this.#checkKey();
  }

  /** A new root: ECDSA P-256, `CN=swarm-ca`, valid for 20 years. */
  static create(dependencies: RootCaDependencies): RootCa {
    const key = newKey();
    const signer = new Signer(key);
    const nameDer = encodeName({ commonName: CA_NAME });
    const notBeforeMs = dependencies.clock.now() - ROOT_BACKDATE_MS;
    const certificatePem = issue(
      {
        subjectDer: nameDer,
        publicKeyDer: signer.publicKeyDer,
        dnsNames: [],
        isAuthority: true,
        notBeforeMs,
        notAfterMs: notBeforeMs + ROOT_EXPIRY_MS,
      },
      { signer, nameDer },
      dependencies.random,
    );
    return new RootCa({ certificatePem, keyPem: keyToPem(key) }, dependencies);
  }

  get canSign(): boolean {
    return this.#signer !== undefined;
  }

  /** DER of the signing certificate's subject: the issuer that certificates of nodes must show. */
  get issuerSubjectDer(): Uint8Array {
    return this.#issuer.subjectDer;
  }

  /** DER of the signing certificate's public key. */
  get issuerPublicKeyDer(): Uint8Array {
    return this.#issuer.publicKeyDer;
  }

  /**
   * Signs a node's certificate and returns its PEM, followed by the intermediates. Throws
   * INVALID_ARGUMENT for a request that cannot be read or is not signed with its own key,
   * FAILED_PRECONDITION without a key.
   */
  signNodeCertificate(request: NodeCertificateRequest): string {
    const issuer = this.#signingIssuer();
    const { csrPem, nodeId, role, clusterId } = request;
    const unit = organizationalUnit(role);
    const template = {
      subjectDer: encodeName({
        commonName: nodeId,
        organizationalUnit: unit,
        organization: clusterId,
      }),
      publicKeyDer: readRequest(csrPem),
      dnsNames: nodeNames(nodeId, role),
      isAuthority: false,
      ...this.#validity(request.expiryMs),
    };
    return issue(template, issuer, this.#dependencies.random) + this.#intermediatesPem;
  }

  /**
   * Another root's certificate with this root's signature in place of its own: who trusts this
   * root then trusts what the other's key signs. Throws INVALID_ARGUMENT for one that is no
   * authority's or cannot be read, FAILED_PRECONDITION without a key.
   */
  crossSign(certificatePem: string): string {
    const issuer = this.#signingIssuer();
    try {
      return crossSign(certificatePem, issuer);
    } catch (error) {
      throw new RpcError(Code.INVALID_ARGUMENT, errorMessage(error), { cause: error });
    }
  }

  #signingIssuer(): Issuer {
    if (!this.#signer) throw new RpcError(Code.FAILED_PRECONDITION, 'no valid signer found');
    const { subjectDer: nameDer, subjectKeyId: keyId } = this.#issuer;
    return { signer: this.#signer, nameDer, keyId };
  }

  #validity(wantedMs = NODE_EXPIRY_DEFAULT_MS): { notBeforeMs: number; notAfterMs: number } {
    const expiryMs = wantedMs < NODE_EXPIRY_MIN_MS ? NODE_EXPIRY_DEFAULT_MS : wantedMs;
    const nowMs = this.#dependencies.clock.now();
    const roundedMs = Math.round(nowMs / NODE_START_ROUND_MS) * NODE_START_ROUND_MS;
    const notBeforeMs = roundedMs - NODE_BACKDATE_MS;
    return { notBeforeMs, notAfterMs: notBeforeMs + expiryMs + NODE_BACKDATE_MS };
  }

  #checkKey(): void {
    if (!this.#signer) return;
    const { publicKeyDer } = this.#issuer;
    if (Buffer.compare(publicKeyDer, this.#signer.publicKeyDer) === 0) return;
    throw new RpcError(Code.INVALID_ARGUMENT, 'certificate key mismatch');
  }
}

/** Throws INVALID_ARGUMENT for a request no certificate can be made from. */
export function checkCertificateRequest(csrPem: string): void {
  readRequest(csrPem);
}

/** By what nodes' certificates show that a root (PEM, the first of several) signed them, DER. */
export function issuerOf(rootPem: string): { subjectDer: Uint8Array; publicKeyDer: Uint8Array } {
  const { subjectDer, publicKeyDer } = parseCertificates(rootPem)[0]!;
  return { subjectDer, publicKeyDer };
}

function readRequest(csrPem: string): Uint8Array {
  try {
    return requestedKey(csrPem);
  } catch (error) {
    const text = `invalid certificate request: ${errorMessage(error)}`;
    throw new RpcError(Code.INVALID_ARGUMENT, text, { cause: error });
  }
}

function checkRoot(root: ParsedCertificate, nowMs: number): void {
  if (!ACCEPTED_SIGNATURES.some(({ oid }) => oid === root.signatureOid)) {
    throw new Error(`signature algorithm ${root.signatureOid} is not supported`);
  }
  if (nowMs < root.notBeforeMs || nowMs > root.notAfterMs) {
    throw new Error('certificate is not yet valid, or has expired');
  }
  if (!root.x509.ca || !root.x509.verify(root.x509.publicKey)) {
    throw new Error('certificate is not a self-signed authority');
  }
}

/** How a cluster object names its root certificates: `sha256:<hex>`, over their exact bytes. */
export function certificateHash(rootPem: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(rootPem).digest('hex')}`;
}

/** A new ECDSA P-256 key. */
export function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

/** PEM of a private key, PKCS#8. */
export function keyToPem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString();
}
