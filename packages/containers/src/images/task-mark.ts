import type { Labels } from '../containerd/types.js';

/**
 * On names that only tasks of the swarm have asked for: when one did last, ms since the epoch. A name
 * that a user gave or pulled has none, and is never taken away.
 */
const TASK_LABEL = 'skep.task';

/** A mark is not made anew for tasks that follow each other sooner. */
const MARK_STEP_MS = 60_000;

/** Undefined for a name that is a user's. */
export function taskUseMs(labels: Labels): number | undefined {
  const text = labels[TASK_LABEL];
  return text ? Number(text) : undefined;
}

/** Labels of a name that a task asks for now. `before`: those it has; undefined for a new one. */
export function taskMark(before: Labels | undefined, nowMs: number): Labels {
  const lastMs = before && taskUseMs(before);
  if (before && lastMs === undefined) return {};
  const useMs = lastMs !== undefined && nowMs - lastMs < MARK_STEP_MS ? lastMs : nowMs;
  return { [TASK_LABEL]: String(useMs) };
}
