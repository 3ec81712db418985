import type {
  ContainerNetworking,
  SandboxRecord,
  SandboxRequest,
  SandboxState,
  TaskEndpoint,
} from '@skep/containers';
import {
  type Clock,
  Code,
  errorMessage,
  invariant,
  type Logger,
  newContainerId,
  type Random,
  RpcError,
} from '@skep/platform';
import type { AddressAllocator } from '../address/allocator.js';
import type { KernelCommand, NetKernel } from '../kernel/contract.js';
import { OVERLAY_WAIT_MS } from '../limits.js';
import type { LocalState } from '../local/state.js';
import type { Names } from '../names.js';
import type { OverlayListener, OverlayPlaces } from '../overlay/contract.js';
import type { PortBook } from '../ports/book.js';
import type { OverlayNetwork } from '../tables/contract.js';
import { localAttachment } from './attachment.js';
import { Connections } from './connections.js';
import { dockerCounters } from './counters.js';
import { describeEndpoints } from './endpoints.js';
import { type InterfaceContext, planInterfaces } from './interfaces.js';
import { bareAddress, localInterface, planSetUp, planTearDown, type SandboxPlan } from './plan.js';
import type { SandboxReaders } from './readers.js';
import type { Sandbox, SandboxRegistry } from './registry.js';
import { plugInAgain } from './replug.js';

export interface SandboxesOptions {
  kernel: NetKernel;
  names: Names;
  random: Random;
  clock: Clock;
  logger: Logger;
  registry: SandboxRegistry;
  readers: SandboxReaders;
  book: PortBook;
  networks: LocalState['networks'];
  /** Addresses of the default network, and of the gateway bridge. */
  bridgeAddresses: AddressAllocator;
  egressAddresses: AddressAllocator;
  mtuBytes: number;
  overlays: OverlayPlaces & { released(networkIds: readonly string[]): void };
  /** See {@link InterfaceContext}. */
  bridgeFilter: boolean;
  restore: ContainerNetworking['restore'];
}

/**
 * Network sandboxes of containers: one namespace each, made and removed in one round trip to the
 * kernel.
 */
export class Sandboxes implements ContainerNetworking, OverlayListener {
  readonly #options: SandboxesOptions;
  readonly #connections: Connections;
  #restored = false;

