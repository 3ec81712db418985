import { organizationalUnit, roleOfUnit } from '@skep/ca';
import { Code, RpcError } from '@skep/platform';
import type { Caller, PeerIdentity } from '../contract.js';
import { ForwardKey, hostOf, type Metadata, valuesOf } from '../metadata.js';
import { type Allowed, allowedAt } from './roles.js';

/** The other end of a connection. */
export interface Peer {
  /** IP it calls from. */
  address: string;
  /** What its verified certificate says; undefined when it showed none. */
  identity: PeerIdentity | undefined;
  /** Why the certificate it showed is not to be trusted: all its calls are refused. */
  refusal?: string | undefined;
}

/** The cluster that calls are for. */
export interface ClusterRules {
  clusterId: string;
  isRefused(nodeId: string): boolean;
}

export interface Authorized {
  caller: Caller;
  isRedirected: boolean;
}

/**
 * Who makes a call, once it is sure that they may (wire.md 1.3, 1.4). Throws PERMISSION_DENIED when
 * not, and for every method that nobody declared.
 */
export function authorize(
  path: string,
  peer: Peer,
  metadata: Metadata,
  rules: ClusterRules,
): Authorized {
  if (peer.refusal !== undefined) throw denied(peer.refusal);
  const allowed = allowedAt(path);
  if (!allowed) throw denied(`no role may call ${path}`);
  const isForwarded = valuesOf(metadata, ForwardKey.FORWARDED)[0] === 'true';
  const caller = isForwarded ? forwardedCaller(peer, metadata, rules) : directCaller(peer);
  const isManager = peer.identity?.role === 'manager' && isMember(peer.identity, rules);
  const isRedirected = isManager && valuesOf(metadata, ForwardKey.REDIRECT).length > 0;
  return { caller: admit(caller, allowed, rules), isRedirected };
}

function directCaller(peer: Peer): Caller {
  return { identity: peer.identity, address: peer.address, forwardedBy: undefined };
}

/** The caller that a manager forwards for; only managers are believed. */
function forwardedCaller(peer: Peer, metadata: Metadata, rules: ClusterRules): Caller {
  const forwarder = peer.identity;
  if (forwarder?.role !== 'manager') throw denied('unauthorized forwarder role');
  checkMember(forwarder, rules);
  const [address = ''] = valuesOf(metadata, ForwardKey.ADDRESS);
  return {
    identity: forwardedIdentity(metadata),
    address: address === '' ? peer.address : hostOf(address),
    forwardedBy: forwarder.nodeId,
  };
}

/** Undefined when all parts are empty: a caller without a certificate (wire-raft.md 2.4). */
function forwardedIdentity(metadata: Metadata): PeerIdentity | undefined {
  const [nodeId] = valuesOf(metadata, ForwardKey.NODE_ID);
  const [clusterId] = valuesOf(metadata, ForwardKey.CLUSTER_ID);
  const units = valuesOf(metadata, ForwardKey.UNIT);
  if (nodeId === undefined && clusterId === undefined && units.length === 0) return undefined;
  const role = units.map(roleOfUnit).find((found) => found !== undefined);
  if (nodeId === undefined || clusterId === undefined || role === undefined) {
    throw denied('missing information in forwarded request');
  }
  return { nodeId, role, clusterId };
}

/**
 * The caller as the method may know it: where anyone may call, one without standing is anonymous.
 */
function admit(caller: Caller, allowed: Allowed, rules: ClusterRules): Caller {
  const { identity } = caller;
  if (allowed === 'anyone') {
    return identity && isMember(identity, rules) ? caller : { ...caller, identity: undefined };
  }
  if (!identity) throw denied('unauthorized peer role: no client certificates in request');
  if (!allowed.includes(identity.role)) {
    const units = allowed.map(organizationalUnit).join(' ');
    throw denied(`remote certificate not part of OUs: [${units}]`);
  }
  checkMember(identity, rules);
  return caller;
}

function isMember(identity: PeerIdentity, rules: ClusterRules): boolean {
  return identity.clusterId === rules.clusterId && !rules.isRefused(identity.nodeId);
}

function checkMember({ nodeId, clusterId }: PeerIdentity, rules: ClusterRules): void {
  if (rules.isRefused(nodeId)) throw denied(`node ${nodeId} was removed from swarm`);
  if (clusterId !== rules.clusterId) {
    throw denied(`remote certificate not part of organization: ${rules.clusterId}`);
  }
}

function denied(reason: string): RpcError {
  return new RpcError(Code.PERMISSION_DENIED, `Permission denied: ${reason}`);
}
