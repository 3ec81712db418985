import { type KeyProtection, NO_PROTECTION } from '@skep/ca';
import { Code, RpcError } from '@skep/platform';
import type { TlsIdentity } from '@skep/rpc';
import { CA } from '@skep/wire/swarmkit';
import { Conversation, type ConversationOptions } from './conversation.js';

export interface UnlockKeyOptions extends Omit<ConversationOptions, 'dial'> {
  /** A manager's; it need not be in use yet. */
  identity: TlsIdentity;
}

/**
 * How a manager must protect its private key, asked from the swarm before the key is written for
 * the first time, so that it never lies open on a disk of an autolocked swarm.
 */
export async function fetchProtection(options: UnlockKeyOptions): Promise<KeyProtection> {
  const { identity, ...others } = options;
  const conversation = new Conversation({ ...others, dial: { serverName: 'swarm-ca', identity } });
  try {
    const answer = await conversation.callPatiently(CA.method.getUnlockKey, {});
    const unlockKey = answer.unlockKey.length > 0 ? answer.unlockKey : undefined;
    return { unlockKey, version: answer.version?.index ?? 0n };
  } catch (error) {
    // A manager of before autolock.
    if (error instanceof RpcError && error.code === Code.UNIMPLEMENTED) return NO_PROTECTION;
    throw error;
  } finally {
    conversation.close();
  }
}
