/** What a node is to its swarm. */
export type NodeRole = 'manager' | 'worker';

/** Name of the certificate authority, and of the server that new nodes ask for a certificate. */
export const CA_NAME = 'swarm-ca';

const UNITS: Record<NodeRole, string> = { manager: 'swarm-manager', worker: 'swarm-worker' };

/** The organizational unit that a certificate shows a role by. */
export function organizationalUnit(role: NodeRole): string {
  return UNITS[role];
}

/** The role that an organizational unit shows; undefined for any other. */
export function roleOfUnit(unit: string | undefined): NodeRole | undefined {
  if (unit === UNITS.manager) return 'manager';
  return unit === UNITS.worker ? 'worker' : undefined;
}

/** DNS names of a node's certificate: managers are also asked for certificates. */
export function nodeNames(nodeId: string, role: NodeRole): string[] {
  const names = [organizationalUnit(role), nodeId];
  return role === 'manager' ? [...names, CA_NAME] : names;
}
