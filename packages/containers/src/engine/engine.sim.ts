import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, RealProcesses, SimRandom, silentLogger } from '@skep/platform';
import type { ContainerNetworking } from '../contract/networking.js';
import type { EngineEvent } from '../contract/state.js';
import type { SwarmNetworks } from '../contract/swarm-networks.js';
import { type MountSpec, RealKernel } from '../linux/kernel.js';
import { testHost } from '../spec/fixtures.js';
import type { PluginDirectories } from '../volumes/plugins/discovery.js';
import type { FakeContainerd } from './containerd.fake.js';
import { createContainerEngine } from './create-engine.js';
import type { Engine } from './engine.js';

/** Pipes are real, mounts are not: they need root. What was written to one in memory goes with it. */
class PipesOnly extends RealKernel {
  readonly #inMemory = new Set<string>();

  override mount({ type }: MountSpec, target: string): void {
    if (type === 'tmpfs') this.#inMemory.add(target);
  }

  override unmount(target: string): void {
    if (!this.#inMemory.delete(target)) return;
    for (const name of readdirSync(target)) rmSync(join(target, name), { recursive: true });
  }
}

const noSuchNetwork = () => Promise.reject(new Error('no such network'));

const NO_NETWORKS: ContainerNetworking = {
  setUp: async () => ({
    sandboxId: 's',
    netnsPath: '/netns',
    endpoints: {},
    ports: {},
    nameservers: [],
  }),
  tearDown: async () => {},
  restore: async () => {},
  connect: noSuchNetwork,
  disconnect: noSuchNetwork,
  rename: noSuchNetwork,
  counters: async () => ({}),
};

export interface SimEngineOptions {
  /** An empty directory, or that of an engine that was closed. */
  root: string;
  clock: Clock;
  containerd: FakeContainerd;
  /** One that makes nothing unless given. */
  networking?: ContainerNetworking;
  swarmNetworks?: SwarmNetworks;
  /** Where volume plugins are; there are none unless given. */
  pluginDirectories?: PluginDirectories;
  onEvent(event: EngineEvent): void;
}

/** An engine over a containerd in memory, restored, that has one image. */
export async function openSimEngine(options: SimEngineOptions): Promise<Engine> {
  const { root, clock, containerd, swarmNetworks } = options;
  const opened = createContainerEngine({
    dataRoot: join(root, 'data'),
    execRoot: join(root, 'exec'),
    containerd: containerd.client,
    images: {
      resolve: async () => ({
        id: 'sha256:image',
        chainId: 'sha256:chain',
        config: { Cmd: ['sh'] },
        architecture: 'amd64',
        os: 'linux',
      }),
    },
    networking: options.networking ?? NO_NETWORKS,
    ...(swarmNetworks ? { swarmNetworks } : {}),
    logger: silentLogger,
    clock,
    random: new SimRandom(7),
    processes: new RealProcesses(),
    kernel: new PipesOnly(),
    host: testHost(),
    pluginDirectories: options.pluginDirectories ?? { sockets: join(root, 'plugins'), specs: [] },
  });
  opened.onEvent((event) => options.onEvent(event));
  await opened.restore();
  return opened;
}
