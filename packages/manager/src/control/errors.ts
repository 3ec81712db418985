import { Code, RpcError } from '@skep/platform';

/** Bad input: HTTP 400. */
export function invalidArgument(message = 'invalid argument'): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}

/** The state of the swarm forbids it: HTTP 400. */
export function failedPrecondition(message: string): RpcError {
  return new RpcError(Code.FAILED_PRECONDITION, message);
}

/** `service web not found`: HTTP 404. */
export function notFound(kind: string, id: string): RpcError {
  return new RpcError(Code.NOT_FOUND, `${kind} ${id} not found`);
}

export function alreadyExists(message: string): RpcError {
  return new RpcError(Code.ALREADY_EXISTS, message);
}

export function permissionDenied(message: string): RpcError {
  return new RpcError(Code.PERMISSION_DENIED, message);
}

/** HTTP 501, with a sentence people can act on. */
export function unimplemented(message: string): RpcError {
  return new RpcError(Code.UNIMPLEMENTED, message);
}
