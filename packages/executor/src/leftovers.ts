import type { ContainerEngine, ContainerSummary } from '@skep/containers';
import { errorMessage, type Logger } from '@skep/platform';
import { TASK_ID_LABEL } from './request/names.js';

export interface LeftoverOptions {
  engine: Pick<ContainerEngine, 'list' | 'remove'>;
  logger: Logger;
  removalsMax: number;
}

/** Removes the containers of tasks that are not known (any more). */
export async function removeLeftovers(
  options: LeftoverOptions,
  taskIds: ReadonlySet<string>,
): Promise<void> {
  const { engine } = options;
  const filters = { label: [TASK_ID_LABEL] };
  const containers = await engine.list({ all: true, size: false, filters });
  const isKnown = ({ Labels }: ContainerSummary) => taskIds.has(Labels[TASK_ID_LABEL] ?? '');
  const leftovers = containers.filter((container) => !isKnown(container));
  const workers = Array.from({ length: options.removalsMax }, async () => {
    for (let next = leftovers.pop(); next; next = leftovers.pop()) await remove(options, next);
  });
  await Promise.all(workers);
}

async function remove({ engine, logger }: LeftoverOptions, { Id }: ContainerSummary) {
  try {
    await engine.remove(Id, { force: true, volumes: true });
    logger.info({ containerId: Id }, 'removed the container of a task that is no longer here');
  } catch (error) {
    // It is tried again at the next start; until then it is only in nobody's way.
    logger.warn({ containerId: Id, error: errorMessage(error) }, 'a leftover container stays');
  }
}
