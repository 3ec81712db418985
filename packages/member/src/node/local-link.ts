import type { ManagerLink } from '@skep/agent';
import type { LeaderRooms } from '../manager/leader-rooms.js';

/** A worker's view of the manager in the same process: no wire between, the same messages. */
export function localLink(
  nodeId: string,
  address: string,
  { dispatcher, logBroker }: Pick<LeaderRooms, 'dispatcher' | 'logBroker'>,
): ManagerLink {
  return {
    session: (request, signal) => dispatcher.session(nodeId, request, address, signal),
    heartbeat: (request) => dispatcher.heartbeat(nodeId, request),
    updateTaskStatus: (request) => dispatcher.updateTaskStatus(nodeId, request),
    assignments: (request, signal) => dispatcher.assignments(nodeId, request, signal),
    listenSubscriptions: (signal) => logBroker.listenSubscriptions(nodeId, signal),
    publishLogs: async (messages) => {
      await logBroker.publishLogs(nodeId, messages);
    },
  };
}
