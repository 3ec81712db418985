import { type JoinToken, RootCa, rootDigest, validityOf } from '@skep/ca';
import { type Clock, Code, errorMessage, type Random } from '@skep/platform';
import { CA } from '@skep/wire/swarmkit';
import type { Conversation } from './conversation.js';
import { checkClock, IdentityError } from './errors.js';

export interface RootChecks {
  clock: Clock;
  random: Random;
}

/**
 * The swarm's root certificates, exactly as a manager serves them. Nobody vouches for that
 * manager yet: the token's digest does for what it says. Throws `remote CA does not match
 * fingerprint…` when it does not.
 */
export async function downloadRoot(
  conversation: Conversation,
  token: JoinToken,
  checks: RootChecks,
): Promise<string> {
  const { certificate } = await conversation.callPatiently(CA.method.getRootCACertificate, {});
  if (rootDigest(certificate) !== token.rootDigest) {
    const expected = digestHex(token.rootDigest);
    const text = `remote CA does not match fingerprint. Expected: ${expected}`;
    throw new IdentityError(Code.FAILED_PRECONDITION, text);
  }
  return checkRoot(Buffer.from(certificate).toString(), checks);
}

/**
 * Root certificates that can be trusted as far as they themselves show: each is self-signed in an
 * accepted way and in date. Throws INVALID_ARGUMENT, or in terms of clocks.
 */
export function checkRoot(rootPem: string, checks: RootChecks): string {
  try {
    checkClock("the swarm's root certificate", validityOf(rootPem), checks.clock.now());
    return new RootCa({ certificatePem: rootPem }, checks).certificatePem;
  } catch (error) {
    if (error instanceof IdentityError) throw error;
    throw new IdentityError(Code.INVALID_ARGUMENT, errorMessage(error), { cause: error });
  }
}

const SHA256_HEX_CHARACTERS = 64;

/** A token's digest as people compare fingerprints: hexadecimal. */
function digestHex(base36: string): string {
  let value = 0n;
  for (const digit of base36) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  return value.toString(16).padStart(SHA256_HEX_CHARACTERS, '0');
}
