import type { Disk } from '@skep/platform';

const LEGACY_TABLES = '/proc/thread-self/net/ip_tables_names';

/** Tables of legacy iptables in this network namespace; none where the kernel has no such thing. */
export async function readLegacyTables(disk: Disk): Promise<string[]> {
  try {
    const text = new TextDecoder().decode(await disk.readFile(LEGACY_TABLES));
    return text.split('\n').filter(Boolean);
  } catch {
    return [];
  }
}
