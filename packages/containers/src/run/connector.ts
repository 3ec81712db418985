import { Code, errorMessage, RpcError } from '@skep/platform';
import type { EndpointConfig } from '../contract/config.js';
import type { SandboxRecord } from '../contract/networking.js';
import type { Container } from '../engine/container.js';
import { type EngineContext, saveStatus } from '../engine/context.js';
import { emitNetwork } from './network-events.js';
import { updateNetworkFiles } from './network-files.js';
import { checkEndpoint, isOwnNetwork } from './network-mode.js';
import { conflict } from './stopper.js';
import { attachTo } from './swarm-networks.js';

/** Puts containers on networks of the swarm, and takes them off, while they run or before they start. */
export class Connector {
  readonly #context: EngineContext;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** `network` by the name it is known by, or by its id. */
  connect(container: Container, network: string, config: EndpointConfig): Promise<void> {
    return container.queue.run(async () => {
      this.#checkConnectable(container, network);
      checkEndpoint(network, config);
      if (container.running) await this.#connectRunning(container, network, config);
      else await this.#remember(container, network, config);
    });
  }

  /**
   * A container that runs is found by its new name. Where no manager can be told now, it is at its next
   * start.
   */
  rename(container: Container): Promise<void> {
    return container.queue.run(async () => {
      if (!container.running || (container.status.sandbox?.request.endpoints ?? []).length === 0)
        return;
      const { logger, networking, swarmNetworks } = this.#context;
      const { id, name } = container;
      this.#become(container, await networking.rename(id, name));
      if (container.record.task) return; // its name in the swarm is the task's
      try {
        await swarmNetworks.rename(id, name);
      } catch (error) {
        const fields = { containerId: id, error: errorMessage(error) };
        logger.warn(fields, 'other nodes know a container by its old name');
      }
    });
  }

  disconnect(container: Container, network: string): Promise<void> {
    return container.queue.run(async () => {
      const name = nameOn(container, network);
      if (container.record.hostConfig.NetworkMode === 'host') {
        throw refusal(
          'cannot disconnect container from host network - container was created in host network mode',
        );
      }
      if (name === undefined) {
        const what = `container ${container.id} is not connected to network ${network}`;
        throw new RpcError(Code.UNKNOWN, what);
      }
      refuseOwnNetwork(name, 'taking containers off');
      const { endpointsConfig } = container.record;
      // It may have been asked for by its id.
      delete endpointsConfig[container.status.sandbox?.state.endpoints[name]?.NetworkID ?? name];
      if (container.running) await this.#disconnectRunning(container, name);
      delete endpointsConfig[name];
      await this.#context.records.writeRecord(container.record);
    });
  }

  #checkConnectable(container: Container, network: string): void {
    const { hostConfig, name, task } = container.record;
    if (hostConfig.NetworkMode.startsWith('container:') || hostConfig.NetworkMode === 'host') {
      throw refusal(
        'container sharing network namespace with another container or host cannot be connected ' +
          'to any other network',
      );
    }
    if (network === 'host') {
      throw refusal(
        'cannot connect container to host network - container must be created in host network mode',
      );
    }
    if (network === 'none' || hostConfig.NetworkMode === 'none') {
      throw refusal(
        'container cannot be connected to multiple networks with one of the networks in private ' +
          '(none) mode',
      );
    }
    refuseOwnNetwork(network, 'putting containers on');
    if (task) throw refusal(`container ${name} is a task of a service: update the service instead`);
    if (!this.#context.swarmNetworks.isAvailable) {
      throw new RpcError(Code.NOT_FOUND, `network ${network} not found`);
    }
    if (nameOn(container, network) !== undefined) {
      throw conflict(`${name} is already attached to network ${network}`);
    }
  }

  async #connectRunning(
    container: Container,
    network: string,
    config: EndpointConfig,
  ): Promise<void> {
    const { networking, swarmNetworks } = this.#context;
    const endpoint = await attachTo(this.#context, container.record, network, config);
    const { networkId: id, networkName: name } = endpoint;
    try {
      this.#become(container, await networking.connect(container.id, endpoint));
    } catch (error) {
      swarmNetworks.detach(container.id, id);
      throw error;
    }
    await this.#remember(container, name, config);
    emitNetwork(this.#context, 'connect', container, { id, name });
  }

  async #disconnectRunning(container: Container, name: string): Promise<void> {
    const endpoint = container.status.sandbox?.state.endpoints[name];
    if (!endpoint) return;
    const { networking, swarmNetworks } = this.#context;
    const { NetworkID: id } = endpoint;
    this.#become(container, await networking.disconnect(container.id, id));
    swarmNetworks.detach(container.id, id);
    emitNetwork(this.#context, 'disconnect', container, { id, name });
  }

  #become(container: Container, sandbox: SandboxRecord): void {
    const before = container.status.sandbox?.state;
    container.status.sandbox = sandbox;
    saveStatus(this.#context, container);
    if (!before) return;
    updateNetworkFiles(this.#context, container.record, { before, after: sandbox.state });
  }

  async #remember(container: Container, name: string, config: EndpointConfig): Promise<void> {
    container.record.endpointsConfig[name] = config;
    await this.#context.records.writeRecord(container.record);
  }
}

/** What a container's record calls a network that it is on, or will be; undefined when it is not. */
function nameOn(container: Container, network: string): string | undefined {
  const endpoints = Object.entries(container.status.sandbox?.state.endpoints ?? {});
  const found = endpoints.find(
    ([name, { NetworkID }]) => name === network || NetworkID === network,
  );
  if (found) return found[0];
  return Object.hasOwn(container.record.endpointsConfig, network) ? network : undefined;
}

function refuseOwnNetwork(network: string, what: string): void {
  if (!isOwnNetwork(network)) return;
  throw new RpcError(Code.UNIMPLEMENTED, `${what} network ${network} is not supported`);
}

function refusal(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}
