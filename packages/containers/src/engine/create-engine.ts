import { lookup } from 'node:dns/promises';
import {
  type Clock,
  Code,
  type Logger,
  type Processes,
  type Random,
  RealClock,
  RealProcesses,
  RealRandom,
  RpcError,
} from '@skep/platform';
import type { Containerd } from '../containerd/containerd.js';
import type { LogConfig } from '../contract/config.js';
import type { ImageEngine } from '../contract/engine.js';
import type { ContainerNetworking } from '../contract/networking.js';
import type { SwarmNetworks } from '../contract/swarm-networks.js';
import { type Kernel, RealKernel } from '../linux/kernel.js';
import { ContainerDirectory } from '../records/directory.js';
import { RecordStore } from '../records/record-store.js';
import { type HostFacts, readHostFacts } from '../spec/host.js';
import { LocalDriver } from '../volumes/local-driver.js';
import { LocalMounts } from '../volumes/local-mount.js';
import { PLUGIN_DIRECTORIES, type PluginDirectories } from '../volumes/plugins/discovery.js';
import { VolumePlugins } from '../volumes/plugins/plugins.js';
import { HttpPluginTransport } from '../volumes/plugins/transport.js';
import { VolumeStore } from '../volumes/volume-store.js';
import { Volumes } from '../volumes/volumes.js';
import type { Container } from './container.js';
import { type EngineContext, EnginePaths } from './context.js';
import { Engine } from './engine.js';
import { EventBus } from './events.js';

export interface EngineOptions {
  /** Kept over reboots: records, logs, volumes. Created when missing. */
  dataRoot: string;
  /** Gone after a reboot: pipes, mount points. Created when missing. */
  execRoot: string;
  containerd: Containerd;
  images: Pick<ImageEngine, 'resolve'>;
  networking: ContainerNetworking;
  /** Without it, containers can be on this node's own networks only. */
  swarmNetworks?: SwarmNetworks;
  logger: Logger;
  /** Log configuration of containers that name none. */
  defaultLog?: LogConfig;
  clock?: Clock;
  random?: Random;
  processes?: Processes;
  kernel?: Kernel;
  host?: HostFacts;
  /** Where volume plugins are found; Docker's directories unless given. */
  pluginDirectories?: PluginDirectories;
}

/** Those of a node that is in no swarm. */
const NO_SWARM_NETWORKS: SwarmNetworks = {
  isAvailable: false,
  attach: async ({ network }) => {
    throw new RpcError(Code.NOT_FOUND, `network ${network} not found`);
  },
  rename: async () => {},
  detach: () => {},
};

/** Puts the engine together. Call `restore()` on it before anything else. */
export function createContainerEngine(options: EngineOptions): Engine {
  const { logger, dataRoot, execRoot } = options;
  const clock = options.clock ?? new RealClock();
  const random = options.random ?? new RealRandom();
  const processes = options.processes ?? new RealProcesses();
  const kernel = options.kernel ?? new RealKernel();
  const paths = new EnginePaths({ dataRoot, execRoot });
  const containers = new ContainerDirectory<Container>();
  const store = new VolumeStore({ root: paths.volumes, logger });
  const mounts = new LocalMounts({ store, processes, kernel, resolveHost });
  const volumes = new Volumes({
    store,
    local: new LocalDriver({ store, mounts }),
    plugins: new VolumePlugins({
      directories: options.pluginDirectories ?? PLUGIN_DIRECTORIES,
      transport: new HttpPluginTransport(),
      clock,
      logger,
    }),
    clock,
    random,
    logger,
    usersOf: (name) => usersOf(containers, name),
  });
  const context: EngineContext = {
    containerd: options.containerd,
    images: options.images,
    networking: options.networking,
    swarmNetworks: options.swarmNetworks ?? NO_SWARM_NETWORKS,
    volumes,
    clock,
    random,
    processes,
    kernel,
    logger,
    host: options.host ?? readHostFacts(logger),
    paths,
    records: new RecordStore({ root: paths.records, logger }),
    containers,
    events: new EventBus(clock),
    counters: { logEntriesDropped: 0 },
  };
  const defaultLog = options.defaultLog ?? { Type: 'json-file', Config: {} };
  return new Engine(context, { defaultLog });
}

/** As Docker looks up file servers: the first address of any kind. */
async function resolveHost(name: string): Promise<string> {
  return (await lookup(name)).address;
}

function usersOf(containers: ContainerDirectory<Container>, name: string): string[] {
  return containers
    .all()
    .filter((container) => container.record.mounts.some((mount) => mount.Name === name))
    .map((container) => container.id);
}
