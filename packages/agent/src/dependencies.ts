import type { ConfigObject, SecretObject } from '@skep/wire';
import type { Changes } from './assignments.js';
import type { Dependencies } from './executor.js';
import { TemporaryError } from './task-errors.js';

/** The objects of one kind that a manager gave this node. They live in memory alone. */
class ObjectStore<T extends { id: string }> {
  readonly #kind: string;
  readonly #objects = new Map<string, T>();

  constructor(kind: string) {
    this.#kind = kind;
  }

  apply(changes: Changes<T>, complete: boolean): void {
    if (complete) this.#objects.clear();
    for (const object of changes.put) this.#objects.set(object.id, object);
    for (const id of changes.removed) this.#objects.delete(id);
  }

  /** An object made for one task (templates, secret drivers) goes before the general one (wire.md 2.1). */
  get(id: string, taskId: string, informed: boolean): T {
    const found = this.#objects.get(`${id}.${taskId}`) ?? this.#objects.get(id);
    if (found) return found;
    const message = `${this.#kind} ${id} not found`;
    throw informed ? new Error(message) : new TemporaryError(message);
  }
}

/** All secrets and configs of this node's tasks. */
export class DependencyStores {
  readonly #secrets = new ObjectStore<SecretObject>('secret');
  readonly #configs = new ObjectStore<ConfigObject>('config');
  #informed = false;

  apply(set: {
    complete: boolean;
    secrets: Changes<SecretObject>;
    configs: Changes<ConfigObject>;
  }): void {
    if (set.complete) this.#informed = true;
    this.#secrets.apply(set.secrets, set.complete);
    this.#configs.apply(set.configs, set.complete);
  }

  /** What the controller of one task is given. */
  forTask(taskId: string): Dependencies {
    return {
      secret: (id) => this.#secrets.get(id, taskId, this.#informed),
      config: (id) => this.#configs.get(id, taskId, this.#informed),
    };
  }
}
