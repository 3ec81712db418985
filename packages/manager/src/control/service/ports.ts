import type { ReadView } from '@skep/store';
import type { ServiceObject } from '@skep/wire';
import { type EndpointSpec, type PortConfig, PortConfig_PublishMode } from '@skep/wire/swarmkit';
import { invalidArgument } from '../errors.js';

const { HOST, INGRESS } = PortConfig_PublishMode;

/**
 * Refuses published ports that another service has: an ingress port is alone on its number and protocol,
 * while host ports may meet (the scheduler keeps them on different nodes).
 */
export function checkPortConflicts(
  view: ReadView,
  endpoint: EndpointSpec | undefined,
  ownId?: string,
): void {
  const ingress = portKeys(endpoint, INGRESS);
  const host = portKeys(endpoint, HOST);
  if (ingress.size === 0 && host.size === 0) return;
  for (const service of view.all('service')) {
    if (service.id === ownId) continue;
    const taken = [...(service.spec.endpoint?.ports ?? []), ...(service.endpoint?.ports ?? [])];
    for (const port of taken) {
      if (port.publishedPort === 0) continue;
      const key = portKey(port);
      if (port.publishMode === HOST && ingress.has(key)) {
        throw conflict(port, service, 'a host-published port');
      }
      if (port.publishMode === INGRESS && (ingress.has(key) || host.has(key))) {
        throw conflict(port, service, 'an ingress port');
      }
    }
  }
}

function portKeys(
  endpoint: EndpointSpec | undefined,
  mode: PortConfig_PublishMode,
): ReadonlySet<string> {
  const ports = (endpoint?.ports ?? []).filter(
    (port) => port.publishMode === mode && port.publishedPort !== 0,
  );
  return new Set(ports.map(portKey));
}

function portKey(port: PortConfig): string {
  return `${port.publishedPort}/${port.protocol}`;
}

function conflict(port: PortConfig, service: ServiceObject, as: string) {
  const holder = `'${service.spec.annotations.name}' (${service.id})`;
  return invalidArgument(
    `port '${port.publishedPort}' is already in use by service ${holder} as ${as}`,
  );
}
