import { create } from '@bufbuild/protobuf';
import type { ManagerLink } from '@skep/agent';
import { WithdrawRequestSchema } from '@skep/wire/skep';
import type { LeaderRooms } from '../manager/leader-rooms.js';
import type { NetworksLink } from '../networks/index.js';

/** A worker's view of the manager in the same process: no wire between, the same messages. */
export function localLink(
  nodeId: string,
  address: string,
  { dispatcher, logBroker, resources }: Pick<LeaderRooms, 'dispatcher' | 'logBroker' | 'resources'>,
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
    attachNetwork: (request) => resources.attachNetwork(nodeId, request),
    detachNetwork: (request) => resources.detachNetwork(nodeId, request),
    renameContainer: (request) => resources.renameContainer(nodeId, request),
  };
}

/** The tables of the manager in the same process. */
export function localNetworks(
  nodeId: string,
  { networks }: Pick<LeaderRooms, 'networks'>,
): NetworksLink {
  return {
    watch: (requests, signal) => networks.watch(nodeId, requests, signal),
    withdraw: (taskId, signal) =>
      networks.withdraw(nodeId, create(WithdrawRequestSchema, { taskId }), signal),
  };
}
