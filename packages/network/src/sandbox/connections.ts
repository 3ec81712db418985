import type { SandboxRecord, SandboxRequest, TaskEndpoint } from '@skep/containers';
import { Code, type Random, RpcError } from '@skep/platform';
import type { AddressAllocator } from '../address/allocator.js';
import { HOST, type NetKernel } from '../kernel/contract.js';
import { INTERFACES_PER_SANDBOX_MAX } from '../limits.js';
import { localAttachment } from './attachment.js';
import { checkConnectable, notConnected, withEndpoints } from './connecting.js';
import { describeEndpoint, namesOf } from './endpoints.js';
import { type InterfaceContext, planLocal, planSwarm, tooMany } from './interfaces.js';
import {
  bareAddress,
  freePlace,
  type InterfacePlan,
  localInterface,
  planInterface,
  planUnplug,
} from './plan.js';
import type { SandboxReaders } from './readers.js';
import type { Sandbox, SandboxRegistry } from './registry.js';

export interface ConnectionsOptions {
  kernel: NetKernel;
  random: Random;
  registry: SandboxRegistry;
  readers: SandboxReaders;
  /** Of the gateway bridge. */
  egressAddresses: AddressAllocator;
  /** What interfaces hang on right now. */
  context: () => InterfaceContext;
  /** Resolves when a network stands on this node. */
  ready: (endpoints: readonly TaskEndpoint[]) => Promise<void>;
  /** Runs what cannot be refused any more. */
  undo: (commands: Parameters<NetKernel['run']>[0], containerId: string) => Promise<void>;
}

/** Containers that run, put on swarm networks and taken off them. */
export class Connections {
  readonly #options: ConnectionsOptions;

  constructor(options: ConnectionsOptions) {
    this.#options = options;
  }

  async connect(containerId: string, endpoint: TaskEndpoint): Promise<SandboxRecord> {
    const { kernel, random, registry, readers, ready } = this.#options;
    checkConnectable(this.#known(containerId), endpoint);
    await ready([endpoint]);
    const before = this.#known(containerId);
    const request = withEndpoints(before.request, [...before.request.endpoints, endpoint]);
    const added = this.#planConnection(before, request, endpoint);
    const described = describeEndpoint(request, endpoint, random);
    const endpoints = { ...before.state.endpoints, [endpoint.networkName]: described };
    const state = { ...before.state, endpoints, nameservers: readers.nameservers };
    const interfaces = [...before.plan.interfaces, ...added];
    const after = { request, state, plan: { ...before.plan, interfaces } };
    registry.set(after);
    try {
      const { namespace } = before.plan;
      await kernel.run(added.flatMap((port) => planInterface(namespace, port)));
      await readers.changed(after);
    } catch (error) {
      await this.#unplug(before, added);
      throw error;
    }
    return { request, state };
  }

  async rename(containerId: string, name: string): Promise<SandboxRecord> {
    const before = this.#known(containerId);
    const request = { ...before.request, name };
    const endpoints = { ...before.state.endpoints };
    for (const endpoint of request.endpoints) {
      const described = endpoints[endpoint.networkName];
      if (!described) continue;
      const DNSNames = namesOf(request, endpoint);
      endpoints[endpoint.networkName] = { ...described, DNSNames };
    }
    const state = { ...before.state, endpoints };
    const after = { ...before, request, state };
    this.#options.registry.set(after);
    await this.#options.readers.changed(after);
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
    return { request, state };
  }

  /** The interface on one more network, and on the gateway bridge if that is the first way out. */
  #planConnection(
    before: Sandbox,
    request: SandboxRequest,
    endpoint: TaskEndpoint,
  ): InterfacePlan[] {
    const { state, plan } = before;
    const context = this.#options.context();
    if (plan.interfaces.length + 2 > INTERFACES_PER_SANDBOX_MAX) throw tooMany(request);
    const place = freePlace(plan.interfaces);
    const port = planSwarm(endpoint, state.sandboxId, place, context);
    if (localAttachment(request) !== 'gateway' || localInterface(plan)) return [port];
    const { egressAddresses } = this.#options;
    const address = egressAddresses.withPrefix(egressAddresses.allocate());
    const next = freePlace([...plan.interfaces, port]);
    return [port, planLocal(request, state.sandboxId, next, address, context)];
  }

  /** Takes interfaces out of a container, which is `sandbox` from then on. */
  async #unplug(sandbox: Sandbox, removed: readonly InterfacePlan[]): Promise<void> {
    const { egressAddresses, registry, undo } = this.#options;
    const { namespace } = sandbox.plan;
    const commands = removed.flatMap((port) => planUnplug(namespace, port));
    await undo(commands, sandbox.request.containerId);
    for (const { bridgeNamespace, address } of removed) {
      if (bridgeNamespace === HOST) egressAddresses.release(bareAddress(address));
    }
    registry.set(sandbox);
  }

  #known(containerId: string): Sandbox {
    const sandbox = this.#options.registry.get(containerId);
    if (sandbox) return sandbox;
    throw new RpcError(Code.NOT_FOUND, `container ${containerId} has no network of its own`);
  }
}
