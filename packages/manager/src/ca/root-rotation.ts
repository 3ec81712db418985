import { create } from '@bufbuild/protobuf';
import { certificateHash, generateJoinToken, issuerOf } from '@skep/ca';
import type { Random } from '@skep/platform';
import type { ReadView } from '@skep/store';
import type { ClusterObject, NodeObject } from '@skep/wire';
import {
  IssuanceStatus_State,
  IssuanceStatusSchema,
  JoinTokensSchema,
  RootCASchema,
  type RootRotation,
} from '@skep/wire/swarmkit';

/** The nodes whose certificate in use, as they report it, is not of the new root's making. */
export function nodesBehind(view: ReadView, rotation: RootRotation): NodeObject[] {
  const issuer = issuerOf(Buffer.from(rotation.caCert).toString());
  return [...view.all('node')].filter(({ description }) => {
    const info = description?.tlsInfo;
    return (
      !info ||
      Buffer.compare(info.certIssuerSubject, issuer.subjectDer) !== 0 ||
      Buffer.compare(info.certIssuerPublicKey, issuer.publicKeyDer) !== 0
    );
  });
}

/** Whether a node has yet to be told to renew: it neither was, nor is it about to. */
export function canBeAsked({ certificate }: NodeObject): boolean {
  const state = certificate.status?.state;
  return (
    state !== IssuanceStatus_State.RENEW &&
    state !== IssuanceStatus_State.PENDING &&
    state !== IssuanceStatus_State.ROTATE
  );
}

/** The node, told to renew its certificate. */
export function askedToRenew(node: NodeObject): NodeObject {
  const status = create(IssuanceStatusSchema, { state: IssuanceStatus_State.ROTATE });
  return { ...node, certificate: { ...node.certificate, status } };
}

/** The cluster with the new root for its only one. Join tokens name the root: they are new, too. */
export function withNewRoot(
  cluster: ClusterObject,
  { caCert, caKey }: RootRotation,
  random: Random,
): ClusterObject {
  const joinTokens = create(JoinTokensSchema, {
    worker: generateJoinToken(caCert, random),
    manager: generateJoinToken(caCert, random),
  });
  const { lastForcedRotation } = cluster.rootCa;
  const caCertHash = certificateHash(caCert);
  const rootCa = create(RootCASchema, { caCert, caKey, caCertHash, lastForcedRotation });
  return { ...cluster, rootCa: { ...rootCa, joinTokens } };
}
