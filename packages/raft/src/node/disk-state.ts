import { join } from 'node:path';
import type { Clock, Disk, Logger, Random } from '@skep/platform';
import { LogCorruptError } from '../errors.js';
import { type KeyWrapping, loadKeys, saveKeys, withNewKey } from '../keys/key-file.js';
import type { KeyRing } from '../keys/ring.js';
import { RaftLog } from '../log/log.js';
import { SnapshotFiles } from '../snapshot/files.js';
import type { Flaws } from './flaws.js';

const KEY_FILE = 'log.key';
const LOG_DIRECTORY = 'log';
const SNAPSHOT_DIRECTORY = 'snapshots';

export interface DiskStateOptions {
  disk: Disk;
  /** Directory of Raft's own, made when missing. */
  directory: string;
  random: Random;
  clock: Clock;
  log: Logger;
  /** How the data key is protected; not at all unless given. */
  keyWrapping?: KeyWrapping;
  oldSnapshotsKept: number;
  segmentBytes?: number;
  reserveBytes?: number;
  flaws?: Flaws;
}

/** All that a Raft node keeps on disk. */
export interface DiskState {
  keys: KeyRing;
  log: RaftLog;
  snapshots: SnapshotFiles;
}

/** Opens what is there, or makes it: `<directory>/log.key`, `log/` and `snapshots/`. */
export async function openDiskState(options: DiskStateOptions): Promise<DiskState> {
  const { disk, directory, oldSnapshotsKept } = options;
  await disk.makeDirectory(directory);
  const keys = await openKeys(options);
  const log = await RaftLog.open({
    ...{ ...options, directory: join(directory, LOG_DIRECTORY), keys },
    isDamageIgnored: options.flaws?.has('damage-is-the-end') ?? false,
  });
  const snapshots = await SnapshotFiles.open({
    ...options,
    directory: join(directory, SNAPSHOT_DIRECTORY),
    keys,
    oldKept: oldSnapshotsKept,
  });
  return { keys, log, snapshots };
}

/** Where the data keys are kept. */
export function keyPath(directory: string): string {
  return join(directory, KEY_FILE);
}

async function openKeys(options: DiskStateOptions): Promise<KeyRing> {
  const { disk, directory, random, keyWrapping } = options;
  const path = keyPath(directory);
  const keys = await loadKeys(disk, path, keyWrapping);
  if (keys) return keys;
  const files = await disk.list(join(directory, LOG_DIRECTORY));
  if (files.some((name) => name.endsWith('.log'))) {
    throw new LogCorruptError(path, 'missing, and the log cannot be read without it');
  }
  const created = withNewKey(random);
  await saveKeys(disk, path, created, keyWrapping);
  return created;
}
