import type { ContainerConfig, HostConfig } from '../contract/config.js';
import type { ExecRequest } from '../contract/engine.js';
import { ALL_CAPABILITIES, containerCapabilities } from './capabilities.js';
import type { HostFacts } from './host.js';
import { type OciCapabilities, type OciProcess, RLIMIT_INFINITE } from './oci.js';
import { parseSecurityOptions } from './security.js';
import type { ResolvedUser } from './user.js';

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Where the init program is mounted with `--init`. */
export const INIT_TARGET = '/sbin/docker-init';

/**
 * The environment of a process: Docker's own variables, then the container's, later ones winning.
 */
export function processEnvironment(
  config: ContainerConfig,
  extra: readonly string[] | null = [],
): string[] {
  const base = [
    `PATH=${DEFAULT_PATH}`,
    `HOSTNAME=${config.Hostname}`,
    ...(config.Tty ? ['TERM=xterm'] : []),
  ];
  return mergeEnvironment(mergeEnvironment(base, config.Env), extra ?? []);
}

/** `overrides` replaces values of the same name in place and adds the rest; a bare name removes. */
export function mergeEnvironment(base: readonly string[], overrides: readonly string[]): string[] {
  const byName = new Map(base.map((entry) => [nameOf(entry), entry]));
  for (const entry of overrides) {
    if (entry.includes('=')) byName.set(nameOf(entry), entry);
    else byName.delete(entry);
  }
  return [...byName.values()];
}

function nameOf(entry: string): string {
  const separator = entry.indexOf('=');
  return separator < 0 ? entry : entry.slice(0, separator);
}

/** The first process of a container. */
export function containerProcess(
  container: { path: string; args: string[]; config: ContainerConfig; hostConfig: HostConfig },
  user: ResolvedUser,
  host: HostFacts,
): OciProcess {
  const { config, hostConfig } = container;
  const command = [container.path, ...container.args];
  const capabilities = containerCapabilities({
    add: hostConfig.CapAdd ?? [],
    drop: hostConfig.CapDrop ?? [],
    privileged: hostConfig.Privileged,
    supported: host.capabilities,
  });
  return {
    ...(config.Tty ? terminal(hostConfig.ConsoleSize) : {}),
    user: identity(user),
    args: usesInit(hostConfig) ? [INIT_TARGET, '--', ...command] : command,
    env: processEnvironment(config),
    cwd: config.WorkingDir || '/',
    capabilities: forUser(capabilities, user),
    ...resourceLimits(hostConfig),
    ...confinement(hostConfig, host),
    oomScoreAdj: hostConfig.OomScoreAdj,
  };
}

/** A further process in a running container. */
export function execProcess(
  container: { config: ContainerConfig; hostConfig: HostConfig },
  request: ExecRequest,
  user: ResolvedUser,
  host: HostFacts,
): OciProcess {
  const { config, hostConfig } = container;
  const tty = request.Tty ?? false;
  const privileged = (request.Privileged ?? false) || hostConfig.Privileged;
  const capabilities = privileged
    ? ALL_CAPABILITIES.filter((name) => host.capabilities.includes(name))
    : containerCapabilities({
        add: hostConfig.CapAdd ?? [],
        drop: hostConfig.CapDrop ?? [],
        privileged: false,
        supported: host.capabilities,
      });
  return {
    ...(tty ? terminal(request.ConsoleSize) : {}),
    user: identity(user),
    args: request.Cmd,
    // Clients send null for what they leave out.
    env: processEnvironment({ ...config, Tty: tty }, request.Env ?? []),
    cwd: request.WorkingDir || config.WorkingDir || '/',
    capabilities: forUser(capabilities, user),
    ...resourceLimits(hostConfig),
    ...confinement(hostConfig, host),
    oomScoreAdj: hostConfig.OomScoreAdj,
  };
}

function confinement(
  { SecurityOpt }: HostConfig,
  host: HostFacts,
): Pick<OciProcess, 'noNewPrivileges' | 'apparmorProfile'> {
  const { noNewPrivileges, apparmorProfile } = parseSecurityOptions(SecurityOpt);
  return {
    noNewPrivileges,
    ...(host.hasAppArmor && apparmorProfile !== '' ? { apparmorProfile } : {}),
  };
}

/** The ulimits of a container hold for every process in it, those of exec too. */
function resourceLimits({ Ulimits }: HostConfig): Pick<OciProcess, 'rlimits'> {
  if (!Ulimits?.length) return {};
  return {
    rlimits: Ulimits.map(({ Name, Soft, Hard }) => ({
      type: `RLIMIT_${Name.toUpperCase()}`,
      soft: Soft < 0 ? RLIMIT_INFINITE : Soft,
      hard: Hard < 0 ? RLIMIT_INFINITE : Hard,
    })),
  };
}

export function usesInit(hostConfig: HostConfig): boolean {
  return hostConfig.Init === true;
}

function terminal(size: HostConfig['ConsoleSize']): Pick<OciProcess, 'terminal' | 'consoleSize'> {
  const [height = 0, width = 0] = size ?? [];
  return { terminal: true, ...(height && width ? { consoleSize: { height, width } } : {}) };
}

function identity(user: ResolvedUser): OciProcess['user'] {
  const { uid, gid, additionalGids = [] } = user;
  return { uid, gid, ...(additionalGids.length > 0 ? { additionalGids } : {}) };
}

/** Only root has its capabilities in force; others may gain them through set-uid programs alone. */
function forUser(names: string[], user: ResolvedUser): OciCapabilities {
  const inForce = user.uid === 0 ? names : [];
  return { bounding: names, effective: inForce, permitted: inForce };
}
