import type { Clock, Disk, Processes } from '@skep/platform';
import { RealClock, RealDisk, RealProcesses } from '@skep/platform';
import type { Cgroups, Engines, Launcher, Locker, ProcessTable } from './contract.js';
import { RealCgroups } from './real/cgroups.js';
import { RealEngines } from './real/engines.js';
import { RealLauncher } from './real/launcher.js';
import { RealLocker } from './real/locker.js';
import { RealProcessTable } from './real/process-table.js';

/** All of the world that machines are made of. */
export interface MachineHost {
  clock: Clock;
  disk: Disk;
  processes: Processes;
  table: ProcessTable;
  launcher: Launcher;
  engines: Engines;
  locker: Locker;
  cgroups: Cgroups;
}

/** This host. */
export function realHost(): MachineHost {
  return {
    clock: new RealClock(),
    disk: new RealDisk(),
    processes: new RealProcesses(),
    table: new RealProcessTable(),
    launcher: new RealLauncher(),
    engines: new RealEngines(),
    locker: new RealLocker(),
    cgroups: new RealCgroups(),
  };
}
