import type { SandboxRequest, SandboxState } from '@skep/containers';
import type { KernelCommand, NamespaceView } from '../kernel/contract.js';
import { parsePortMap } from '../ports/port-map.js';
import type { Binding } from '../rules/host-table.js';
import { type InterfaceContext, planInterfaces } from './interfaces.js';
import { bareAddress, planInterface, type SandboxPlan } from './plan.js';

/**
 * The plan that a sandbox of an earlier run was made by, from its record and what stands in its
 * namespace. The address of the way out is in no record; the kernel knows it.
 */
export function replan(
  sandbox: { request: SandboxRequest; state: SandboxState },
  view: NamespaceView,
  context: InterfaceContext,
): SandboxPlan {
  const { request, state } = sandbox;
  const lastLink = `eth${request.mode === 'task' ? request.endpoints.length : 0}`;
  const standing = view.addresses.find(({ link }) => link === lastLink)?.address;
  const recorded = state.endpoints['bridge'];
  const address =
    standing ?? (recorded ? `${recorded.IPAddress}/${recorded.IPPrefixLen}` : undefined);
  const interfaces = address ? planInterfaces(request, state.sandboxId, address, context) : [];
  const bindings = address ? bindingsOf(state, bareAddress(address)) : [];
  return { namespace: state.netnsPath, interfaces, bindings, sysctls: request.sysctls };
}

function bindingsOf(state: SandboxState, address: string): Binding[] {
  return parsePortMap(state.ports).wishes.map((wish) => ({
    protocol: wish.protocol,
    hostIp: wish.hostIp,
    hostPort: wish.firstPort,
    address,
    containerPort: wish.containerPort,
  }));
}

/**
 * What brings a living sandbox's interfaces back to their plan, touching nothing that is right:
 * live connections go on. `bridges` is what stands in each namespace that has bridges.
 */
export function planRepair(
  plan: SandboxPlan,
  view: NamespaceView,
  bridges: Map<string, NamespaceView>,
): KernelCommand[] {
  return plan.interfaces.flatMap((port, place): KernelCommand[] => {
    const inner = view.links.find(({ name }) => name === port.link);
    if (!inner) return planInterface(plan, place);
    const outer = bridges
      .get(port.bridgeNamespace)
      ?.links.find(({ name }) => name === port.hostLink);
    if (!outer || (outer.up && outer.master === port.bridge)) return [];
    const at = { namespace: port.bridgeNamespace, link: port.hostLink };
    const change = { up: true, master: port.bridge };
    return [{ op: 'link-change', ...at, change: { ...change, ...port.port } }];
  });
}
