import type { Clock } from '@skep/platform';
import type { Store } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';

/** What became of a task that waits for its addresses. */
export type Allocation =
  | { kind: 'given' }
  /** Why it cannot have them now. */
  | { kind: 'refused'; reason: string }
  | { kind: 'gone' }
  /** Nothing was decided in time. */
  | { kind: 'open' };

/** Waits until a task has its addresses, or is told why not, up to `limitMs`. */
export function allocationOf(
  { store, clock }: { store: Store; clock: Clock },
  taskId: string,
  limitMs: number,
): Promise<Allocation> {
  return new Promise((resolve) => {
    const finish = (allocation: Allocation) => {
      unsubscribe();
      cancel();
      resolve(allocation);
    };
    const look = () => {
      const allocation = read(store.view.get('task', taskId));
      if (allocation.kind !== 'open') finish(allocation);
    };
    const cancel = clock.after(limitMs, () => finish({ kind: 'open' }));
    const unsubscribe = store.subscribe(({ changes, index }) => {
      const concerns = changes.some(
        (change) => change.table === 'task' && change.object.id === taskId,
      );
      if (concerns || index === 0n) look();
    });
    look();
  });
}

function read(task: TaskObject | undefined): Allocation {
  if (!task) return { kind: 'gone' };
  if (task.status.state > TaskState.NEW) return { kind: 'given' };
  return task.status.err ? { kind: 'refused', reason: task.status.err } : { kind: 'open' };
}
