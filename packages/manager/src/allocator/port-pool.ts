import { create } from '@bufbuild/protobuf';
import { invariant } from '@skep/platform';
import {
  type PortConfig,
  PortConfig_Protocol,
  PortConfig_PublishMode,
  PortConfigSchema,
} from '@skep/wire/swarmkit';
import { AllocationError } from './errors.js';
import { DYNAMIC_PORT_FIRST, DYNAMIC_PORT_LAST } from './limits.js';

type PortKey = string;

function portKey(protocol: PortConfig_Protocol, port: number): PortKey {
  return `${port}/${PortConfig_Protocol[protocol]?.toLowerCase()}`;
}

/** What makes a port of an updated service the same port as before, its number aside. */
function sameTarget(a: PortConfig, b: PortConfig): boolean {
  return (
    a.name === b.name &&
    a.protocol === b.protocol &&
    a.targetPort === b.targetPort &&
    a.publishMode === b.publishMode
  );
}

function isIngress(port: PortConfig): boolean {
  return port.publishMode === PortConfig_PublishMode.INGRESS;
}

/**
 * Published ports of the routing mesh: one service a port and protocol, in the whole cluster. Ports published
 * in host mode belong to the node of the task and pass through as they are.
 */
export class PortPool {
  readonly #holders = new Map<PortKey, string>();
  readonly #portsOf = new Map<string, PortConfig[]>();
  /** On which nodes exchange the packets of overlay networks: never chosen for a service. */
  readonly #dataPath: PortKey;

  /** `dataPathPort`: UDP; 0 for Docker's, which is none of those that are chosen. */
  constructor({ dataPathPort }: { dataPathPort: number }) {
    this.#dataPath = portKey(PortConfig_Protocol.UDP, dataPathPort);
  }

  /**
   * Gives a service the ports its spec wants, numbers filled in. A port that stays keeps the number it was
   * given. Throws {@link AllocationError}, changing nothing, when a port is another service's.
   */
  assign(serviceId: string, wanted: readonly PortConfig[]): PortConfig[] {
    const previous = this.#portsOf.get(serviceId) ?? [];
    const taken = new Set<PortKey>();
    const take = (protocol: PortConfig_Protocol, port: number): boolean => {
      const key = portKey(protocol, port);
      if (taken.has(key) || (this.#holders.get(key) ?? serviceId) !== serviceId) return false;
      taken.add(key);
      return true;
    };
    const chosen = wanted.map((port) => this.#chooseNamed(port, take));
    wanted.forEach((port, at) => {
      chosen[at] ??= this.#chooseDynamic(port, previous, take);
    });
    const ports = chosen.filter((port) => port !== undefined);
    invariant(ports.length === wanted.length, 'a port was left without a number');
    this.#replace(serviceId, ports);
    return ports;
  }

  /** Takes ports that a stored endpoint says a service has; false when another one has one of them. */
  restore(serviceId: string, ports: readonly PortConfig[]): boolean {
    const ingress = ports.filter((port) => isIngress(port) && port.publishedPort !== 0);
    for (const port of ingress) {
      const holder = this.#holders.get(portKey(port.protocol, port.publishedPort));
      if (holder !== undefined && holder !== serviceId) return false;
    }
    this.#replace(serviceId, [...ports]);
    return true;
  }

  /** Frees all ports of a service; false when it had none. */
  release(serviceId: string): boolean {
    const had = this.#portsOf.get(serviceId)?.some(isIngress) ?? false;
    this.#replace(serviceId, []);
    return had;
  }

  /** `port/protocol → service`, sorted: for tests and for people. */
  describe(): string[] {
    return [...this.#holders].map(([key, holder]) => `${key} ${holder}`).sort();
  }

  #chooseNamed(
    port: PortConfig,
    take: (protocol: PortConfig_Protocol, port: number) => boolean,
  ): PortConfig | undefined {
    if (!isIngress(port)) return port;
    if (port.publishedPort === 0) return undefined;
    if (take(port.protocol, port.publishedPort)) return port;
    const key = portKey(port.protocol, port.publishedPort);
    throw new AllocationError(`port ${key} is already in use by another service`);
  }

  #chooseDynamic(
    port: PortConfig,
    previous: readonly PortConfig[],
    take: (protocol: PortConfig_Protocol, port: number) => boolean,
  ): PortConfig {
    for (const before of previous) {
      if (before.publishedPort < DYNAMIC_PORT_FIRST || before.publishedPort > DYNAMIC_PORT_LAST) {
        continue;
      }
      if (sameTarget(before, port) && take(port.protocol, before.publishedPort)) return before;
    }
    for (let number = DYNAMIC_PORT_FIRST; number <= DYNAMIC_PORT_LAST; number++) {
      if (portKey(port.protocol, number) === this.#dataPath) continue;
      if (take(port.protocol, number)) {
        return create(PortConfigSchema, { ...port, publishedPort: number });
      }
    }
    throw new AllocationError('all dynamic ports are in use');
  }

  #replace(serviceId: string, ports: PortConfig[]): void {
    for (const port of this.#portsOf.get(serviceId) ?? []) {
      if (isIngress(port)) this.#holders.delete(portKey(port.protocol, port.publishedPort));
    }
    this.#portsOf.delete(serviceId);
    if (ports.length === 0) return;
    this.#portsOf.set(serviceId, ports);
    for (const port of ports) {
      if (isIngress(port)) {
        this.#holders.set(portKey(port.protocol, port.publishedPort), serviceId);
      }
    }
  }
}
