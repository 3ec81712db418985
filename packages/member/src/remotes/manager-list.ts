import { type Disk, hasErrno } from '@skep/platform';
import { MANAGERS_MAX } from './limits.js';
import type { RemoteManager } from './remotes.js';

/** The list of managers as text: JSON with the names Docker gives it in its state.json. */
export function encodeManagers(managers: readonly RemoteManager[]): string {
  const list = managers.map(({ nodeId, address }) => ({ node_id: nodeId, addr: address }));
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

/** Throws when the text is something else. */
export function decodeManagers(text: string): RemoteManager[] {
  const list: unknown = JSON.parse(text);
  if (!Array.isArray(list)) throw new Error('not a list of managers');
  return list.slice(0, MANAGERS_MAX).map((item: unknown) => {
    const { node_id: nodeId, addr: address } = (item ?? {}) as Record<string, unknown>;
    if (typeof nodeId !== 'string' || typeof address !== 'string' || !address) {
      throw new Error('not a list of managers');
    }
    return { nodeId, address };
  });
}

/** The text of the list's file; undefined when there is none. */
export async function loadManagers(disk: Disk, path: string): Promise<string | undefined> {
  try {
    return Buffer.from(await disk.readFile(path)).toString();
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
