import type { SandboxRecord } from '@skep/containers';
import { errorMessage, type Logger } from '@skep/platform';
import type { AddressAllocator } from './address/allocator.js';
import { type HostBridge, planBridge } from './host/bridges.js';
import type { HostRules } from './host/rules.js';
import type { HostWatch } from './host/watch.js';
import { HOST, type KernelCommand, type NamespaceView, type NetKernel } from './kernel/contract.js';
import type { Names } from './names.js';
import type { Overlays } from './overlay/overlays.js';
import type { PortBook } from './ports/book.js';
import type { Mesh } from './publish/mesh.js';
import { planRepair, replan } from './sandbox/adopt.js';
import type { InterfaceContext } from './sandbox/interfaces.js';
import { bareAddress, localInterface } from './sandbox/plan.js';
import type { Sandbox, SandboxRegistry } from './sandbox/registry.js';

export interface RestorerOptions {
  kernel: NetKernel;
  logger: Logger;
  names: Names;
  registry: SandboxRegistry;
  book: PortBook;
  rules: HostRules;
  watch: HostWatch;
  mesh: Mesh;
  overlays: Overlays;
  bridge: HostBridge;
  egress: HostBridge;
  mtuBytes: number;
  context: () => InterfaceContext;
}

/**
 * Brings the kernel to what should be after a start: the host's part is made or repaired, living
 * sandboxes are taken over, everything else of ours is removed. Connections through what lives go
 * on: NAT of known connections is the kernel's own memory, and tables are replaced without a gap.
 */
export class Restorer {
  readonly #options: RestorerOptions;

  constructor(options: RestorerOptions) {
    this.#options = options;
  }

  async restore(sandboxes: readonly SandboxRecord[]): Promise<void> {
    await this.#makeHost();
    await this.#options.overlays.recover();
    for (const sandbox of sandboxes) await this.#adopt(sandbox);
    await this.#options.rules.load();
    await this.#sweep();
    await this.#options.watch.start();
  }

  /** Removes everything of ours from the kernel. */
  async removeAll(): Promise<void> {
    const { kernel, names, overlays, mesh, registry, book, watch } = this.#options;
    for (const { request } of registry.all()) registry.delete(request.containerId);
    book.releaseAll();
    await watch.removeAll();
    await this.#sweep();
    await mesh.removeAll();
    await overlays.removeAll();
    const { table } = names;
    const links = [names.bridge, names.gatewayBridge];
    await kernel.run(
      [
        { op: 'nft', namespace: HOST, changes: [{ kind: 'table-remove', table }] },
        ...links.map((link): KernelCommand => ({ op: 'link-remove', namespace: HOST, link })),
      ],
      { onRefusal: 'continue' },
    );
  }

  async #makeHost(): Promise<void> {
    const { kernel, logger, bridge, egress, mtuBytes } = this.#options;
    const host = await kernel.inspect(HOST);
    await kernel.run([
      ...planBridge(bridge, host, mtuBytes),
      ...planBridge(egress, host, mtuBytes),
    ]);
    if ((await kernel.readSysctl(HOST, 'net.ipv4.ip_forward')) === '1') return;
    logger.warn({}, 'enabling net.ipv4.ip_forward: containers need this host to forward packets');
    await kernel.run([{ op: 'sysctl', namespace: HOST, name: 'net.ipv4.ip_forward', value: '1' }]);
  }

  async #adopt(sandbox: SandboxRecord): Promise<void> {
    const { kernel, registry, book, logger, context, names } = this.#options;
    const { request, state } = sandbox;
    const { containerId } = request;
    const nothing = { namespace: '', interfaces: [], bindings: [], sysctls: {} };
    if (request.mode === 'host') return registry.set({ request, state, plan: nothing });
    try {
      const view = await kernel.inspect(state.netnsPath);
      const plan = replan(sandbox, view, context());
      this.#claim({ request, state, plan });
      const bridges = new Map<string, NamespaceView>();
      for (const { bridgeNamespace } of plan.interfaces) {
        bridges.set(bridgeNamespace, await kernel.inspect(bridgeNamespace));
      }
      const repairs = planRepair(plan, view, bridges);
      if (repairs.length > 0) logger.warn({ containerId }, 'repairing the network of a container');
      await kernel.run(repairs);
      const lost = await book.adopt(containerId, plan.bindings);
      for (const { hostIp, hostPort, protocol } of lost) {
        const port = `${hostIp}:${hostPort}/${protocol}`;
        logger.warn({ containerId, port }, 'another program listens on a bound port');
      }
    } catch (error) {
      const path = state.netnsPath || names.namespaceDirectory;
      logger.error({ containerId, path, error: errorMessage(error) }, 'network not restored');
      if (!registry.get(containerId)) registry.set({ request, state, plan: nothing });
    }
  }

  #claim(sandbox: Sandbox): void {
    this.#options.registry.set(sandbox);
    const local = localInterface(sandbox.plan);
    if (local) this.#poolOf(local.bridge).claim(bareAddress(local.address));
  }

  #poolOf(bridge: string): AddressAllocator {
    const { bridge: main, egress } = this.#options;
    return bridge === main.link ? main.addresses : egress.addresses;
  }

  /** Removes namespaces and links of ours that belong to no living sandbox. */
  async #sweep(): Promise<void> {
    const { kernel, registry, names, logger, overlays } = this.#options;
    const live = registry.all();
    const paths = new Set(live.map(({ state }) => state.netnsPath));
    const commands: KernelCommand[] = [];
    for (const path of await kernel.listNamespaces(names.namespaceDirectory)) {
      // Overlay networks go when the swarm says so, which it has not yet.
      const isDoomed = !paths.has(path) && !names.isOverlayNamespace(path);
      if (isDoomed) commands.push({ op: 'namespace-remove', path });
    }
    for (const namespace of [HOST, ...overlays.found]) {
      const { links: standing } = await kernel.inspect(namespace);
      for (const { name } of standing) {
        const isLive = live.some(({ state }) => names.isVethOf(state.sandboxId, name));
        if (!names.isVeth(name) || isLive) continue;
        commands.push({ op: 'link-remove', namespace, link: name });
      }
    }
    if (commands.length === 0) return;
    logger.info({ removed: commands.length }, 'removing leftovers of containers that are gone');
    await kernel.run(commands, { onRefusal: 'continue' });
  }
}
