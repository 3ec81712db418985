import { Code, RpcError } from '@skep/platform';

/** Every capability of Linux, in the kernel's order. */
export const ALL_CAPABILITIES = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP ' +
  'LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER ' +
  'SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE ' +
  'SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP ' +
  'MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF ' +
  'CHECKPOINT_RESTORE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

/** What Docker leaves to the root user of a container. */
export const DEFAULT_CAPABILITIES = (
  'CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP ' +
  'NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE'
)
  .split(' ')
  .map((name) => `CAP_${name}`);

export interface CapabilityRequest {
  add: readonly string[];
  drop: readonly string[];
  privileged: boolean;
  /** What this kernel knows; a privileged container gets all of it. */
  supported: readonly string[];
}

/**
 * The capabilities of a container, in the kernel's order. Unknown names are refused as Docker does.
 */
export function containerCapabilities(request: CapabilityRequest): string[] {
  if (request.privileged) return ordered(new Set(request.supported));
  const add = request.add.map((name) => normalise(name, request.supported));
  const drop = request.drop.map((name) => normalise(name, request.supported));
  if (add.includes('ALL')) {
    return ordered(new Set(request.supported.filter((name) => !drop.includes(name))));
  }
  const base = drop.includes('ALL') ? [] : DEFAULT_CAPABILITIES;
  return ordered(new Set([...base.filter((name) => !drop.includes(name)), ...add]));
}

function normalise(name: string, supported: readonly string[]): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (!ALL_CAPABILITIES.includes(full)) {
    throw new RpcError(Code.INVALID_ARGUMENT, `invalid capability: "${name}"`);
  }
  if (!supported.includes(full)) {
    throw new RpcError(
      Code.INVALID_ARGUMENT,
      'capability not supported by your kernel or not available in the current environment: ' +
        `"${name}"`,
    );
  }
  return full;
}

function ordered(names: ReadonlySet<string>): string[] {
  return ALL_CAPABILITIES.filter((name) => names.has(name));
}

/**
 * What this machine can give: the capabilities its kernel knows, as far as the bounding set of this process
 * has them (a virtual machine or container around us may have taken some away).
 */
export function supportedCapabilities(lastCapability: number, boundingSet: bigint): string[] {
  return ALL_CAPABILITIES.slice(0, lastCapability + 1).filter(
    (_, number) => (boundingSet >> BigInt(number)) & 1n,
  );
}
