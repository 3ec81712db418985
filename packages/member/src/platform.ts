import type { Clock, Disk, Logger, Random } from '@skep/platform';

/** What all parts of a membership work with. */
export interface MemberPlatform {
  clock: Clock;
  random: Random;
  disk: Disk;
  log: Logger;
  /** Something is broken that only a restart of the process can mend. */
  onFatal(error: unknown): void;
}
