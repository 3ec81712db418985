/** Bounds and periods of the executor. */
export interface ExecutorLimits {
  /** Time a task waits for the node's own addresses in its networks (features.md 3.6). */
  attachmentWaitMs: number;
  /** Time a registry has to give a first sign of life while the image is here already. */
  registryPatienceMs: number;
  /** Silence of a registry after which other nodes are asked for an image that is not here. */
  registryAloneMs: number;
  /** Time for which a failed pull of an image that is here already is not repeated. */
  pullFailureKeptMs: number;
  /** Failed pulls remembered; the oldest is forgotten first. */
  pullFailuresMax: number;
  /** Containers left over from earlier runs that are removed at the same time. */
  leftoverRemovalsMax: number;
}

export const DEFAULT_EXECUTOR_LIMITS: ExecutorLimits = {
  attachmentWaitMs: 30_000,
  registryPatienceMs: 1_000,
  registryAloneMs: 2_000,
  pullFailureKeptMs: 30_000,
  pullFailuresMax: 256,
  leftoverRemovalsMax: 8,
};

/** Grace period of a container whose service names none. */
export const STOP_GRACE_MS_DEFAULT = 10_000;

/** Time that connections get to end before a task is told to, where its service says nothing: Docker's. */
export const DRAIN_MS_DEFAULT = 2_000;

/**
 * Time that a task without a health check has to listen on its published ports before it counts as
 * running all the same: most programs need less than one second, and some never do.
 */
export const LISTEN_WAIT_MS = 5_000;

/** What is left of a grace period for the process, however long its connections took. */
export const STOP_GRACE_LEFT_MS_MIN = 1_000;

/** What is kept of the last line that a failed container printed, in characters. */
export const LAST_LINE_CHARS_MAX = 200;

/** Lines of its log that are looked through for one that is not blank. */
export const LAST_LINES_READ = 10;
