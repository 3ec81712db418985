import { Code, errorMessage, newContainerId, RpcError } from '@skep/platform';
import type { CreateRequest, LogConfig, TaskExtras } from '../contract/config.js';
import type { ResolvedImage } from '../contract/engine.js';
import { Container } from '../engine/container.js';
import { type EngineContext, emitContainer } from '../engine/context.js';
import { probeSettings } from '../health/config.js';
import { initialHealth } from '../health/progress.js';
import { logAttributes } from '../logs/attributes.js';
import { openContainerLog } from '../logs/open-log.js';
import { checkName } from '../records/directory.js';
import { madeUpName } from '../records/names.js';
import {
  type ContainerRecord,
  type ContainerStatus,
  initialStatus,
  isoTime,
  type MountRecord,
} from '../records/record.js';
import { removeInjectedFiles, writeInjectedFiles } from '../run/injected-files.js';
import { LAYER_LABEL, layerLabels } from '../run/layer-labels.js';
import { volumeUse } from '../run/mount-sources.js';
import { settleNetworks } from '../run/network-mode.js';
import { mountRoot, unmountRoot } from '../run/root-mount.js';
import { copyUp } from '../volumes/copy-up.js';
import { completeHostConfig, mergeConfig } from './merge.js';
import { wantedMounts } from './mount-requests.js';
import { resolveMounts, wrongInput } from './resolve-mounts.js';
import { validateContainer } from './validate.js';
import { inheritedMounts } from './volumes-from.js';

/** Makes containers: their record, writable layer, volumes and injected files. */
export class Creator {
  readonly #context: EngineContext;
  readonly #defaultLog: LogConfig;

  constructor(context: EngineContext, options: { defaultLog: LogConfig }) {
    this.#context = context;
    this.#defaultLog = options.defaultLog;
  }

  /** All or nothing: when it rejects, nothing of the container is left. */
  async create(
    wantedName: string | undefined,
    request: CreateRequest,
    task: TaskExtras | undefined,
  ): Promise<Container> {
    const { containers, random } = this.#context;
    const id = newContainerId(random);
    const name = wantedName?.replace(/^\//, '') || this.#freeName();
    checkName(name);
    containers.reserve(name, id);
    try {
      return await this.#create(id, name, request, task);
    } catch (error) {
      containers.release(name, id);
      await this.#undo(id);
      throw error;
    }
  }

  #freeName(): string {
    for (let attempt = 0; ; attempt++) {
      const name = madeUpName(this.#context.random, attempt);
      if (this.#context.containers.isFree(name)) return name;
    }
  }

  async #create(
    id: string,
    name: string,
    request: CreateRequest,
    task: TaskExtras | undefined,
  ): Promise<Container> {
    const context = this.#context;
    if (!request.Image) throw new RpcError(Code.INVALID_ARGUMENT, 'invalid reference format');
    const image = await context.images.resolve(request.Image);
    const record = this.#makeRecord(id, name, request, image);
    // A tag or pattern that cannot be worked out is refused now, not with the first line.
    logAttributes(record.hostConfig.LogConfig.Config, record);
    if (task) record.task = { endpoints: task.endpoints, files: [] };
    else settleNetworks(record, context.swarmNetworks.isAvailable);
    const inherited = inheritedMounts(record.hostConfig.VolumesFrom ?? [], (other) =>
      this.#mountsOf(other),
    );
    const wanted = wantedMounts(record.config, record.hostConfig, inherited);
    record.mounts = await resolveMounts(context, id, wanted);
    if (record.task) record.task.files = writeInjectedFiles(context, id, task?.files ?? []);
    record.rootMounts = await context.containerd.snapshots.prepare(
      id,
      image.chainId,
      layerLabels(id, context.clock.now()),
    );
    await this.#fillVolumes(record);
    const status = initialStatus();
    if (probeSettings(record.config.Healthcheck)) status.state.Health = initialHealth();
    await context.records.create(record, status);
    const container = openContainer(context, record, status);
    context.containers.add(container);
    emitContainer(context, container, 'create');
    return container;
  }

  #makeRecord(
    id: string,
    name: string,
    request: CreateRequest,
    image: ResolvedImage,
  ): ContainerRecord {
    const config = mergeConfig(id, request, image.config);
    const hostConfig = completeHostConfig(request.HostConfig, { logConfig: this.#defaultLog });
    validateContainer(config, hostConfig, this.#context.host);
    const [path = '', ...args] = [...(config.Entrypoint ?? []), ...(config.Cmd ?? [])];
    return {
      id,
      name,
      created: isoTime(this.#context.clock.now()),
      imageId: image.id,
      path,
      args,
      config,
      hostConfig,
      endpointsConfig: request.NetworkingConfig?.EndpointsConfig ?? {},
      mounts: [],
      rootMounts: [],
      snapshotter: this.#context.containerd.snapshots.snapshotter,
    };
  }

  #mountsOf(container: string): readonly MountRecord[] {
    try {
      return this.#context.containers.find(container).record.mounts;
    } catch (error) {
      throw wrongInput(error);
    }
  }

  /**
   * Copies image content into volumes that are empty yet. Only then is the root mounted at
   * creation.
   */
  async #fillVolumes(record: ContainerRecord): Promise<void> {
    const context = this.#context;
    const volumes = record.mounts.filter(
      (mount) => mount.Type === 'volume' && !mount.noCopy && !mount.subpath,
    );
    if (volumes.length === 0) return;
    const rootPath = mountRoot(context, record);
    try {
      for (const volume of volumes) {
        const use = volumeUse(record.id, volume);
        const path = await context.volumes.acquire(use, { container: record.id });
        await copyUp(context.processes, rootPath, volume.Destination, path).finally(() =>
          context.volumes.release(use, { container: record.id }),
        );
      }
    } finally {
      unmountRoot(context, record.id);
    }
  }

  async #undo(id: string): Promise<void> {
    const { containerd, records, logger } = this.#context;
    removeInjectedFiles(this.#context, id);
    records.remove(id);
    // With those over images. What stays is removed when the daemon starts the next time.
    const layers = await containerd.snapshots.list([`labels."${LAYER_LABEL}"`]).catch(() => []);
    for (const { name } of layers.filter((layer) => layer.name.startsWith(id))) {
      await containerd.snapshots.remove(name).catch((error) => {
        logger.warn({ id, error: errorMessage(error) }, 'layer not removed');
      });
    }
  }
}

/** A container in memory from its records. */
export function openContainer(
  context: EngineContext,
  record: ContainerRecord,
  status: ContainerStatus,
): Container {
  return new Container({ record, status, log: openContainerLog(context, record) });
}
