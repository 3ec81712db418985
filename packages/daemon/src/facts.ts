import { existsSync, readFileSync } from 'node:fs';
import { arch, cpus, hostname, machine, release, totalmem } from 'node:os';
import type { SystemFacts } from '@skep/api';
import { LOG_DRIVERS } from '@skep/containers';
import type { NodeFacts } from '@skep/executor';
import { hasErrno, type Processes, type Random } from '@skep/platform';
import type { HostAccess } from '@skep/wire';
import type { GenericResource } from '@skep/wire/swarmkit';
import { genericResourceJson, parseGenericResources } from './config/generic-resources.js';
import { imageGcText } from './config/image-gc.js';
import type { DaemonOptions } from './config/options.js';
import { BUILD_TIME, COMMIT, VERSION } from './version.js';

/** Node's names for processor architectures, as Go spells them. */
const GO_ARCHITECTURES: Record<string, string> = { x64: 'amd64', ia32: '386', ppc64: 'ppc64le' };

/** What stays the same while the daemon runs. */
export type StaticFacts = Omit<SystemFacts, 'containerdVersion' | 'containerdAvailable'> & {
  nodeGenericResources: GenericResource[];
  serviceAccess: HostAccess;
};

/** Looks at the machine once. */
export async function gatherFacts(
  options: DaemonOptions,
  engineId: string,
  processes: Processes,
): Promise<StaticFacts> {
  const genericResources = parseGenericResources(options.genericResources);
  const system = osRelease();
  const seccompAvailable = existsSync('/usr/share/containers/seccomp.json');
  return {
    version: VERSION,
    gitCommit: COMMIT,
    buildTime: BUILD_TIME,
    hostname: hostname(),
    engineId,
    dataRoot: options.dataRoot,
    operatingSystem: system.PRETTY_NAME ?? 'Linux',
    osVersion: system.VERSION_ID ?? '',
    kernelVersion: release(),
    machine: machine(),
    architecture: GO_ARCHITECTURES[arch()] ?? arch(),
    cpus: cpus().length,
    memoryBytes: totalmem(),
    cgroupDriver: 'cgroupfs',
    cgroupVersion: existsSync('/sys/fs/cgroup/cgroup.controllers') ? '2' : '1',
    securityOptions: [
      ...(seccompAvailable ? ['name=seccomp,profile=builtin'] : []),
      ...accessOptions(options.serviceAccess),
    ],
    serviceAccess: options.serviceAccess,
    labels: options.labels,
    genericResources: genericResourceJson(genericResources),
    nodeGenericResources: genericResources,
    insecureRegistries: options.insecureRegistries,
    registryMirrors: options.registryMirrors,
    defaultAddressPools: options.defaultAddressPools.map(({ base, size }) => ({
      Base: base,
      Size: size,
    })),
    defaultRuntime: 'runc',
    initBinary: 'docker-init',
    imageGc: imageGcText(options.imageGc),
    runcVersion: await runcVersion(processes),
    logDrivers: LOG_DRIVERS,
    loggingDriver: options.defaultLog.Type,
  };
}

/** What the swarm's scheduler is told of this node. */
export function nodeFacts(facts: StaticFacts): NodeFacts {
  return {
    hostname: facts.hostname,
    architecture: facts.machine,
    cpuCount: facts.cpus,
    memoryBytes: facts.memoryBytes,
    engineVersion: facts.version,
    labels: Object.fromEntries(
      facts.labels.map((label) => [label.split('=', 1)[0], label.slice(label.indexOf('=') + 1)]),
    ),
    genericResources: facts.nodeGenericResources,
    hostAccess: facts.serviceAccess,
  };
}

/** What services are allowed, where `docker info` shows it: with the security options. */
function accessOptions({ devices, privileged }: HostAccess): string[] {
  return [
    ...devices.map((path) => `name=service-device,profile=${path}`),
    ...(privileged ? ['name=privileged-services'] : []),
  ];
}

/** `/etc/os-release` as its keys and unquoted values; empty on systems without it. */
function osRelease(): Record<string, string | undefined> {
  try {
    const lines = readFileSync('/etc/os-release', 'utf8').split('\n');
    return Object.fromEntries(
      lines.flatMap((line) => {
        const match = /^([A-Z_]+)="?([^"]*)"?$/.exec(line);
        return match ? [[match[1], match[2]]] : [];
      }),
    );
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return {};
    throw error;
  }
}

async function runcVersion(processes: Processes): Promise<string> {
  const { stdout } = await processes.run('runc', ['--version']).catch(() => ({ stdout: '' }));
  return /runc version (\S+)/.exec(stdout)?.[1] ?? 'missing';
}

/** An engine's id: a UUID, made once for a data root. */
export function newEngineId(random: Random): string {
  const bytes = Buffer.from(random.bytes(16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x40, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = bytes.toString('hex');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
