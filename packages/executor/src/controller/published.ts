import type { TaskObject } from '@skep/wire';
import type { PublishedTask } from '../publisher.js';
import { taskEndpoints } from '../request/networks.js';
import { ingressPorts } from '../request/ports.js';

/** What the routing mesh is told of a task; undefined for one that publishes nothing. */
export function publishedTask(task: TaskObject): PublishedTask | undefined {
  const ports = ingressPorts(task);
  const ingress = taskEndpoints(task).find((endpoint) => endpoint.ingress);
  if (ports.length === 0 || !ingress) return undefined;
  return {
    serviceId: task.serviceId,
    serviceName: task.serviceAnnotations.name,
    taskId: task.id,
    address: ingress.address.replace(/\/.*/, ''),
    ports,
  };
}
