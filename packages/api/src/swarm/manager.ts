import type { Control } from '@skep/manager';
import { type Clock, Code, RpcError } from '@skep/platform';
import { callManager } from '../server/errors.js';
import { MANAGER_CALL_MS_MAX } from './limits.js';
import type { SwarmNode } from './node.js';

type Call = (request: never) => Promise<unknown>;

/**
 * The manager's control as the API calls it: bounded in time, and with errors in the words that gRPC would
 * give them. Throws at once where this node is no manager.
 */
export function managerOf(node: SwarmNode, clock: Clock): Control {
  return new Proxy(node.control(), {
    get(control, name) {
      const call = (control as unknown as Record<PropertyKey, Call>)[name];
      if (typeof call !== 'function') return call;
      return (request: never) =>
        callManager(() => withDeadline(clock, call.call(control, request)));
    },
  });
}

/** Gives up waiting after the time Docker gives a manager; what was begun may still happen. */
async function withDeadline<T>(clock: Clock, work: Promise<T>): Promise<T> {
  let cancel = () => {};
  const deadline = new Promise<never>((_resolve, reject) => {
    cancel = clock.after(MANAGER_CALL_MS_MAX, () =>
      reject(new RpcError(Code.DEADLINE_EXCEEDED, 'context deadline exceeded')),
    );
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    cancel();
  }
}
