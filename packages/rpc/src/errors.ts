import { Code, errorMessage, RpcError } from '@skep/platform';

/** A call failed before anything of it reached the other side: trying again is safe. */
export class NotSentError extends RpcError {
  constructor(message: string, options?: ErrorOptions) {
    super(Code.UNAVAILABLE, message, options);
    this.name = 'NotSentError';
  }
}

/** What a Go client says when it cannot connect; Docker shows it to the user. */
export function connectionError(reason: string): string {
  return `connection error: desc = "transport: ${reason}"`;
}

export function canceled(): RpcError {
  return new RpcError(Code.CANCELED, 'context canceled');
}

export function deadlineExceeded(): RpcError {
  return new RpcError(Code.DEADLINE_EXCEEDED, 'context deadline exceeded');
}

/** Anything a handler threw, as the status a Go server would give it. */
export function asRpcError(error: unknown): RpcError {
  if (error instanceof RpcError) return error;
  return new RpcError(Code.UNKNOWN, errorMessage(error), { cause: error });
}
