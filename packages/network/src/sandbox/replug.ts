import { errorMessage, type Logger } from '@skep/platform';
import type { NetKernel } from '../kernel/contract.js';
import type { OverlayNetwork } from '../tables/contract.js';
import { planRepair, replanSwarm } from './adopt.js';
import type { InterfaceContext } from './interfaces.js';
import type { SandboxReaders } from './readers.js';
import type { Sandbox, SandboxRegistry } from './registry.js';

export interface ReplugOptions {
  kernel: NetKernel;
  logger: Logger;
  registry: SandboxRegistry;
  readers: SandboxReaders;
}

/** Plugs in again whoever was on a network whose namespace had gone. */
export async function plugInAgain(
  options: ReplugOptions,
  network: OverlayNetwork,
  context: InterfaceContext,
): Promise<void> {
  for (const sandbox of options.registry.all()) {
    try {
      await plugOne(options, sandbox, network.id, context);
    } catch (error) {
      const { containerId } = sandbox.request;
      const fields = { containerId, network: network.name, error: errorMessage(error) };
      options.logger.error(fields, 'container not plugged in again');
    }
  }
}

async function plugOne(
  { kernel, registry, readers }: ReplugOptions,
  sandbox: Sandbox,
  networkId: string,
  context: InterfaceContext,
): Promise<void> {
  const endpoint = sandbox.request.endpoints.find((other) => other.networkId === networkId);
  if (!endpoint) return;
  const port = replanSwarm(endpoint, sandbox, context);
  const others = sandbox.plan.interfaces.filter((other) => other.networkId !== networkId);
  const interfaces = [...others, port].sort((one, other) => one.place - other.place);
  const view = await kernel.inspect(sandbox.plan.namespace);
  const bridges = new Map([[port.bridgeNamespace, await kernel.inspect(port.bridgeNamespace)]]);
  const after = { ...sandbox, plan: { ...sandbox.plan, interfaces } };
  registry.set(after);
  await kernel.run(planRepair({ ...sandbox.plan, interfaces: [port] }, view, bridges));
  await readers.changed(after);
}
