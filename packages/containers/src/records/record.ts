import type { Mount } from '../containerd/types.js';
import type {
  ContainerConfig,
  EndpointConfig,
  HostConfig,
  TaskEndpoint,
} from '../contract/config.js';
import type { SandboxRequest, SandboxState } from '../contract/networking.js';
import type { ContainerState, MountPoint } from '../contract/state.js';
import type { VolumeUse } from '../volumes/volumes.js';

/** A mount of a container, with what is needed to make it again at every start. */
export interface MountRecord extends MountPoint {
  /** A volume without a name of its own, removed with the container by `rm -v`. */
  anonymous?: boolean;
  noCopy?: boolean;
  subpath?: string;
  nonRecursive?: boolean;
  /** A read-only mount whose sub-mounts may stay writable. */
  readOnlyNonRecursive?: boolean;
  /** Read-only in all of its sub-mounts, or not at all. */
  readOnlyForced?: boolean;
  /** How the layer over an image is mounted. */
  layer?: Mount[];
  /** `tmpfs` data: `size=…`, `mode=…`, flags. */
  tmpfsOptions?: string[];
}

/** Where an injected file goes; its bytes live only in memory-backed mounts. */
export interface InjectedFileRecord {
  path: string;
  index: number;
}

/** What was decided at creation (and by `rename`): the file `config.json`. */
export interface ContainerRecord {
  id: string;
  name: string;
  /** RFC 3339 with nanoseconds. */
  created: string;
  imageId: string;
  path: string;
  args: string[];
  config: ContainerConfig;
  hostConfig: HostConfig;
  endpointsConfig: Record<string, EndpointConfig>;
  mounts: MountRecord[];
  /** How the writable layer is mounted; fixed for the layer's life. */
  rootMounts: Mount[];
  snapshotter: string;
  /** Present for a container of a swarm task. */
  task?: { endpoints: TaskEndpoint[]; files: InjectedFileRecord[] };
}

/** What changes while it runs: the file `state.json`. */
export interface ContainerStatus {
  state: ContainerState;
  restartCount: number;
  /** Stopped by a user: `unless-stopped` leaves it alone at the next start of the daemon. */
  manuallyStopped: boolean;
  /** Volumes that this run, or a start of it that was cut short, made usable. */
  volumeUses?: VolumeUse[];
  sandbox?: { request: SandboxRequest; state: SandboxState };
}

/** Go's zero time, as Docker's JSON shows "never". */
export const ZERO_TIME = '0001-01-01T00:00:00Z';

export function initialStatus(): ContainerStatus {
  return {
    state: {
      Status: 'created',
      Running: false,
      Paused: false,
      Restarting: false,
      OOMKilled: false,
      Dead: false,
      Pid: 0,
      ExitCode: 0,
      Error: '',
      StartedAt: ZERO_TIME,
      FinishedAt: ZERO_TIME,
    },
    restartCount: 0,
    manuallyStopped: false,
  };
}

/** A time as Docker writes it; ms since the epoch with fractions down to the nanosecond. */
export function isoTime(ms: number): string {
  const whole = Math.floor(ms);
  const nanos = Math.round((ms - whole) * 1e6) + (whole % 1000) * 1e6;
  const seconds = new Date(whole).toISOString().slice(0, 19);
  const fraction = nanos.toString().padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${seconds}Z` : `${seconds}.${fraction}Z`;
}
