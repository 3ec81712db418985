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
import { INTERFACES_PER_SANDBOX_MAX, OVERLAY_WAIT_MS } from '../limits.js';
import type { LocalState } from '../local/state.js';
import type { Names } from '../names.js';
import type { OverlayListener, OverlayPlaces } from '../overlay/contract.js';
import type { PortBook } from '../ports/book.js';
import type { OverlayNetwork } from '../tables/contract.js';
import { planRepair, replanSwarm } from './adopt.js';
import { localAttachment } from './attachment.js';
import { checkConnectable, notConnected, withEndpoints } from './connecting.js';
import { dockerCounters } from './counters.js';
import { describeEndpoint, describeEndpoints } from './endpoints.js';
import {
  type InterfaceContext,
  planInterfaces,
  planLocal,
  planSwarm,
  tooMany,
} from './interfaces.js';
import {
  bareAddress,
  freePlace,
  type InterfacePlan,
  localInterface,
  planInterface,
  planSetUp,
  planTearDown,
  planUnplug,
  type SandboxPlan,
} from './plan.js';
import type { SandboxReaders } from './readers.js';
import type { Sandbox, SandboxRegistry } from './registry.js';

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
  #restored = false;

  constructor(options: SandboxesOptions) {
    this.#options = options;
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

  async connect(containerId: string, endpoint: TaskEndpoint): Promise<SandboxRecord> {
    const { kernel, random, registry, readers } = this.#options;
    const before = this.#known(containerId);
    checkConnectable(before, endpoint);
    await this.#networksReady([endpoint]);
    const request = withEndpoints(before.request, [...before.request.endpoints, endpoint]);
    const added = this.#planConnection(before, request, endpoint);
    const { namespace, interfaces } = before.plan;
    const described = describeEndpoint(request, endpoint, random);
    const endpoints = { ...before.state.endpoints, [endpoint.networkName]: described };
    const state = { ...before.state, endpoints, nameservers: readers.nameservers };
    const after = {
      request,
      state,
      plan: { ...before.plan, interfaces: [...interfaces, ...added] },
    };
    registry.set(after);
    try {
      await kernel.run(added.flatMap((port) => planInterface(namespace, port)));
      await readers.changed(after);
    } catch (error) {
      await this.#unplug(before, added);
      throw error;
    }
    return { request, state };
  }

  async disconnect(containerId: string, networkId: string): Promise<SandboxRecord> {
    const before = this.#known(containerId);
    const gone = before.request.endpoints.find((other) => other.networkId === networkId);
    if (!gone) throw notConnected(before, networkId);
    const rest = before.request.endpoints.filter((other) => other !== gone);
    const request = withEndpoints(before.request, rest);
    const { [gone.networkName]: _, ...endpoints } = before.state.endpoints;
    const { nameservers } = before.state;
    const state = { ...before.state, endpoints, nameservers: rest.length > 0 ? nameservers : [] };
    const keepsLocal = localAttachment(request) !== 'none';
    const local = localInterface(before.plan);
    const removed = before.plan.interfaces.filter(
      (port) => port.networkId === networkId || (port === local && !keepsLocal),
    );
    const interfaces = before.plan.interfaces.filter((port) => !removed.includes(port));
    const after = { request, state, plan: { ...before.plan, interfaces } };
    await this.#unplug(after, removed);
    await this.#options.readers.changed(after);
    this.#options.overlays.released([networkId]);
    return { request, state };
  }

  async counters(containerId: string): Promise<Record<string, Record<string, number>>> {
    const sandbox = this.#options.registry.get(containerId);
    if (!sandbox || sandbox.request.mode === 'host') return {};
    return dockerCounters(await this.#options.kernel.inspect(sandbox.plan.namespace));
  }

  /** Plugs in again whoever was on a network whose namespace had gone. */
  async made(network: OverlayNetwork): Promise<void> {
    const { kernel, logger, registry } = this.#options;
    for (const sandbox of registry.all()) {
      const { containerId, endpoints } = sandbox.request;
      const endpoint = endpoints.find(({ networkId }) => networkId === network.id);
      if (!endpoint) continue;
      try {
        const port = replanSwarm(endpoint, sandbox, this.interfaceContext());
        const others = sandbox.plan.interfaces.filter(({ networkId }) => networkId !== network.id);
        const interfaces = [...others, port].sort((one, other) => one.place - other.place);
        const view = await kernel.inspect(sandbox.plan.namespace);
        const bridges = new Map([
          [port.bridgeNamespace, await kernel.inspect(port.bridgeNamespace)],
        ]);
        registry.set({ ...sandbox, plan: { ...sandbox.plan, interfaces } });
        await kernel.run(planRepair({ ...sandbox.plan, interfaces: [port] }, view, bridges));
      } catch (error) {
        const fields = { containerId, network: network.name, error: errorMessage(error) };
        logger.error(fields, 'container not plugged in again');
      }
    }
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

  /** The interface on one more network, and on the gateway bridge if that is the first way out. */
  #planConnection(
    before: Sandbox,
    request: SandboxRequest,
    endpoint: TaskEndpoint,
  ): InterfacePlan[] {
    const { state, plan } = before;
    const context = this.interfaceContext();
    if (plan.interfaces.length + 2 > INTERFACES_PER_SANDBOX_MAX) throw tooMany(request);
    const place = freePlace(plan.interfaces);
    const port = planSwarm(endpoint, state.sandboxId, place, context);
    const addresses = this.#addressesFor(request);
    if (!addresses || localInterface(plan)) return [port];
    const address = addresses.withPrefix(addresses.allocate());
    const next = freePlace([...plan.interfaces, port]);
    return [port, planLocal(request, state.sandboxId, next, address, context)];
  }

  /** Takes interfaces out of a container, which is `sandbox` from then on. */
  async #unplug(sandbox: Sandbox, removed: readonly InterfacePlan[]): Promise<void> {
    const { containerId } = sandbox.request;
    const { namespace } = sandbox.plan;
    const commands = removed.flatMap((port) => planUnplug(namespace, port));
    await this.#undo(commands, containerId);
    for (const { bridgeNamespace, address } of removed) {
      if (bridgeNamespace === '') this.#options.egressAddresses.release(bareAddress(address));
    }
    this.#options.registry.set(sandbox);
  }

  #known(containerId: string): Sandbox {
    const sandbox = this.#options.registry.get(containerId);
    if (sandbox) return sandbox;
    throw new RpcError(Code.NOT_FOUND, `container ${containerId} has no network of its own`);
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

  async #undo(commands: KernelCommand[], containerId: string): Promise<void> {
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
