import { BOOT_SCRIPT } from '../boot/script.js';
import type { ProcessInfo } from '../host/contract.js';

/**
 * The processes of a machine without its process 1: those in its PID namespace, and what these
 * began in namespaces below (containers).
 */
export function membersOf(init: ProcessInfo, all: readonly ProcessInfo[]): ProcessInfo[] {
  const found = new Set(
    all.filter(({ pidNamespace }) => pidNamespace === init.pidNamespace).map(({ pid }) => pid),
  );
  for (let size = 0; size !== found.size; ) {
    size = found.size;
    for (const { pid, parentPid } of all) if (found.has(parentPid)) found.add(pid);
  }
  return all.filter(({ pid }) => pid !== init.pid && found.has(pid));
}

const SHIM = /(^|\/)containerd-shim[^/]*$/;

export function isShim({ command }: ProcessInfo): boolean {
  return SHIM.test(command[0] ?? '');
}

/** What starts containers: a daemon of ours or Docker's, and what would start it again. */
export function isEngine({ command, parentPid }: ProcessInfo, init: ProcessInfo): boolean {
  const isGuard = parentPid === init.pid && command.includes(BOOT_SCRIPT);
  return isGuard || command.some((word) => /\/skepd\.js$|(^|\/)dockerd$/.test(word));
}

/** First processes of containers: the children of shims. */
export function containersAmong(members: readonly ProcessInfo[]): ProcessInfo[] {
  const shims = new Set(members.filter(isShim).map(({ pid }) => pid));
  return members.filter((member) => shims.has(member.parentPid) && !isShim(member));
}
