import type { ContainerConfig, CreateRequest, EndpointConfig, TaskExtras } from './config.js';
import type { ContainerInspect, ContainerSummary, EngineEvent, ExecInspect } from './state.js';

/**
 * The engine room as the API and the executor see it. Every method rejects with an `RpcError` whose code
 * says which HTTP status Docker would answer, and whose message is Docker's.
 * A container is named by full id, unique id prefix, or name (with or without the leading slash).
 */

export type Filters = Record<string, string[]>;

export type OutputStream = 'stdin' | 'stdout' | 'stderr';

export interface OutputChunk {
  stream: 'stdout' | 'stderr';
  data: Uint8Array;
}

/** A live connection to a container's or exec's streams. */
export interface StreamSession {
  output: AsyncIterable<OutputChunk>;
  /** Resolves when the bytes were handed over; ignored when no stdin is open. */
  write(data: Uint8Array): Promise<void>;
  /** Ends stdin; the process sees end of file. */
  closeInput(): Promise<void>;
  /** Lets go of the streams; the process goes on. */
  detach(): void;
}

export interface LogOptions {
  stdout: boolean;
  stderr: boolean;
  follow: boolean;
  /** Only entries at or after this instant, ns since the epoch. */
  sinceNs?: bigint;
  untilNs?: bigint;
  /** Number of last lines; all when absent. */
  tail?: number;
}

/** A log line as kept: `line` has its newline unless it was a partial one. */
export interface LogEntry {
  stream: 'stdout' | 'stderr';
  timeNs: bigint;
  line: Uint8Array;
  /** From the `labels` and `env` options of the log driver. */
  attributes: Record<string, string>;
}

export interface AttachOptions {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  /** Replays what was logged before. */
  logs: boolean;
  stream: boolean;
}

export interface ExecRequest {
  Cmd: string[];
  Env?: string[];
  User?: string;
  WorkingDir?: string;
  Tty?: boolean;
  AttachStdin?: boolean;
  AttachStdout?: boolean;
  AttachStderr?: boolean;
  Privileged?: boolean;
  DetachKeys?: string;
  /** Rows and columns its terminal has from the beginning. */
  ConsoleSize?: [height: number, width: number];
}

export interface ListOptions {
  all: boolean;
  limit?: number;
  size: boolean;
  filters: Filters;
}

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

export interface WaitResult {
  StatusCode: number;
  Error?: { Message: string };
}

