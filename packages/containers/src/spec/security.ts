import { Code, RpcError } from '@skep/platform';
import type { HostConfig } from '../contract/config.js';
import type { HostFacts } from './host.js';
import type { OciSeccomp } from './oci.js';
import { convertSeccomp, type SeccompProfile } from './seccomp.js';

/** The `--security-opt` values, understood. */
export interface SecurityOptions {
  noNewPrivileges: boolean;
  /** `default`, `unconfined`, or the JSON text of a profile. */
  seccomp: string;
  /** Name of a loaded profile, `unconfined`, or empty for none asked for. */
  apparmorProfile: string;
}

/** Reads security options; refuses unknown ones with Docker's words. */
export function parseSecurityOptions(options: readonly string[] | null): SecurityOptions {
  const parsed: SecurityOptions = {
    noNewPrivileges: false,
    seccomp: 'default',
    apparmorProfile: '',
  };
  for (const option of options ?? []) {
    if (option === 'no-new-privileges') {
      parsed.noNewPrivileges = true;
      continue;
    }
    const separator = option.search(/[=:]/);
    const key = separator < 0 ? option : option.slice(0, separator);
    const value = option.slice(separator + 1);
    if (separator < 0) throw invalid(`invalid --security-opt 1: "${option}"`);
    if (key === 'seccomp') parsed.seccomp = value === 'builtin' ? 'default' : value;
    else if (key === 'no-new-privileges') parsed.noNewPrivileges = parseBoolean(option, value);
    else if (key === 'apparmor') parsed.apparmorProfile = value;
    else if (!HARMLESS.test(`${key}=${value}`)) refuseOption(key, option);
  }
  return parsed;
}

/** What asks for nothing that is not so already, or is seen to elsewhere. */
const HARMLESS = /^(label=disable|systempaths=.*|writable-cgroups=(0|f|F|FALSE|false|False))$/;

function refuseOption(key: string, option: string): never {
  if (key === 'label') {
    throw invalid(`SELinux is not supported by this engine: --security-opt ${option}`);
  }
  if (key === 'writable-cgroups') {
    throw invalid(`cgroups cannot be writable with this engine: --security-opt ${option}`);
  }
  throw invalid(`invalid --security-opt 2: "${option}"`);
}

/** Refuses what would be taken and left undone on this machine. */
export function checkSecurityOptions(options: readonly string[] | null, host: HostFacts): void {
  const { apparmorProfile } = parseSecurityOptions(options);
  if (host.hasAppArmor || ['', 'unconfined'].includes(apparmorProfile)) return;
  const what = `the profile ${JSON.stringify(apparmorProfile)} cannot be applied`;
  throw invalid(`AppArmor is not enabled on this machine: ${what}`);
}

function parseBoolean(option: string, value: string): boolean {
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw invalid(`invalid --security-opt 2: "${option}"`);
}

function invalid(message: string): RpcError {
  return new RpcError(Code.INVALID_ARGUMENT, message);
}

const cache = new WeakMap<SeccompProfile, Map<string, OciSeccomp>>();
/** Distinct capability sets are few; a caller that varies them without end must not fill memory. */
const CACHED_FILTERS_MAX = 32;

/** The filter of a container, or undefined for none. */
export function seccompFilter(
  hostConfig: HostConfig,
  capabilities: readonly string[],
  host: HostFacts,
): OciSeccomp | undefined {
  const { seccomp } = parseSecurityOptions(hostConfig.SecurityOpt);
  if (hostConfig.Privileged || seccomp === 'unconfined') return undefined;
  const target = {
    architecture: host.architecture,
    capabilities,
    kernelRelease: host.kernelRelease,
    absentArchitectures: host.absentArchitectures,
  };
  if (seccomp !== 'default') return convertSeccomp(parseProfile(seccomp), target);
  const profile = host.seccompProfile;
  if (!profile) {
    throw new RpcError(
      Code.INTERNAL,
      'the default seccomp profile is not installed ' +
        '(Debian package golang-github-containers-common); ' +
        'install it, or run with --security-opt seccomp=unconfined',
    );
  }
  const filters = cache.get(profile) ?? new Map<string, OciSeccomp>();
  cache.set(profile, filters);
  const key = capabilities.join();
  const known = filters.get(key);
  if (known) return known;
  const filter = convertSeccomp(profile, target);
  if (filters.size < CACHED_FILTERS_MAX) filters.set(key, filter);
  return filter;
}

function parseProfile(text: string): SeccompProfile {
  try {
    return JSON.parse(text) as SeccompProfile;
  } catch (error) {
    throw invalid(`decoding seccomp profile failed: ${(error as Error).message}`);
  }
}

const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Paths hidden and made read-only; what `inspect` shows and the runtime gets. */
export function protectedPaths(hostConfig: {
  Privileged: boolean;
  SecurityOpt: readonly string[] | null;
  MaskedPaths?: string[] | null;
  ReadonlyPaths?: string[] | null;
}): { maskedPaths: string[]; readonlyPaths: string[] } {
  const open =
    hostConfig.Privileged ||
    hostConfig.SecurityOpt?.some((o) => /^systempaths[=:]unconfined$/.test(o));
  if (open) return { maskedPaths: [], readonlyPaths: [] };
  return {
    maskedPaths: hostConfig.MaskedPaths ?? MASKED_PATHS,
    readonlyPaths: hostConfig.ReadonlyPaths ?? READONLY_PATHS,
  };
}
