import type { DescMethodUnary } from '@bufbuild/protobuf';
import type { Control, LogBrokerService } from '@skep/manager';
import type { Channel } from '@skep/rpc';
import { CA, Control as ControlMethods, Logs } from '@skep/wire/swarmkit';
import { FORWARDED_CALL_TIMEOUT_MS } from '../limits.js';
import { isRead } from './fresh-reads.js';
import type { LeaderFinder } from './leader-finder.js';
import type { LeaderRooms } from './leader-rooms.js';

export interface UserFaceOptions {
  /** Finds this manager's own rooms while it leads, the way to the leader otherwise. */
  finder: Pick<LeaderFinder<LeaderRooms | Channel>, 'call' | 'leader'>;
  /** `ip:port` of this manager. */
  ownAddress: string;
}

/** What this node's users ask of the swarm, answered by the leader wherever it is. */
export interface UserFace {
  control: Control;
  logs: Pick<LogBrokerService, 'subscribeLogs'>;
  /** The key managers are unlocked with, as the leader knows it: no older than the last rotation. Empty for none. */
  unlockKey(): Promise<Uint8Array>;
}

export function userFace({ finder, ownAddress }: UserFaceOptions): UserFace {
  const forwarded = { caller: 'own', redirectedBy: ownAddress } as const;
  const timeoutMs = FORWARDED_CALL_TIMEOUT_MS;
  const unary = (method: DescMethodUnary, request: never): Promise<unknown> =>
    finder.call(isRead(method.localName), async (to, signals) => {
      if (!('control' in to))
        return to.unary(method, request, { forwarded, timeoutMs, ...signals() });
      const answer = to.control[method.localName as keyof Control];
      return answer(request);
    });
  const entries = ControlMethods.methods.map((method) => [
    method.localName,
    (request: never) => unary(method as DescMethodUnary, request),
  ]);
  return {
    // Every method of the service is there, so every one of the interface is.
    control: Object.fromEntries(entries) as Control,
    async unlockKey() {
      const answer = await finder.call(true, (to, signals) =>
        'authority' in to
          ? to.authority.getUnlockKey()
          : to.unary(CA.method.getUnlockKey, {}, { forwarded, timeoutMs, ...signals() }),
      );
      return answer.unlockKey;
    },
    logs: {
      async *subscribeLogs(request, signal) {
        const to = await finder.leader();
        if ('logBroker' in to) yield* to.logBroker.subscribeLogs(request, signal);
        else yield* to.serverStream(Logs.method.subscribeLogs, request, { forwarded, signal });
      },
    },
  };
}
