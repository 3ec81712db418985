import { Code, errorMessage, RpcError } from '@skep/platform';
import type { ContainerRecord } from '../records/record.js';

/** Exit codes of a container whose process never ran, as shells and Docker use them. */
const EXIT_NOT_STARTED = 128;
const EXIT_NOT_FOUND = 127;
const EXIT_NOT_EXECUTABLE = 126;
/** Where containerd's account of a failed start begins. */
const RUNTIME_FAILURE = /failed to create shim task|OCI runtime|runc create failed|failed to start/;

/** What a client is told of a failed start, and the exit code that stays on the container. */
export function translateStartError(
  error: unknown,
  record: Pick<ContainerRecord, 'path'>,
): { failure: RpcError; exitCode: number } {
  const message = errorMessage(error);
  const fromRuntime = RUNTIME_FAILURE.test(message);
  if (!fromRuntime) {
    const known = error instanceof RpcError;
    const failure = known ? error : new RpcError(Code.INTERNAL, message, { cause: error });
    return { failure, exitCode: EXIT_NOT_STARTED };
  }
  const text = `failed to create task for container: ${withStatus(message)}`;
  const lower = message.toLowerCase();
  const invalid = (exitCode: number, hint = '') => ({
    failure: new RpcError(Code.INVALID_ARGUMENT, text + hint, { cause: error }),
    exitCode,
  });
  if (
    message.includes(record.path) &&
    /executable file not found|no such file or directory/.test(lower)
  ) {
    return invalid(EXIT_NOT_FOUND);
  }
  if (lower.includes('permission denied')) return invalid(EXIT_NOT_EXECUTABLE);
  if (lower.includes('not a directory')) {
    return invalid(
      EXIT_NOT_FOUND,
      ': Are you trying to mount a directory onto a file (or vice-versa)? ' +
        'Check if the specified host path exists and is the expected type',
    );
  }
  const failure = new RpcError(Code.INTERNAL, text, { cause: error });
  return { failure, exitCode: EXIT_NOT_STARTED };
}

/** Docker's texts end with containerd's class of error. */
function withStatus(message: string): string {
  return message.endsWith(': unknown') ? message : `${message}: unknown`;
}
