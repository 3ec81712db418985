import type { TaskController } from './executor.js';

/** Stands in for the controller of a task this node cannot run: everything that would run it fails. */
export function rejectedController(error: unknown): TaskController {
  const fail = () => Promise.reject(error);
  const nothing = () => Promise.resolve();
  return {
    update: nothing,
    prepare: fail,
    start: fail,
    wait: fail,
    shutdown: nothing,
    terminate: nothing,
    remove: nothing,
    close: nothing,
    containerStatus: () => undefined,
    portStatus: () => undefined,
    async *logs() {},
  };
}
