import { create } from '@bufbuild/protobuf';
import { type Clock, invariant } from '@skep/platform';
import { timestampFromMs } from '@skep/wire';
import {
  type ContainerStatus,
  type PortStatus,
  TaskState,
  type TaskStatus,
  TaskStatusSchema,
} from '@skep/wire/swarmkit';
import type { Transition } from './machine.js';

/** What a controller knows about its container, for the status. */
export interface Observed {
  container: ContainerStatus | undefined;
  ports: PortStatus | undefined;
  /** Something unusual about how it came to run. */
  remark?: string | undefined;
  /** What is amiss although it runs; empty: nothing. */
  warning: string;
}

/**
 * The status after a transition. The container and its ports are told from STARTING on; a warning stands
 * where `docker service ps` shows errors, for as long as the task runs.
 */
export function statusAfter(
  clock: Clock,
  before: TaskStatus,
  transition: Transition,
  observed: Observed,
): TaskStatus {
  invariant(transition.state > before.state, 'a task only moves forward', {
    from: before.state,
    to: transition.state,
  });
  const telling = before.state >= TaskState.STARTING || transition.state === TaskState.STARTING;
  const container = telling ? observed.container : undefined;
  return create(TaskStatusSchema, {
    timestamp: timestampFromMs(clock.now()),
    state: transition.state,
    message: transition.message ? remarked(transition.message, observed) : before.message,
    err: transition.state === TaskState.RUNNING ? observed.warning : transition.error,
    runtimeStatus: container ? { case: 'container', value: container } : before.runtimeStatus,
    portStatus: (telling ? observed.ports : undefined) ?? before.portStatus,
  });
}

function remarked(message: string, { remark }: Observed): string {
  return remark ? `${message} (${remark})` : message;
}
