import type { Shape } from '../server/shape.js';

/** Shapes of the bodies that go to the engine as they come: what they hold is kept on disk. */

const STRINGS: Shape = { list: 'string' };
const LABELS: Shape = { map: 'string' };
const SET: Shape = { map: { fields: {} } };

const HEALTHCHECK: Shape = {
  fields: {
    Test: STRINGS,
    Interval: 'integer',
    Timeout: 'integer',
    StartPeriod: 'integer',
    StartInterval: 'integer',
    Retries: 'integer',
  },
};

const MOUNT: Shape = {
  fields: {
    Type: 'string',
    Source: 'string',
    Target: 'string',
    ReadOnly: 'bool',
    BindOptions: {
      fields: {
        Propagation: 'string',
        NonRecursive: 'bool',
        CreateMountpoint: 'bool',
        ReadOnlyNonRecursive: 'bool',
        ReadOnlyForceRecursive: 'bool',
      },
    },
    VolumeOptions: {
      fields: {
        NoCopy: 'bool',
        Labels: LABELS,
        DriverConfig: { fields: { Name: 'string', Options: LABELS } },
        Subpath: 'string',
      },
    },
    ImageOptions: { fields: { Subpath: 'string' } },
    TmpfsOptions: {
      fields: { SizeBytes: 'integer', Mode: 'integer', Options: { list: STRINGS } },
    },
  },
};

const RESOURCES = {
  ShmSize: 'integer',
  OomScoreAdj: 'integer',
  OomKillDisable: 'bool',
  Memory: 'integer',
  MemoryReservation: 'integer',
  MemorySwap: 'integer',
  MemorySwappiness: 'integer',
  NanoCpus: 'integer',
  CpuShares: 'integer',
  CpuPeriod: 'integer',
  CpuQuota: 'integer',
  CpusetCpus: 'string',
  CpusetMems: 'string',
  PidsLimit: 'integer',
  Ulimits: { list: { fields: { Name: 'string', Soft: 'integer', Hard: 'integer' } } },
} as const satisfies Record<string, Shape>;

const HOST_CONFIG: Shape = {
  fields: {
    ...RESOURCES,
    Binds: STRINGS,
    Mounts: { list: MOUNT },
    NetworkMode: 'string',
    PortBindings: { map: { list: { fields: { HostIp: 'string', HostPort: 'string' } } } },
    RestartPolicy: { fields: { Name: 'string', MaximumRetryCount: 'integer' } },
    AutoRemove: 'bool',
    LogConfig: { fields: { Type: 'string', Config: LABELS } },
    CapAdd: STRINGS,
    CapDrop: STRINGS,
    Dns: STRINGS,
    DnsOptions: STRINGS,
    DnsSearch: STRINGS,
    ExtraHosts: STRINGS,
    GroupAdd: STRINGS,
    IpcMode: 'string',
    PidMode: 'string',
    CgroupnsMode: 'string',
    UTSMode: 'string',
    UsernsMode: 'string',
    Annotations: LABELS,
    ConsoleSize: { list: 'integer' },
    Privileged: 'bool',
    PublishAllPorts: 'bool',
    ReadonlyRootfs: 'bool',
    SecurityOpt: STRINGS,
    Tmpfs: LABELS,
    Sysctls: LABELS,
    Runtime: 'string',
    Init: 'bool',
    MaskedPaths: STRINGS,
    ReadonlyPaths: STRINGS,
    VolumeDriver: 'string',
    VolumesFrom: STRINGS,
    Devices: {
      list: {
        fields: { PathOnHost: 'string', PathInContainer: 'string', CgroupPermissions: 'string' },
      },
    },
    DeviceCgroupRules: STRINGS,
    Isolation: 'string',
  },
};

const ENDPOINT: Shape = {
  fields: {
    NetworkID: 'string',
    Aliases: STRINGS,
    IPAMConfig: { fields: { IPv4Address: 'string', IPv6Address: 'string' } },
    DriverOpts: LABELS,
  },
};

/** POST /networks/{id}/connect. */
export const NETWORK_CONNECT: Shape = {
  fields: { Container: 'string', EndpointConfig: ENDPOINT },
};

/** POST /networks/{id}/disconnect. */
export const NETWORK_DISCONNECT: Shape = { fields: { Container: 'string', Force: 'bool' } };

/** POST /containers/create. */
export const CONTAINER_CREATE: Shape = {
  fields: {
    Hostname: 'string',
    Domainname: 'string',
    User: 'string',
    AttachStdin: 'bool',
    AttachStdout: 'bool',
    AttachStderr: 'bool',
    ExposedPorts: SET,
    Tty: 'bool',
    OpenStdin: 'bool',
    StdinOnce: 'bool',
    Env: STRINGS,
    Cmd: STRINGS,
    Healthcheck: HEALTHCHECK,
    Image: 'string',
    Volumes: SET,
    WorkingDir: 'string',
    Entrypoint: STRINGS,
    Labels: LABELS,
    StopSignal: 'string',
    StopTimeout: 'integer',
    HostConfig: HOST_CONFIG,
    NetworkingConfig: { fields: { EndpointsConfig: { map: ENDPOINT } } },
  },
};

/** POST /containers/{id}/exec. */
export const EXEC_CREATE: Shape = {
  fields: {
    User: 'string',
    Privileged: 'bool',
    Tty: 'bool',
    AttachStdin: 'bool',
    AttachStdout: 'bool',
    AttachStderr: 'bool',
    ConsoleSize: { list: 'integer' },
    DetachKeys: 'string',
    Env: STRINGS,
    WorkingDir: 'string',
    Cmd: STRINGS,
  },
};

/** POST /volumes/create. */
export const VOLUME_CREATE: Shape = {
  fields: { Name: 'string', Driver: 'string', DriverOpts: LABELS, Labels: LABELS },
};

/** POST /auth, and the credentials in a header. */
export const REGISTRY_AUTH: Shape = {
  fields: {
    username: 'string',
    password: 'string',
    auth: 'string',
    serveraddress: 'string',
    identitytoken: 'string',
    registrytoken: 'string',
  },
};
