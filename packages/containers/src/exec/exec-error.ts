import { Code, errorMessage, RpcError } from '@skep/platform';

const EXIT_NOT_FOUND = 127;
const EXIT_NOT_EXECUTABLE = 126;

/** Docker's text and exit code for a command that could not be run in a container. */
export function translateExecError(error: unknown): { failure: RpcError; exitCode: number } {
  const message = errorMessage(error);
  const lower = message.toLowerCase();
  if (!lower.includes('exec failed')) {
    const failure = error instanceof RpcError ? error : new RpcError(Code.INTERNAL, message);
    return { failure, exitCode: EXIT_NOT_EXECUTABLE };
  }
  const text = message.endsWith(': unknown') ? message : `${message}: unknown`;
  const missing = /executable file not found|no such file or directory/.test(lower);
  return {
    failure: new RpcError(Code.INVALID_ARGUMENT, text, { cause: error }),
    exitCode: missing ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE,
  };
}
