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
import { checkBindSource, makeBindSource, volumeUse } from '../run/mount-sources.js';
import { settleNetworks } from '../run/network-mode.js';
import { mountRoot, unmountRoot } from '../run/root-mount.js';
import { copyUp } from '../volumes/copy-up.js';
import { completeHostConfig, mergeConfig } from './merge.js';
import { type WantedMount, wantedMounts } from './mount-requests.js';
import { validateContainer } from './validate.js';
import { inheritedMounts } from './volumes-from.js';

/** Marks the writable layers that this engine made. */
export const SNAPSHOT_LABEL = 'skep.container';
/** Keeps a snapshot from containerd's garbage collection. */
const GC_ROOT_LABEL = 'containerd.io/gc.root';

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
    const inherited = inheritedMounts(
      record.hostConfig.VolumesFrom ?? [],
      (other) => context.containers.find(other).record.mounts,
    );
    const wanted = wantedMounts(record.config, record.hostConfig, inherited);
    record.mounts = await this.#resolveMounts(wanted);
    if (record.task) record.task.files = writeInjectedFiles(context, id, task?.files ?? []);
    record.rootMounts = await context.containerd.snapshots.prepare(id, image.chainId, {
      [GC_ROOT_LABEL]: record.created,
      [SNAPSHOT_LABEL]: id,
    });
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

  async #resolveMounts(wanted: WantedMount[]): Promise<MountRecord[]> {
    const records: MountRecord[] = [];
    for (const mount of wanted) records.push(await this.#resolveMount(mount));
    return records;
  }

  async #resolveMount(mount: WantedMount): Promise<MountRecord> {
    const { createSource, volumeLabels, volumeDriver, volumeOptions, ...record } = mount;
    if (mount.Type === 'bind') {
      if (createSource) makeBindSource(mount.Source);
      checkBindSource(mount.Source);
    }
    if (mount.Type !== 'volume') return record;
    const volume = await this.#context.volumes.create({
      ...(mount.Name ? { Name: mount.Name } : {}),
      ...(volumeDriver ? { Driver: volumeDriver } : {}),
      ...(volumeLabels ? { Labels: volumeLabels } : {}),
      ...(volumeOptions ? { DriverOpts: volumeOptions } : {}),
    });
    const { Driver, Mountpoint, Name } = volume;
    return { ...record, Driver, Name, Source: Mountpoint };
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
    await containerd.snapshots.remove(id).catch((error) => {
      const missing = error instanceof RpcError && error.code === Code.NOT_FOUND;
      // What stays is removed when the daemon starts the next time.
      if (!missing) logger.warn({ id, error: errorMessage(error) }, 'layer not removed');
    });
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
