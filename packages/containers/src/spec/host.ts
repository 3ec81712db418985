import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import { hasErrno, type Logger } from '@skep/platform';
import { supportedCapabilities } from './capabilities.js';
import { absentArchitectures, kernelConfig } from './kernel-config.js';
import type { OciDevice } from './oci.js';
import type { SeccompProfile } from './seccomp.js';

/** What the machine offers; read once at start, given to pure code as data. */
export interface HostFacts {
  /** Node's name of the architecture. */
  architecture: string;
  kernelRelease: string;
  /** By libseccomp's names: those of which the kernel runs no programs. */
  absentArchitectures: readonly string[];
  cpuCount: number;
  capabilities: string[];
  /**
   * Undefined when the profile is not installed: containers are then refused unless they ask for
   * none.
   */
  seccompProfile: SeccompProfile | undefined;
  /** `hybrid`: controllers on v1, an empty v2 tree beside them. */
  cgroupMode: 'v1' | 'hybrid' | 'v2';
  /** A program that can be PID 1 and reap; undefined when not installed. */
  initPath: string | undefined;
  hasAppArmor: boolean;
}

const SECCOMP_PROFILE_PATHS = [
  '/usr/share/containers/seccomp.json',
  '/etc/containers/seccomp.json',
];
const INIT_PATHS = [
  '/usr/bin/tini-static',
  '/usr/libexec/docker/docker-init',
  '/usr/bin/docker-init',
];
const LAST_CAPABILITY_FALLBACK = 40;

/** Looks at this machine. What is missing is logged with what does not work without it. */
export function readHostFacts(logger: Logger): HostFacts {
  const initPath = INIT_PATHS.find((path) => existsSync(path));
  const facts: HostFacts = {
    architecture: process.arch,
    kernelRelease: release(),
    absentArchitectures: absentArchitectures(kernelConfig(release())),
    cpuCount: cpus().length,
    capabilities: supportedCapabilities(lastCapability(), boundingSet()),
    seccompProfile: readSeccompProfile(logger),
    cgroupMode: cgroupMode('/sys/fs/cgroup'),
    initPath,
    hasAppArmor: hasAppArmor(),
  };
  if (!initPath)
    logger.warn({ paths: INIT_PATHS }, 'no init program found: --init will be refused');
  return facts;
}

function hasAppArmor(): boolean {
  try {
    return readFileSync('/sys/module/apparmor/parameters/enabled', 'utf8').startsWith('Y');
  } catch {
    return false;
  }
}

function lastCapability(): number {
  try {
    return Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8'));
  } catch {
    return LAST_CAPABILITY_FALLBACK;
  }
}

/** Capabilities that no process of ours can have more of. */
function boundingSet(): bigint {
  const status = readFileSync('/proc/self/status', 'utf8');
  return BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? 'ffffffffffffffff'}`);
}

function readSeccompProfile(logger: Logger): SeccompProfile | undefined {
  for (const path of SECCOMP_PROFILE_PATHS) {
    try {
      return JSON.parse(readFileSync(path, 'utf8')) as SeccompProfile;
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) logger.error({ path, error: String(error) }, 'bad profile');
    }
  }
  logger.error(
    { paths: SECCOMP_PROFILE_PATHS },
    'default seccomp profile missing (package golang-github-containers-common)',
  );
  return undefined;
}

/** How cgroups are mounted below `root`. */
export function cgroupMode(root: string): HostFacts['cgroupMode'] {
  if (existsSync(join(root, 'cgroup.controllers'))) return 'v2';
  return existsSync(join(root, 'unified', 'cgroup.controllers')) ? 'hybrid' : 'v1';
}

const S_IFMT = 0o170000;
const S_IFBLK = 0o060000;
const S_IFCHR = 0o020000;
/** Made anew in every container, or not to be shared. */
const SKIPPED_IN_DEV = new Set(['pts', 'shm', 'fd', 'mqueue', 'console', '.lxc', '.udev']);

/** Every device node of the host, for privileged containers. */
export function hostDevices(directory = '/dev'): OciDevice[] {
  const devices: OciDevice[] = [];
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (SKIPPED_IN_DEV.has(entry.name)) continue;
    if (entry.isDirectory()) devices.push(...hostDevices(path));
    if (!entry.isBlockDevice() && !entry.isCharacterDevice()) continue;
    const device = deviceAt(path);
    if (device) devices.push(device);
  }
  return devices;
}

/** The device node at a path; undefined for anything that is none. */
export function deviceAt(path: string): OciDevice | undefined {
  const { mode, rdev, uid, gid } = statSync(path);
  const kind = mode & S_IFMT;
  if (kind !== S_IFBLK && kind !== S_IFCHR) return undefined;
  const type = kind === S_IFBLK ? 'b' : 'c';
  return { path, type, ...deviceNumbers(rdev), fileMode: mode & 0o7777, uid, gid };
}

/** glibc's packing of a device number. */
export function deviceNumbers(rdev: number): { major: number; minor: number } {
  const value = BigInt(rdev);
  const major = ((value >> 8n) & 0xfffn) | ((value >> 32n) & ~0xfffn);
  const minor = (value & 0xffn) | ((value >> 12n) & ~0xffn & 0xffffffffn);
  return { major: Number(major), minor: Number(minor) };
}
