import type { TaskObject } from '@skep/wire';

export const TASK_LABEL = 'com.docker.swarm.task';
export const TASK_ID_LABEL = 'com.docker.swarm.task.id';

/** What the container of a task is called: `service.slot.task`, or with the node's id for a global service. */
export function containerName(task: TaskObject): string {
  if (task.annotations.name !== '') return task.annotations.name;
  const slot = task.slot === 0n ? task.nodeId : task.slot.toString();
  return `${task.serviceAnnotations.name}.${slot}.${task.id}`;
}

/** A container's labels: the service's, then the task's, and over all the swarm's own. */
export function containerLabels(
  task: TaskObject,
  own: Record<string, string>,
): Record<string, string> {
  return {
    ...own,
    ...task.annotations.labels,
    [TASK_LABEL]: '',
    [TASK_ID_LABEL]: task.id,
    'com.docker.swarm.task.name': containerName(task),
    'com.docker.swarm.node.id': task.nodeId,
    'com.docker.swarm.service.id': task.serviceId,
    'com.docker.swarm.service.name': task.serviceAnnotations.name,
  };
}
