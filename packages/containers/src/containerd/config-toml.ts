import { join } from 'node:path';

export interface ContainerdPaths {
  /** Content, snapshots and metadata; must survive a reboot. */
  root: string;
  /** Bundles and sockets of what runs; gone after a reboot. */
  state: string;
  socket: string;
  config: string;
  pidFile: string;
  log: string;
}

/** Where the files of our own containerd are. */
export function containerdPaths(dataRoot: string, execRoot: string): ContainerdPaths {
  const state = join(execRoot, 'containerd');
  return {
    root: join(dataRoot, 'containerd'),
    state,
    socket: join(state, 'containerd.sock'),
    config: join(state, 'config.toml'),
    pidFile: join(state, 'containerd.pid'),
    log: join(state, 'containerd.log'),
  };
}

/** Parts of containerd nobody here uses: each costs start time and memory. */
const DISABLED_PLUGINS = [
  'io.containerd.grpc.v1.cri',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.tracing',
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.tracing.processor.v1.otlp',
];

/** Makes containerd the last process the kernel kills for memory, as dockerd sets its own. */
const OOM_SCORE = -500;

/** A TOML basic string: JSON's escapes are a subset of TOML's. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

/** containerd's configuration, format version 2. */
export function containerdConfig(paths: ContainerdPaths, logLevel: string): string {
  return [
    'version = 2',
    `root = ${quoted(paths.root)}`,
    `state = ${quoted(paths.state)}`,
    `oom_score = ${OOM_SCORE}`,
    `disabled_plugins = [${DISABLED_PLUGINS.map(quoted).join(', ')}]`,
    '',
    '[grpc]',
    `address = ${quoted(paths.socket)}`,
    '',
    '[ttrpc]',
    `address = ${quoted(`${paths.socket}.ttrpc`)}`,
    '',
    '[debug]',
    'address = ""',
    `level = ${quoted(logLevel)}`,
    '',
    '[metrics]',
    'address = ""',
    '',
  ].join('\n');
}
