import { type Random, SimClock, SimDisk, SimRandom, settle, silentLogger } from '@skep/platform';
import { KeyRing } from '../keys/ring.js';
import { EntryType, type LogEntry } from './entry.js';
import { RaftLog, type RaftLogOptions } from './log.js';

export const LOG_DIRECTORY = '/log';

/** A log on a simulated disk, with small segments. */
export class LogRig {
  readonly disk: SimDisk;
  readonly clock = new SimClock();
  readonly random: SimRandom;
  readonly keys = new KeyRing([new Uint8Array(32).fill(7)]);
  segmentBytes = 8192;

  constructor(seed = 1, disk = new SimDisk()) {
    this.random = new SimRandom(seed);
    this.disk = disk;
  }

  open(options: Partial<RaftLogOptions> = {}): Promise<RaftLog> {
    return RaftLog.open({
      disk: this.disk,
      directory: LOG_DIRECTORY,
      keys: this.keys,
      random: this.random,
      clock: this.clock,
      log: silentLogger,
      segmentBytes: this.segmentBytes,
      reserveBytes: 512,
      ...options,
    });
  }

  /** A power cut, after which an arbitrary part of what was not synced is there. */
  async crash(random: Random): Promise<void> {
    this.disk.cutPower();
    await settle();
    this.disk.crash({ random });
  }

  /** Path of the newest segment. */
  async newestSegment(): Promise<string> {
    const names = await this.disk.list(LOG_DIRECTORY);
    return `${LOG_DIRECTORY}/${names.filter((name) => name.endsWith('.log')).at(-1)}`;
  }
}

/** An entry whose payload says which it is. */
export function testEntry(index: bigint, term = 1n, bytes = 20): LogEntry {
  const data = Buffer.alloc(bytes, `${term}/${index} `);
  return { index, term, type: EntryType.EntryNormal, data };
}

/** Everything a log holds. */
export function readAll(log: RaftLog): Promise<LogEntry[]> {
  if (log.last.index === log.base.index) return Promise.resolve([]);
  return log.read(log.base.index + 1n, log.last.index, Number.MAX_SAFE_INTEGER);
}
