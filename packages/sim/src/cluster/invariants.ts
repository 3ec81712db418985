import type { Manager } from '@skep/member';
import type { Commit } from '@skep/store';
import { TaskState } from '@skep/wire/swarmkit';
import { checkSlots, Ledger, TaskForwardChecker, TermChecker } from '../checkers/index.js';

/** What one manager's store says while it runs. */
export interface Feed {
  commit(commit: Commit): void;
  look(): void;
}

/** What must hold of a swarm at every step, seen from its managers. */
export class ClusterInvariants {
  readonly #terms = new TermChecker();
  readonly #ledger = new Ledger();
  readonly #note: (who: string, what: string) => void;

  constructor(note: (who: string, what: string) => void) {
    this.#note = note;
  }

  follow(name: string, manager: Manager): Feed {
    const forward = new TaskForwardChecker(name);
    return {
      commit: (commit) => {
        const text = describe(commit);
        this.#note(name, `commits ${commit.index}: ${text}`);
        forward.commit(commit);
        if (commit.index > 0n) this.#ledger.applied(name, commit.index, Buffer.from(text));
        if (commit.changes.some(({ table }) => table === 'task')) {
          checkSlots(manager.view.all('task'));
        }
      },
      look: () => {
        const { role, term } = manager.raftStatus;
        if (role === 'leader') this.#terms.leads(name, term);
      },
    };
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
      return `${place} ${TaskState[status.state]} of ${TaskState[desiredState]} on ${nodeId}`;
    })
    .join('; ');
}
