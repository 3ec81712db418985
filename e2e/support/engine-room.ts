import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ContainerConfig,
  type ContainerdClient,
  ContainerdSupervisor,
  type ContainerNetworking,
  connectContainerd,
  containerdPaths,
  createContainerEngine,
  type Engine,
  probeContainerd,
  RealDetachedProcesses,
  RealKernel,
  type SandboxState,
} from '@skep/containers';
import { RealClock, RealDisk, silentLogger } from '@skep/platform';

export const CHAIN_ID = `sha256:${'b'.repeat(64)}`;
const IMAGE_ID = `sha256:${'c'.repeat(64)}`;
export const NAMESPACE = 'engine-room-test';

/** What the test image says of itself; a test may add to it. */
export type ImageConfig = Partial<ContainerConfig>;

/** An engine with a containerd of its own, under one temporary directory. */
export interface EngineRoom {
  root: string;
  engine: Engine;
  containerd: ContainerdClient;
  supervisor: ContainerdSupervisor;
  image: ImageConfig;
  /** A second engine on the same data, as after a restart of the daemon. */
  restart(): Promise<Engine>;
  /** Removes every container, then all else. */
  dispose(): Promise<void>;
}

/**
 * Namespaces made with `ip netns`, without any link: what a container needs of a network to start.
 */
export function bareNetworking(): ContainerNetworking {
  const nameOf = (id: string) => `skep-test-${id.slice(0, 12)}`;
  const state = (id: string, netnsPath: string): SandboxState => ({
    sandboxId: id,
    netnsPath,
    endpoints: {},
    ports: {},
    nameservers: [],
  });
  return {
    async setUp({ containerId, mode }) {
      if (mode === 'host') return state(containerId, '');
      execFileSync('ip', ['netns', 'add', nameOf(containerId)]);
      return state(containerId, `/run/netns/${nameOf(containerId)}`);
    },
    async tearDown(id) {
      if (existsSync(`/run/netns/${nameOf(id)}`)) {
        execFileSync('ip', ['netns', 'delete', nameOf(id)]);
      }
    },
    async restore() {},
    connect: () => Promise.reject(new Error('no networks here')),
    disconnect: () => Promise.reject(new Error('no networks here')),
    rename: () => Promise.reject(new Error('no networks here')),
    async counters() {
      return {};
    },
  };
}

/** Engine options that parent and child process share. */
export async function openEngine(
  root: string,
  containerd: ContainerdClient,
  image: ImageConfig,
): Promise<Engine> {
  const engine = createContainerEngine({
    dataRoot: join(root, 'data'),
    execRoot: join(root, 'exec'),
    containerd,
    images: {
      resolve: async () => ({
        id: IMAGE_ID,
        chainId: CHAIN_ID,
        config: { Cmd: ['sh'], Env: ['PATH=/bin'], ...image },
        architecture: 'amd64',
        os: 'linux',
      }),
    },
    networking: bareNetworking(),
    logger: silentLogger,
  });
  await engine.restore();
  return engine;
}

export async function connect(root: string): Promise<ContainerdClient> {
  const { socket } = containerdPaths(join(root, 'data'), join(root, 'exec'));
  const options = { address: socket, namespace: NAMESPACE, clock: new RealClock() };
  const client = connectContainerd({ ...options, logger: silentLogger });
  await client.ready();
  return client;
}

export async function openEngineRoom(): Promise<EngineRoom> {
  const root = mkdtempSync(join(tmpdir(), 'skep-engine-'));
  const supervisor = new ContainerdSupervisor({
    paths: containerdPaths(join(root, 'data'), join(root, 'exec')),
    disk: new RealDisk(),
    processes: new RealDetachedProcesses(),
    probe: (socket) => probeContainerd(socket, new RealClock()),
    clock: new RealClock(),
    logger: silentLogger,
  });
  await supervisor.start();
  const containerd = await connect(root);
  await makeImage(root, containerd);
  const image: ImageConfig = {};
  const room: EngineRoom = {
    root,
    supervisor,
    containerd,
    image,
    engine: await openEngine(root, containerd, image),
    async restart() {
      await room.engine.close();
      room.engine = await openEngine(root, containerd, image);
      return room.engine;
    },
    async dispose() {
      const all = await room.engine.list({ all: true, size: false, filters: {} });
      for (const { Id } of all) await room.engine.remove(Id, { force: true, volumes: true });
      await room.engine.close();
      containerd.close();
      await supervisor.stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
  return room;
}

/** A one-layer image of Debian's static busybox, with accounts and some files to find. */
async function makeImage(root: string, containerd: ContainerdClient): Promise<void> {
  const kernel = new RealKernel();
  const target = join(root, 'image');
  const keep = { 'containerd.io/gc.root': 'test' };
  const mounts = await containerd.snapshots.prepare('image', '', keep);
  mkdirSync(target);
  for (const mount of mounts) kernel.mount(mount, target);
  for (const name of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev', 'data'])
    mkdirSync(join(target, name));
  copyFileSync('/bin/busybox', join(target, 'bin/busybox'));
  const applets = execFileSync('/bin/busybox', ['--list'], { encoding: 'utf8' }).trim().split('\n');
  for (const applet of applets.filter((name) => name !== 'busybox')) {
    symlinkSync('busybox', join(target, 'bin', applet));
  }
  writeFileSync(
    join(target, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n',
  );
  writeFileSync(join(target, 'etc/group'), 'root:x:0:\nweb:x:1001:\nlogs:x:4:web\n');
  writeFileSync(join(target, 'data/seed'), 'from the image\n');
  kernel.unmount(target);
  await containerd.snapshots.commit(CHAIN_ID, 'image', keep);
}