export interface ContainerEngine {
  /** `name` without slash, or undefined for a made-up one. `task` only from the swarm's executor. */
  create(
    name: string | undefined,
    request: CreateRequest,
    task?: TaskExtras,
  ): Promise<{ Id: string; Warnings: string[] }>;
  start(container: string): Promise<void>;
  /** SIGTERM (or the container's or the given signal), then SIGKILL after the time. True if it was running. */
  stop(container: string, options?: { timeoutSeconds?: number; signal?: string }): Promise<boolean>;
  restart(container: string, options?: { timeoutSeconds?: number; signal?: string }): Promise<void>;
  /** `signal`: name with or without SIG, or number. */
  kill(container: string, signal?: string): Promise<void>;
  pause(container: string): Promise<void>;
  unpause(container: string): Promise<void>;
  rename(container: string, name: string): Promise<void>;
  /**
   * Puts a container on a network of the swarm, by the network's name or id: now when it runs, at its next
   * start otherwise.
   */
  connect(container: string, network: string, config: EndpointConfig): Promise<void>;
  disconnect(container: string, network: string): Promise<void>;
  remove(container: string, options: { force: boolean; volumes: boolean }): Promise<void>;
  wait(container: string, condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult>;
  inspect(container: string, options?: { size?: boolean }): Promise<ContainerInspect>;
  /** The configuration an image's defaults and a request make together, without creating anything. */
  list(options: ListOptions): Promise<ContainerSummary[]>;
  prune(filters: Filters): Promise<{ ContainersDeleted: string[]; SpaceReclaimed: number }>;
  resize(container: string, size: { height: number; width: number }): Promise<void>;
  logs(container: string, options: LogOptions, signal: AbortSignal): AsyncIterable<LogEntry>;
  attach(container: string, options: AttachOptions): Promise<StreamSession>;
  top(container: string, psArguments: string): Promise<{ Titles: string[]; Processes: string[][] }>;
  /** One sample in Docker's stats JSON; `cpu_stats`, `precpu_stats`, `memory_stats`, `networks`, … */
  stats(container: string): Promise<Record<string, unknown>>;
  execCreate(container: string, request: ExecRequest): Promise<{ Id: string }>;
  execStart(
    execId: string,
    options: { Detach: boolean; Tty: boolean },
  ): Promise<StreamSession | undefined>;
  execResize(execId: string, size: { height: number; width: number }): Promise<void>;
  execInspect(execId: string): Promise<ExecInspect>;
  /** Events from now on; the listener must not block. */
  onEvent(listener: (event: EngineEvent) => void): () => void;
}

export interface ImageSummary {
  Id: string;
  ParentId: string;
  RepoTags: string[];
  RepoDigests: string[];
  Created: number;
  Size: number;
  SharedSize: number;
  VirtualSize?: number;
  Labels: Record<string, string> | null;
  Containers: number;
}

/** One line of the JSON stream of pull, load and push. */
export interface ProgressMessage {
  status?: string;
  id?: string;
  progressDetail?: { current?: number; total?: number };
  progress?: string;
  stream?: string;
  error?: string;
  errorDetail?: { message: string };
}

export interface RegistryAuth {
  username?: string;
  password?: string;
  identitytoken?: string;
  registrytoken?: string;
  serveraddress?: string;
}

/** What the runtime needs of an image to make a container from it. */
export interface ResolvedImage {
  /** `sha256:…` of the image's config: Docker's image id. */
  id: string;
  /** Snapshot to build on (chain id of the topmost layer). */
  chainId: string;
  config: Partial<ContainerConfig>;
  architecture: string;
  os: string;
}

/** Somebody else than a registry who has an image. */
export interface ImageSource {
  /** For messages. */
  name: string;
  /** What the image's name stands for there: an index, or a manifest. */
  target: { mediaType: string; digest: string; size: number };
  /** It is kept for those who have a right to it. */
  restricted: boolean;
  /**
   * Bytes of a part from an offset on, unchecked; another call may be answered by another. Rejects with
   * DATA_LOSS where asking again is in vain.
   */
  read(digest: string, offset: number, signal?: AbortSignal): AsyncIterable<Uint8Array>;
}

/** A task that an image is pulled for: its name is then not a user's, and goes when nobody needs it. */
export interface TaskPull {
  /**
   * Where credentials are needed for the image: those who hold one of these may have it from this node,
   * too. Only hashes of them are kept.
   */
  keys: readonly string[];
}

/** An image of this node, as another node may have it. */
export interface ImageForOthers {
  target: { mediaType: string; digest: string; size: number };
  /** Of all its parts. */
  digests: ReadonlySet<string>;
  /** Whom it is kept for: SHA-256 of the salt and then a key. Undefined: for all. */
  access: { salt: Uint8Array; keys: Uint8Array[] } | undefined;
}

/** An image that only tasks ever asked for, and that no container is made from. */
export interface TaskImage {
  id: string;
  /** When a task asked for it last, ms since the epoch. */
  lastUseMs: number;
}

export interface ImageEngine {
  /**
   * Yields progress as Docker's pull does, rejects with Docker's message when it fails.
   * `reference` as the user wrote it, with tag or digest.
   */
  pull(
    reference: string,
    options: {
      auth?: RegistryAuth;
      platform?: string;
      signal?: AbortSignal;
      /** To take it from in place of the registry. */
      source?: ImageSource;
      task?: TaskPull;
    },
  ): AsyncIterable<ProgressMessage>;
  load(
    archive: AsyncIterable<Uint8Array>,
    options: { quiet: boolean },
  ): AsyncIterable<ProgressMessage>;
  list(options: {
    all: boolean;
    filters: Filters;
    digests: boolean;
    sharedSize: boolean;
  }): Promise<ImageSummary[]>;
  /** GET /images/{name}/json. */
  inspect(reference: string): Promise<Record<string, unknown>>;
  history(reference: string): Promise<Record<string, unknown>[]>;
  tag(reference: string, repository: string, tag: string): Promise<void>;
  remove(
    reference: string,
    options: { force: boolean; noPrune: boolean },
  ): Promise<{ Untagged?: string; Deleted?: string }[]>;
  prune(filters: Filters): Promise<{
    ImagesDeleted: { Untagged?: string; Deleted?: string }[];
    SpaceReclaimed: number;
  }>;
  /** The local image of a reference or id; rejects NOT_FOUND `No such image: …`. */
  resolve(reference: string): Promise<ResolvedImage>;
  /** The same for a task, which is noted: images that tasks pulled go when none has asked for long. */
  usedByTask(reference: string): Promise<ResolvedImage>;
  /** GET /distribution/{name}/json: asks the registry, stores nothing. */
  distribution(
    reference: string,
    auth?: RegistryAuth,
  ): Promise<{
    Descriptor: { mediaType: string; digest: string; size: number };
    Platforms: { architecture: string; os: string; variant?: string }[];
  }>;
  /** A reference with the digest it has at its registry now; an id, or one with a digest, as it is. */
  pinned(reference: string, auth?: RegistryAuth): Promise<string>;
  /** POST /auth: tries the credentials; resolves with Docker's status text. */
  login(auth: RegistryAuth): Promise<{ Status: string; IdentityToken: string }>;
  onEvent(listener: (event: EngineEvent) => void): () => void;
}

export interface VolumeInfo {
  Name: string;
  Driver: string;
  Mountpoint: string;
  CreatedAt: string;
  Labels: Record<string, string> | null;
  Options: Record<string, string> | null;
  Scope: 'local' | 'global';
  /** Whatever its driver says of it. */
  Status?: Record<string, unknown>;
  UsageData?: { Size: number; RefCount: number };
}

export interface VolumeList {
  Volumes: VolumeInfo[];
  /** Drivers that could not be asked; what is known of their volumes is listed all the same. */
  Warnings: string[];
}

export interface VolumeEngine {
  create(request: {
    Name?: string;
    Driver?: string;
    DriverOpts?: Record<string, string>;
    Labels?: Record<string, string>;
  }): Promise<VolumeInfo>;
  list(filters: Filters): Promise<VolumeList>;
  /** Names of the drivers that answer now, `local` first. */
  drivers(): Promise<string[]>;
  inspect(name: string): Promise<VolumeInfo>;
  remove(name: string, force: boolean): Promise<void>;
  prune(filters: Filters): Promise<{ VolumesDeleted: string[]; SpaceReclaimed: number }>;
  /** Volumes on this node's disk with `UsageData`; a size that takes too long to count is -1. */
  usage(): Promise<VolumeInfo[]>;
  onEvent(listener: (event: EngineEvent) => void): () => void;
}
