import { equals } from '@bufbuild/protobuf';
import type { ReadView } from '@skep/store';
import type { NodeObject, ServiceObject, TaskObject } from '@skep/wire';
import {
  RestartPolicy_RestartCondition as Condition,
  NodeSpec_Availability,
  NodeStatus_State,
  TaskSpecSchema,
  TaskState,
  UpdateStatus_UpdateState as UpdateState,
} from '@skep/wire/swarmkit';

/** What one service is judged by. */
interface Tasks {
  service: ServiceObject;
  all: readonly TaskObject[];
  /** Nodes that take tasks. */
  active: ReadonlySet<string>;
}

/** Why some service is not as it should be once all is quiet, in words. */
export function notServed(view: ReadView): string | undefined {
  const active = new Set([...view.all('node')].filter(takesTasks).map(({ id }) => id));
  if (active.size === 0) return undefined;
  for (const service of view.all('service')) {
    const tasks = { service, all: [...view.tasksOfService(service.id)], active };
    const { mode } = service.spec;
    const isJob = mode.case === 'replicatedJob' || mode.case === 'globalJob';
    const wrong = isJob ? notDone(tasks) : (notUpdated(service) ?? notRunning(tasks));
    if (wrong) return `${service.spec.annotations.name} ${wrong}`;
  }
  return undefined;
}

function takesTasks({ spec, status }: NodeObject): boolean {
  const isReady = status.state === NodeStatus_State.READY;
  return isReady && spec.availability === NodeSpec_Availability.ACTIVE;
}

/** An update that goes on has nothing to wait for. */
function notUpdated({ updateStatus }: ServiceObject): string | undefined {
  const { ROLLBACK_STARTED, UPDATING } = UpdateState;
  const state = updateStatus?.state;
  const goesOn = state === UPDATING || state === ROLLBACK_STARTED;
  return goesOn ? `is ${UpdateState[state]}: ${updateStatus?.message}` : undefined;
}

/** One that runs on has as many tasks as it should, one in each place; all of its spec unless paused. */
function notRunning({ active, all, service }: Tasks): string | undefined {
  const { mode, task: spec } = service.spec;
  // Paused nodes keep what they have of a global service, as it is.
  const own = all
    .filter(({ desiredState }) => desiredState === TaskState.RUNNING)
    .filter(({ nodeId }) => mode.case === 'replicated' || active.has(nodeId));
  const wanted = mode.case === 'replicated' ? Number(mode.value.replicas) : active.size;
  const running = own.filter(({ status }) => status.state === TaskState.RUNNING);
  if (running.length !== wanted) return `has ${running.length} of ${wanted}`;
  if (own.length > wanted) return 'has a task on its way';
  const places = new Set(own.map(({ nodeId, slot }) => (slot > 0n ? slot : nodeId)));
  if (places.size < wanted) return 'has two tasks in one place';
  const { PAUSED, ROLLBACK_PAUSED } = UpdateState;
  const state = service.updateStatus?.state;
  if (state === PAUSED || state === ROLLBACK_PAUSED) return undefined;
  const old = own.find((task) => !equals(TaskSpecSchema, task.spec, spec));
  return old && `has ${old.id} of another spec`;
}

/** A job has come to its end in each of its places, and nothing of it goes on. */
function notDone({ active, all, service }: Tasks): string | undefined {
  const { mode, task: spec } = service.spec;
  const run = service.jobStatus?.jobIteration?.index;
  const ofRun = (task: TaskObject) => task.jobIteration?.index === run;
  const isAtWork = ({ nodeId, status }: TaskObject) =>
    active.has(nodeId) && status.state < TaskState.COMPLETE;
  const former = all.find((task) => !ofRun(task) && isAtWork(task));
  if (former) return `still works on run ${former.jobIteration?.index}`;
  // A global job's task that its node had not got when that was paused waits until it is active.
  const isHeldBack = ({ nodeId, status }: TaskObject) =>
    nodeId !== '' && !active.has(nodeId) && status.state < TaskState.ASSIGNED;
  const waits = all.find((task) => {
    const isUnderWay = task.status.state < TaskState.COMPLETE && !isHeldBack(task);
    return task.desiredState <= TaskState.COMPLETE && isUnderWay;
  });
  if (waits) return `has a task on its way: ${waits.id}`;
  const placesOf = (counts: (state: TaskState) => boolean) => {
    const found = all.filter((task) => ofRun(task) && counts(task.status.state));
    return new Set(found.map(({ nodeId, slot }) => (mode.case === 'globalJob' ? nodeId : slot)));
  };
  // What failed, or was lost, and is not to be started again stays as it is.
  const isFinal = spec.restart?.condition === Condition.NONE;
  const settled = placesOf((state) =>
    isFinal ? state >= TaskState.COMPLETE : state === TaskState.COMPLETE,
  );
  if (mode.case === 'globalJob') {
    const missing = [...active].find((nodeId) => !settled.has(nodeId));
    return missing && `is not done on ${missing}`;
  }
  const total = mode.case === 'replicatedJob' ? Number(mode.value.totalCompletions) : 0;
  if (settled.size !== total) return `has done ${settled.size} of ${total}`;
  return undefined;
}
