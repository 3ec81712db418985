import type { EndpointConfig, TaskEndpoint } from '../contract/config.js';
import type { EngineContext } from '../engine/context.js';
import type { ContainerRecord } from '../records/record.js';
import { userNetworks } from './network-mode.js';

const SHORT_ID_DIGITS = 12;

/**
 * Gets a plain container its addresses in the swarm networks that it is to be on, the one of its network
 * mode first; all of them or none. The container of a task has been given its own.
 */
export async function attachToSwarm(
  context: EngineContext,
  record: ContainerRecord,
): Promise<TaskEndpoint[]> {
  if (record.task) return record.task.endpoints;
  const networks = userNetworks(record);
  const attached = await Promise.allSettled(
    networks.map((name) => attachTo(context, record, name, record.endpointsConfig[name] ?? {})),
  );
  const failed = attached.find((result) => result.status === 'rejected');
  if (failed) {
    context.swarmNetworks.detach(record.id);
    throw failed.reason;
  }
  return attached.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** Gets a container its address in one network. */
export function attachTo(
  context: EngineContext,
  record: ContainerRecord,
  network: string,
  config: EndpointConfig,
): Promise<TaskEndpoint> {
  const { id, name } = record;
  const own = [name, ...(config.Aliases ?? []), id.slice(0, SHORT_ID_DIGITS)];
  return context.swarmNetworks.attach({
    containerId: id,
    network,
    address: config.IPAMConfig?.IPv4Address ?? '',
    names: [...new Set([...own, record.config.Hostname])].filter((text) => text !== ''),
  });
}
