import type { Change, Commit, ReadView } from '@skep/store';
import type { ServiceObject, TaskObject } from '@skep/wire';
import { TaskState } from '@skep/wire/swarmkit';
import { must } from '../engine/index.js';

/**
 * Jobs, as one manager's store tells of them: no more tasks at a time than allowed, none in a place twice,
 * none begun where the run has come to its end, and none said to be done that did not end well by itself.
 */
export class JobChecker {
  readonly #machine: string;
  readonly #endedWell: (taskId: string) => boolean;
  /** Places of runs that were told to be done. */
  readonly #done = new Set<string>();

  /** `endedWell` says whether the work of a task was done, whatever the store says. */
  constructor(machine: string, endedWell: (taskId: string) => boolean) {
    this.#machine = machine;
    this.#endedWell = endedWell;
  }

  /** `view` is the state that the commit led to. */
  commit({ changes }: Commit, view: ReadView): void {
    for (const change of changes) if (begins(change)) this.#checkNotDone(change.object, view);
    const touched = new Set<string>();
    for (const { object, table } of changes) {
      if (table === 'service') touched.add(object.id);
      if (table !== 'task' || !object.jobIteration) continue;
      touched.add(object.serviceId);
      if (object.status.state === TaskState.COMPLETE) this.#takeDone(object, view);
    }
    for (const id of touched) {
      const service = view.get('service', id);
      if (service) this.#checkBounds(view, service);
    }
  }

  #checkNotDone(task: TaskObject, view: ReadView): void {
    const place = placeOf(task, view);
    must(
      !this.#done.has(place),
      'job-once',
      () => `${this.#machine}: ${task.id} is begun in ${place}, which is done`,
    );
  }

  #takeDone(task: TaskObject, view: ReadView): void {
    must(
      this.#endedWell(task.id),
      'job-done',
      () => `${this.#machine}: ${task.id} is told to be done, and did not end well by itself`,
    );
    this.#done.add(placeOf(task, view));
  }

  #checkBounds(view: ReadView, service: ServiceObject): void {
    const { mode } = service.spec;
    if (mode.case !== 'replicatedJob') return;
    const run = service.jobStatus?.jobIteration?.index;
    const places = new Set<bigint>();
    for (const task of view.tasksOfService(service.id)) {
      const isLive = task.desiredState <= TaskState.COMPLETE;
      const isOfRun = task.jobIteration?.index === run;
      if (!isLive || !isOfRun || task.status.state === TaskState.COMPLETE) continue;
      must(
        !places.has(task.slot),
        'job-place-once',
        () => `${this.#machine}: two tasks work in ${placeOf(task, view)}`,
      );
      places.add(task.slot);
    }
    must(
      places.size <= Number(mode.value.maxConcurrent),
      'job-concurrent',
      () => `${this.#machine}: ${service.id} has ${places.size} tasks at a time`,
    );
  }
}

/** Whether a change makes a job's task, or lets one that was held back begin. */
function begins(change: Change): change is Change & { table: 'task' } {
  if (change.table !== 'task' || !change.object.jobIteration) return false;
  if (change.kind === 'create') return true;
  const { before, kind, object } = change;
  const { COMPLETE } = TaskState;
  return kind === 'update' && before.desiredState < COMPLETE && object.desiredState === COMPLETE;
}

/** A place of a run: a slot, or a node. */
function placeOf(task: TaskObject, view: ReadView): string {
  const { jobIteration, nodeId, serviceId, slot } = task;
  const isPerNode = view.get('service', serviceId)?.spec.mode.case === 'globalJob';
  return `${serviceId}/${jobIteration?.index}/${isPerNode ? nodeId : slot}`;
}
