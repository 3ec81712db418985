import type { Disk } from '@skep/platform';
import type { CoreFault } from '../core/contract.js';

/**
 * Known bugs of other systems that a node can be given, so that tests can show that they would be
 * noticed.
 */
export type Flaw =
  | CoreFault
  /** The log loses what a snapshot covers before that is saved (etcd 14685). */
  | 'compact-before-snapshot'
  /** Damage in the log counts as its end, and the member goes on (NATS JetStream, 2025). */
  | 'damage-is-the-end'
  /** A failed sync counts as a good one (fsyncgate, 2018). */
  | 'ignore-sync-error'
  /** Nothing is ever synced (NATS JetStream, 2025). */
  | 'never-sync'
  /** Who votes is forgotten in a restart from a snapshot (SwarmKit 963). */
  | 'voters-forgotten'
  /** Votes are forgotten in a restart. */
  | 'vote-not-persisted'
  /** A snapshot is named after an entry that it does not hold yet (etcd 13766). */
  | 'snapshot-before-apply';

export type Flaws = ReadonlySet<Flaw>;

/** The disk as it is, or one whose syncs never fail, or do nothing. */
export function flawedDisk(disk: Disk, flaws: Flaws | undefined): Disk {
  const isIdle = flaws?.has('never-sync');
  if (!isIdle && !flaws?.has('ignore-sync-error')) return disk;
  return new Proxy(disk, {
    get(target, name) {
      if (name !== 'open') return bound(target, name);
      return async (...open: Parameters<Disk['open']>) => {
        const file = await target.open(...open);
        const datasync = async () => {
          if (!isIdle) await file.datasync().catch(() => undefined);
        };
        return new Proxy(file, {
          get: (inner, key) => (key === 'datasync' ? datasync : bound(inner, key)),
        });
      };
    },
  });
}

function bound<T extends object>(target: T, name: string | symbol): unknown {
  const value: unknown = Reflect.get(target, name);
  return typeof value === 'function' ? value.bind(target) : value;
}
