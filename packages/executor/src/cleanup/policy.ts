/** When images that nobody needs are removed. */
export interface ImageGcPolicy {
  /** Percent of the file system in use above which they go, least recently used first; 100: never. */
  highPercent: number;
  /** Percent in use at which no more of them go. */
  lowPercent: number;
  /** Time since a task asked for an image last after which it goes in any case; 0: never. */
  maxAgeMs: number;
}

/** The marks of kubelets: what is full at 85 percent has some days left, as a rule. */
export const DEFAULT_IMAGE_GC: ImageGcPolicy = { highPercent: 85, lowPercent: 80, maxAgeMs: 0 };

/** A file system, bytes. */
export interface DiskSpace {
  total: number;
  /** That may be used. */
  free: number;
}

const LOOK_INTERVAL_MS_MAX = 5 * 60_000;
const LOOK_INTERVAL_MS_MIN = 1_000;

/** Looks within the time that a policy's ages are told apart by. */
const LOOKS_PER_AGE = 4;

/** How often to look, ms. */
export function lookIntervalMs({ maxAgeMs }: ImageGcPolicy): number {
  if (maxAgeMs === 0) return LOOK_INTERVAL_MS_MAX;
  return Math.min(LOOK_INTERVAL_MS_MAX, Math.max(LOOK_INTERVAL_MS_MIN, maxAgeMs / LOOKS_PER_AGE));
}

/** Percent in use, as `df` counts it. */
export function usedPercent({ free, total }: DiskSpace): number {
  return total === 0 ? 0 : ((total - free) / total) * 100;
}
