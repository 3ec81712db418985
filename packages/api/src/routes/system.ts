import type { ContainerEngine, ImageEngine, VolumeEngine } from '@skep/containers';
import { API_VERSION_MAX, API_VERSION_MIN } from '../limits.js';
import { HttpError } from '../server/errors.js';
import { type Query, text } from '../server/query.js';
import type { Routes } from '../server/server.js';

/** What the daemon knows of itself and its machine. */
export interface SystemFacts {
  version: string;
  gitCommit: string;
  buildTime: string;
  hostname: string;
  engineId: string;
  dataRoot: string;
  operatingSystem: string;
  osVersion: string;
  kernelVersion: string;
  /** As `uname -m` says. */
  machine: string;
  /** Go's name for it: `amd64`, `arm64`, … */
  architecture: string;
  cpus: number;
  memoryBytes: number;
  cgroupDriver: 'cgroupfs';
  cgroupVersion: '1' | '2';
  securityOptions: string[];
  labels: string[];
  genericResources: object[] | null;
  insecureRegistries: string[];
  registryMirrors: string[];
  defaultAddressPools: { Base: string; Size: number }[];
  defaultRuntime: string;
  initBinary: string;
  /** When images that tasks left go, in words. */
  imageGc: string;
  containerdVersion: string;
  runcVersion: string;
  /** Whether containerd answers; false while it is being restarted. */
  containerdAvailable: boolean;
  logDrivers: readonly string[];
  /** That of containers which name none. */
  loggingDriver: string;
}

export interface SystemDependencies {
  facts(): SystemFacts;
  containers: ContainerEngine;
  images: ImageEngine;
  volumes: VolumeEngine;
  /** The `Swarm` part of /info. */
  swarmInfo(): Promise<object>;
  /** Value of the `Swarm` header of /_ping. */
  swarmHeader(): string;
  warnings(): string[];
  nowIso(): string;
}

/** /_ping, /version, /info and /system/df. */
export function systemRoutes(deps: SystemDependencies): Routes {
  return (app) => {
    app.route({
      method: ['GET', 'HEAD'],
      url: '/_ping',
      handler: async (request, reply) => {
        reply.header('Swarm', deps.swarmHeader()).header('Builder-Version', '');
        reply.header('Cache-Control', 'no-cache, no-store, must-revalidate');
        reply.header('Pragma', 'no-cache').type('text/plain; charset=utf-8');
        return request.method === 'HEAD' ? reply.send() : 'OK';
      },
    });
    app.get('/version', async () => version(deps.facts()));
    app.get('/info', () => info(deps));
    app.get('/system/df', (request) => diskUsage(deps, request.query as Query));
  };
}

function version(facts: SystemFacts) {
  const engine = {
    ApiVersion: API_VERSION_MAX,
    Arch: facts.architecture,
    BuildTime: facts.buildTime,
    Experimental: 'false',
    GitCommit: facts.gitCommit,
    GoVersion: `node ${process.version}`,
    KernelVersion: facts.kernelVersion,
    MinAPIVersion: API_VERSION_MIN,
    Os: 'linux',
  };
  return {
    Platform: { Name: 'Skep' },
    Version: facts.version,
    ApiVersion: API_VERSION_MAX,
    MinAPIVersion: API_VERSION_MIN,
    Os: 'linux',
    Arch: facts.architecture,
    KernelVersion: facts.kernelVersion,
    GitCommit: facts.gitCommit,
    GoVersion: engine.GoVersion,
    BuildTime: facts.buildTime,
    Components: [
      { Name: 'Engine', Version: facts.version, Details: engine },
      { Name: 'containerd', Version: facts.containerdVersion, Details: {} },
      { Name: 'runc', Version: facts.runcVersion, Details: {} },
    ],
  };
}

async function info(deps: SystemDependencies) {
  const facts = deps.facts();
  const [counts, images, swarm, volumeDrivers] = await Promise.all([
    containerCounts(deps.containers),
    facts.containerdAvailable
      ? deps.images.list({ all: true, filters: {}, digests: false, sharedSize: false })
      : [],
    deps.swarmInfo(),
    deps.volumes.drivers(),
  ]);
  return {
    ...factsInfo(facts),
    ...counts,
    ...fixedInfo(deps, volumeDrivers),
    Images: images.length,
    Swarm: swarm,
  };
}

