import { create } from '@bufbuild/protobuf';
import { roleOfToken } from '@skep/ca';
import { Code, newId, type Random, RpcError } from '@skep/platform';
import { ExistsError, type Transaction } from '@skep/store';
import { completeObject, type NodeObject } from '@skep/wire';
import {
  CertificateSchema,
  IssuanceStatus_State,
  type IssueNodeCertificateRequest,
  NodeRole,
  NodeSchema,
  NodeSpec_Availability,
  NodeSpec_Membership,
} from '@skep/wire/swarmkit';
import { findCluster } from '../control/cluster/refused-certificates.js';
import { invalidArgument } from '../control/errors.js';
import { ID_TRIES_MAX, REQUEST_BYTES_MAX } from './limits.js';

/** Throws INVALID_ARGUMENT for a request that no node makes. */
export function checkIssueRequest({ csr, availability }: IssueNodeCertificateRequest): void {
  const isKnown = NodeSpec_Availability[availability] !== undefined;
  if (csr.length === 0 || csr.length > REQUEST_BYTES_MAX || !isKnown) {
    throw invalidArgument('InvalidArgument');
  }
}

/** Takes a new node into the swarm, in the role its token gives: whatever role it asks for. */
export function enrol(
  tx: Transaction,
  { csr, token, availability }: IssueNodeCertificateRequest,
  random: Random,
): NodeObject {
  const { rootCa, VXLANUDPPort } = findCluster(tx);
  const tokenRole = roleOfToken(token, rootCa.joinTokens);
  if (!tokenRole) {
    throw invalidArgument('A valid join token is necessary to join this cluster');
  }
  const role = tokenRole === 'manager' ? NodeRole.MANAGER : NodeRole.WORKER;
  const id = unusedId(tx, random);
  const node = create(NodeSchema, {
    id,
    role,
    spec: { desiredRole: role, membership: NodeSpec_Membership.ACCEPTED, availability },
    certificate: { csr, cn: id, role, status: { state: IssuanceStatus_State.PENDING } },
    VXLANUDPPort,
  });
  return tx.create('node', completeObject('node', node));
}

function unusedId(tx: Transaction, random: Random): string {
  for (let tries = 0; tries < ID_TRIES_MAX; tries++) {
    const id = newId(random);
    if (!tx.get('node', id)) return id;
  }
  throw new ExistsError();
}

/** Has the certificate of a node made anew, for the role the node has by now. */
export function renew(tx: Transaction, nodeId: string, csr: Uint8Array): NodeObject {
  const node = tx.get('node', nodeId);
  if (!node) {
    const text = `node ${nodeId} not found when attempting to renew certificate`;
    throw new RpcError(Code.NOT_FOUND, text);
  }
  const certificate = create(CertificateSchema, {
    csr,
    cn: node.id,
    role: node.role,
    status: { state: IssuanceStatus_State.RENEW },
  });
  return tx.update('node', { ...node, certificate });
}
