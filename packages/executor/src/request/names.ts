import { type TaskObject, taskName } from '@skep/wire';

export const TASK_LABEL = 'com.docker.swarm.task';
export const TASK_ID_LABEL = 'com.docker.swarm.task.id';

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
    'com.docker.swarm.task.name': taskName(task),
    'com.docker.swarm.node.id': task.nodeId,
    'com.docker.swarm.service.id': task.serviceId,
    'com.docker.swarm.service.name': task.serviceAnnotations.name,
  };
}
