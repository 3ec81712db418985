import { invariant } from '@skep/platform';
import { formatSubnet, macOf, parseInterfaceAddress } from '../address/ipv4.js';
import { HOST, type KernelCommand, type NamespacePath } from '../kernel/contract.js';
import { type Binding, bindingElement, bindingSet } from '../rules/host-table.js';
import type { NftChange } from '../rules/nft.js';

/** One interface of a container. */
export interface InterfacePlan {
  /** Its number among the container's, 0 … 99. */
  place: number;
  /** In the container: `eth0`, … */
  link: string;
  /** Of a swarm network. */
  networkId?: string;
  /** Namespace with the bridge it is plugged into. */
  bridgeNamespace: NamespacePath;
  bridge: string;
  /** The bridge's end. */
  hostLink: string;
  /** With prefix length. */
  address: string;
  mtuBytes: number;
  /** Options of its bridge port. */
  port: { isolated?: boolean; hairpin?: boolean };
  /** To other subnets of its network. */
  routes?: { destination: string; gateway: string }[];
  /** Where everything without a better route goes. At most one interface has it. */
  defaultGateway?: string;
  /**
   * Where answers go that bear this interface's address, whomever they are for: the way their
   * question came. A routing table of its own holds it.
   */
  answerGateway?: string;
}

export interface SandboxPlan {
  namespace: NamespacePath;
  interfaces: InterfacePlan[];
  bindings: Binding[];
  /** From the container's own configuration. */
  sysctls: Record<string, string>;
}

/** Routing tables for answers: this and the interface's place. */
const ANSWER_TABLE_BASE = 100;
/** Before the kernel's main table (32766), after its local one (0). */
const ANSWER_RULE_PRIORITY = 1_000;

/** The interface on a bridge of this host, if there is one. */
export function localInterface(plan: SandboxPlan): InterfacePlan | undefined {
  return plan.interfaces.find(({ bridgeNamespace }) => bridgeNamespace === HOST);
}

/** The lowest number that no interface has. */
export function freePlace(interfaces: readonly InterfacePlan[]): number {
  const taken = new Set(interfaces.map(({ place }) => place));
  let place = 0;
  while (taken.has(place)) place++;
  return place;
}

/** The address without its prefix length. */
export function bareAddress(address: string): string {
  return address.slice(0, address.indexOf('/'));
}

export function macOfAddress(address: string): string {
  const parsed = parseInterfaceAddress(address);
  invariant(parsed, 'an interface address', { address });
  return macOf(parsed.address);
}

/** Everything a new sandbox needs, in order. */
export function planSetUp(plan: SandboxPlan, table: string): KernelCommand[] {
  const { namespace } = plan;
  return [
    { op: 'namespace-add', path: namespace },
    {
      op: 'sysctl',
      namespace,
      // No link-local addresses, solicitations and delays on interfaces that have no IPv6 address.
      name: 'net.ipv6.conf.default.disable_ipv6',
      value: '1',
      optional: true,
    },
    { op: 'link-change', namespace, link: 'lo', change: { up: true } },
    ...plan.interfaces.flatMap((port) => planInterface(namespace, port)),
    ...Object.entries(plan.sysctls).map(
      ([name, value]): KernelCommand => ({ op: 'sysctl', namespace, name, value }),
    ),
    ...planBindings(plan.bindings, table),
  ];
}

/** One interface with its address and routes. */
export function planInterface(namespace: NamespacePath, port: InterfacePlan): KernelCommand[] {
  const { link } = port;
  const commands: KernelCommand[] = [
    {
      op: 'veth-add',
      mtuBytes: port.mtuBytes,
      near: { namespace: port.bridgeNamespace, link: port.hostLink, master: port.bridge },
      far: { namespace, link, mac: macOfAddress(port.address) },
    },
    { op: 'address-add', namespace, link, address: port.address },
    ...planMac('port-mac-add', port),
  ];
  if (Object.keys(port.port).length > 0) commands.push(planPort(port));
  if (port.defaultGateway) {
    const gateway = port.defaultGateway;
    commands.push({ op: 'route-add', namespace, destination: 'default', gateway });
  }
  for (const route of port.routes ?? []) commands.push({ op: 'route-add', namespace, ...route });
  if (port.answerGateway) commands.push(...planAnswers(namespace, port));
  return commands;
}

/**
 * A bridge of an overlay network may have learned that the MAC is behind the tunnel: the address was
 * a container's on another node a moment ago, and MACs are made of addresses.
 */
