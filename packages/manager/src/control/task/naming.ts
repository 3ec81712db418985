import type { TaskObject } from '@skep/wire';
import type { TaskSpec } from '@skep/wire/swarmkit';

/** A task's name: `web.1.<task id>`, or `web.<node id>.<task id>` where tasks belong to nodes. */
export function taskName(task: TaskObject): string {
  if (task.annotations.name) return task.annotations.name;
  const place = task.slot === 0n ? task.nodeId : task.slot;
  return `${task.serviceAnnotations.name}.${place}.${task.id}`;
}

/** What kind of thing a task spec runs: `container`, `attachment`, a plugin's kind, or undefined. */
export function runtimeName({ runtime }: TaskSpec): string | undefined {
  return runtime.case === 'generic' ? runtime.value.kind : runtime.case;
}
