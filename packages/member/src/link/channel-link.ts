import type { ManagerLink } from '@skep/agent';
import type { Clock } from '@skep/platform';
import type { Channel } from '@skep/rpc';
import { Networks } from '@skep/wire/skep';
import { Dispatcher, LogBroker, ResourceAllocator } from '@skep/wire/swarmkit';
import { ATTACH_CALL_TIMEOUT_MS, CALL_TIMEOUT_MS } from './limits.js';
import { ReportLane } from './report-lane.js';

/**
 * A manager over a channel to it. Everything of a session goes over this one channel, as managers
 * expect (wire.md 3.2): session, heartbeats, assignments, reports and logs.
 */
export function channelLink(channel: Channel, clock: Clock): ManagerLink {
  const timeoutMs = CALL_TIMEOUT_MS;
  const dispatcher = Dispatcher.method;
  const resources = ResourceAllocator.method;
  const reports = new ReportLane(channel, clock);
  return {
    session: (request, signal) =>
      channel.serverStream(dispatcher.session, request, { signal, timeoutMs }),
    heartbeat: (request) => channel.unary(dispatcher.heartbeat, request, { timeoutMs }),
    updateTaskStatus: (request) => reports.send(request),
    // The set of a node with many tasks and secrets may take its time; heartbeats tell a dead
    // manager.
    assignments: (request, signal) =>
      channel.serverStream(dispatcher.assignments, request, { signal }),
    listenSubscriptions: (signal) =>
      channel.serverStream(LogBroker.method.listenSubscriptions, {}, { signal }),
    publishLogs: async (messages) => {
      await channel.clientStream(LogBroker.method.publishLogs, messages);
    },
    attachNetwork: (request) =>
      channel.unary(resources.attachNetwork, request, { timeoutMs: ATTACH_CALL_TIMEOUT_MS }),
    detachNetwork: (request) => channel.unary(resources.detachNetwork, request, { timeoutMs }),
    renameContainer: (request) =>
      channel.unary(Networks.method.renameContainer, request, { timeoutMs }),
  };
}
