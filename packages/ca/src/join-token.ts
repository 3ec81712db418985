import { createHash, timingSafeEqual } from 'node:crypto';
import { base36, type Random } from '@skep/platform';

const PREFIX = 'SWMTKN';
const DIGEST_CHARACTERS = 50;
const SECRET_CHARACTERS = 25;
const SECRET_BYTES = 16;

/** A join token's parts (wire.md 2.2). */
export interface JoinToken {
  /** 1, or 2 for clusters that may or must use FIPS. */
  version: 1 | 2;
  isFips: boolean;
  /** SHA-256 of the cluster's root certificates, base 36, 50 characters. */
  rootDigest: string;
  /** 128 random bits, base 36, 25 characters. */
  secret: string;
}

/**
 * The digest of root certificates that join tokens carry, over the exact bytes a manager serves.
 */
export function rootDigest(rootPem: Uint8Array | string): string {
  const digest = createHash('sha256').update(rootPem).digest();
  return base36(digest).padStart(DIGEST_CHARACTERS, '0');
}

/** The secret part that 16 given bytes make. */
export function secretFromBytes(bytes: Uint8Array): string {
  return base36(bytes).padStart(SECRET_CHARACTERS, '0');
}

/** A new token `SWMTKN-1-…` for clusters with these root certificates. */
export function generateJoinToken(rootPem: Uint8Array | string, random: Random): string {
  const secret = secretFromBytes(random.bytes(SECRET_BYTES));
  return [PREFIX, '1', rootDigest(rootPem), secret].join('-');
}

/** Reads a token. Throws `invalid join token`, Docker's words, on anything else. */
export function parseJoinToken(token: string): JoinToken {
  const [prefix, version, ...rest] = token.split('-');
  const fips = version === '2' ? rest.shift() : '0';
  const [digest, secret] = rest;
  const isToken =
    prefix === PREFIX &&
    (version === '1' || version === '2') &&
    (fips === '0' || fips === '1') &&
    rest.length === 2 &&
    isBase36(digest, DIGEST_CHARACTERS) &&
    isBase36(secret, SECRET_CHARACTERS);
  if (!isToken) throw new Error('invalid join token');
  return {
    version: version === '1' ? 1 : 2,
    isFips: fips === '1',
    rootDigest: digest ?? '',
    secret: secret ?? '',
  };
}

function isBase36(text: string | undefined, length: number): boolean {
  return text?.length === length && /^[0-9a-z]+$/.test(text);
}

/** Which role a token gives, compared whole and in constant time; undefined when it is neither. */
export function roleOfToken(
  token: string,
  tokens: { manager: string; worker: string },
): 'manager' | 'worker' | undefined {
  const isManager = equalInConstantTime(token, tokens.manager);
  const isWorker = equalInConstantTime(token, tokens.worker);
  if (isManager) return 'manager';
  return isWorker ? 'worker' : undefined;
}

/** Hashed first, so that a length tells nothing. An empty token equals nothing. */
function equalInConstantTime(left: string, right: string): boolean {
  const hash = (value: string) => createHash('sha256').update(value).digest();
  return timingSafeEqual(hash(left), hash(right)) && left !== '';
}
