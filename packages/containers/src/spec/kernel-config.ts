import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** libseccomp's architectures that are there only by an option of the kernel, and its names so far. */
const OPTIONAL: Record<string, readonly string[]> = {
  SCMP_ARCH_X32: ['CONFIG_X86_X32_ABI', 'CONFIG_X86_X32'],
  SCMP_ARCH_X86: ['CONFIG_IA32_EMULATION'],
};

/**
 * Architectures whose programs this kernel cannot run: its configuration says so. None where it is
 * not known what the kernel was built with.
 */
export function absentArchitectures(config: string | undefined): string[] {
  if (config === undefined) return [];
  const lines = new Set(config.split('\n'));
  const isAbsent = (option: string) => lines.has(`# ${option} is not set`);
  return Object.keys(OPTIONAL).filter((name) => OPTIONAL[name]?.some(isAbsent));
}

/** What a kernel was built with, as it says itself, or as its package says. */
export function kernelConfig(release: string): string | undefined {
  const sources: (() => string)[] = [
    () => gunzipSync(readFileSync('/proc/config.gz')).toString(),
    () => readFileSync(`/boot/config-${release}`, 'utf8'),
  ];
  for (const read of sources) {
    try {
      return read();
    } catch {
      // not every kernel has it: the next may
    }
  }
  return undefined;
}
