import type { TaskObject } from '@skep/wire';
import type { Draw } from '../../engine/index.js';

/** How long a job's task works, ms, and how often it fails. */
const WORK_MS = [20, 1_500] as const;
const JOB_FAILURE_PROBABILITY = 0.15;
/** When a task of an image that is no good fails, ms after its start, and how often it does. */
const BREAKS_AFTER_MS = [5, 800] as const;
const BREAKS_PROBABILITY = 0.8;

/** The image as one whose tasks fail, for as long as things go wrong. */
export function worsened(image: string): string {
  return `${image}-bad`;
}

export interface Fate {
  afterMs: number;
  exitCode: number;
}

/**
 * How a container that has just started ends by itself; undefined when it runs until it is stopped. Once
 * the world is mended nothing fails any more.
 */
export function fateOf(task: TaskObject, draw: Draw, isMended: boolean): Fate | undefined {
  if (task.jobIteration) {
    const fails = draw.chance(JOB_FAILURE_PROBABILITY) && !isMended;
    return { afterMs: draw.between(...WORK_MS), exitCode: fails ? 1 : 0 };
  }
  const { runtime } = task.spec;
  const isBad = runtime.case === 'container' && runtime.value.image.endsWith(worsened(''));
  if (!isBad || isMended || !draw.chance(BREAKS_PROBABILITY)) return undefined;
  return { afterMs: draw.between(...BREAKS_AFTER_MS), exitCode: 1 };
}
