import { Code, RpcError } from '@skep/platform';
import { NAME_LENGTH_MAX } from './limits.js';

const HOST_NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i;

/** Refuses names that are no host names, in docker-machine's words. */
export function checkName(name: string): void {
  if (HOST_NAME.test(name) && name.length <= NAME_LENGTH_MAX && !name.includes('..')) return;
  const text = 'Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . -';
  throw new RpcError(Code.INVALID_ARGUMENT, `${text}: "${name}"`);
}

export function missing(name: string): RpcError {
  const hint =
    'Use "skep machine ls" to list machines. Use "skep machine create" to add a new one.';
  return new RpcError(Code.NOT_FOUND, `Docker machine "${name}" does not exist. ${hint}`);
}

export function exists(name: string): RpcError {
  return new RpcError(Code.ALREADY_EXISTS, `Docker machine "${name}" already exists`);
}

export function notRunning(name: string): RpcError {
  return new RpcError(Code.FAILED_PRECONDITION, `Host is not running: "${name}"`);
}