  constructor(options: SandboxesOptions) {
    this.#options = options;
    this.#connections = new Connections({
      ...options,
      context: () => this.interfaceContext(),
      ready: (endpoints) => this.#networksReady(endpoints),
      undo: (commands, containerId) => this.#undo(commands, containerId),
    });
  }

  async setUp(request: SandboxRequest): Promise<SandboxState> {
    invariant(
      this.#restored,
      'sandboxes of an earlier run are taken over before new ones are made',
    );
    const { kernel, names, random, registry, readers } = this.#options;
    const { containerId } = request;
    await this.tearDown(containerId); // a start that follows a failed one
    const sandboxId = newContainerId(random);
    if (request.mode === 'host') return this.#onHost(request, sandboxId);
    await this.#networksReady(request.endpoints);
    const addresses = this.#addressesFor(request);
    const address = addresses?.allocate();
    try {
      const sandbox = await this.#plan(request, sandboxId, address, addresses);
      registry.set(sandbox);
      await kernel.run(planSetUp(sandbox.plan, names.table));
      await readers.added(sandbox);
      return sandbox.state;
    } catch (error) {
      if (registry.get(containerId)) await this.tearDown(containerId);
      else this.#release(request, address);
      throw error;
    }
  }

  async tearDown(containerId: string): Promise<void> {
    const { names, registry, readers } = this.#options;
    const sandbox = registry.get(containerId);
    if (!sandbox) return;
    const { request, plan } = sandbox;
    await readers.removed(containerId);
    if (request.mode !== 'host') {
      await this.#undo(planTearDown(plan, names.table), containerId);
    }
    const local = localInterface(plan);
    this.#release(request, local && bareAddress(local.address));
  }

  async restore(sandboxes: SandboxRecord[]): Promise<void> {
    const { registry, readers, logger } = this.#options;
    await this.#options.restore(sandboxes);
    this.#restored = true;
    const served = registry.all().map(async (sandbox) => {
      try {
        await readers.added(sandbox);
      } catch (error) {
        const { containerId } = sandbox.request;
        logger.error({ containerId, error: errorMessage(error) }, 'container not served again');
      }
    });
    await Promise.all(served);
  }

  connect(containerId: string, endpoint: TaskEndpoint): Promise<SandboxRecord> {
    return this.#connections.connect(containerId, endpoint);
  }

  rename(containerId: string, name: string): Promise<SandboxRecord> {
    return this.#connections.rename(containerId, name);
  }

  async disconnect(containerId: string, networkId: string): Promise<SandboxRecord> {
    const record = await this.#connections.disconnect(containerId, networkId);
    this.#options.overlays.released([networkId]);
    return record;
  }

  async counters(containerId: string): Promise<Record<string, Record<string, number>>> {
    const sandbox = this.#options.registry.get(containerId);
    if (!sandbox || sandbox.request.mode === 'host') return {};
    return dockerCounters(await this.#options.kernel.inspect(sandbox.plan.namespace));
  }

  made(network: OverlayNetwork): Promise<void> {
    return plugInAgain(this.#options, network, this.interfaceContext());
  }

  async removing(): Promise<void> {}

  /** What the interfaces of any sandbox hang on right now. */
  interfaceContext(): InterfaceContext {
    const { names, mtuBytes, bridgeFilter, overlays } = this.#options;
    const { bridgeAddresses, egressAddresses } = this.#options;
    return {
      names,
      mtuBytes,
      bridgeFilter,
      bridgeGateway: bridgeAddresses.gateway,
      egressGateway: egressAddresses.gateway,
      place: (networkId) => overlays.place(networkId),
    };
  }

  #onHost(request: SandboxRequest, sandboxId: string): SandboxState {
    const { networks, random, registry } = this.#options;
    const endpoints = describeEndpoints(request, { networks, address: '', gateway: '' }, random);
    const none = { netnsPath: '', ports: {}, nameservers: [] };
    const state = { sandboxId, endpoints, ...none, hostGateway: this.#hostGateway };
    registry.set({ request, state, plan: emptyPlan() });
    return state;
  }

  async #plan(
    request: SandboxRequest,
    sandboxId: string,
    address: string | undefined,
    addresses: AddressAllocator | undefined,
  ): Promise<Sandbox> {
    const { names, networks, random, book, readers } = this.#options;
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
    const nameservers = request.endpoints.length > 0 ? readers.nameservers : [];
    const state = {
      ...{ sandboxId, netnsPath: namespace, endpoints, ports, nameservers },
      hostGateway: this.#hostGateway,
    };
    return { request, state, plan };
  }

  /** The node can hear of a task a moment before it hears of the task's networks. */
  async #networksReady(endpoints: readonly TaskEndpoint[]): Promise<void> {
    const { overlays, clock } = this.#options;
    for (const { networkId, networkName } of endpoints) {
      if (overlays.place(networkId)) continue;
      const patience = new AbortController();
      const text = `network ${networkName} not found on this node`;
      const tooLate = new RpcError(Code.NOT_FOUND, text);
      const cancel = clock.after(OVERLAY_WAIT_MS, () => patience.abort(tooLate));
      await overlays.whenReady(networkId, patience.signal).finally(cancel);
    }
  }

  /** The host's own address on the default bridge, which containers reach by whatever way out. */
  get #hostGateway(): string {
    return this.#options.bridgeAddresses.gateway;
  }

  #addressesFor(request: SandboxRequest): AddressAllocator | undefined {
    const { bridgeAddresses, egressAddresses } = this.#options;
    const attachment = localAttachment(request);
    if (attachment === 'none') return undefined;
    return attachment === 'bridge' ? bridgeAddresses : egressAddresses;
  }

  async #undo(commands: readonly KernelCommand[], containerId: string): Promise<void> {
    try {
      await this.#options.kernel.run(commands, { onRefusal: 'continue' });
    } catch (error) {
      this.#options.logger.warn({ containerId, error: errorMessage(error) }, 'network leftovers');
    }
  }

  #release(request: SandboxRequest, address: string | undefined): void {
    const { book, registry, overlays } = this.#options;
    book.release(request.containerId);
    if (address) this.#addressesFor(request)?.release(address);
    registry.delete(request.containerId);
    overlays.released(request.endpoints.map(({ networkId }) => networkId));
  }
}

function emptyPlan(): SandboxPlan {
  return { namespace: '', interfaces: [], bindings: [], sysctls: {} };
}
