import { TemporaryError } from '@skep/agent';
import { Code, errorMessage, RpcError } from '@skep/platform';

export function isNotFound(error: unknown): boolean {
  return error instanceof RpcError && error.code === Code.NOT_FOUND;
}

/** Runs engine work. An engine that is away (containerd restarting) is no reason to end a task. */
export async function engineWork<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RpcError && error.code === Code.UNAVAILABLE) {
      throw new TemporaryError(errorMessage(error), { cause: error });
    }
    throw error;
  }
}

/** As {@link engineWork}; undefined where the engine knows no such container. */
export async function unlessMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await engineWork(work);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
