import type { KernelCommand, NamespacePath, NamespaceView } from '../kernel/contract.js';
import { INGRESS_BRIDGE } from '../names.js';
import type { PeerNode } from './ingress-nodes.js';

/** Before the kernel's main table (32766), after its local one (0). */
const PEER_RULE_PRIORITY = 900;

/**
 * What it takes that flows with a peer's mark are answered by way of that peer: one rule and one
 * table for each. The table has the mark's number, so nothing has to be remembered.
 */
export function planPeerRoutes(
  namespace: NamespacePath,
  view: NamespaceView,
  peers: readonly PeerNode[],
): KernelCommand[] {
  const wanted = new Map(peers.map((peer) => [peer.mark, peer]));
  const ruled = new Set<number>();
  const routed = new Set<number>();
  const commands: KernelCommand[] = [];
  for (const rule of view.rules) {
    if (!('mark' in rule) || rule.priority !== PEER_RULE_PRIORITY) continue;
    const { mark, table, priority } = rule;
    if (wanted.has(mark) && table === mark) ruled.add(mark);
    else commands.push({ op: 'rule-remove', namespace, mark, table, priority });
  }
  for (const { destination, gateway, table, link } of view.routes) {
    if (destination !== 'default' || link !== INGRESS_BRIDGE) continue;
    if (wanted.get(table)?.gateway === gateway) routed.add(table);
    else commands.push({ op: 'route-remove', namespace, destination, gateway, table });
  }
  for (const { mark, gateway } of peers) {
    const [link, table, priority] = [INGRESS_BRIDGE, mark, PEER_RULE_PRIORITY];
    if (!routed.has(mark)) {
      const destination = 'default';
      commands.push({ op: 'route-add', namespace, destination, gateway, link, table });
    }
    if (!ruled.has(mark)) commands.push({ op: 'rule-add', namespace, mark, table, priority });
  }
  return commands;
}