async function containerCounts(containers: ContainerEngine) {
  const all = await containers.list({ all: true, size: false, filters: {} });
  const count = (state: string) => all.filter(({ State }) => State === state).length;
  const running = count('running');
  const paused = count('paused');
  return {
    Containers: all.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: all.length - running - paused,
  };
}

function factsInfo(facts: SystemFacts) {
  const registry = (address: string) => ({ [address]: registryIndex(address, false) });
  return {
    ID: facts.engineId,
    Name: facts.hostname,
    ServerVersion: facts.version,
    KernelVersion: facts.kernelVersion,
    OperatingSystem: facts.operatingSystem,
    OSVersion: facts.osVersion,
    OSType: 'linux',
    Architecture: facts.machine,
    NCPU: facts.cpus,
    MemTotal: facts.memoryBytes,
    DockerRootDir: facts.dataRoot,
    CgroupDriver: facts.cgroupDriver,
    CgroupVersion: facts.cgroupVersion,
    SecurityOptions: facts.securityOptions,
    Labels: facts.labels,
    GenericResources: facts.genericResources,
    DefaultAddressPools: facts.defaultAddressPools,
    InitBinary: facts.initBinary,
    ContainerdCommit: { ID: facts.containerdVersion, Expected: facts.containerdVersion },
    RuncCommit: { ID: facts.runcVersion, Expected: facts.runcVersion },
    InitCommit: { ID: '', Expected: '' },
    Runtimes: { [facts.defaultRuntime]: { path: 'runc' } },
    DefaultRuntime: facts.defaultRuntime,
    RegistryConfig: {
      AllowNondistributableArtifactsCIDRs: null,
      AllowNondistributableArtifactsHostnames: null,
      InsecureRegistryCIDRs: ['127.0.0.0/8', ...facts.insecureRegistries.filter(isCidr)],
      IndexConfigs: Object.assign(
        { 'docker.io': registryIndex('docker.io', true) },
        ...facts.insecureRegistries.filter((address) => !isCidr(address)).map(registry),
      ) as object,
      Mirrors: facts.registryMirrors,
    },
  };
}

function isCidr(address: string): boolean {
  return /^[\d.:a-f]+\/\d+$/i.test(address);
}

function registryIndex(address: string, secure: boolean) {
  return { Name: address, Mirrors: [], Secure: secure, Official: address === 'docker.io' };
}

/** What is the same on every node of ours. */
function fixedInfo(deps: SystemDependencies, volumeDrivers: string[]) {
  return {
    Driver: 'overlayfs',
    DriverStatus: [
      ['driver-type', 'io.containerd.snapshotter.v1'],
      ['image-gc', deps.facts().imageGc],
    ],
    Plugins: {
      Volume: volumeDrivers,
      Network: ['bridge', 'host', 'null', 'overlay'],
      Authorization: null,
      Log: deps.facts().logDrivers,
    },
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    BridgeNfIptables: false,
    BridgeNfIp6tables: false,
    Debug: false,
    OomKillDisable: deps.facts().cgroupVersion === '1',
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: 0,
    SystemTime: deps.nowIso(),
    LoggingDriver: deps.facts().loggingDriver,
    IndexServerAddress: 'https://index.docker.io/v1/',
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    ExperimentalBuild: false,
    LiveRestoreEnabled: true,
    Isolation: '',
    CDISpecDirs: null,
    Warnings: deps.warnings(),
  };
}

const USAGE_TYPES = ['container', 'image', 'volume', 'build-cache'];

async function diskUsage(deps: SystemDependencies, query: Query) {
  const asked = query.type === undefined ? USAGE_TYPES : [query.type].flat();
  const unknown = asked.find((type) => !USAGE_TYPES.includes(type));
  if (unknown) throw new HttpError(400, `unknown object type: ${text(query, 'type')}`);
  const usage: Record<string, unknown> = {};
  if (asked.includes('image')) {
    const images = await deps.images.list({
      all: true,
      filters: {},
      digests: false,
      sharedSize: true,
    });
    usage.Images = images;
    usage.LayersSize = images.reduce(
      (sum, { Size, SharedSize }) => sum + Size - Math.max(0, SharedSize),
      0,
    );
  }
  if (asked.includes('container')) {
    usage.Containers = await deps.containers.list({ all: true, size: true, filters: {} });
  }
  if (asked.includes('volume')) usage.Volumes = await deps.volumes.usage();
  if (asked.includes('build-cache')) usage.BuildCache = [];
  return { BuilderSize: 0, ...usage };
}
