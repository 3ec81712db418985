import { create } from '@bufbuild/protobuf';
import { SimClock, SimDisk, SimRandom, settle, silentLogger } from '@skep/platform';
import { NodeTLSInfoSchema, type TaskStatus } from '@skep/wire/swarmkit';
import { Agent } from '../agent.js';
import { type AgentLimits, DEFAULT_LIMITS } from '../limits.js';
import { TaskLog } from '../task-log.js';
import { Worker } from '../worker.js';
import { FakeExecutor } from './fake-executor.js';
import { FakeLink } from './fake-link.js';
import { makeSessionMessage } from './objects.js';

export const DIRECTORY = '/swarm/worker';

export function openTaskLog(disk: SimDisk, clock: SimClock, limits = DEFAULT_LIMITS) {
  return TaskLog.open({ disk, clock, limits, logger: silentLogger, directory: DIRECTORY });
}

/** A worker on simulated twins, with every status it reported in order. */
export async function setUpWorker(disk = new SimDisk(), changed: Partial<AgentLimits> = {}) {
  const clock = new SimClock();
  const executor = new FakeExecutor();
  const limits = { ...DEFAULT_LIMITS, ...changed };
  const log = await openTaskLog(disk, clock, limits);
  const statuses: { taskId: string; status: TaskStatus }[] = [];
  const worker = new Worker({
    executor,
    log,
    clock,
    limits,
    logger: silentLogger,
    onStatus: (taskId, status) => statuses.push({ taskId, status }),
    onTaskAdded: () => {},
    onTaskRemoved: () => {},
  });
  const of = (taskId: string) =>
    statuses.filter((one) => one.taskId === taskId).map((one) => one.status);
  return { clock, disk, executor, log, statuses, worker, of };
}

/** An agent on simulated twins, registered with a manager unless that is `down`. */
export async function setUpAgent(
  options: { down?: boolean; disk?: SimDisk; configures?: boolean } = {},
) {
  const clock = new SimClock();
  const executor = new FakeExecutor();
  executor.configures = options.configures ?? true;
  const link = new FakeLink();
  const disk = options.disk ?? new SimDisk();
  const tls = { info: create(NodeTLSInfoSchema), tell: () => {} };
  link.down = options.down ?? false;
  link.onSession = (session) => session.session.push(makeSessionMessage('session1'));
  const agent = await Agent.start({
    executor,
    connect: async () => link,
    disk,
    clock,
    random: new SimRandom(1),
    logger: silentLogger,
    directory: DIRECTORY,
    tlsInfo: () => tls.info,
    onTlsChange: (listener) => {
      tls.tell = listener;
      return () => {
        tls.tell = () => {};
      };
    },
  });
  await settle();
  return { agent, clock, disk, executor, link, tls };
}
