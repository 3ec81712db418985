import { join } from 'node:path';
import type { Clock, Disk, Logger, Random } from '@skep/platform';
import { LogCorruptError } from '../errors.js';
import type { DataKey } from '../keys/cipher.js';
import { createDataKey, type KeyWrapping, loadDataKey } from '../keys/key-file.js';
import { RaftLog } from '../log/log.js';
import { SnapshotFiles } from '../snapshot/files.js';

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
}

/** All that a Raft node keeps on disk. */
export interface DiskState {
  log: RaftLog;
  snapshots: SnapshotFiles;
}

/** Opens what is there, or makes it: `<directory>/log.key`, `log/` and `snapshots/`. */
export async function openDiskState(options: DiskStateOptions): Promise<DiskState> {
  const { disk, directory, oldSnapshotsKept } = options;
  await disk.makeDirectory(directory);
  const key = await dataKey(options);
  const log = await RaftLog.open({ ...options, directory: join(directory, LOG_DIRECTORY), key });
  const snapshots = await SnapshotFiles.open({
    ...options,
    directory: join(directory, SNAPSHOT_DIRECTORY),
    key,
    oldKept: oldSnapshotsKept,
  });
  return { log, snapshots };
}

async function dataKey(options: DiskStateOptions): Promise<DataKey> {
  const { disk, directory, random, keyWrapping } = options;
  const path = join(directory, KEY_FILE);
  const key = await loadDataKey(disk, path, keyWrapping);
  if (key) return key;
  const files = await disk.list(join(directory, LOG_DIRECTORY));
  if (files.some((name) => name.endsWith('.log'))) {
    throw new LogCorruptError(path, 'missing, and the log cannot be read without it');
  }
  return createDataKey(disk, path, random, keyWrapping);
}
