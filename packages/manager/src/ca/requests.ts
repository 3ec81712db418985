import type { NodeRole as CertifiedRole } from '@skep/ca';
import type { NodeObject } from '@skep/wire';
import {
  type Certificate,
  NodeRole,
  NodeSpec_Membership,
  IssuanceStatus_State as State,
} from '@skep/wire/swarmkit';

/** Whether nothing more happens to a request of this state by itself. */
export function isDecided({ status }: Certificate): boolean {
  return (
    status?.state === State.ISSUED ||
    status?.state === State.FAILED ||
    status?.state === State.ROTATE
  );
}

/** Renewals are signed always, a new node's certificate once the node is accepted. */
export function awaitsSignature({ certificate, spec }: NodeObject): boolean {
  const state = certificate.status?.state;
  if (state === State.RENEW) return true;
  return state === State.PENDING && spec.membership === NodeSpec_Membership.ACCEPTED;
}

/** Whether two records of a node's certificate stand for the same request. */
export function isSameRequest(left: Certificate, right: Certificate): boolean {
  return (
    left.status?.state === right.status?.state &&
    left.role === right.role &&
    Buffer.compare(left.csr, right.csr) === 0
  );
}

export function certifiedRole(role: NodeRole): CertifiedRole {
  return role === NodeRole.MANAGER ? 'manager' : 'worker';
}
