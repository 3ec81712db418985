import type { OciSeccomp } from './oci.js';

/**
 * One rule of a profile file: for which containers it holds is said by `includes` and `excludes`.
 */
interface ProfileRule {
  name?: string;
  names?: string[];
  action: string;
  args?: { index: number; value: number; valueTwo?: number; op: string }[] | null;
  includes?: ProfileCondition;
  excludes?: ProfileCondition;
  errnoRet?: number;
}

interface ProfileCondition {
  caps?: string[];
  arches?: string[];
  minKernel?: string;
}

/** A profile as Docker and Podman keep it (`/usr/share/containers/seccomp.json`). */
export interface SeccompProfile {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  archMap?: { architecture: string; subArchitectures: string[] | null }[];
  syscalls?: ProfileRule[] | null;
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
}

export interface SeccompTarget {
  /** Node's name: `x64`, `arm64`, … */
  architecture: string;
  capabilities: readonly string[];
  /** `6.1.0-13-amd64` */
  kernelRelease: string;
  /**
   * Of these the kernel runs no programs. In a filter each adds to what the runtime compiles for
   * every container, 6 ms of some 45, for nothing.
   */
  absentArchitectures: readonly string[];
}

/** Node's architecture → Go's, as the profile's conditions name it, and libseccomp's. */
const ARCHITECTURES: Record<string, { go: string; scmp: string }> = {
  x64: { go: 'amd64', scmp: 'SCMP_ARCH_X86_64' },
  ia32: { go: 'x86', scmp: 'SCMP_ARCH_X86' },
  arm64: { go: 'arm64', scmp: 'SCMP_ARCH_AARCH64' },
  arm: { go: 'arm', scmp: 'SCMP_ARCH_ARM' },
  ppc64: { go: 'ppc64le', scmp: 'SCMP_ARCH_PPC64LE' },
  s390x: { go: 's390x', scmp: 'SCMP_ARCH_S390X' },
  riscv64: { go: 'riscv64', scmp: 'SCMP_ARCH_RISCV64' },
};

/** The runtime's filter for one container. Throws when the text is no profile. */
export function convertSeccomp(profile: SeccompProfile, target: SeccompTarget): OciSeccomp {
  const rules = profile.syscalls ?? [];
  if (typeof profile.defaultAction !== 'string' || !Array.isArray(rules)) {
    throw new Error('seccomp profile: no defaultAction, or syscalls that are no list');
  }
  const native = ARCHITECTURES[target.architecture];
  const mapped = profile.archMap?.find((entry) => entry.architecture === native?.scmp);
  const architectures = mapped
    ? [mapped.architecture, ...present(mapped.subArchitectures ?? [], target)]
    : (profile.architectures ?? (native ? [native.scmp] : []));
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures,
    ...settings(profile),
    syscalls: rules.filter((rule) => applies(rule, native?.go, target)).map(toOciRule),
  };
}

function present(names: readonly string[], { absentArchitectures }: SeccompTarget): string[] {
  return names.filter((name) => !absentArchitectures.includes(name));
}

/** What is passed on as it is. */
function settings({ flags, listenerPath, listenerMetadata }: SeccompProfile): Partial<OciSeccomp> {
  return {
    ...(flags ? { flags } : {}),
    ...(listenerPath ? { listenerPath } : {}),
    ...(listenerMetadata ? { listenerMetadata } : {}),
  };
}

function applies(rule: ProfileRule, goArch: string | undefined, target: SeccompTarget): boolean {
  const has = (name: string) => target.capabilities.includes(name);
  const { includes = {}, excludes = {} } = rule;
  if (excludes.arches?.some((arch) => arch === goArch)) return false;
  if (excludes.caps?.some(has)) return false;
  if (excludes.minKernel && kernelAtLeast(target.kernelRelease, excludes.minKernel)) return false;
  if (includes.arches?.length && !includes.arches.some((arch) => arch === goArch)) return false;
  if (includes.caps && !includes.caps.every(has)) return false;
  return !includes.minKernel || kernelAtLeast(target.kernelRelease, includes.minKernel);
}

function toOciRule(rule: ProfileRule): OciSeccomp['syscalls'][number] {
  const names = rule.names ?? (rule.name ? [rule.name] : []);
  return {
    names,
    action: rule.action,
    ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
    ...(rule.args?.length ? { args: rule.args } : {}),
  };
}

/** Whether a kernel release is a version or newer; `5.10` against `6.1.0-13-amd64`. */
export function kernelAtLeast(release: string, wanted: string): boolean {
  const parse = (text: string) =>
    text
      .split(/[.-]/)
      .slice(0, 2)
      .map((part) => Number(part) || 0);
  const [major = 0, minor = 0] = parse(release);
  const [wantedMajor = 0, wantedMinor = 0] = parse(wanted);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
