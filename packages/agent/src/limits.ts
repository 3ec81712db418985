/** Bounds and periods of a worker. Where SwarmKit has the figure too, it is SwarmKit's (wire.md 3.1, 3.8). */
export interface AgentLimits {
  /**
   * Engine operations (create, start, remove of a container) that run at the same time. Each keeps a core
   * busy in the runtime for some 30 ms; more than a few per core only make all of them late.
   */
  engineOperationsMax: number;
  /** Wait before an operation that failed with a temporary error is tried again. */
  taskRetryDelayMs: number;
  /** Attempts to remove the container of a task that is no longer assigned; after that it is left to the next start. */
  taskRemoveAttemptsMax: number;
  /** Time for the answer to a status report, and for a session's first message. */
  callTimeoutMs: number;
  /**
   * Periods that a heartbeat has for its answer, at most `callTimeoutMs`. A node is given up after three periods
   * of silence: one that notices after one and this many has time to turn to another manager.
   */
  heartbeatTimeoutPeriods: number;
  /** Reconnection: b <- base + 2 b, at most max; the delay is uniform in [0, b). */
  reconnectBaseMs: number;
  reconnectMaxMs: number;
  /**
   * A node whose manager told it its period waits this many at most: a new leader gives nodes up that
   * it has not heard of for some, and there must be room for an attempt at a manager that is dead.
   * Where nodes are many, so that all at once would be a burden, the period is long.
   */
  reconnectMaxPeriods: number;
  /** Used when a manager hands out no heartbeat period, which would otherwise be a busy loop. */
  heartbeatFallbackMs: number;
  /** How often the node looks at itself; a changed description means a new registration. */
  describePeriodMs: number;
  /** Statuses in one report; the rest follows in the next. */
  reportBatchMax: number;
  /**
   * How long a state on the way to RUNNING may wait for others to share a report with. Nobody acts
   * on one, and mostly the task is past it by then: on a cluster that is updated, reports are halved.
   */
  reportDelayMsMax: number;
  /** First wait after a failed report; doubles up to `reconnectMaxMs`. */
  reportRetryMs: number;
  /** Log subscriptions at one time; more are closed at once, unread. */
  logSubscriptionsMax: number;
  /** Log messages of one subscription that wait for the manager; writers wait when it is full. */
  logMessagesWaitingMax: number;
  /** Log messages in one publication. */
  logBatchMax: number;
  /** Bytes of one subscription a second. */
  logBytesPerSecondMax: number;
  /** The task log is rewritten when it is larger than this and twice its live content. */
  taskLogCompactBytes: number;
  /** Wait before the task log is rewritten after a failed write (a full disk, usually). */
  taskLogRetryMs: number;
}

export const DEFAULT_LIMITS: AgentLimits = {
  engineOperationsMax: 8,
  taskRetryDelayMs: 1_000,
  taskRemoveAttemptsMax: 5,
  callTimeoutMs: 5_000,
  heartbeatTimeoutPeriods: 1.5,
  reconnectBaseMs: 100,
  reconnectMaxMs: 8_000,
  reconnectMaxPeriods: 1,
  heartbeatFallbackMs: 5_000,
  describePeriodMs: 20_000,
  reportBatchMax: 1_000,
  reportDelayMsMax: 500,
  reportRetryMs: 100,
  logSubscriptionsMax: 256,
  logMessagesWaitingMax: 1_024,
  logBatchMax: 64,
  logBytesPerSecondMax: 10_000_000,
  taskLogCompactBytes: 1_048_576,
  taskLogRetryMs: 1_000,
};
