import {
  type AskedAccess,
  allowsDevice,
  allowsDevices,
  askedAccess,
  canEncrypt,
  hostAccessOf,
  isEncrypted,
  type NodeObject,
  type TaskObject,
} from '@skep/wire';
import {
  Mount_Type,
  NodeSpec_Availability,
  NodeStatus_State,
  type Platform,
} from '@skep/wire/swarmkit';
import { constraintsOf, nodeMatches } from '../constraint/index.js';
import { type Demand, demandOf, portText } from './demand.js';
import type { NodeInfo } from './node-info.js';

export type Check = (node: NodeInfo) => boolean;

/** What makes a node fail a check, each as what stands before `on 2 nodes`. */
export type Shortfall = (node: NodeInfo) => readonly string[];

/** One reason to refuse a node, and the sentence that says so. */
export interface Filter {
  /** The check for tasks like this one; undefined when they ask for nothing it looks at. */
  checkFor(task: TaskObject): Check | undefined;
  /** Says, in Docker's words, why `nodes` nodes were refused. */
  explain(nodes: number): string;
  /** Says more of a node that was refused, where Docker's words leave something open. */
  shortfallOf?(task: TaskObject): Shortfall;
}

export const HOST_PORT_IN_USE = 'host-mode port already in use';
export const MAX_REPLICAS_REACHED = 'max replicas per node limit exceed';

/** In the order they are asked; a node counts for the first that refuses it (features.md 3.4). */
export const FILTERS: readonly Filter[] = [
  { checkFor: () => isReady, explain: (nodes) => `${plural(nodes)} not available for new tasks` },
  {
    checkFor: resources,
    explain: (nodes) => `insufficient resources on ${plural(nodes)}`,
    shortfallOf: (task) => (node) => node.shortOf(demandOf(task)).map((one) => `short of ${one}`),
  },
  {
    checkFor: plugins,
    explain: (nodes) => `missing plugin on ${plural(nodes)}`,
    shortfallOf: missingPlugins,
  },
  { checkFor: encryption, explain: (nodes) => `network cannot be encrypted on ${plural(nodes)}` },
  {
    checkFor: devices,
    explain: (nodes) => `devices not allowed on ${plural(nodes)}`,
    shortfallOf: refusedDevices,
  },
  { checkFor: privileges, explain: (nodes) => `privileged not allowed on ${plural(nodes)}` },
  {
    checkFor: constraints,
    explain: (nodes) => `scheduling constraints not satisfied on ${plural(nodes)}`,
    shortfallOf: unmetConstraints,
  },
  { checkFor: platforms, explain: (nodes) => `unsupported platform on ${plural(nodes)}` },
  {
    checkFor: hostPorts,
    explain: (nodes) => `${HOST_PORT_IN_USE} on ${plural(nodes)}`,
    shortfallOf: takenPorts,
  },
  {
    checkFor: maxReplicas,
    explain: () => MAX_REPLICAS_REACHED,
    shortfallOf: (task) => () => [`limit of ${task.spec.placement?.maxReplicas} reached`],
  },
];

export function plural(nodes: number): string {
  return nodes === 1 ? '1 node' : `${nodes} nodes`;
}

/** Whether a node takes new tasks at all. */
export function takesTasks(node: NodeObject): boolean {
  return (
    node.status.state === NodeStatus_State.READY &&
    node.spec.availability === NodeSpec_Availability.ACTIVE
  );
}

function isReady({ node }: NodeInfo): boolean {
  return takesTasks(node);
}

function resources(task: TaskObject): Check | undefined {
  const demand: Demand = demandOf(task);
  const { nanoCpus, memoryBytes, generic } = demand;
  if (nanoCpus === 0 && memoryBytes === 0 && generic.length === 0) return undefined;
  return (node) => node.fits(demand);
}

interface Plugin {
  type: 'Volume' | 'Network' | 'Log';
  name: string;
}

function plugins(task: TaskObject): Check | undefined {
  const needed = neededPlugins(task);
  if (needed.length === 0) return undefined;
  return ({ node }) => needed.every((plugin) => hasPlugin(node, plugin));
}

function missingPlugins(task: TaskObject): Shortfall {
  const needed = neededPlugins(task);
  return ({ node }) =>
    needed
      .filter((plugin) => !hasPlugin(node, plugin))
      .map(({ type, name }) => `no ${type.toLowerCase()} driver ${name}`);
}

