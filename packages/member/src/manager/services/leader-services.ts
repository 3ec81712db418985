import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import { type BoundService, implement } from '@skep/rpc';
import { Images, Networks, Reports } from '@skep/wire/skep';
import {
  CA,
  Control,
  Dispatcher,
  LogBroker,
  Logs,
  NodeCA,
  ResourceAllocator,
  UpdateVolumeStatusResponseSchema,
} from '@skep/wire/swarmkit';
import type { LeaderRooms } from '../leader-rooms.js';
import { nodeIdOf } from './caller.js';

/** The rooms of the leader; throws where this manager does not lead. */
export type Rooms = () => LeaderRooms;

/** The services that only a leader answers, for those that other managers forward to it (wire.md 1.2). */
export function forwardedServices(rooms: Rooms): BoundService[] {
  return [
    implement(CA, {
      getRootCACertificate: () => rooms().authority.getRootCaCertificate(),
      getUnlockKey: () => rooms().authority.getUnlockKey(),
    }),
    implement(NodeCA, {
      issueNodeCertificate: (request, { caller }) =>
        rooms().authority.issueNodeCertificate(caller.identity, request),
      nodeCertificateStatus: (request, { signal }) =>
        rooms().authority.nodeCertificateStatus(request, signal),
    }),
    implement(Dispatcher, {
      session: (request, context) => {
        const { caller, signal } = context;
        return rooms().dispatcher.session(nodeIdOf(context), request, caller.address, signal);
      },
      heartbeat: (request, context) => rooms().dispatcher.heartbeat(nodeIdOf(context), request),
      updateTaskStatus: (request, context) =>
        rooms().dispatcher.updateTaskStatus(nodeIdOf(context), request),
      assignments: (request, context) =>
        rooms().dispatcher.assignments(nodeIdOf(context), request, context.signal),
      // No volumes are ever published to a node, so there is nothing that it could have unpublished.
      updateVolumeStatus: async () => create(UpdateVolumeStatusResponseSchema),
    }),
    implement(Reports, {
      async *report(requests, context) {
        for await (const request of requests) {
          yield await rooms().dispatcher.updateTaskStatus(nodeIdOf(context), request);
        }
      },
    }),
    implement(Networks, {
      watch: (requests, context) =>
        rooms().networks.watch(nodeIdOf(context), requests, context.signal),
      withdraw: (request, context) =>
        rooms().networks.withdraw(nodeIdOf(context), request, context.signal),
      renameContainer: (request, context) =>
        rooms().resources.renameContainer(nodeIdOf(context), request),
    }),
    implement(Images, {
      locate: (request, context) => rooms().images.locate(nodeIdOf(context), request),
      mayHave: (request, context) => rooms().images.mayHave(nodeIdOf(context), request),
      needed: () => rooms().images.needed(),
    }),
    implement(LogBroker, {
      listenSubscriptions: (_, context) =>
        rooms().logBroker.listenSubscriptions(nodeIdOf(context), context.signal),
      publishLogs: (messages, context) =>
        rooms().logBroker.publishLogs(nodeIdOf(context), messages),
    }),
    implement(ResourceAllocator, {
      attachNetwork: (request, context) =>
        rooms().resources.attachNetwork(nodeIdOf(context), request),
      detachNetwork: (request, context) =>
        rooms().resources.detachNetwork(nodeIdOf(context), request),
    }),
  ];
}

/** What managers ask of the leader for their users; they know who that is, so nobody forwards it. */
export function userServices(rooms: Rooms): BoundService[] {
  return [
    { service: Control, handlers: controlHandlers(rooms) },
    implement(Logs, {
      subscribeLogs: (request, { signal }) => rooms().logBroker.subscribeLogs(request, signal),
    }),
  ];
}

/** Control's methods by name: those it lacks stay unimplemented. */
function controlHandlers(rooms: Rooms): BoundService['handlers'] {
  const handlers: BoundService['handlers'] = {};
  for (const { localName } of Control.methods) {
    handlers[localName] = async (request: never) => {
      const control = rooms().control;
      const method = control[localName as keyof typeof control];
      if (!method) throw new RpcError(Code.UNIMPLEMENTED, `unknown method ${localName}`);
      return method(request);
    };
  }
  return handlers;
}
