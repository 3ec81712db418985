import type { TaskObject } from './complete.js';
import type { NodeDescription } from './swarmkit.js';

/** A task's name, its container's too: `web.1.<task id>`, or `web.<node id>.<task id>` of global services. */
export function taskName(task: TaskObject): string {
  if (task.annotations.name) return task.annotations.name;
  return `${task.serviceAnnotations.name}.${placeOf(task)}.${task.id}`;
}

/** What `{{.…}}` means in the spec of a task on a node (features.md 3.7). */
export function templateData(task: TaskObject, node: NodeDescription) {
  return {
    Service: {
      ID: task.serviceId,
      Name: task.serviceAnnotations.name,
      Labels: new Map(Object.entries(task.serviceAnnotations.labels)),
    },
    Node: {
      ID: task.nodeId,
      Hostname: node.hostname,
      Platform: { Architecture: node.platform?.architecture ?? '', OS: node.platform?.os ?? '' },
    },
    Task: { ID: task.id, Name: taskName(task), Slot: placeOf(task) },
  };
}

/** Which of its service's tasks it is. */
function placeOf({ nodeId, slot }: TaskObject): string {
  return slot === 0n ? nodeId : slot.toString();
}
