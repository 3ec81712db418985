import { Code, RpcError } from '@skep/platform';

/** An answer with a status and Docker's error body. */
export class HttpError extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HttpError';
    this.status = status;
  }
}

/** HTTP status of a gRPC code (features.md 2.1); what is not listed is 500. */
const STATUS_OF_CODE: Partial<Record<Code, number>> = {
  [Code.INVALID_ARGUMENT]: 400,
  [Code.NOT_FOUND]: 404,
  [Code.ALREADY_EXISTS]: 409,
  [Code.PERMISSION_DENIED]: 403,
  [Code.FAILED_PRECONDITION]: 400,
  [Code.UNAUTHENTICATED]: 401,
  [Code.OUT_OF_RANGE]: 400,
  [Code.UNIMPLEMENTED]: 501,
  [Code.UNAVAILABLE]: 503,
};

/** Status and text for anything thrown by a room of this process. */
export function toHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof RpcError) {
    return new HttpError(STATUS_OF_CODE[error.code] ?? 500, error.message, { cause: error });
  }
  const { statusCode, message } = error as { statusCode?: unknown; message?: unknown };
  const status = typeof statusCode === 'number' && statusCode >= 400 ? statusCode : 500;
  return new HttpError(status, String(message ?? error), { cause: error });
}

/**
 * Runs a call of the manager. Docker passes a manager's error on as gRPC wrote it
 * (`rpc error: code = NotFound desc = …`), and scripts match on that.
 */
export async function callManager<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const status = STATUS_OF_CODE[error.code] ?? 500;
    throw new HttpError(status, error.toGoString(), { cause: error });
  }
}
