import type { Container } from '../engine/container.js';
import type { EngineContext } from '../engine/context.js';

/** What Docker calls the driver of each node's own networks; all others are the swarm's. */
const OWN_DRIVERS: Readonly<Record<string, string>> = {
  bridge: 'bridge',
  host: 'host',
  none: 'null',
};

/** Tells that a container came onto one network, or left it. */
export function emitNetwork(
  context: EngineContext,
  action: 'connect' | 'disconnect',
  container: Container,
  network: { id: string; name: string },
): void {
  context.events.emit('network', action, network.id, {
    container: container.id,
    name: network.name,
    type: OWN_DRIVERS[network.name] ?? 'overlay',
  });
}

/** The same for all networks that a container has a part in now. */
export function emitNetworks(
  context: EngineContext,
  action: 'connect' | 'disconnect',
  container: Container,
): void {
  const endpoints = container.status.sandbox?.state.endpoints ?? {};
  for (const [name, { NetworkID: id }] of Object.entries(endpoints)) {
    emitNetwork(context, action, container, { id, name });
  }
}
