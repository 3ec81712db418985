import { type Clock, Code, type Random, RpcError } from '@skep/platform';
import {
  IssuanceStatus_State,
  NodeCA,
  type NodeCertificateStatusResponse,
  type NodeSpec_Availability,
} from '@skep/wire/swarmkit';
import { ExponentialBackoff } from './backoff.js';
import type { Conversation } from './conversation.js';
import { IdentityError, isFinal } from './errors.js';
import { DECISION_TIMEOUT_MS, STATUS_BACKOFF } from './limits.js';

export interface CertificateRequest {
  csrPem: string;
  /** Of a joining node; a renewing one shows its certificate instead. */
  token?: string;
  availability?: NodeSpec_Availability;
  /** Wait between two attempts to hand in the request, ms. */
  attemptDelayMs?: number;
}

export interface IssuedCertificate {
  nodeId: string;
  /** Leaf, then any intermediates. Not yet verified. */
  certificatePem: string;
}

export interface Waiting {
  clock: Clock;
  random: Random;
  signal: AbortSignal;
}

/**
 * Hands in a request and waits until it is decided. Rejects with the managers' refusal, with
 * DEADLINE_EXCEEDED when there is no decision in {@link DECISION_TIMEOUT_MS}.
 */
export async function requestCertificate(
  conversation: Conversation,
  request: CertificateRequest,
  waiting: Waiting,
): Promise<IssuedCertificate> {
  const { attemptDelayMs, availability, csrPem, token = '' } = request;
  const csr = Buffer.from(csrPem);
  const message = { csr, token, ...(availability === undefined ? {} : { availability }) };
  const issuing = NodeCA.method.issueNodeCertificate;
  const { nodeId } = await conversation.callPatiently(issuing, message, attemptDelayMs);
  return { nodeId, certificatePem: await awaitDecision(conversation, nodeId, csr, waiting) };
}

/** Never hands in anew: that would make a second node of a joining one. */
async function awaitDecision(
  conversation: Conversation,
  nodeId: string,
  csr: Uint8Array,
  { clock, random, signal }: Waiting,
): Promise<string> {
  const backoff = new ExponentialBackoff(STATUS_BACKOFF, random);
  const lastMs = clock.monotonic() + DECISION_TIMEOUT_MS;
  let problem = 'the request for a certificate was not decided in time';
  do {
    try {
      const answer = await conversation.call(NodeCA.method.nodeCertificateStatus, { nodeId });
      const certificate = decided(answer, csr);
      if (certificate) return certificate;
    } catch (error) {
      if (isFinal(error)) throw error;
      if ((error as RpcError).code !== Code.DEADLINE_EXCEEDED)
        problem = (error as RpcError).message;
    }
    await clock.sleep(backoff.next(), signal);
  } while (clock.monotonic() < lastMs);
  throw new RpcError(Code.DEADLINE_EXCEEDED, problem);
}

/**
 * The certificate; undefined when what the manager tells is about another request, or no
 * decision.
 */
function decided(
  { certificate, status }: NodeCertificateStatusResponse,
  csr: Uint8Array,
): string | undefined {
  if (!certificate || Buffer.compare(certificate.csr, csr) !== 0) return undefined;
  switch (status?.state) {
    case IssuanceStatus_State.ISSUED:
    case IssuanceStatus_State.ROTATE:
      return Buffer.from(certificate.certificate).toString();
    case IssuanceStatus_State.FAILED: {
      const text = `the swarm refuses a certificate: ${status.err || 'no reason given'}`;
      throw new IdentityError(Code.PERMISSION_DENIED, text);
    }
    default:
      return undefined;
  }
}
