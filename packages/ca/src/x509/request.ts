import { createPublicKey, verify } from 'node:crypto';
import {
  bitString,
  contextTag,
  decodeFields,
  encode,
  oidText,
  sequence,
  Tag,
  unsignedInteger,
} from './der.js';
import { decodePem, encodePem } from './pem.js';
import { ACCEPTED_SIGNATURES, type Signer } from './signer.js';

const LABEL = 'CERTIFICATE REQUEST';

/**
 * A certificate request's PEM, for a subject (the DER of its name) that is a courtesy only: who
 * signs decides about names.
 */
export function createRequest(signer: Signer, subjectDer: Uint8Array): string {
  const info = sequence(
    unsignedInteger(Uint8Array.of(0)),
    subjectDer,
    signer.publicKeyDer,
    encode(contextTag(0)),
  );
  const request = sequence(info, signer.algorithmDer, bitString(signer.sign(info)));
  return encodePem(LABEL, request);
}

/**
 * The DER of the public key that a request asks a certificate for. Throws unless the request is
 * signed with the private key that belongs to it.
 */
export function requestedKey(pem: string): Uint8Array {
  const block = decodePem(pem).find(({ label }) => label === LABEL);
  if (!block) throw new Error('not a certificate request');
  const [info, algorithm, signature] = decodeFields(block.der);
  const publicKey = info && decodeFields(info.raw)[2];
  if (!info || !algorithm || !signature || !publicKey) throw new Error('malformed DER');
  const [identifier] = decodeFields(algorithm.raw);
  const isWhole = signature.tag === Tag.BIT_STRING && signature.content[0] === 0;
  if (!isWhole || identifier?.tag !== Tag.OID) throw new Error('malformed DER');
  const oid = oidText(identifier.content);
  const hash = ACCEPTED_SIGNATURES.find((known) => known.oid === oid)?.hash;
  if (!hash) throw new Error(`signature algorithm ${oid} is not supported`);
  const key = createPublicKey({ key: publicKey.raw, format: 'der', type: 'spki' });
  if (!verify(hash, info.raw, key, signature.content.subarray(1))) {
    throw new Error('the signature of the certificate request is wrong');
  }
  return Uint8Array.from(publicKey.raw);
}
