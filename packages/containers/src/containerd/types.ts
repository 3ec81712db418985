/**
 * What goes in and out of {@link Containerd}, in plain TypeScript: Go's `Any` values appear as the
 * JSON or message they carry, instants as nanoseconds since the epoch (0n: never).
 */

/** A mount as containerd's snapshotters hand it out. */
export interface Mount {
  type: string;
  source: string;
  target: string;
  options: string[];
}

/** Content by address; `mediaType` says what the bytes are. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  /** Bytes. */
  size: number;
}

export type Labels = Record<string, string>;

export interface ContainerRecord {
  id: string;
  labels: Labels;
  image: string;
  /** `io.containerd.runc.v2`. */
  runtime: string;
  /** OCI runtime spec. */
  spec: object;
  snapshotter: string;
  snapshotKey: string;
  createdNs: bigint;
}

export interface NewContainer {
  id: string;
  labels?: Labels;
  image?: string;
  runtime?: string;
  runtimeOptions?: RuncOptions;
  spec: object;
  snapshotKey: string;
}

/** Options of runc's shim, `containerd.runc.v1.Options`. */
export interface RuncOptions {
  binaryName?: string;
  root?: string;
  systemdCgroup?: boolean;
  shimCgroup?: string;
  noPivotRoot?: boolean;
  noNewKeyring?: boolean;
  ioUid?: number;
  ioGid?: number;
}

/**
 * stdio URIs of a process (wire.md 6.8): fifo path, `file://…`, `binary://…`, or empty for
 * /dev/null.
 */
export interface ProcessIo {
  stdin?: string;
  stdout?: string;
  stderr?: string;
  terminal?: boolean;
}

export interface NewTask extends ProcessIo {
  containerId: string;
  rootfs: Mount[];
  runtimeOptions?: RuncOptions;
}

export interface NewExec extends ProcessIo {
  containerId: string;
  execId: string;
  /** OCI runtime spec's Process. */
  process: object;
}

export type ProcessStatus = 'unknown' | 'created' | 'running' | 'stopped' | 'paused' | 'pausing';

export interface ProcessState {
  containerId: string;
  /** Empty for the container's first process. */
  execId: string;
  pid: number;
  status: ProcessStatus;
  exitStatus: number;
  exitedNs: bigint;
}

export interface ExitState {
  exitStatus: number;
  exitedNs: bigint;
}

export interface KillRequest {
  containerId: string;
  execId?: string;
  /** Signal number. */
  signal: number;
  /** Every process of the container, not only the first. */
  all?: boolean;
}

/** A sample of a container's cgroup, undecoded: `io.containerd.cgroups.v1.Metrics` or v2. */
export interface MetricSample {
  containerId: string;
  timeNs: bigint;
  typeUrl: string;
  value: Uint8Array;
}

export type SnapshotKind = 'view' | 'active' | 'committed' | 'unknown';

export interface SnapshotInfo {
  /** Key of an active snapshot or view, name of a committed one. */
  name: string;
  parent: string;
  kind: SnapshotKind;
  labels: Labels;
  createdNs: bigint;
}

export interface ContentInfo {
  digest: string;
  /** Bytes. */
  size: number;
  labels: Labels;
  createdNs: bigint;
}

export interface IngestStatus {
  ref: string;
  /** Bytes there already. */
  offset: number;
  total: number;
  expected: string;
}

export interface NewIngest {
  /** Name under which an interrupted upload is found again. */
  ref: string;
  /** Bytes, when known. */
  total?: number;
  /** Digest the content must have, when known. */
  expected?: string;
}

export interface ImageRecord {
  name: string;
  target: Descriptor;
  labels: Labels;
  createdNs: bigint;
  updatedNs: bigint;
}

export interface LeaseRecord {
  id: string;
  labels: Labels;
  createdNs: bigint;
}

export interface LeaseResource {
  /** Digest, snapshot name or ingest ref. */
  id: string;
  /** `content`, `snapshots/<snapshotter>` or `ingests`. */
  type: string;
}

/** An event of our namespace. Kinds not listed are not delivered. */
export type ContainerdEvent = { timeNs: bigint } & (
  | {
      kind: 'task-exit';
      containerId: string;
      /** Empty for the container's first process. */
      execId: string;
      pid: number;
      exitStatus: number;
      exitedNs: bigint;
    }
  | { kind: 'task-oom'; containerId: string }
  | { kind: 'image-create' | 'image-update' | 'image-delete'; name: string }
);
