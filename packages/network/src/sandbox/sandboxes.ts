import type { ContainerNetworking, SandboxRequest, SandboxState } from '@skep/containers';
import { errorMessage, invariant, type Logger, newContainerId, type Random } from '@skep/platform';
import type { AddressAllocator } from '../address/allocator.js';
import type { KernelCommand, NetKernel } from '../kernel/contract.js';
import type { LocalState } from '../local/state.js';
import type { Names } from '../names.js';
import type { PortBook } from '../ports/book.js';
import type { IngressAttachment } from '../publish/contract.js';
import { dockerCounters } from './counters.js';
import { describeEndpoints } from './endpoints.js';
import { attachmentOf, type InterfaceContext, planInterfaces } from './interfaces.js';
import { bareAddress, planSetUp, planTearDown, type SandboxPlan } from './plan.js';
import type { SandboxRegistry } from './registry.js';

export interface SandboxesOptions {
  kernel: NetKernel;
  names: Names;
  random: Random;
  logger: Logger;
  registry: SandboxRegistry;
  book: PortBook;
  networks: LocalState['networks'];
  /** Addresses of the default network, and of the gateway bridge. */
  bridgeAddresses: AddressAllocator;
  egressAddresses: AddressAllocator;
  mtuBytes: number;
  ingress: () => IngressAttachment | undefined;
  /** See {@link InterfaceContext}. */
  bridgeFilter: boolean;
  restore: ContainerNetworking['restore'];
}

/**
 * Network sandboxes of containers: one namespace each, made and removed in one round trip to the
 * kernel.
 */
export class Sandboxes implements ContainerNetworking {
  readonly #options: SandboxesOptions;
  #restored = false;

  constructor(options: SandboxesOptions) {
    this.#options = options;
  }

  async setUp(request: SandboxRequest): Promise<SandboxState> {
    invariant(
      this.#restored,
      'sandboxes of an earlier run are taken over before new ones are made',
    );
    const { kernel, names, random, registry } = this.#options;
    const { containerId } = request;
    await this.tearDown(containerId); // a start that follows a failed one
    const sandboxId = newContainerId(random);
    if (request.mode === 'host') return this.#onHost(request, sandboxId);
    const addresses = this.#addressesFor(request);
    const address = addresses?.allocate();
    try {
      const sandbox = await this.#plan(request, sandboxId, address, addresses);
      registry.set(sandbox);
      await kernel.run(planSetUp(sandbox.plan, names.table));
      return sandbox.state;
    } catch (error) {
      const left = registry.get(containerId);
      if (left) await this.#undo(planTearDown(left.plan, names.table), containerId);
      this.#release(containerId, addresses, address);
      throw error;
    }
  }

  async tearDown(containerId: string): Promise<void> {
    const { names, registry } = this.#options;
    const sandbox = registry.get(containerId);
    if (!sandbox) return;
    if (sandbox.request.mode !== 'host') {
      await this.#undo(planTearDown(sandbox.plan, names.table), containerId);
    }
    const local = sandbox.plan.interfaces.at(-1);
    const addresses = this.#addressesFor(sandbox.request);
    this.#release(containerId, addresses, local && bareAddress(local.address));
  }

  async restore(sandboxes: { request: SandboxRequest; state: SandboxState }[]): Promise<void> {
    await this.#options.restore(sandboxes);
    this.#restored = true;
  }

  async counters(containerId: string): Promise<Record<string, Record<string, number>>> {
    const sandbox = this.#options.registry.get(containerId);
    if (!sandbox || sandbox.request.mode === 'host') return {};
    return dockerCounters(await this.#options.kernel.inspect(sandbox.plan.namespace));
  }

  #onHost(request: SandboxRequest, sandboxId: string): SandboxState {
    const { networks, random, registry } = this.#options;
    const endpoints = describeEndpoints(request, { networks, address: '', gateway: '' }, random);
    const state = { sandboxId, netnsPath: '', endpoints, ports: {}, nameservers: [] };
    registry.set({ request, state, plan: emptyPlan() });
    return state;
  }

  async #plan(
    request: SandboxRequest,
    sandboxId: string,
    address: string | undefined,
    addresses: AddressAllocator | undefined,
  ) {
    const { names, networks, random, book } = this.#options;
    const local = address && addresses ? addresses.withPrefix(address) : '';
    const gateway = addresses?.gateway ?? '';
    const interfaces = planInterfaces(request, sandboxId, local, this.interfaceContext());
    const endpoints = describeEndpoints(request, { networks, address: local, gateway }, random);
    const endpointId = Object.values(endpoints)[0]?.EndpointID ?? sandboxId;
    const name = `${request.name.replace(/^\//, '')} (${endpointId})`;
    const { bindings, ports } = address
      ? await book.bind(request.containerId, name, address, request.ports)
      : { bindings: [], ports: {} };
    const namespace = names.namespaceOf(sandboxId);
    const plan: SandboxPlan = { namespace, interfaces, bindings, sysctls: request.sysctls };
    const state = { sandboxId, netnsPath: namespace, endpoints, ports, nameservers: [] };
    return { request, state, plan };
  }

  /** What the interfaces of any sandbox hang on right now. */
  interfaceContext(): InterfaceContext {
    const { names, mtuBytes, bridgeFilter, ingress } = this.#options;
    const { bridgeAddresses, egressAddresses } = this.#options;
    return {
      names,
      mtuBytes,
      bridgeFilter,
      bridgeGateway: bridgeAddresses.gateway,
      egressGateway: egressAddresses.gateway,
      ingress: ingress(),
    };
  }

  #addressesFor(request: SandboxRequest): AddressAllocator | undefined {
    const attachment = attachmentOf(request);
    if (attachment === 'none') return undefined;
    const { bridgeAddresses, egressAddresses } = this.#options;
    return attachment === 'bridge' ? bridgeAddresses : egressAddresses;
  }

  async #undo(commands: KernelCommand[], containerId: string): Promise<void> {
    try {
      await this.#options.kernel.run(commands, { onRefusal: 'continue' });
    } catch (error) {
      this.#options.logger.warn({ containerId, error: errorMessage(error) }, 'network leftovers');
    }
  }

  #release(
    containerId: string,
    addresses: AddressAllocator | undefined,
    address: string | undefined,
  ): void {
    this.#options.book.release(containerId);
    if (address) addresses?.release(address);
    this.#options.registry.delete(containerId);
  }
}

function emptyPlan(): SandboxPlan {
  return { namespace: '', interfaces: [], bindings: [], sysctls: {} };
}
