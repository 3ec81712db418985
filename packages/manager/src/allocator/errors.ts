import { Code } from '@skep/platform';

/** What was asked for cannot be had now. The message is told to the user in the task's status. */
export class AllocationError extends Error {
  /** What kind of error it is where somebody waits for an answer. */
  readonly code: Code;

  constructor(message: string, code: Code = Code.FAILED_PRECONDITION) {
    super(message);
    this.name = 'AllocationError';
    this.code = code;
  }
}
