import { join } from 'node:path';
import type { Clock, Logger, Processes, Random } from '@skep/platform';
import type { Containerd } from '../containerd/containerd.js';
import type { ImageEngine } from '../contract/engine.js';
import type { ContainerNetworking } from '../contract/networking.js';
import type { SwarmNetworks } from '../contract/swarm-networks.js';
import type { Kernel } from '../linux/kernel.js';
import type { ContainerDirectory } from '../records/directory.js';
import type { RecordStore } from '../records/record-store.js';
import type { HostFacts } from '../spec/host.js';
import type { Volumes } from '../volumes/volumes.js';
import type { Container } from './container.js';
import type { EventBus } from './events.js';

/** What every part of the engine works with. */
export interface EngineContext {
  containerd: Containerd;
  images: Pick<ImageEngine, 'resolve'>;
  networking: ContainerNetworking;
  swarmNetworks: SwarmNetworks;
  volumes: Volumes;
  clock: Clock;
  random: Random;
  processes: Processes;
  kernel: Kernel;
  logger: Logger;
  host: HostFacts;
  paths: EnginePaths;
  records: RecordStore;
  containers: ContainerDirectory<Container>;
  events: EventBus;
  /** What is counted since the daemon's start. */
  counters: EngineCounters;
}

export interface EngineCounters {
  /** Entries of containers' logs that their receivers did not get. */
  logEntriesDropped: number;
}

/** Where things of one container are. What lies under the exec root is gone after a reboot. */
export class EnginePaths {
  readonly #dataRoot: string;
  readonly #execRoot: string;

  constructor(options: { dataRoot: string; execRoot: string }) {
    this.#dataRoot = options.dataRoot;
    this.#execRoot = options.execRoot;
  }

  /** Parent of all containers' records. */
  get records(): string {
    return join(this.#dataRoot, 'containers');
  }

  get volumes(): string {
    return join(this.#dataRoot, 'volumes');
  }

  /** Parent of all containers' run-time directories. */
  get runs(): string {
    return join(this.#execRoot, 'containers');
  }

  record(id: string, file: string): string {
    return join(this.records, id, file);
  }

  log(id: string): string {
    return this.record(id, `${id}-json.log`);
  }

  run(id: string): string {
    return join(this.runs, id);
  }

  /** Mount point of the root file system. */
  root(id: string): string {
    return join(this.run(id), 'rootfs');
  }

  /** Bound over the file of that name in /etc. */
  networkFile(id: string, name: string): string {
    return join(this.run(id), name);
  }

  /** Output on its way from the pipes to the log. */
  journal(id: string): string {
    return join(this.run(id), 'journal');
  }

  /** Pipes of the first process. */
  streams(id: string): string {
    return join(this.run(id), 'io');
  }

  execStreams(id: string, execId: string): string {
    return join(this.run(id), `exec-${execId}`);
  }

  /** Parent of the mount points of other images. */
  images(id: string): string {
    return join(this.run(id), 'images');
  }

  /** Mount point of the memory-backed secrets and configs. */
  files(id: string): string {
    return join(this.run(id), 'files');
  }
}

/** The attributes of a container's events, as Docker sets them. */
export function eventAttributes(
  container: Container,
  extra: Record<string, string> = {},
): Record<string, string> {
  const { config, name } = container.record;
  return { ...config.Labels, image: config.Image, name, ...extra };
}

/** Emits an event of a container. */
export function emitContainer(
  context: EngineContext,
  container: Container,
  action: string,
  extra?: Record<string, string>,
): void {
  context.events.emit('container', action, container.id, eventAttributes(container, extra));
}

/** Writes the container's state file. */
export function saveStatus(context: EngineContext, container: Container): void {
  if (container.removing && context.containers.byId(container.id) !== container) return;
  context.records.writeStatus(container.id, container.status);
}
