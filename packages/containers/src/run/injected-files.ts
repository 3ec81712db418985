import { chmodSync, chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Code, RpcError } from '@skep/platform';
import type { InjectedFile } from '../contract/config.js';
import type { EngineContext } from '../engine/context.js';
import type { ContainerRecord, InjectedFileRecord } from '../records/record.js';

const PAGE_BYTES = 4096;

/**
 * Puts secrets and configs into a memory-backed mount of the container's own. It is made at
 * creation and stays until the container ends: a daemon that is started anew finds them there and
 * need not be given them again.
 */
export function writeInjectedFiles(
  context: EngineContext,
  id: string,
  files: readonly InjectedFile[],
): InjectedFileRecord[] {
  if (files.length === 0) return [];
  const directory = context.paths.files(id);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const pages = files.reduce((sum, file) => sum + Math.ceil(file.data.length / PAGE_BYTES) + 1, 1);
  context.kernel.mount(
    {
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nodev', 'nosuid', 'noexec', `size=${pages * PAGE_BYTES}`, 'mode=0700'],
    },
    directory,
  );
  return files.map((file, index) => {
    const path = join(directory, String(index));
    writeFileSync(path, file.data, { mode: 0o600 });
    chownSync(path, file.uid, file.gid);
    chmodSync(path, file.mode & 0o7777);
    return { path: file.path, index };
  });
}

/** A task runs once: when it has ended, its container is kept for its logs alone. */
export function removeInjectedFiles(context: EngineContext, id: string): void {
  context.kernel.unmount(context.paths.files(id));
}

/** Throws where a user starts a task's container again. */
export function requireInjectedFiles(context: EngineContext, { id, task }: ContainerRecord): void {
  for (const { index } of task?.files ?? []) {
    if (existsSync(join(context.paths.files(id), String(index)))) continue;
    throw new RpcError(
      Code.FAILED_PRECONDITION,
      'the task of this container has ended, and its secrets and configs are gone with it',
    );
  }
}
