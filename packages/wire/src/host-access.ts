import type { NodeDescription } from './swarmkit.js';

/**
 * What a service may have of the nodes it runs on, beyond what Docker's services can: labels of the
 * service ask, and what each node allows stands in its description, so that managers need not guess.
 */

/** Devices of the node, separated by commas: `HOST[:CONTAINER[:ACCESS]]`. */
export const DEVICES_LABEL = 'skep.devices';
/** `true`: the service's containers are privileged. */
export const PRIVILEGED_LABEL = 'skep.privileged';

export interface ServiceDevice {
  /** Absolute, of the node. */
  host: string;
  /** Absolute, in the container. */
  container: string;
  /** Of `r`, `w` and `m`. */
  access: string;
}

/** What a service asks for. */
export interface AskedAccess {
  devices: ServiceDevice[];
  privileged: boolean;
}

/** What a node allows; nothing unless its administrator says so. */
export interface HostAccess {
  /** Paths; `*` stands for any characters but `/`. */
  devices: readonly string[];
  privileged: boolean;
}

export const NO_HOST_ACCESS: HostAccess = { devices: [], privileged: false };

/** Kinds of plugins by which a node says what it allows. */
const DEVICE_TYPE = 'ServiceDevice';
const PRIVILEGED_MARK = { type: 'ServicePrivilege', name: 'privileged' } as const;

type Labels = Readonly<Record<string, string>>;

/** What labels ask for. Throws an error that names the label where they cannot be understood. */
export function askedAccess(labels: Labels): AskedAccess {
  const list = labels[DEVICES_LABEL] ?? '';
  const texts = list.split(',').map((text) => text.trim());
  const devices = list.trim() === '' ? [] : texts.map(parseDevice);
  return { devices, privileged: parsePrivileged(labels[PRIVILEGED_LABEL]) };
}

function parseDevice(text: string): ServiceDevice {
  const [host = '', ...rest] = text.split(':');
  const access = rest.length > 0 && isAccess(rest.at(-1) ?? '') ? (rest.pop() as string) : 'rwm';
  const container = rest.shift() ?? host;
  if (rest.length > 0 || !isCleanPath(host) || !isCleanPath(container)) {
    throw new Error(
      `label ${DEVICES_LABEL}: ${JSON.stringify(text)} is no device such as ` +
        '/dev/fuse or /dev/ttyUSB0:/dev/modem:rw',
    );
  }
  return { host, container, access };
}

function isAccess(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

/** Nothing in the path leads elsewhere than it says: what a node allows is compared by text. */
function isCleanPath(path: string): boolean {
  return /^(\/[^/]+)+$/.test(path) && !/\/\.\.?(\/|$)/.test(path);
}

function parsePrivileged(text: string | undefined): boolean {
  if (text === undefined || text === 'false') return false;
  if (text === 'true') return true;
  throw new Error(`label ${PRIVILEGED_LABEL}: ${JSON.stringify(text)} is neither true nor false`);
}

/** Whether a node allows all of the devices. */
export function allowsDevices(allowed: HostAccess, devices: readonly ServiceDevice[]): boolean {
  return devices.every(({ host }) => allowsDevice(allowed, host));
}

export function allowsDevice(allowed: HostAccess, path: string): boolean {
  return allowed.devices.some((pattern) => matches(pattern, path));
}

function matches(pattern: string, path: string): boolean {
  const literals = pattern.split('*').map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return new RegExp(`^${literals.join('[^/]*')}$`).test(path);
}

/** What a node allows, as plugins of its description. */
export function hostAccessMarks({ devices, privileged }: HostAccess): {
  type: string;
  name: string;
}[] {
  const marks = devices.map((name) => ({ type: DEVICE_TYPE, name }));
  return privileged ? [...marks, PRIVILEGED_MARK] : marks;
}

/** What a node says that it allows: engines of others, that do not know the labels, nothing. */
export function hostAccessOf(description: NodeDescription | undefined): HostAccess {
  const plugins = description?.engine?.plugins ?? [];
  const { type, name } = PRIVILEGED_MARK;
  return {
    devices: plugins.filter((plugin) => plugin.type === DEVICE_TYPE).map((plugin) => plugin.name),
    privileged: plugins.some((plugin) => plugin.type === type && plugin.name === name),
  };
}
