import { isDeepStrictEqual } from 'node:util';
import type { SandboxRecord, TaskEndpoint } from '@skep/containers';
import type { KernelCommand, NamespaceView } from '../kernel/contract.js';
import { parsePortMap } from '../ports/port-map.js';
import type { Binding } from '../rules/host-table.js';
import { localAttachment, orderedEndpoints } from './attachment.js';
import { type InterfaceContext, planLocal, planSwarm } from './interfaces.js';
import {
  answerRule,
  bareAddress,
  freePlace,
  type InterfacePlan,
  planInterface,
  planMac,
  type SandboxPlan,
} from './plan.js';

/**
 * The plan that a sandbox of an earlier run was made by, from its record and what stands in its
 * namespace. The address of the way out is in no record; the kernel knows it. What is on a network
 * that does not stand is left out until it does.
 */
export function replan(
  sandbox: SandboxRecord,
  view: NamespaceView,
  context: InterfaceContext,
): SandboxPlan {
  const { request, state } = sandbox;
  const interfaces: InterfacePlan[] = [];
  const endpoints = orderedEndpoints(request).filter(({ networkId }) => context.place(networkId));
  for (const endpoint of endpoints) {
    const place = standingPlace(view, endpoint.address) ?? freePlace(interfaces);
    interfaces.push(planSwarm(endpoint, state.sandboxId, place, context));
  }
  const address = localAddress(sandbox, view);
  const bindings = address ? bindingsOf(state.ports, bareAddress(address)) : [];
  if (address) {
    const place = standingPlace(view, address) ?? freePlace(interfaces);
    interfaces.push(planLocal(request, state.sandboxId, place, address, context));
  }
  return { namespace: state.netnsPath, interfaces, bindings, sysctls: request.sysctls };
}

function standingPlace(view: NamespaceView, address: string): number | undefined {
  const link = view.addresses.find((other) => other.address === address)?.link;
  const digits = /^eth(\d+)$/.exec(link ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

function localAddress({ request, state }: SandboxRecord, view: NamespaceView): string | undefined {
  if (localAttachment(request) === 'none') return undefined;
  const isSwarm = (address: string) => request.endpoints.some((other) => other.address === address);
  const standing = view.addresses.find(
    ({ link, address }) => link.startsWith('eth') && !isSwarm(address),
  );
  const recorded = state.endpoints['bridge'];
  return standing?.address ?? (recorded && `${recorded.IPAddress}/${recorded.IPPrefixLen}`);
}

function bindingsOf(ports: SandboxRecord['state']['ports'], address: string): Binding[] {
  return parsePortMap(ports).wishes.map((wish) => ({
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
  bridges: ReadonlyMap<string, NamespaceView>,
): KernelCommand[] {
  return plan.interfaces.flatMap((port): KernelCommand[] => {
    const inner = view.links.find(({ name }) => name === port.link);
    const outer = bridges
      .get(port.bridgeNamespace)
      ?.links.find(({ name }) => name === port.hostLink);
    if (!inner || !outer) return planReplacement(plan.namespace, port, view);
    if (outer.up && outer.master === port.bridge) return [];
    const at = { namespace: port.bridgeNamespace, link: port.hostLink };
    const change = { up: true, master: port.bridge };
    const plug = { op: 'link-change', ...at, change: { ...change, ...port.port } } as const;
    return [plug, ...planMac('port-mac-add', port)];
  });
}

/** One end went, with its namespace, and the other is about to; a rule stays without its link. */
function planReplacement(
  namespace: string,
  port: InterfacePlan,
  view: NamespaceView,
): KernelCommand[] {
  const { link } = port;
  const rule = port.answerGateway && answerRule(port);
  const isThere = rule && view.rules.some((other) => isDeepStrictEqual(other, rule));
  return [
    ...(view.links.some(({ name }) => name === link)
      ? [{ op: 'link-remove', namespace, link } as const]
      : []),
    ...(isThere ? [{ op: 'rule-remove', namespace, ...rule } as const] : []),
    ...planInterface(namespace, port),
  ];
}

/** A sandbox's interface on a network that has been made anew. */
export function replanSwarm(
  endpoint: TaskEndpoint,
  sandbox: { plan: SandboxPlan; state: SandboxRecord['state'] },
  context: InterfaceContext,
): InterfacePlan {
  const { interfaces } = sandbox.plan;
  const known = interfaces.find(({ networkId }) => networkId === endpoint.networkId);
  const place = known?.place ?? freePlace(interfaces);
  return planSwarm(endpoint, sandbox.state.sandboxId, place, context);
}
