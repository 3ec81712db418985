import type { Change, ChangeOf, ReadView } from '@skep/store';
import type { TableName, TaskObject } from '@skep/wire';
import { type TaskSpec, TaskState } from '@skep/wire/swarmkit';
import type { Step } from '../loop/plan.js';
import type { Decision, LoopOptions } from '../loop/planner.js';
import { PlanningLoop } from '../loop/planning-loop.js';
import { isNeeded } from './needed.js';
import { type DependencyKey, dependenciesOf, splitKey } from './references.js';
import { planRest } from './roll.js';
import { nameOf, numberOf, type Payload, type PayloadKind, versionsOf } from './versions.js';

const KINDS = ['secret', 'config'] as const;

/** Kind and name, in lower case. */
type NameKey = `${PayloadKind}/${string}`;

/**
 * Removes versions of secrets and configs that nothing needs any more, and finishes what a manager
 * that gave a new version to many services left undone. Looks at one name at a time.
 */
export class VersionKeeper extends PlanningLoop {
  /** What stands beside a newer version, and the key of its name. */
  readonly #superseded = new Map<DependencyKey, NameKey>();

  constructor(options: LoopOptions) {
    super('versions', options);
  }

  protected decide(view: ReadView, keys: readonly string[], nowMs: number): Decision {
    const steps: Step[] = [];
    const wakes: [string, number][] = [];
    for (const key of keys) {
      const [kind, name] = splitKey(key as NameKey);
      const rest = planRest(view, kind, name, nowMs);
      // Removal waits until all services have the newest version.
      if (rest.length > 0) wakes.push([key, 0]);
      steps.push(...(rest.length > 0 ? rest : planRemoval(view, kind, name)));
    }
    return { steps, wakes };
  }

  protected markAll(): void {
    this.#superseded.clear();
    for (const kind of KINDS) {
      for (const object of this.store.view.all(kind)) this.#onPayload(kind, object);
    }
  }

  protected onChange(change: Change): void {
    if (isOfPayload(change)) this.#onPayload(change.table, change.object);
    else if (this.#superseded.size === 0) return;
    else if (change.table === 'service') this.#onService(change);
    else if (change.table === 'task') this.#onTask(change);
  }

  /** A new version makes those before it superfluous, sooner or later. */
  #onPayload(kind: PayloadKind, object: Payload): void {
    this.#superseded.delete(`${kind}/${object.id}`);
    if (numberOf(object) === 1) return;
    const key: NameKey = `${kind}/${nameOf(object).toLowerCase()}`;
    for (const { id } of versionsOf(this.store.view, kind, nameOf(object)).slice(0, -1)) {
      this.#superseded.set(`${kind}/${id}`, key);
    }
    this.mark(key);
  }

  #onService({ kind, object, before }: ChangeOf<'service'>): void {
    const was = kind === 'remove' ? object : before;
    for (const spec of [was?.spec, was?.previousSpec]) if (spec) this.#letGo(spec.task);
  }

  #onTask({ kind, object: task, before }: ChangeOf<'task'>): void {
    const ended = hasEnded(task) && before && !hasEnded(before);
    if (ended || kind === 'remove') this.#letGo(task.spec);
  }

  #letGo(spec: TaskSpec): void {
    for (const dependency of dependenciesOf(spec)) {
      const key = this.#superseded.get(dependency);
      if (key !== undefined) this.mark(key);
    }
  }
}

function planRemoval(view: ReadView, kind: PayloadKind, name: string): Step[] {
  return versionsOf(view, kind, name)
    .slice(0, -1)
    .filter(({ id }) => !isNeeded(view, `${kind}/${id}`))
    .map(({ id }) => [{ kind: 'remove', table: kind, id }]);
}

function hasEnded(task: TaskObject): boolean {
  return task.status.state > TaskState.RUNNING;
}

function isOfPayload(change: Change): change is ChangeOf<'secret'> | ChangeOf<'config'> {
  return (KINDS as readonly TableName[]).includes(change.table);
}
