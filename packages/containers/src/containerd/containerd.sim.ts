import type { Clock } from '@skep/platform';
import type { Containerd, ContainersApi, ImagesApi, LeasesApi } from './containerd.js';
import { simContentApi } from './sim/content.js';
import { collectGarbage } from './sim/garbage.js';
import { simDiffApi, simSnapshotsApi } from './sim/snapshots.js';
import { type ProcessScript, SimTasks, simTasksApi } from './sim/tasks.js';
import { alreadyExists, matchesFilters, mustGet, SimWorld } from './sim/world.js';

const NAMESPACE = 'sim';
const RUNTIME = 'io.containerd.runc.v2';

function containersApi(world: SimWorld): ContainersApi {
  const get = (id: string) => mustGet(world.containers, id, 'container');
  return {
    create: (container) =>
      world.call(() => {
        const { id, labels = {}, image = '', runtime = RUNTIME, spec, snapshotKey } = container;
        if (world.containers.has(id)) throw alreadyExists(`container "${id}"`);
        const createdNs = world.nowNs();
        const fixed = { snapshotter: 'overlayfs', createdNs };
        world.containers.set(id, { id, labels, image, runtime, spec, snapshotKey, ...fixed });
      }),
    get: (id) => world.call(() => ({ ...get(id) })),
    list: (filters = []) =>
      world.call(() =>
        [...world.containers.values()]
          .filter((record) => matchesFilters(record, filters))
          .map((record) => ({ ...record })),
      ),
    setLabels: (id, labels) => world.call(() => void Object.assign(get(id).labels, labels)),
    setSpec: (id, spec) => world.call(() => void Object.assign(get(id), { spec })),
    delete: (id) =>
      world.call(() => {
        get(id);
        world.containers.delete(id);
      }),
  };
}

function imagesApi(world: SimWorld): ImagesApi {
  return {
    get: (name) => world.call(() => ({ ...mustGet(world.images, name, 'image') })),
    list: (filters = []) =>
      world.call(() => [...world.images.values()].filter((r) => matchesFilters(r, filters))),
    create: ({ name, target, labels = {} }) =>
      world.call(() => {
        if (world.images.has(name)) throw alreadyExists(`image "${name}"`);
        const ns = world.nowNs();
        world.images.set(name, { name, target, labels, createdNs: ns, updatedNs: ns });
        world.emit({ kind: 'image-create', name });
      }),
    update: ({ name, target, labels = {} }) =>
      world.call(() => {
        const record = mustGet(world.images, name, 'image');
        world.images.set(name, { ...record, target, labels, updatedNs: world.nowNs() });
        world.emit({ kind: 'image-update', name });
      }),
    delete: (name) =>
      world.call(() => {
        mustGet(world.images, name, 'image');
        world.images.delete(name);
        world.emit({ kind: 'image-delete', name });
      }),
  };
}

function leasesApi(world: SimWorld): LeasesApi {
  return {
    create: (id, { labels = {} }) =>
      world.call(() => {
        if (world.leases.has(id)) throw alreadyExists(`lease ${id}`);
        world.leases.set(id, { id, labels, createdNs: world.nowNs(), resources: [] });
      }),
    list: (filters = []) =>
      world.call(() => [...world.leases.values()].filter((r) => matchesFilters(r, filters))),
    addResource: (id, resource) =>
      world.call(() => void mustGet(world.leases, id, 'lease').resources.push(resource)),
    delete: (id) =>
      world.call(() => {
        mustGet(world.leases, id, 'lease');
        world.leases.delete(id);
      }),
  };
}

function view(world: SimWorld, tasks: SimTasks, leaseId: string | undefined): Containerd {
  return {
    namespace: NAMESPACE,
    containers: containersApi(world),
    tasks: simTasksApi(world, tasks),
    snapshots: simSnapshotsApi(world, leaseId),
    content: simContentApi(world, leaseId),
    images: imagesApi(world),
    leases: leasesApi(world),
    diff: simDiffApi(world),
    events: world,
    version: () => world.call(() => ({ version: 'sim', revision: '' })),
    withLease: (id) => view(world, tasks, id),
  };
}

/** A containerd in memory, and the strings to pull on it. It collects garbage only when told. */
export interface SimContainerd extends Containerd {
  /** What it holds, to look into. */
  readonly world: SimWorld;
  /** How processes behave that are created from now on, in one container or (`*`) in all others. */
  script(containerId: string, script: ProcessScript): void;
  /** Ends a running process, as if by itself. */
  exit(containerId: string, exitStatus: number, execId?: string): void;
  /** The kernel kills the container for memory. */
  oom(containerId: string): void;
  /** containerd dies: calls fail and events are lost, but processes run on. */
  goDown(): void;
  comeBack(): void;
  /** Removes content and snapshots that neither a lease, a name nor a container keeps. */
  collectGarbage(): void;
}

export function simContainerd(clock: Clock): SimContainerd {
  const world = new SimWorld(clock);
  const tasks = new SimTasks(world);
  return {
    ...view(world, tasks, undefined),
    world,
    script: (id, script) => tasks.script(id, script),
    exit: (id, exitStatus, execId) => tasks.exit(id, exitStatus, execId),
    oom: (id) => tasks.oom(id),
    goDown: () => world.setConnected(false),
    comeBack: () => world.setConnected(true),
    collectGarbage: () => collectGarbage(world),
  };
}
