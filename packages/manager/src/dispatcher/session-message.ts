import { create } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { NodeObject } from '@skep/wire';
import {
  type EncryptionKey,
  type SessionMessage,
  SessionMessageSchema,
  WeightedPeerSchema,
} from '@skep/wire/swarmkit';
import { MANAGER_WEIGHT } from './limits.js';

/** A manager that nodes can reach. */
export interface ManagerPeer {
  nodeId: string;
  /** `ip:port` */
  addr: string;
  /** Whether it answers this manager, as far as the consensus knows. */
  isReachable: boolean;
}

/** What a node must know of the cluster. */
export interface News {
  node: NodeObject | undefined;
  managers: readonly ManagerPeer[];
  networkKeys: readonly EncryptionKey[] | undefined;
  /** PEM, byte for byte as the cluster holds it. */
  rootCa: Uint8Array | undefined;
}

export function newsOf(view: ReadView, nodeId: string, managers: readonly ManagerPeer[]): News {
  const [cluster] = view.all('cluster');
  return {
    node: view.get('node', nodeId),
    managers: [...managers],
    networkKeys: cluster?.networkBootstrapKeys,
    rootCa: cluster?.rootCa.caCert,
  };
}

/** Whether the second is no news to one who knows the first: a node's own status is none to it. */
export function sameNews(a: News, b: News): boolean {
  return (
    a.rootCa === b.rootCa &&
    a.networkKeys === b.networkKeys &&
    a.node?.spec === b.node?.spec &&
    a.node?.role === b.node?.role &&
    a.node?.attachments === b.node?.attachments &&
    a.node?.certificate === b.node?.certificate &&
    a.node?.managerStatus === b.node?.managerStatus &&
    a.node?.VXLANUDPPort === b.node?.VXLANUDPPort &&
    peersKey(a.managers) === peersKey(b.managers)
  );
}

function peersKey(peers: readonly ManagerPeer[]): string {
  return peers.map(({ nodeId, addr }) => `${nodeId} ${addr}`).join(',');
}

/** Session messages are always complete (wire.md 3.2). */
export function sessionMessage(sessionId: string, news: News): SessionMessage {
  const message = create(SessionMessageSchema, { sessionId });
  if (news.node) message.node = news.node;
  if (news.rootCa) message.RootCA = news.rootCa;
  message.networkBootstrapKeys = [...(news.networkKeys ?? [])];
  message.managers = news.managers.map((peer) =>
    create(WeightedPeerSchema, { peer, weight: MANAGER_WEIGHT }),
  );
  return message;
}
