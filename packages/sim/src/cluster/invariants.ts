import type { Manager } from '@skep/member';
import type { Commit } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import {
  ConfigChecker,
  JobChecker,
  Ledger,
  SlotChecker,
  TaskForwardChecker,
  TermChecker,
  UpdateChecker,
} from '../checkers/index.js';

/** What one manager's store says while it runs. */
export interface Feed {
  commit(commit: Commit): void;
  look(): void;
}

/** What must hold of a swarm at every step, seen from its managers. */
export class ClusterInvariants {
  /** All unlock keys there have been, the newest last. */
  readonly unlockKeys: Uint8Array[] = [];
  /** Tasks whose containers ended by themselves without a failure. */
  readonly endedWell = new Set<string>();
  readonly #terms = new TermChecker();
  readonly #ledger = new Ledger();
  readonly #slots = new SlotChecker();
  readonly #note: (who: string, what: string) => void;

  constructor(note: (who: string, what: string) => void) {
    this.#note = note;
  }

  follow(name: string, manager: Manager): Feed {
    const forward = new TaskForwardChecker(name);
    const jobs = new JobChecker(name, (taskId) => this.endedWell.has(taskId));
    const updates = new UpdateChecker(name);
    const configs = new ConfigChecker(name);
    return {
      commit: (commit) => {
        const text = describe(commit);
        this.#note(name, `commits ${commit.index}: ${text}`);
        forward.commit(commit);
        jobs.commit(commit, manager.view);
        updates.commit(commit, manager.view);
        configs.commit(commit, manager.view);
        this.#remember(commit);
        if (commit.index > 0n) this.#ledger.applied(name, commit.index, Buffer.from(text));
        if (commit.changes.some(({ table }) => table === 'task' || table === 'node')) {
          this.#slots.check(manager.view);
        }
      },
      look: () => {
        const { role, term } = manager.raftStatus;
        if (role === 'leader') this.#terms.leads(name, term);
      },
    };
  }

  #remember({ changes }: Commit): void {
    for (const change of changes) {
      if (change.table !== 'cluster') continue;
      for (const { key } of change.object.unlockKeys) {
        const isKnown = this.unlockKeys.some((known) => Buffer.compare(known, key) === 0);
        if (!isKnown) this.unlockKeys.push(key);
      }
    }
  }
}

/** The changes of an entry, without what keys and certificates they hold. */
function describe({ changes }: Commit): string {
  return changes
    .map((change) => {
      const { kind, object, table } = change;
      const place = `${kind} ${table} ${object.id}@${object.meta.version.index}`;
      if (change.table !== 'task') return place;
      const { desiredState, nodeId, status } = change.object;
      return `${place} ${slotName(change.object)} ${TaskState[status.state]} of ${TaskState[desiredState]} on ${nodeId}`;
    })
    .join('; ');
}

function slotName({ serviceAnnotations, slot }: TaskObject): string {
  return `${serviceAnnotations.name}.${slot}`;
}