export function planMac(
  op: 'port-mac-add' | 'port-mac-remove',
  { bridgeNamespace: namespace, hostLink: link, address }: InterfacePlan,
): KernelCommand[] {
  return namespace === HOST ? [] : [{ op, namespace, link, mac: macOfAddress(address) }];
}

/** Sets the options of an interface's bridge port. */
export function planPort(port: InterfacePlan): KernelCommand {
  const { bridgeNamespace: namespace, hostLink: link } = port;
  return { op: 'link-change', namespace, link, change: port.port };
}

function planAnswers(namespace: NamespacePath, port: InterfacePlan): KernelCommand[] {
  const parsed = parseInterfaceAddress(port.address);
  invariant(parsed && port.answerGateway, 'an interface with an address and a gateway', port);
  const { link, answerGateway: gateway } = port;
  const rule = answerRule(port);
  const { table } = rule;
  const destination = formatSubnet(parsed.subnet);
  return [
    // Questions come from anywhere here, and strict filtering would compare them with the main
    // table.
    { op: 'sysctl', namespace, name: 'net.ipv4.conf.all.rp_filter', value: '0' },
    { op: 'sysctl', namespace, name: `net.ipv4.conf.${link}.rp_filter`, value: '0' },
    { op: 'sysctl', namespace, name: `net.ipv4.conf.${link}.accept_redirects`, value: '0' },
    { op: 'route-add', namespace, destination, link, table },
    { op: 'route-add', namespace, destination: 'default', gateway, link, table },
    { op: 'rule-add', namespace, ...rule },
  ];
}

/** What bears the interface's address goes by a table of its own. */
export function answerRule({ address, place }: InterfacePlan) {
  return {
    from: `${bareAddress(address)}/32`,
    table: ANSWER_TABLE_BASE + place,
    priority: ANSWER_RULE_PRIORITY + place,
  };
}

function bindingChanges(
  kind: 'elements-add' | 'elements-remove',
  bindings: readonly Binding[],
  table: string,
): NftChange[] {
  const sets = new Set(bindings.map(bindingSet));
  return [...sets].map((set) => ({
    kind,
    table,
    set,
    elements: bindings.filter((binding) => bindingSet(binding) === set).map(bindingElement),
  }));
}

function planBindings(bindings: readonly Binding[], table: string): KernelCommand[] {
  if (bindings.length === 0) return [];
  const changes = bindingChanges('elements-add', bindings, table);
  return [{ op: 'nft', namespace: HOST, changes }, ...forgetDatagrams(bindings)];
}

/** A sender that never pauses would stay where its datagrams went before the port was bound. */
function forgetDatagrams(bindings: readonly Binding[]): KernelCommand[] {
  return bindings
    .filter(({ protocol }) => protocol === 'udp')
    .map(({ protocol, hostPort }) => ({
      op: 'conntrack-remove',
      namespace: HOST,
      match: { protocol, originPort: hostPort },
    }));
}

/**
 * Everything to take down, to be run with `continue`. The bridge's ends are only shut: deleting one
 * takes the kernel 25 ms, and it goes by itself, later, when the namespace dies.
 */
export function planTearDown(plan: SandboxPlan, table: string): KernelCommand[] {
  const commands: KernelCommand[] = [];
  if (plan.bindings.length > 0) {
    const changes = bindingChanges('elements-remove', plan.bindings, table);
    commands.push({ op: 'nft', namespace: HOST, changes });
  }
  for (const port of plan.interfaces) {
    const { bridgeNamespace: namespace, hostLink: link } = port;
    commands.push(...planMac('port-mac-remove', port));
    commands.push({ op: 'link-change', namespace, link, change: { up: false } });
  }
  commands.push({ op: 'namespace-remove', path: plan.namespace });
  return [...commands, ...plan.interfaces.flatMap(forgetConnections)];
}

/** Takes an interface out of a container that goes on. */
export function planUnplug(namespace: NamespacePath, port: InterfacePlan): KernelCommand[] {
  return [{ op: 'link-remove', namespace, link: port.link }, ...forgetConnections(port)];
}

/**
 * What follows of a connection is then new, and answered with a reset instead of silence. Frames on
 * an overlay network are tracked where they are routed: for the routing mesh.
 */
function forgetConnections(port: InterfacePlan): KernelCommand[] {
  const { bridgeNamespace: namespace, address } = port;
  if (namespace !== HOST && !port.answerGateway) return [];
  const match = { replySource: bareAddress(address) };
  return [{ op: 'conntrack-remove', namespace, match }];
}
