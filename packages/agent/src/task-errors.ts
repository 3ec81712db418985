/** Thrown by a controller for what may go better the next time: the operation is repeated after a pause. */
export class TemporaryError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'TemporaryError';
  }
}

/** The container of a task ended, other than with 0. Its message is the one scripts match on (features.md 3.1). */
export class TaskExitError extends Error {
  readonly exitCode: number;

  /** `reason`: why, where it is known, as in `dockerexec: unhealthy container`. */
  constructor(exitCode: number, reason?: string) {
    const text = `task: non-zero exit (${exitCode})`;
    super(reason === undefined ? text : `${text}: ${reason}`);
    this.name = 'TaskExitError';
    this.exitCode = exitCode;
  }
}
