import { readFileSync, realpathSync } from 'node:fs';
import { Code, RpcError } from '@skep/platform';
import type { MountRecord } from '../records/record.js';

/**
 * Refuses a bind that is to share mounts with the host where the host does not share them: the kernel
 * would make it without a word, and nothing would ever appear. Docker's words.
 */
export function checkPropagation({ Propagation, Source }: MountRecord): void {
  const wantsShared = Propagation === 'shared' || Propagation === 'rshared';
  if (!wantsShared && Propagation !== 'slave' && Propagation !== 'rslave') return;
  const found = mountOf(realpathSync(Source), readFileSync('/proc/self/mountinfo', 'utf8'));
  if (found.isShared || (!wantsShared && found.isSlave)) return;
  const kind = wantsShared ? 'shared' : 'shared or slave';
  throw new RpcError(
    Code.INTERNAL,
    `path ${Source} is mounted on ${found.point} but it is not a ${kind} mount`,
  );
}

/** The mount in which a path is, by the text of `/proc/self/mountinfo`. */
export function mountOf(
  path: string,
  mountinfo: string,
): { point: string; isShared: boolean; isSlave: boolean } {
  let found = { point: '/', isShared: false, isSlave: false };
  for (const line of mountinfo.split('\n')) {
    const fields = line.split(' ');
    const point = (fields[4] ?? '').replace(/\\040/g, ' ');
    const below = point === '/' ? '/' : `${point}/`;
    if (point === '' || (path !== point && !path.startsWith(below))) continue;
    // Of two on one point the later one hides the other.
    if (point.length < found.point.length) continue;
    const tags = fields.slice(6, fields.indexOf('-', 6));
    found = {
      point,
      isShared: tags.some((tag) => tag.startsWith('shared:')),
      isSlave: tags.some((tag) => tag.startsWith('master:')),
    };
  }
  return found;
}
