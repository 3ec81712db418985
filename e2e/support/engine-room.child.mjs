/**
 * An engine in a process of its own, for tests that kill it: starts containers that count, says
 * their ids, and goes on until it is killed. Arguments: the engine room's directory, the containers'
 * names, containerd's namespace, the image's chain id, and `deaf` for an engine that does not open
 * what the containers print to, so that their starts do not come to an end.
 */
import { join } from 'node:path';
import {
  connectContainerd,
  containerdPaths,
  createContainerEngine,
  RealKernel,
} from '@skep/containers';
import { RealClock, silentLogger } from '@skep/platform';

const [root, names, namespace, chainId, hearing] = process.argv.slice(2);

class DeafKernel extends RealKernel {
  openFifo(path, mode) {
    if (mode === 'write') return super.openFifo(path, mode);
    this.makeFifo(`${path}.other`, 0o600);
    return super.openFifo(`${path}.other`, mode);
  }
}

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
  kernel: hearing === 'deaf' ? new DeafKernel() : new RealKernel(),
});
await engine.restore();
const ids = [];
for (const name of names.split(',')) {
  const { Id } = await engine.create(name, {
    Image: 'busybox',
    Cmd: ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; done'],
    HostConfig: {
      NetworkMode: 'host',
      LogConfig: { Type: 'json-file', Config: { 'max-size': '500m' } },
    },
  });
  ids.push(Id);
}
process.stdout.write(`${ids.join(',')}\n`);
await Promise.all(ids.map((id) => engine.start(id)));
