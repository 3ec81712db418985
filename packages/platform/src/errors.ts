/**
 * gRPC status codes, which are also the kinds of error between the rooms of one process.
 * The API maps them to HTTP statuses (features.md 2.1).
 */
export enum Code {
  CANCELED = 1,
  UNKNOWN = 2,
  INVALID_ARGUMENT = 3,
  DEADLINE_EXCEEDED = 4,
  NOT_FOUND = 5,
  ALREADY_EXISTS = 6,
  PERMISSION_DENIED = 7,
  RESOURCE_EXHAUSTED = 8,
  FAILED_PRECONDITION = 9,
  ABORTED = 10,
  OUT_OF_RANGE = 11,
  UNIMPLEMENTED = 12,
  INTERNAL = 13,
  UNAVAILABLE = 14,
  DATA_LOSS = 15,
  UNAUTHENTICATED = 16,
}

/** Go's spelling of the codes, as it stands in `rpc error: code = NotFound desc = …`. */
const GO_NAMES: Record<Code, string> = {
  [Code.CANCELED]: 'Canceled',
  [Code.UNKNOWN]: 'Unknown',
  [Code.INVALID_ARGUMENT]: 'InvalidArgument',
  [Code.DEADLINE_EXCEEDED]: 'DeadlineExceeded',
  [Code.NOT_FOUND]: 'NotFound',
  [Code.ALREADY_EXISTS]: 'AlreadyExists',
  [Code.PERMISSION_DENIED]: 'PermissionDenied',
  [Code.RESOURCE_EXHAUSTED]: 'ResourceExhausted',
  [Code.FAILED_PRECONDITION]: 'FailedPrecondition',
  [Code.ABORTED]: 'Aborted',
  [Code.OUT_OF_RANGE]: 'OutOfRange',
  [Code.UNIMPLEMENTED]: 'Unimplemented',
  [Code.INTERNAL]: 'Internal',
  [Code.UNAVAILABLE]: 'Unavailable',
  [Code.DATA_LOSS]: 'DataLoss',
  [Code.UNAUTHENTICATED]: 'Unauthenticated',
};

/** An error of a manager's service: what a gRPC peer gets as its status, and a user as text. */
export class RpcError extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RpcError';
    this.code = code;
  }

  /** The text a Docker client sees for an error of the manager: `rpc error: code = NotFound desc = …`. */
  toGoString(): string {
    return `rpc error: code = ${GO_NAMES[this.code]} desc = ${this.message}`;
  }
}

/** A broken invariant: a bug. The daemon logs it and stops, rather than spoil data. */
export class InvariantError extends Error {
  readonly context: object | undefined;

  constructor(message: string, context?: object) {
    super(`invariant broken: ${message}`);
    this.name = 'InvariantError';
    this.context = context;
  }
}

/** Throws {@link InvariantError} unless `condition` holds. */
export function invariant(
  condition: unknown,
  message: string,
  context?: object,
): asserts condition {
  if (!condition) throw new InvariantError(message, context);
}

/** The message of anything thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Whether an error is a system error with one of the codes (`ENOENT`, …). */
export function hasErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
