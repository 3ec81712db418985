import { errorMessage, type Logger } from '@skep/platform';
import { ElementDiff } from '../balance/element-diff.js';
import type { NetKernel } from '../kernel/contract.js';
import { DIRECT_SET, directTable } from '../rules/direct-table.js';
import { KeptTable } from '../rules/kept-table.js';
import type { AttachedNetwork, AttachedSandbox, SandboxReader } from '../sandbox/contract.js';
import { bareAddress, macOfAddress } from '../sandbox/plan.js';
import { Serial } from '../serial.js';
import type {
  EndpointPort,
  NetworkEndpoint,
  TableChange,
  TablesReader,
  TablesView,
} from '../tables/contract.js';
import { endpointAddress } from '../vip/endpoint-address.js';
import { portKey } from './port-key.js';

export interface DirectPortsOptions {
  kernel: NetKernel;
  logger: Logger;
  table: string;
}

interface Container {
  containerId: string;
  namespace: string;
  attached: AttachedNetwork;
  /** What its table was last made for; empty: it has none. */
  made: string;
}

/**
 * Published ports in the containers themselves, where a Docker Engine of the swarm brings clients.
 * In a swarm without one there is nothing.
 */
export class DirectPorts implements SandboxReader, TablesReader {
  readonly name = 'ports for Docker Engines';
  readonly #options: DirectPortsOptions;
  readonly #serial = new Serial();
  readonly #containers = new Map<string, Container>();
  #view: TablesView | undefined;

  constructor(options: DirectPortsOptions) {
    this.#options = options;
  }

  apply(changes: readonly TableChange[], view: TablesView): Promise<void> {
    this.#view = view;
    if (!changes.some(isConcerned)) return Promise.resolve();
    return this.#serial.run(() => this.#settle([...this.#containers.values()]));
  }

  added({ containerId, namespace, networks }: AttachedSandbox): Promise<void> {
    const attached = networks.find(({ ingress }) => ingress);
    if (!attached) return Promise.resolve();
    const container = { containerId, namespace, attached, made: '' };
    this.#containers.set(containerId, container);
    return this.#serial.run(() => this.#settle([container]));
  }

  changed(sandbox: AttachedSandbox): Promise<void> {
    return this.added(sandbox);
  }

  /** The table goes with the namespace. */
  async removed(containerId: string): Promise<void> {
    this.#containers.delete(containerId);
  }

  async #settle(containers: readonly Container[]): Promise<void> {
    const [first] = containers;
    if (!first) return;
    const endpoints = this.#endpointsFor(first.attached.networkId);
    const byAddress = new Map(endpoints.map((one) => [endpointAddress(one) ?? '', one]));
    for (const container of containers) {
      const endpoint = byAddress.get(bareAddress(container.attached.address));
      const ports = endpoint?.ports.filter((port) => port.publishedPort !== port.targetPort);
      try {
        await this.#settleOne(container, ports ?? []);
      } catch (error) {
        this.#options.logger.warn(
          { containerId: container.containerId, error: errorMessage(error) },
          'Docker Engines bring no clients to a task',
        );
      }
    }
  }

  /** None where no Docker Engine takes part. */
  #endpointsFor(networkId: string): NetworkEndpoint[] {
    const nodes = this.#view?.nodes(networkId) ?? [];
    const hasDocker = nodes.some(({ ownAgent }) => !ownAgent);
    return hasDocker ? (this.#view?.endpoints(networkId) ?? []) : [];
  }

  async #settleOne(container: Container, ports: readonly EndpointPort[]): Promise<void> {
    const { kernel, table } = this.#options;
    const { namespace, attached } = container;
    const nodeAddress = this.#view?.network(attached.networkId)?.nodeAddress;
    const wanted = nodeAddress && ports.length > 0 ? JSON.stringify([nodeAddress, ports]) : '';
    if (wanted === container.made) return;
    if (!nodeAddress || ports.length === 0) {
      const changes = [{ kind: 'table-remove', table } as const];
      await kernel.run([{ op: 'nft', namespace, changes }], { onRefusal: 'continue' });
    } else {
      const layout = directTable({ link: attached.link, bridgeMac: macOfAddress(nodeAddress) });
      const kept = new KeptTable({ kernel, namespace, table, layout });
      await kept.compare(() => targetsOf(bareAddress(attached.address), ports));
    }
    container.made = wanted;
  }
}

function targetsOf(address: string, ports: readonly EndpointPort[]): ElementDiff {
  const diff = new ElementDiff();
  for (const { protocol, publishedPort, targetPort } of ports) {
    const target = `${address} . ${targetPort}`;
    diff.note(DIRECT_SET, portKey(protocol, publishedPort), undefined, target);
  }
  return diff;
}

function isConcerned(change: TableChange): boolean {
  if (change.table === 'endpoint') return (change.after?.ports.length ?? 0) > 0;
  return change.table === 'node' || change.table === 'network';
}
