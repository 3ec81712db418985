import {
  BATCH_CHANGES_MAX,
  EntryTooLargeError,
  type ReadView,
  type Store,
  type Transaction,
} from '@skep/store';
import type { ServiceObject, StoreObjects, TableName, TaskObject } from '@skep/wire';
import type { TaskState } from '@skep/wire/swarmkit';

type WriteOf<T extends TableName> =
  | { kind: 'create' | 'update'; table: T; object: StoreObjects[T] }
  | { kind: 'remove'; table: T; id: string };

/** One change a control loop wants, as data. */
export type Write = { [T in TableName]: WriteOf<T> }[TableName];

/** Writes that must be committed together. Steps of one plan do not touch the same object twice. */
export type Step = readonly Write[];

export function createTask(object: TaskObject): Write {
  return { kind: 'create', table: 'task', object };
}

export function updateTask(object: TaskObject): Write {
  return { kind: 'update', table: 'task', object };
}

export function removeTask(id: string): Write {
  return { kind: 'remove', table: 'task', id };
}

export function updateService(object: ServiceObject): Write {
  return { kind: 'update', table: 'service', object };
}

/** The same task, asked to reach another state. */
export function desire(task: TaskObject, desiredState: TaskState): Write {
  return updateTask({ ...task, desiredState });
}

/** Tells tasks, each in a step of its own, to go as far as the given state. */
export function stop(tasks: Iterable<TaskObject>, desiredState: TaskState): Step[] {
  const going = [...tasks].filter((task) => task.desiredState < desiredState);
  return going.map((task) => [desire(task, desiredState)]);
}

/**
 * Decides in a transaction, so on top of all that is proposed already, and writes the steps in
 * entries of at most {@link BATCH_CHANGES_MAX} changes, without waiting for one before proposing
 * the next. Resolves when all is committed. Rejects as `Store.update` does; part of the plan may
 * then be committed.
 */
export async function commitPlan(
  store: Store,
  decide: (view: ReadView) => readonly Step[],
): Promise<void> {
  for (let changesMax = BATCH_CHANGES_MAX; ; changesMax >>= 1) {
    try {
      return await writeInChunks(store, decide, changesMax);
    } catch (error) {
      // Large objects fill an entry sooner; what was written meanwhile is no longer in the next
      // plan.
      if (!(error instanceof EntryTooLargeError) || changesMax === 1) throw error;
    }
  }
}

async function writeInChunks(
  store: Store,
  decide: (view: ReadView) => readonly Step[],
  changesMax: number,
): Promise<void> {
  let later: Step[][] = [];
  const first = store.update((tx) => {
    const [chunk = [], ...rest] = chunked(decide(tx), changesMax);
    later = rest;
    writeSteps(tx, chunk);
  });
  // Nobody else can write before these: there is no await in between, so the plan still holds.
  const others = later.map((chunk) => store.update((tx) => writeSteps(tx, chunk)));
  await Promise.all([first, ...others]);
}

/** Groups of whole steps, each of at most `changesMax` writes or a single step. */
function chunked(steps: readonly Step[], changesMax: number): Step[][] {
  const chunks: Step[][] = [];
  let sizeOfLast = 0;
  for (const step of steps) {
    const last = chunks.at(-1);
    if (last && sizeOfLast + step.length <= changesMax) {
      last.push(step);
      sizeOfLast += step.length;
    } else {
      chunks.push([step]);
      sizeOfLast = step.length;
    }
  }
  return chunks;
}

function writeSteps(tx: Transaction, steps: readonly Step[]): void {
  for (const write of steps.flat()) {
    if (write.kind === 'remove') tx.remove(write.table, write.id);
    else tx[write.kind](write.table, write.object as never);
  }
}
