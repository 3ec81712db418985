/**
 * An engine in a process of its own, for tests that kill it: starts one container that counts, says
 * its id, and goes on until it is killed. Arguments: the engine room's directory and the
 * container's name.
 */
import { join } from 'node:path';
import { connectContainerd, containerdPaths, createContainerEngine } from '@skep/containers';
import { RealClock, silentLogger } from '@skep/platform';

const [root, name, namespace, chainId] = process.argv.slice(2);
const paths = { dataRoot: join(root, 'data'), execRoot: join(root, 'exec') };
const containerd = connectContainerd({
  address: containerdPaths(paths.dataRoot, paths.execRoot).socket,
  namespace,
  clock: new RealClock(),
  logger: silentLogger,
});
await containerd.ready();
const sandbox = { sandboxId: 'host', netnsPath: '', endpoints: {}, ports: {}, nameservers: [] };
const engine = createContainerEngine({
  ...paths,
  containerd,
  images: {
    resolve: async () => ({
      id: `sha256:${'c'.repeat(64)}`,
      chainId,
      config: { Env: ['PATH=/bin'] },
      architecture: 'amd64',
      os: 'linux',
    }),
  },
  networking: {
    setUp: async () => sandbox,
    tearDown: async () => {},
    restore: async () => {},
    counters: async () => ({}),
  },
  logger: silentLogger,
});
await engine.restore();
const { Id } = await engine.create(name, {
  Image: 'busybox',
  Cmd: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; done'],
  HostConfig: {
    NetworkMode: 'host',
    LogConfig: { Type: 'json-file', Config: { 'max-size': '500m' } },
  },
});
await engine.start(Id);
process.stdout.write(`${Id}\n`);
