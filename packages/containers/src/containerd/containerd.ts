import type {
  ContainerdEvent,
  ContainerRecord,
  ContentInfo,
  Descriptor,
  ExitState,
  ImageRecord,
  IngestStatus,
  KillRequest,
  Labels,
  LeaseRecord,
  LeaseResource,
  MetricSample,
  Mount,
  NewContainer,
  NewExec,
  NewIngest,
  NewTask,
  ProcessState,
  SnapshotInfo,
} from './types.js';

/**
 * containerd as the rooms use it. Every method rejects with an `RpcError` that keeps containerd's
 * gRPC code; UNAVAILABLE while containerd is down. Twins: `client.ts` (real) and
 * `containerd.sim.ts` (in memory).
 */
export interface Containerd {
  readonly namespace: string;
  readonly containers: ContainersApi;
  readonly tasks: TasksApi;
  readonly snapshots: SnapshotsApi;
  readonly content: ContentApi;
  readonly images: ImagesApi;
  readonly leases: LeasesApi;
  readonly diff: DiffApi;
  readonly events: EventsApi;
  version(): Promise<{ version: string; revision: string }>;
  /** The same containerd, with everything created through it kept by the lease. */
  withLease(leaseId: string): Containerd;
}

export interface ContainersApi {
  create(container: NewContainer): Promise<void>;
  get(id: string): Promise<ContainerRecord>;
  list(filters?: string[]): Promise<ContainerRecord[]>;
  setLabels(id: string, labels: Labels): Promise<void>;
  setSpec(id: string, spec: object): Promise<void>;
  delete(id: string): Promise<void>;
}

/** `execId` absent or empty: the container's first process. */
export interface TasksApi {
  /** Makes namespaces and cgroup; the process waits for {@link TasksApi.start}. */
  create(task: NewTask): Promise<{ pid: number }>;
  start(containerId: string, execId?: string): Promise<{ pid: number }>;
  kill(request: KillRequest): Promise<void>;
  /** Of an exited task; says how it ended. */
  delete(containerId: string): Promise<ExitState>;
  get(containerId: string, execId?: string): Promise<ProcessState>;
  list(): Promise<ProcessState[]>;
  /** Resolves when the process has ended. No deadline. */
  wait(containerId: string, execId?: string, signal?: AbortSignal): Promise<ExitState>;
  /** Prepares a further process; {@link TasksApi.start} with its id runs it. */
  exec(request: NewExec): Promise<void>;
  deleteExec(containerId: string, execId: string): Promise<ExitState>;
  resizePty(
    containerId: string,
    size: { width: number; height: number },
    execId?: string,
  ): Promise<void>;
  closeStdin(containerId: string, execId?: string): Promise<void>;
  pause(containerId: string): Promise<void>;
  resume(containerId: string): Promise<void>;
  /** Process ids in the container, in the host's numbering. */
  pids(containerId: string): Promise<number[]>;
  /** `resources`: OCI runtime spec's LinuxResources. */
  update(containerId: string, resources: object): Promise<void>;
  metrics(containerIds: string[]): Promise<MetricSample[]>;
}

export interface SnapshotsApi {
  /** Name of the snapshotter all methods speak to. */
  readonly snapshotter: string;
  prepare(key: string, parent: string, labels?: Labels): Promise<Mount[]>;
  view(key: string, parent: string, labels?: Labels): Promise<Mount[]>;
  mounts(key: string): Promise<Mount[]>;
  commit(name: string, key: string, labels?: Labels): Promise<void>;
  remove(key: string): Promise<void>;
  stat(key: string): Promise<SnapshotInfo>;
  list(filters?: string[]): Promise<SnapshotInfo[]>;
  /** Disk use of this snapshot alone, without its parents. */
  usage(key: string): Promise<{ bytes: number; inodes: number }>;
}

/** An upload under way. One call at a time. */
export interface ContentWriter {
  /** Bytes stored so far: where the next ones belong. */
  readonly offset: number;
  write(data: Uint8Array): Promise<void>;
  /** Checks size and digest and makes the content visible; resolves with its digest. */
  commit(options: { size?: number; expected?: string; labels?: Labels }): Promise<string>;
  /** Lets go; what was written stays and can be resumed under the same ref. */
  close(): void;
}

export interface ContentApi {
  info(digest: string): Promise<ContentInfo>;
  list(filters?: string[]): Promise<ContentInfo[]>;
  /** The bytes from `offset` on, in pieces. */
  read(digest: string, offset?: number): AsyncIterable<Uint8Array>;
  /** The whole content; rejects with RESOURCE_EXHAUSTED above `limitBytes`. */
  readAll(digest: string, limitBytes: number): Promise<Uint8Array>;
  /** Sets the given labels (empty value: removes), leaving others. */
  setLabels(digest: string, labels: Labels): Promise<void>;
  delete(digest: string): Promise<void>;
  /** Rejects ALREADY_EXISTS when `expected` is there, UNAVAILABLE while another holds the ref. */
  openWriter(ingest: NewIngest): Promise<ContentWriter>;
  ingestStatus(ref: string): Promise<IngestStatus>;
  listIngests(): Promise<IngestStatus[]>;
  /** Drops an unfinished upload. */
  abort(ref: string): Promise<void>;
}

export interface ImagesApi {
  get(name: string): Promise<ImageRecord>;
  list(filters?: string[]): Promise<ImageRecord[]>;
  create(image: { name: string; target: Descriptor; labels?: Labels }): Promise<void>;
  /** Replaces target and labels of an existing name. */
  update(image: { name: string; target: Descriptor; labels?: Labels }): Promise<void>;
  /** `sync`: resolves after the garbage collection. */
  delete(name: string, options?: { sync?: boolean }): Promise<void>;
}

export interface LeasesApi {
  /** `expireMs` from now: after it the lease protects nothing any more. */
  create(id: string, options: { expireMs: number; labels?: Labels }): Promise<void>;
  list(filters?: string[]): Promise<LeaseRecord[]>;
  addResource(id: string, resource: LeaseResource): Promise<void>;
  delete(id: string, options?: { sync?: boolean }): Promise<void>;
}

export interface DiffApi {
  /** Unpacks a layer into mounts; answers with the uncompressed layer's digest and size. */
  apply(layer: Descriptor, mounts: Mount[]): Promise<Descriptor>;
}

export interface EventListener {
  /** Called in order; must not block. */
  onEvent?(event: ContainerdEvent): void;
  /**
   * Events flow from here on, and any number before may have been missed: compare everything.
   * Called on subscribing when already connected, and after every reconnect.
   */
  onResync?(): void;
  /** containerd went away (calls will fail with UNAVAILABLE) until the next resync. */
  onDown?(): void;
}

export interface EventsApi {
  /** Whether the event stream is live, which is whether containerd can be used. */
  readonly connected: boolean;
  subscribe(listener: EventListener): () => void;
}
