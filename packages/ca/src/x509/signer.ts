import { createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { encode, oid, sequence, Tag } from './der.js';

const RSA_BITS_MIN = 2048;

interface SignatureAlgorithm {
  oid: string;
  hash: string;
  /** Whether its parameters are an explicit NULL (RSA) or left out (ECDSA). */
  hasNullParameters: boolean;
}

const ECDSA_SHA256 = { oid: '1.2.840.10045.4.3.2', hash: 'sha256', hasNullParameters: false };
const ECDSA_SHA384 = { oid: '1.2.840.10045.4.3.3', hash: 'sha384', hasNullParameters: false };
const ECDSA_SHA512 = { oid: '1.2.840.10045.4.3.4', hash: 'sha512', hasNullParameters: false };
const RSA_SHA256 = { oid: '1.2.840.113549.1.1.11', hash: 'sha256', hasNullParameters: true };
const RSA_SHA384 = { oid: '1.2.840.113549.1.1.12', hash: 'sha384', hasNullParameters: true };
const RSA_SHA512 = { oid: '1.2.840.113549.1.1.13', hash: 'sha512', hasNullParameters: true };

/** The signature algorithms that SwarmKit accepts in root certificates (wire.md 2.5). */
export const ACCEPTED_SIGNATURES: readonly SignatureAlgorithm[] = [
  ECDSA_SHA256,
  ECDSA_SHA384,
  ECDSA_SHA512,
  RSA_SHA256,
  RSA_SHA384,
  RSA_SHA512,
];

const BY_CURVE: Record<string, SignatureAlgorithm> = {
  prime256v1: ECDSA_SHA256,
  secp384r1: ECDSA_SHA384,
  secp521r1: ECDSA_SHA512,
};

/**
 * A private key that SwarmKit accepts as a signer's: ECDSA P-256, P-384, P-521, or RSA of 2048
 * bits.
 */
export class Signer {
  /** The DER of its public key's SubjectPublicKeyInfo. */
  readonly publicKeyDer: Uint8Array;
  readonly #key: KeyObject;
  readonly #algorithm: SignatureAlgorithm;

  /** Throws unless `key` is a private key of an accepted kind. */
  constructor(key: KeyObject) {
    this.#key = key;
    this.#algorithm = algorithmFor(key);
    this.publicKeyDer = createPublicKey(key).export({ type: 'spki', format: 'der' });
  }

  /** From PEM: PKCS#8, SEC 1 or PKCS#1. */
  static fromPem(pem: string): Signer {
    return new Signer(createPrivateKey(pem));
  }

  /** The DER of its AlgorithmIdentifier. */
  get algorithmDer(): Uint8Array {
    const parameters = this.#algorithm.hasNullParameters ? [encode(Tag.NULL)] : [];
    return sequence(oid(this.#algorithm.oid), ...parameters);
  }

  sign(bytes: Uint8Array): Uint8Array {
    return sign(this.#algorithm.hash, bytes, this.#key);
  }
}

function algorithmFor(key: KeyObject): SignatureAlgorithm {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'ec') {
    const algorithm = BY_CURVE[details?.namedCurve ?? ''];
    if (algorithm) return algorithm;
  }
  if (type === 'rsa' && (details?.modulusLength ?? 0) >= RSA_BITS_MIN) return RSA_SHA256;
  throw new Error('unsupported signing key: need ECDSA P-256, P-384 or P-521, or RSA >= 2048 bits');
}
