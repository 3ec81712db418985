import { errorMessage, type Logger } from '@skep/platform';
import type { RaftMember } from '@skep/raft';
import type { Store } from '@skep/store';
import type { ClusterObject } from '@skep/wire';

export interface ClusterDutiesOptions {
  store: Store;
  raft: RaftMember;
  log: Logger;
  /** Protects what this manager keeps on disk by the swarm's unlock key (undefined: by none). */
  protect(unlockKey: Uint8Array | undefined, version: bigint): Promise<void>;
}

const UNLOCK_SUBSYSTEM = 'swarm-manager';

/** What every manager, leading or not, does when the cluster object changes. */
export class ClusterDuties {
  readonly #options: ClusterDutiesOptions;
  #unsubscribe: (() => void) | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: ClusterDutiesOptions) {
    this.#options = options;
  }

  start(): void {
    const { store } = this.#options;
    this.#unsubscribe = store.subscribe(({ changes }) => {
      if (changes.some(({ table, kind }) => table === 'cluster' && kind !== 'remove')) this.#see();
    });
    this.#see();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    await this.#turn;
  }

  #see(): void {
    const [cluster] = this.#options.store.view.all('cluster');
    if (!cluster) return;
    this.#configure(cluster);
    this.#turn = this.#turn.then(() => this.#protect(cluster));
  }

  #configure({ spec: { raft } }: ClusterObject): void {
    this.#options.raft.configure({
      snapshotIntervalEntries: Number(raft.snapshotInterval),
      entriesKeptBehind: Number(raft.logEntriesForSlowFollowers),
      oldSnapshotsKept: Number(raft.keepOldSnapshots),
    });
  }

  async #protect({ unlockKeys, meta }: ClusterObject): Promise<void> {
    const key = unlockKeys.find(({ subsystem }) => subsystem === UNLOCK_SUBSYSTEM)?.key;
    try {
      await this.#options.protect(key, meta.version.index);
    } catch (error) {
      // The next change of the cluster object is another try, and so is the next start.
      this.#options.log.error({ error: errorMessage(error) }, 'cannot change the unlock key');
    }
  }
}
