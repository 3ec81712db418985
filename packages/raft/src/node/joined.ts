import { join } from 'node:path';
import { type Disk, hasErrno } from '@skep/platform';
import type { Member } from '../membership.js';

const JOINED_FILE = 'joined.json';

/**
 * Keeps whom a joiner was told of. Its log says so only when it has caught up; until then, also
 * after a restart, this is how it finds the way to its leader.
 */
export async function saveJoined(
  disk: Disk,
  directory: string,
  members: readonly Member[],
): Promise<void> {
  const lines = members.map((member) => ({ ...member, raftId: `${member.raftId}` }));
  await disk.writeFileAtomic(join(directory, JOINED_FILE), Buffer.from(JSON.stringify(lines)));
}

/** Whom {@link saveJoined} kept; nobody where it did not. */
export async function loadJoined(disk: Disk, directory: string): Promise<readonly Member[]> {
  try {
    const text = Buffer.from(await disk.readFile(join(directory, JOINED_FILE))).toString();
    const lines = JSON.parse(text) as { raftId: string; nodeId: string; address: string }[];
    return lines.map((line) => ({ ...line, raftId: BigInt(line.raftId) }));
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
