import type { DescMethod, DescService } from '@bufbuild/protobuf';
import type { NodeRole } from '@skep/ca';
import * as skep from '@skep/wire/skep';
import * as sk from '@skep/wire/swarmkit';

/** Roles whose certificates may call a method; `anyone` needs none. */
export type Allowed = readonly NodeRole[] | 'anyone';

const MANAGER: Allowed = ['manager'];
const NODE: Allowed = ['worker', 'manager'];

const table = new Map<string, Allowed>();

/**
 * Declares who may call what of a service: one rule for all, or one for each (none may be
 * forgotten).
 */
function declare<S extends DescService>(
  service: S,
  rules: Allowed | Record<keyof S['method'], Allowed>,
): void {
  for (const method of service.methods) {
    const isOneForAll = rules === 'anyone' || Array.isArray(rules);
    const allowed = isOneForAll ? rules : (rules as Record<string, Allowed>)[method.localName];
    if (allowed) table.set(methodPath(method), allowed as Allowed);
  }
}

// wire.md 1.3.
declare(sk.CA, { getRootCACertificate: 'anyone', getUnlockKey: MANAGER });
declare(sk.NodeCA, { issueNodeCertificate: 'anyone', nodeCertificateStatus: 'anyone' });
declare(sk.Dispatcher, NODE);
declare(sk.LogBroker, NODE);
declare(sk.ResourceAllocator, NODE);
declare(sk.Logs, MANAGER);
declare(sk.Health, MANAGER);
declare(sk.Raft, MANAGER);
declare(sk.RaftMembership, MANAGER);
declare(sk.Watch, MANAGER);
declare(sk.Control, MANAGER);

// Of our own.
declare(skep.Peers, MANAGER);
declare(skep.Networks, NODE);
declare(skep.Reports, NODE);
declare(skep.Images, NODE);
declare(skep.Shelf, NODE);

/** The path a method is called at: `/package.Service/Method`. */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** Who may call the method at a path; undefined, for one that nobody declared: no one. */
export function allowedAt(path: string): Allowed | undefined {
  return table.get(path);
}
