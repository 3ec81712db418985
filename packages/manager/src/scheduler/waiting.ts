import type { TaskObject } from '@skep/wire';
import { groupKey } from './demand.js';

type Group = Map<string, TaskObject>;

/** Tasks without a node, in groups of those that are alike. */
export class WaitingTasks {
  /** Worth a look. */
  readonly #ready = new Map<string, Group>();
  /**
   * Goes through the groups worth a look and stays where it is: a new one would pass all the deleted
   * ones again.
   */
  #cursor = this.#ready.entries();
  /** The group that is being taken. */
  #current: [string, Group] | undefined;
  /** Found no room, and nothing happened since that could have made some. */
  #refused = new Map<string, Group>();

  hasReady(): boolean {
    return this.#ready.size > 0;
  }

  /** Adds a task, or takes the new form of one that waits. */
  put(task: TaskObject): void {
    const key = groupKey(task);
    const refused = this.#refused.get(key);
    const known = refused?.get(task.id);
    if (refused && known && known.desiredState === task.desiredState) {
      refused.set(task.id, task);
      return;
    }
    if (refused) this.#reconsider(key, refused);
    const group = this.#ready.get(key);
    if (group) group.set(task.id, task);
    else this.#ready.set(key, new Map([[task.id, task]]));
  }

  remove(task: TaskObject): void {
    const key = groupKey(task);
    for (const groups of [this.#ready, this.#refused]) {
      const group = groups.get(key);
      if (group?.delete(task.id) && group.size === 0) groups.delete(key);
    }
  }

  /** Takes out up to `limit` tasks of one group; none when there is nothing worth a look. */
  take(limit: number): TaskObject[] {
    const next = this.#next();
    if (!next) return [];
    const [key, group] = next;
    const taken: TaskObject[] = [];
    for (const task of group.values()) {
      if (taken.length === limit) break;
      taken.push(task);
    }
    for (const task of taken) group.delete(task.id);
    if (group.size === 0) this.#ready.delete(key);
    return taken;
  }

  /** The group that came first: the one at hand while there is something of it. */
  #next(): [string, Group] | undefined {
    if (this.#current && this.#ready.get(this.#current[0]) === this.#current[1]) {
      return this.#current;
    }
    let { value } = this.#cursor.next();
    if (!value) {
      this.#cursor = this.#ready.entries();
      ({ value } = this.#cursor.next());
    }
    this.#current = value;
    return value;
  }

  /** Sets tasks aside, and with them all that are like them: returns the latter too. */
  refuse(tasks: readonly TaskObject[]): TaskObject[] {
    const [first] = tasks;
    if (!first) return [];
    const key = groupKey(first);
    const group = new Map([...tasks, ...(this.#ready.get(key)?.values() ?? [])].map(byId));
    this.#ready.delete(key);
    this.#refused.set(key, group);
    return [...group.values()];
  }

  /** Something may have made room: all that was refused is worth a look again. */
  reconsider(): void {
    for (const [key, group] of this.#refused) this.#reconsider(key, group);
  }

  #reconsider(key: string, group: Group): void {
    this.#refused.delete(key);
    const ready = this.#ready.get(key);
    if (!ready) this.#ready.set(key, group);
    else for (const task of group.values()) ready.set(task.id, task);
  }
}

function byId(task: TaskObject): [string, TaskObject] {
  return [task.id, task];
}
