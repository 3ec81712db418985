import { Code, RpcError } from '@skep/platform';

/** The object changed since the version the caller read. Docker's text; clients match on it. */
export class SequenceError extends RpcError {
  constructor() {
    super(Code.UNKNOWN, 'update out of sequence');
  }
}

/** Another object of the table has the name (compared in lower case). */
export class NameConflictError extends RpcError {
  constructor() {
    super(Code.ALREADY_EXISTS, 'name conflicts with an existing object');
  }
}

export class ExistsError extends RpcError {
  constructor() {
    super(Code.ALREADY_EXISTS, 'object already exists');
  }
}

export class MissingError extends RpcError {
  constructor() {
    super(Code.NOT_FOUND, 'object does not exist');
  }
}

/** The transaction's entry is over the limit of the log. */
export class EntryTooLargeError extends RpcError {
  constructor(bytes: number, limit: number) {
    super(Code.INVALID_ARGUMENT, `transaction too large: ${bytes} bytes, at most ${limit}`);
  }
}

/**
 * The write may or may not have been committed: leadership or the disk was lost while it was under
 * way.
 */
export class UnknownOutcomeError extends RpcError {
  constructor(reason: Error) {
    super(Code.ABORTED, `outcome of the write is unknown: ${reason.message}`, { cause: reason });
  }
}
