import {
  createNodeRequest,
  type JoinToken,
  type NodeCredentials,
  type NodeRole,
  parseJoinToken,
} from '@skep/ca';
import { type Clock, Code, errorMessage, type Random } from '@skep/platform';
import type { Dialer } from '@skep/rpc';
import type { NodeSpec_Availability } from '@skep/wire/swarmkit';
import { requestCertificate } from './certificate-request.js';
import { Conversation, type PickedManager } from './conversation.js';
import { IdentityError } from './errors.js';
import { refuseFips, verifyIssued } from './issued.js';
import { downloadRoot } from './root-certificate.js';

export interface EnrolOptions {
  dialer: Dialer;
  clock: Clock;
  random: Random;
  /** `ip:port` of managers, at least one. */
  addresses: readonly string[];
  token: string;
  availability: NodeSpec_Availability;
  signal: AbortSignal;
  /** Whether an address is this node's own. */
  isOwnAddress?(address: string): boolean;
}

/** What a node has of a swarm that took it up. Nothing of it is on disk yet. */
export interface Enrolment {
  nodeId: string;
  clusterId: string;
  role: NodeRole;
  /** Exactly as the managers serve it. */
  rootPem: string;
  credentials: NodeCredentials;
}

/**
 * Gets this node a certificate of a swarm, by token, in the order a Docker Engine does (wire.md
 * 2.3): the root certificates, checked against the token; a request; its decision; the check of
 * what came. Rejects with an `IdentityError` for what this node finds wrong, with the managers'
 * `RpcError` otherwise, after {@link ATTEMPTS_MAX} attempts where another may help.
 */
export async function enrol(options: EnrolOptions): Promise<Enrolment> {
  const { clock, random, signal } = options;
  const token = readToken(options.token);
  const pick = inTurn(options);
  const rootPem = await fetchRoot(options, token, pick);
  const dial = { serverName: 'swarm-ca', rootPem, withCertificate: false } as const;
  const conversation = new Conversation({ dialer: options.dialer, clock, dial, pick, signal });
  try {
    const { csrPem, keyPem } = createNodeRequest();
    const request = { csrPem, token: options.token, availability: options.availability };
    const waiting = { clock, random, signal };
    const { nodeId, certificatePem } = await requestCertificate(conversation, request, waiting);
    const credentials = { certificatePem, keyPem };
    const { clusterId, role } = verifyIssued(credentials, nodeId, rootPem, clock.now());
    return { nodeId, clusterId, role, rootPem, credentials };
  } finally {
    conversation.close();
  }
}

async function fetchRoot(
  { clock, dialer, random, signal }: EnrolOptions,
  token: JoinToken,
  pick: () => PickedManager,
): Promise<string> {
  const dial = { serverName: 'swarm-ca', trust: 'anyone', withCertificate: false } as const;
  const conversation = new Conversation({ dialer, clock, dial, pick, signal });
  try {
    return await downloadRoot(conversation, token, { clock, random });
  } finally {
    conversation.close();
  }
}

function readToken(text: string): JoinToken {
  let token: JoinToken;
  try {
    token = parseJoinToken(text);
  } catch (error) {
    throw new IdentityError(Code.INVALID_ARGUMENT, errorMessage(error), { cause: error });
  }
  if (token.isFips) refuseFips();
  return token;
}

/** The addresses one after the other, round and round: the same one as long as it goes well. */
function inTurn({ addresses, isOwnAddress }: EnrolOptions): () => PickedManager {
  const others = addresses.filter((address) => !isOwnAddress?.(address));
  const [first] = addresses;
  if (first === undefined) {
    const text = 'at least 1 RemoteAddr is required to join';
    throw new IdentityError(Code.INVALID_ARGUMENT, text);
  }
  if (others.length === 0) {
    const text = `a node cannot join a swarm through itself: ${first} is its own address`;
    throw new IdentityError(Code.INVALID_ARGUMENT, text);
  }
  let turn = 0;
  return () => ({
    address: others[turn % others.length]!,
    observe: (isGood) => {
      if (!isGood) turn++;
    },
  });
}
