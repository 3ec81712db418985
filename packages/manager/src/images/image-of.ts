import type { TaskSpec } from '@skep/wire/swarmkit';

/** Empty for what runs no container. */
export function imageOf(task: TaskSpec | undefined): string {
  return task?.runtime.case === 'container' ? task.runtime.value.image : '';
}
