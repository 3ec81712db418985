import type { EngineContext } from '../engine/context.js';
import type { ContainerRecord } from '../records/record.js';
import { logAttributes } from './attributes.js';
import { ContainerLog } from './container-log.js';
import { keptLogPolicy, type LogPolicy } from './options.js';
import { logDestination } from './remote/destination.js';
import { LogShipper } from './remote/shipper.js';

/** The log of a container that there is a record of. */
export function openContainerLog(context: EngineContext, record: ContainerRecord): ContainerLog {
  const { clock, kernel, logger, paths } = context;
  const policy = keptLogPolicy(record.hostConfig.LogConfig);
  return new ContainerLog({
    path: paths.log(record.id),
    journalPath: paths.journal(record.id),
    kernel,
    policy,
    attributes: () => keptAttributes(policy, record),
    openShipper: () => openShipper(context, policy, record),
    clock,
    logger,
  });
}

/** What an earlier version took is left out rather than in the way of the container's output. */
function keptAttributes(policy: LogPolicy, record: ContainerRecord): Record<string, string> {
  try {
    return logAttributes(policy.options, record);
  } catch {
    return {};
  }
}

function openShipper(
  context: EngineContext,
  policy: LogPolicy,
  record: ContainerRecord,
): LogShipper | undefined {
  const destination = logDestination(policy, record, context);
  if (!destination || !policy.remote) return undefined;
  const { clock, counters, logger } = context;
  return new LogShipper({
    destination,
    policy: policy.remote,
    clock,
    logger: logger.child({ container: record.id }),
    onDropped: (entries) => {
      counters.logEntriesDropped += entries;
    },
  });
}
