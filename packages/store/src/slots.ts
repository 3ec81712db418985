import type { TaskObject } from '@skep/wire';

const NONE: ReadonlyMap<bigint, readonly TaskObject[]> = new Map();

/**
 * Tasks by service and slot number, in the order in which they came; those of global services have
 * none. A list is never changed in place: while it is the same, so are all tasks of its slot, and
 * whatever was found out about them.
 */
export class Slots {
  readonly #byService = new Map<string, Map<bigint, readonly TaskObject[]>>();

  of(serviceId: string): ReadonlyMap<bigint, readonly TaskObject[]> {
    return this.#byService.get(serviceId) ?? NONE;
  }

  put(task: TaskObject): void {
    if (!hasNumber(task)) return;
    let slots = this.#byService.get(task.serviceId);
    if (!slots) this.#byService.set(task.serviceId, (slots = new Map()));
    const list = slots.get(task.slot) ?? [];
    const at = list.findIndex(({ id }) => id === task.id);
    slots.set(task.slot, at < 0 ? [...list, task] : list.with(at, task));
  }

  remove(task: TaskObject): void {
    if (!hasNumber(task)) return;
    const { serviceId, slot, id } = task;
    const slots = this.#byService.get(serviceId);
    const rest = slots?.get(slot)?.filter((other) => other.id !== id) ?? [];
    if (rest.length > 0) slots?.set(slot, rest);
    else slots?.delete(slot);
    if (slots?.size === 0) this.#byService.delete(serviceId);
  }
}

/** Jobs count from 0, which is also what stands where there is no number. */
function hasNumber({ slot, jobIteration }: TaskObject): boolean {
  return slot !== 0n || jobIteration !== undefined;
}