function neededPlugins(task: TaskObject): Plugin[] {
  const needed: Plugin[] = [];
  const { runtime, logDriver } = task.spec;
  for (const mount of runtime.case === 'container' ? runtime.value.mounts : []) {
    const driver = mount.volumeOptions?.driverConfig?.name ?? '';
    if (mount.type !== Mount_Type.VOLUME || driver === '' || driver === 'local') continue;
    needed.push({ type: 'Volume', name: driver });
  }
  for (const { network } of task.networks) {
    const name = network?.driverState?.name;
    if (name) needed.push({ type: 'Network', name });
  }
  if (logDriver?.name && logDriver.name !== 'none') {
    needed.push({ type: 'Log', name: logDriver.name });
  }
  return needed;
}

/** A node that lists no log drivers at all is an old one, and taken to have the one wanted. */
function hasPlugin(node: NodeObject, { type, name }: Plugin): boolean {
  const installed = node.description?.engine?.plugins;
  if (!installed) return true;
  const ofType = installed.filter((plugin) => plugin.type === type);
  if (type === 'Log' && ofType.length === 0) return true;
  return ofType.some((plugin) => withTag(plugin.name) === withTag(name));
}

function withTag(name: string): string {
  return name.includes(':') ? name : `${name}:latest`;
}

/** The task would be rejected there: nothing of an encrypted network is ever sent in the clear. */
function encryption(task: TaskObject): Check | undefined {
  const asks = task.networks.some(({ network }) => network && isEncrypted(network));
  return asks ? ({ node }) => canEncrypt(node.description) : undefined;
}

function devices(task: TaskObject): Check | undefined {
  const wanted = accessOf(task).devices;
  if (wanted.length === 0) return undefined;
  return ({ node }) => allowsDevices(hostAccessOf(node.description), wanted);
}

function refusedDevices(task: TaskObject): Shortfall {
  const wanted = accessOf(task).devices;
  return ({ node }) => {
    const allowed = hostAccessOf(node.description);
    return wanted
      .filter(({ host }) => !allowsDevice(allowed, host))
      .map(({ host }) => `no leave to use ${host}`);
  };
}

function privileges(task: TaskObject): Check | undefined {
  if (!accessOf(task).privileged) return undefined;
  return ({ node }) => hostAccessOf(node.description).privileged;
}

/** Labels that nobody checked (another manager's) are for the node to reject. */
function accessOf({ serviceAnnotations }: TaskObject): AskedAccess {
  try {
    return askedAccess(serviceAnnotations.labels);
  } catch {
    return { devices: [], privileged: false };
  }
}

function constraints(task: TaskObject): Check | undefined {
  const wanted = constraintsOf(task.spec.placement);
  return wanted.length === 0 ? undefined : ({ node }) => nodeMatches(wanted, node);
}

function unmetConstraints(task: TaskObject): Shortfall {
  const wanted = constraintsOf(task.spec.placement);
  return ({ node }) =>
    wanted
      .filter((constraint) => !nodeMatches([constraint], node))
      .map(({ key, operator, value }) => `${key} ${operator} ${value} fails`);
}

function platforms(task: TaskObject): Check | undefined {
  const wanted = task.spec.placement?.platforms ?? [];
  if (wanted.length === 0) return undefined;
  return ({ node }) => {
    const platform = node.description?.platform;
    return platform !== undefined && wanted.some((one) => samePlatform(one, platform));
  };
}

function samePlatform(wanted: Platform, actual: Platform): boolean {
  if (wanted.os !== '' && wanted.os !== actual.os) return false;
  if (wanted.architecture === '') return true;
  return architecture(wanted.architecture) === architecture(actual.architecture);
}

/** The kernel's names for what images call otherwise. */
const ARCHITECTURES: Record<string, string> = { x86_64: 'amd64', aarch64: 'arm64' };

function architecture(name: string): string {
  return ARCHITECTURES[name] ?? name;
}

function hostPorts(task: TaskObject): Check | undefined {
  const { hostPorts: ports } = demandOf(task);
  return ports.length === 0 ? undefined : (node) => !node.hasHostPort(ports);
}

function takenPorts(task: TaskObject): Shortfall {
  const { hostPorts: ports } = demandOf(task);
  return (node) => ports.filter((port) => node.hasHostPort([port])).map(portText);
}

function maxReplicas(task: TaskObject): Check | undefined {
  const limit = Number(task.spec.placement?.maxReplicas ?? 0n);
  return limit === 0 ? undefined : (node) => node.activeOfService(task.serviceId) < limit;
}
