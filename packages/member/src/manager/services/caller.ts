import { Code, RpcError } from '@skep/platform';
import type { CallContext } from '@skep/rpc';

/** Id of the node that calls. The host let nobody without a certificate get here. */
export function nodeIdOf({ caller }: CallContext): string {
  if (caller.identity) return caller.identity.nodeId;
  throw new RpcError(Code.PERMISSION_DENIED, 'Permission denied: no certificate');
}
