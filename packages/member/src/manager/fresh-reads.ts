import type { Control } from '@skep/manager';
import { Control as ControlMethods } from '@skep/wire/swarmkit';

/** Whether a method of Control changes nothing. */
export function isRead(method: string): boolean {
  return /^(get|list)/.test(method);
}

/**
 * The leader's control, whose reads too are linearizable: each waits until a majority confirmed that this manager
 * still leads (Raft thesis, 6.4). Without, one that was cut off a moment ago would answer from the past.
 *
 * @param readBarrier rejects when nobody confirms it
 */
export function withFreshReads(control: Control, readBarrier: () => Promise<void>): Control {
  const fresh = { ...control } as Record<string, (request: never) => Promise<unknown>>;
  for (const { localName } of ControlMethods.methods.filter((method) => isRead(method.localName))) {
    const read = control[localName as keyof Control] as (request: never) => Promise<unknown>;
    fresh[localName] = async (request) => {
      await readBarrier();
      return read(request);
    };
  }
  return fresh as unknown as Control;
}
