/** What was asked for cannot be had now. The message is told to the user in the task's status. */
export class AllocationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'AllocationError';
  }
}
