/** What a node is to its swarm. */
export type NodeRole = 'manager' | 'worker';

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
