import { Code, RpcError } from '@skep/platform';

/**
 * Data that was synced is damaged or missing. Going on would lose acknowledged writes, so nothing
 * does.
 */
export class LogCorruptError extends Error {
  /** File that is damaged. */
  readonly path: string;

  constructor(path: string, message: string, options?: ErrorOptions) {
    super(`${path}: ${message}`, options);
    this.name = 'LogCorruptError';
    this.path = path;
  }
}

/** Refused for want of disk space; nothing was written, and a later try may succeed. */
export class NoSpaceError extends RpcError {
  constructor(options?: ErrorOptions) {
    super(Code.RESOURCE_EXHAUSTED, 'raft: no space left on the disk of the log', options);
    this.name = 'NoSpaceError';
  }
}

/** A write or sync of the log failed: what is on disk is unknown, so this process must stop. */
export class LogFailedError extends Error {
  constructor(cause: unknown) {
    super('raft: the log cannot be written', { cause });
    this.name = 'LogFailedError';
  }
}
