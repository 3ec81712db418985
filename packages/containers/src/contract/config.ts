/**
 * What a container is asked to be, under the JSON names of Docker's Engine API. The record on disk, the
 * answer of `inspect` and the body of `create` are all these types, so nothing is translated in between.
 * Durations named without a unit are integer nanoseconds, as in Docker's API.
 */

export interface HealthConfig {
  /** `[]` inherit, `["NONE"]`, `["CMD", arg…]` or `["CMD-SHELL", line]`. */
  Test?: string[];
  Interval?: number;
  Timeout?: number;
  StartPeriod?: number;
  StartInterval?: number;
  Retries?: number;
}

export interface ContainerConfig {
  Hostname: string;
  Domainname: string;
  User: string;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  ExposedPorts?: Record<string, object>;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  Env: string[];
  Cmd: string[] | null;
  Healthcheck?: HealthConfig;
  Image: string;
  Volumes: Record<string, object> | null;
  WorkingDir: string;
  Entrypoint: string[] | null;
  Labels: Record<string, string>;
  StopSignal?: string;
  /** Seconds. */
  StopTimeout?: number;
}

export interface PortBinding {
  HostIp: string;
  /** Decimal, or empty for a free one. */
  HostPort: string;
}

/** `80/tcp` → where it is bound on the host. */
export type PortMap = Record<string, PortBinding[] | null>;

export interface RestartPolicy {
  Name: '' | 'no' | 'always' | 'unless-stopped' | 'on-failure';
  MaximumRetryCount: number;
}

export interface LogConfig {
  /** See `LOG_DRIVERS`, or `none`. */
  Type: string;
  /** `max-size`, `max-file`, `labels`, `env`, … */
  Config: Record<string, string>;
}

export interface Ulimit {
  Name: string;
  Soft: number;
  Hard: number;
}

/** A device of the host that a container may use. */
export interface DeviceMapping {
  /** A device node, or a directory whose nodes are all meant. */
  PathOnHost: string;
  /** The same as on the host when empty. */
  PathInContainer: string;
  /** Of `r`, `w` and `m` (mknod); all three when empty. */
  CgroupPermissions: string;
}

export interface MountRequest {
  Type: 'bind' | 'volume' | 'tmpfs' | 'image';
  Source?: string;
  Target: string;
  ReadOnly?: boolean;
  Consistency?: string;
  BindOptions?: {
    Propagation?: string;
    NonRecursive?: boolean;
    CreateMountpoint?: boolean;
    ReadOnlyNonRecursive?: boolean;
    ReadOnlyForceRecursive?: boolean;
  };
  VolumeOptions?: {
    NoCopy?: boolean;
    Labels?: Record<string, string>;
    DriverConfig?: { Name?: string; Options?: Record<string, string> };
    Subpath?: string;
  };
  ImageOptions?: { Subpath?: string };
  /** `Options`: `[['exec']]` or `[['noexec']]`. */
  TmpfsOptions?: { SizeBytes?: number; Mode?: number; Options?: string[][] };
}

export interface HostConfig {
  /** `source:target[:ro,z,…]`, source absolute (bind) or a volume name. */
  Binds: string[] | null;
  Mounts: MountRequest[];
  /** `default`, `bridge`, `host`, `none`, `container:<id>`, or a network's name or id. */
  NetworkMode: string;
  PortBindings: PortMap;
  RestartPolicy: RestartPolicy;
  AutoRemove: boolean;
  LogConfig: LogConfig;
  CapAdd: string[] | null;
  CapDrop: string[] | null;
  Dns: string[];
  DnsOptions: string[];
  DnsSearch: string[];
  /** `host:ip` lines for /etc/hosts. */
  ExtraHosts: string[] | null;
  GroupAdd: string[] | null;
  IpcMode: string;
  PidMode: string;
  /** `host`, `private`, or empty for what is usual on this machine. */
  CgroupnsMode?: string;
  /** `host` or empty. */
  UTSMode?: string;
  /** `host` or empty, which are the same: users are not mapped. */
  UsernsMode?: string;
  /** Passed on to the runtime. */
  Annotations?: Record<string, string>;
  /** Rows and columns a terminal has from the beginning. */
  ConsoleSize?: [height: number, width: number];
  Privileged: boolean;
  PublishAllPorts: boolean;
  ReadonlyRootfs: boolean;
  /** `no-new-privileges[:true|false]`, `seccomp=unconfined|<json>`, `apparmor=…`, `label=…`. */
  SecurityOpt: string[] | null;
  Tmpfs?: Record<string, string>;
  ShmSize: number;
  Sysctls?: Record<string, string>;
  Runtime: string;
  Init?: boolean;
  OomScoreAdj: number;
  OomKillDisable: boolean | null;
  Memory: number;
  MemoryReservation: number;
  /** -1 unlimited, 0 twice the memory limit. */
  MemorySwap: number;
  MemorySwappiness: number | null;
  NanoCpus: number;
  CpuShares: number;
  CpuPeriod: number;
  CpuQuota: number;
  CpusetCpus: string;
  CpusetMems: string;
  PidsLimit: number | null;
  Ulimits: Ulimit[] | null;
  MaskedPaths: string[] | null;
  ReadonlyPaths: string[] | null;
  VolumeDriver: string;
  /** `container[:ro|rw]`: the mounts of other containers. */
  VolumesFrom: string[] | null;
  Devices: DeviceMapping[] | null;
  /** `c 42:* rwm`, as the kernel's devices.allow takes it. */
  DeviceCgroupRules: string[] | null;
  Isolation: string;
}

/** One network a container is to be attached to, by the network's name in `EndpointsConfig`. */
export interface EndpointConfig {
  NetworkID?: string;
  Aliases?: string[] | null;
  IPAMConfig?: { IPv4Address?: string; IPv6Address?: string } | null;
  DriverOpts?: Record<string, string> | null;
}

/** The body of POST /containers/create: every part optional, as clients send it. */
export interface CreateRequest extends Partial<ContainerConfig> {
  /** What the image must be for, `linux/arm64`; not of the body, but of the query. */
  Platform?: string;
  HostConfig?: Partial<HostConfig>;
  NetworkingConfig?: { EndpointsConfig?: Record<string, EndpointConfig> };
}

/** A file that is placed in the container from memory, never written to disk (secrets, configs). */
export interface InjectedFile {
  /** Absolute path in the container. */
  path: string;
  data: Uint8Array;
  uid: number;
  gid: number;
  /** POSIX permission bits. */
  mode: number;
}

/** A network attachment that the swarm has decided (address, network object), for task containers. */
export interface TaskEndpoint {
  networkId: string;
  networkName: string;
  /** Address with prefix length, `10.0.0.5/24`. */
  address: string;
  subnet: string;
  gateway: string;
  ingress: boolean;
  /** No way out of the swarm leads through it. */
  internal: boolean;
  aliases: string[];
}

/** What only the executor of swarm tasks may ask for, beside what every API client may. */
export interface TaskExtras {
  endpoints: TaskEndpoint[];
  files: InjectedFile[];
}
