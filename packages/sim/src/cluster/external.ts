import type { ExternalAuthority } from '@skep/ca';
import { Code, RpcError } from '@skep/platform';

const unreachable = () =>
  Promise.reject(new RpcError(Code.UNAVAILABLE, 'there is no authority outside of the swarm'));

/** These swarms sign their certificates themselves. */
export const noExternalAuthority: ExternalAuthority = { sign: unreachable, probe: unreachable };
