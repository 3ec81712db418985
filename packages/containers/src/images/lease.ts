import { Code, errorMessage, type Logger, type Random, RpcError } from '@skep/platform';
import type { Containerd } from '../containerd/containerd.js';
import { LEASE_EXPIRE_MS } from './limits.js';

/** Marks the leases this room makes, so that those of a killed daemon are found. */
const OWNER_LABEL = 'skep.lease';
const OWNER = 'images';

export interface LeaseScope {
  /** containerd, with all that is made through it kept until the scope ends. */
  containerd: Containerd;
  /**
   * Keeps content from now on, whether it is there yet or not. Hold first, look afterwards: what is
   * only looked at may be collected before it is held.
   */
  keepContent(digest: string): Promise<void>;
  /** The same for a committed snapshot. */
  keepSnapshot(name: string): Promise<void>;
}

/**
 * Runs work whose half-made results must neither vanish meanwhile nor stay afterwards: what an
 * image refers to by then is kept by the image, the rest is collected.
 */
export async function withLease<T>(
  deps: { containerd: Containerd; random: Random; logger: Logger },
  work: (scope: LeaseScope) => Promise<T>,
): Promise<T> {
  const { containerd, random, logger } = deps;
  const id = `skep-${Buffer.from(random.bytes(12)).toString('hex')}`;
  const labels = { [OWNER_LABEL]: OWNER };
  await containerd.leases.create(id, { expireMs: LEASE_EXPIRE_MS, labels });
  const keep = (resource: { id: string; type: string }) =>
    containerd.leases.addResource(id, resource);
  try {
    return await work({
      containerd: containerd.withLease(id),
      keepContent: (digest) => keep({ id: digest, type: 'content' }),
      keepSnapshot: (name) =>
        keep({ id: name, type: `snapshots/${containerd.snapshots.snapshotter}` }),
    });
  } finally {
    await containerd.leases.delete(id).catch((error: unknown) => {
      // It expires by itself, and the next start removes it.
      logger.warn({ lease: id, error: errorMessage(error) }, 'a lease could not be given back');
    });
  }
}

/** Resolves when all that nothing refers to is gone: room is free when a removal is answered. */
export async function collectGarbage(deps: {
  containerd: Containerd;
  random: Random;
}): Promise<void> {
  const { leases } = deps.containerd;
  const id = `skep-collect-${Buffer.from(deps.random.bytes(8)).toString('hex')}`;
  await leases.create(id, { expireMs: LEASE_EXPIRE_MS, labels: { [OWNER_LABEL]: OWNER } });
  await leases.delete(id, { sync: true });
}

/** Removes what a killed daemon left: its leases, and with them all that was half-made. */
export async function removeStaleLeases(containerd: Containerd): Promise<number> {
  const stale = await containerd.leases.list([`labels."${OWNER_LABEL}"==${OWNER}`]);
  for (const { id } of stale) {
    await containerd.leases.delete(id).catch((error: unknown) => {
      if (!(error instanceof RpcError) || error.code !== Code.NOT_FOUND) throw error;
    });
  }
  return stale.length;
}
