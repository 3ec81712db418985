import { snapshots } from '@skep/wire/containerd';
import type { Connection } from '../connection.js';
import type { SnapshotsApi } from '../containerd.js';
import { DELETE_TIMEOUT_MS } from '../limits.js';
import type { Mount, SnapshotInfo, SnapshotKind } from '../types.js';
import { timestampNs } from './encoding.js';

const { method } = snapshots.Snapshots;

const KIND: Record<snapshots.Kind, SnapshotKind> = {
  [snapshots.Kind.UNKNOWN]: 'unknown',
  [snapshots.Kind.VIEW]: 'view',
  [snapshots.Kind.ACTIVE]: 'active',
  [snapshots.Kind.COMMITTED]: 'committed',
};

function infoFromWire(wire: snapshots.Info): SnapshotInfo {
  return {
    name: wire.name,
    parent: wire.parent,
    kind: KIND[wire.kind] ?? 'unknown',
    labels: wire.labels,
    createdNs: timestampNs(wire.createdAt),
  };
}

function mountsFromWire(response: { mounts: Mount[] }): Mount[] {
  return response.mounts.map(({ type, source, target, options }) => ({
    type,
    source,
    target,
    options,
  }));
}

export function snapshotsApi(connection: Connection, snapshotter: string): SnapshotsApi {
  return {
    snapshotter,
    async prepare(key, parent, labels = {}) {
      const request = { snapshotter, key, parent, labels };
      return mountsFromWire(await connection.call(method.prepare, request));
    },
    async view(key, parent, labels = {}) {
      const request = { snapshotter, key, parent, labels };
      return mountsFromWire(await connection.call(method.view, request));
    },
    async mounts(key) {
      return mountsFromWire(await connection.call(method.mounts, { snapshotter, key }));
    },
    async commit(name, key, labels = {}) {
      await connection.call(method.commit, { snapshotter, name, key, labels });
    },
    async remove(key) {
      const options = { timeoutMs: DELETE_TIMEOUT_MS };
      await connection.call(method.remove, { snapshotter, key }, options);
    },
    async stat(key) {
      const { info } = await connection.call(method.stat, { snapshotter, key });
      return infoFromWire(info as snapshots.Info);
    },
    async list(filters = []) {
      const infos: SnapshotInfo[] = [];
      for await (const page of connection.serverStream(method.list, { snapshotter, filters })) {
        infos.push(...page.info.map(infoFromWire));
      }
      return infos;
    },
    async usage(key) {
      const { size, inodes } = await connection.call(method.usage, { snapshotter, key });
      return { bytes: Number(size), inodes: Number(inodes) };
    },
  };
}
