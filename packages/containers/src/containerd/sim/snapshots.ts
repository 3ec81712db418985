import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { Code, RpcError } from '@skep/platform';
import type { DiffApi, SnapshotsApi } from '../containerd.js';
import type { Labels, Mount, SnapshotInfo, SnapshotKind } from '../types.js';
import { alreadyExists, matchesFilters, mustGet, type SimWorld } from './world.js';

const SNAPSHOTTER = 'overlayfs';
/** What every simulated layer takes. */
const LAYER_BYTES = 1_000;

function mountsOf(key: string): Mount[] {
  return [{ type: 'overlay', source: `sim:${key}`, target: '', options: [] }];
}

function infoOf({ layers: _layers, ...info }: SnapshotInfo & { layers: string[] }): SnapshotInfo {
  return { ...info };
}

function make(
  world: SimWorld,
  kind: SnapshotKind,
  { key, parent, labels = {} }: { key: string; parent: string; labels?: Labels | undefined },
): Mount[] {
  if (world.snapshots.has(key)) throw alreadyExists(`snapshot ${key}`);
  const below = parent === '' ? undefined : mustGet(world.snapshots, parent, 'snapshot');
  const layers = [...(below?.layers ?? [])];
  const createdNs = world.nowNs();
  world.snapshots.set(key, { name: key, parent, kind, labels, createdNs, layers });
  return mountsOf(key);
}

function remove(world: SimWorld, key: string): void {
  mustGet(world.snapshots, key, 'snapshot');
  if ([...world.snapshots.values()].some(({ parent }) => parent === key)) {
    const message = 'cannot remove snapshot with child: failed precondition';
    throw new RpcError(Code.FAILED_PRECONDITION, message);
  }
  world.snapshots.delete(key);
}

export function simSnapshotsApi(world: SimWorld, leaseId: string | undefined): SnapshotsApi {
  const lease = (name: string) =>
    world.leases.get(leaseId ?? '')?.resources.push({ id: name, type: `snapshots/${SNAPSHOTTER}` });
  return {
    snapshotter: SNAPSHOTTER,
    prepare: (key, parent, labels) =>
      world.call(() => {
        lease(key);
        return make(world, 'active', { key, parent, labels });
      }),
    view: (key, parent, labels) => world.call(() => make(world, 'view', { key, parent, labels })),
    mounts: (key) =>
      world.call(() => {
        mustGet(world.snapshots, key, 'snapshot');
        return mountsOf(key);
      }),
    commit: (name, key, labels = {}) =>
      world.call(() => {
        const active = mustGet(world.snapshots, key, 'snapshot');
        if (world.snapshots.has(name)) throw alreadyExists(`snapshot ${name}`);
        world.snapshots.delete(key);
        world.snapshots.set(name, { ...active, name, kind: 'committed', labels });
        lease(name);
      }),
    remove: (key) => world.call(() => remove(world, key)),
    stat: (key) => world.call(() => infoOf(mustGet(world.snapshots, key, 'snapshot'))),
    list: (filters = []) =>
      world.call(() =>
        [...world.snapshots.values()].filter((info) => matchesFilters(info, filters)).map(infoOf),
      ),
    usage: (key) =>
      world.call(() => {
        mustGet(world.snapshots, key, 'snapshot');
        return { bytes: LAYER_BYTES, inodes: 1 };
      }),
  };
}

const GZIP_MAGIC = 0x1f;

export function simDiffApi(world: SimWorld): DiffApi {
  return {
    apply: (layer, mounts) =>
      world.call(() => {
        const { data } = mustGet(world.content, layer.digest, 'content');
        const tar = data[0] === GZIP_MAGIC ? gunzipSync(data) : data;
        const digest = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
        const key = mounts[0]?.source.replace(/^sim:/, '') ?? '';
        mustGet(world.snapshots, key, 'snapshot').layers.push(digest);
        return { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: tar.length };
      }),
  };
}
