import { join } from 'node:path';
import {
  type ContainerdClient,
  ContainerdSupervisor,
  connectContainerd,
  containerdPaths,
  createContainerEngine,
  type Engine,
  Images,
  probeContainerd,
  RealDetachedProcesses,
  type SwarmNetworks,
} from '@skep/containers';
import { createNetwork, type Network } from '@skep/network';
import { Code, RpcError } from '@skep/platform';
import type { DaemonOptions } from './config/options.js';
import type { Platform } from './platform.js';

/** containerd's namespace of everything that is ours. */
const CONTAINERD_NAMESPACE = 'skep';

/** Time containerd may take to answer when the daemon starts. */
const CONTAINERD_READY_TIMEOUT_MS = 10_000;

/** What runs containers on this node, put together and restored. */
export interface EngineRooms {
  containerd: ContainerdClient;
  containerdVersion: string;
  containers: Engine;
  images: Images;
  volumes: Engine['volumes'];
  network: Network;
  /** Whether containerd answers. */
  available(): boolean;
  /** Closes in reverse; containers go on. */
  close(): Promise<void>;
}

/** Starts containerd if it is ours to start, then takes over what runs, in every room. */
export async function openEngineRooms(
  options: DaemonOptions,
  platform: Platform,
  swarmNetworks: SwarmNetworks,
): Promise<EngineRooms> {
  const supervisor = options.containerd ? undefined : await startContainerd(options, platform);
  try {
    return await openRooms(options, platform, { supervisor, swarmNetworks });
  } catch (error) {
    // A daemon that cannot start leaves no containerd behind that nobody looks after.
    await supervisor?.stop();
    throw error;
  }
}

interface RoomParts {
  supervisor: ContainerdSupervisor | undefined;
  swarmNetworks: SwarmNetworks;
}

async function openRooms(
  options: DaemonOptions,
  platform: Platform,
  { supervisor, swarmNetworks }: RoomParts,
): Promise<EngineRooms> {
  const { clock, random, disk, log: logger } = platform;
  const { dataRoot, execRoot } = options;
  const address =
    options.containerd?.replace(/^unix:\/\//, '') ?? containerdPaths(dataRoot, execRoot).socket;
  const containerd = connectContainerd({
    address,
    namespace: CONTAINERD_NAMESPACE,
    clock,
    logger,
  });
  await reach(containerd, address);
  const pools = options.defaultAddressPools;
  const network = await createNetwork({
    dataRoot,
    execRoot,
    clock,
    random,
    disk,
    logger,
    mayOpenFirewalls: options.iptables,
    ...(pools.length > 0 ? { addressPools: pools } : {}),
  });
  let containers: Engine | undefined;
  const images = new Images({
    containerd,
    clock,
    random,
    logger,
    insecureRegistries: options.insecureRegistries,
    registryMirrors: options.registryMirrors,
    usersOf: async (imageId) => usersOf(containers, imageId),
  });
  containers = createContainerEngine({
    dataRoot,
    execRoot,
    containerd,
    images,
    networking: network.networking,
    swarmNetworks,
    defaultLog: options.defaultLog,
    logger,
    clock,
    random,
  });
  await images.start();
  const engine = containers;
  await engine.restore();
  return {
    containerd,
    containerdVersion: (await containerd.version()).version,
    containers: engine,
    images,
    volumes: engine.volumes,
    network,
    available: () => supervisor?.running ?? true,
    close: async () => {
      await engine.close();
      await network.close();
      images.close();
      containerd.close();
      await supervisor?.stop();
    },
  };
}

async function reach(containerd: ContainerdClient, address: string): Promise<void> {
  try {
    await containerd.ready(AbortSignal.timeout(CONTAINERD_READY_TIMEOUT_MS));
  } catch (error) {
    const within = `within ${CONTAINERD_READY_TIMEOUT_MS / 1_000} s`;
    const text = `containerd does not answer at ${address} ${within}`;
    throw new RpcError(Code.UNAVAILABLE, text, { cause: error });
  }
}

/** Containers made from an image: it cannot be removed while there are any. */
async function usersOf(containers: Engine | undefined, imageId: string) {
  const all = (await containers?.list({ all: true, size: false, filters: {} })) ?? [];
  return all
    .filter(({ ImageID }) => ImageID === imageId)
    .map(({ Id, State }) => ({ id: Id, running: State === 'running' }));
}

async function startContainerd(
  options: DaemonOptions,
  { clock, disk, log: logger }: Platform,
): Promise<ContainerdSupervisor> {
  const supervisor = new ContainerdSupervisor({
    paths: containerdPaths(options.dataRoot, options.execRoot),
    disk,
    processes: new RealDetachedProcesses(),
    probe: (socket) => probeContainerd(socket, clock),
    clock,
    logger,
  });
  await disk.makeDirectory(join(options.execRoot), 0o711);
  await supervisor.start();
  return supervisor;
}
