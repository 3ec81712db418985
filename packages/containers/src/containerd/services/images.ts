import { diff, images, leases } from '@skep/wire/containerd';
import type { Connection } from '../connection.js';
import type { DiffApi, ImagesApi, LeasesApi } from '../containerd.js';
import { APPLY_TIMEOUT_MS, DELETE_TIMEOUT_MS } from '../limits.js';
import type { ImageRecord } from '../types.js';
import { descriptorFromWire, descriptorToWire, timestampNs } from './encoding.js';

function imageFromWire(wire: images.Image): ImageRecord {
  return {
    name: wire.name,
    target: descriptorFromWire(wire.target),
    labels: wire.labels,
    createdNs: timestampNs(wire.createdAt),
    updatedNs: timestampNs(wire.updatedAt),
  };
}

export function imagesApi(connection: Connection): ImagesApi {
  const { method } = images.Images;
  return {
    async get(name) {
      const { image } = await connection.call(method.get, { name });
      return imageFromWire(image as images.Image);
    },
    async list(filters = []) {
      const response = await connection.call(method.list, { filters });
      return response.images.map(imageFromWire);
    },
    async create({ name, target, labels = {} }) {
      const image = { name, target: descriptorToWire(target), labels };
      await connection.call(method.create, { image });
    },
    async update({ name, target, labels = {} }) {
      const image = { name, target: descriptorToWire(target), labels };
      await connection.call(method.update, { image });
    },
    async delete(name, { sync = false } = {}) {
      await connection.call(method.delete, { name, sync }, { timeoutMs: DELETE_TIMEOUT_MS });
    },
  };
}

export function leasesApi(connection: Connection): LeasesApi {
  const { method } = leases.Leases;
  return {
    async create(id, { expireMs, labels = {} }) {
      const expires = new Date(connection.clock.now() + expireMs).toISOString();
      await connection.call(method.create, {
        id,
        labels: { ...labels, 'containerd.io/gc.expire': expires },
      });
    },
    async list(filters = []) {
      const response = await connection.call(method.list, { filters });
      return response.leases.map(({ id, labels, createdAt }) => ({
        id,
        labels,
        createdNs: timestampNs(createdAt),
      }));
    },
    async addResource(id, resource) {
      await connection.call(method.addResource, { id, resource });
    },
    async delete(id, { sync = false } = {}) {
      await connection.call(method.delete, { id, sync }, { timeoutMs: DELETE_TIMEOUT_MS });
    },
  };
}

export function diffApi(connection: Connection): DiffApi {
  return {
    async apply(layer, mounts) {
      const request = { diff: descriptorToWire(layer), mounts };
      const options = { timeoutMs: APPLY_TIMEOUT_MS };
      const { applied } = await connection.call(diff.Diff.method.apply, request, options);
      return descriptorFromWire(applied);
    },
  };
}
