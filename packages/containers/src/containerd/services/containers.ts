import { containers } from '@skep/wire/containerd';
import type { Connection } from '../connection.js';
import type { ContainersApi } from '../containerd.js';
import type { ContainerRecord } from '../types.js';
import { anyFromRuncOptions, anyFromSpec, specFromAny, timestampNs } from './encoding.js';

const { method } = containers.Containers;
const DEFAULT_RUNTIME = 'io.containerd.runc.v2';

function fromWire(wire: containers.Container): ContainerRecord {
  return {
    id: wire.id,
    labels: wire.labels,
    image: wire.image,
    runtime: wire.runtime?.name ?? '',
    spec: specFromAny(wire.spec),
    snapshotter: wire.snapshotter,
    snapshotKey: wire.snapshotKey,
    createdNs: timestampNs(wire.createdAt),
  };
}

export function containersApi(connection: Connection, snapshotter: string): ContainersApi {
  return {
    async create(container) {
      const options = container.runtimeOptions;
      await connection.call(method.create, {
        container: {
          id: container.id,
          labels: container.labels ?? {},
          image: container.image ?? '',
          runtime: {
            name: container.runtime ?? DEFAULT_RUNTIME,
            ...(options ? { options: anyFromRuncOptions(options) } : {}),
          },
          spec: anyFromSpec('Spec', container.spec),
          snapshotter,
          snapshotKey: container.snapshotKey,
        },
      });
    },
    async get(id) {
      const { container } = await connection.call(method.get, { id });
      return fromWire(container as containers.Container);
    },
    async list(filters = []) {
      // The stream has no bound on the whole answer, where the unary call must fit one message.
      const records: ContainerRecord[] = [];
      for await (const { container } of connection.serverStream(method.listStream, { filters })) {
        if (container) records.push(fromWire(container));
      }
      return records;
    },
    async setLabels(id, labels) {
      const paths = Object.keys(labels).map((key) => `labels.${key}`);
      await connection.call(method.update, { container: { id, labels }, updateMask: { paths } });
    },
    async setSpec(id, spec) {
      const container = { id, spec: anyFromSpec('Spec', spec) };
      await connection.call(method.update, { container, updateMask: { paths: ['spec'] } });
    },
    async delete(id) {
      await connection.call(method.delete, { id });
    },
  };
}
