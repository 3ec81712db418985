import { gzipSync } from 'node:zlib';
import { SimRandom } from '@skep/platform';
import { digestOf, type FakeRegistry } from '../../registry/fake-registry.sim.js';
import { DOCKER_CONFIG, DOCKER_LAYER_GZIP, DOCKER_MANIFEST } from '../media-types.js';

/** Layers of random-looking bytes, so that gzip does not make them small. */
export function layerData(seed: number, bytes = 200_000): Buffer {
  return Buffer.from(new SimRandom(seed).bytes(bytes));
}

/**
 * Puts an image of these layers, uncompressed here, into a repository. `level` is gzip's: the same
 * layers have other digests with another one.
 */
export function publishImage(
  registry: FakeRegistry,
  repository: string,
  tag: string,
  plain: Buffer[],
  level = 6,
): { id: string; layers: string[]; digest: string } {
  const config = {
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: plain.map(digestOf) },
  };
  const configBlob = registry.addBlob(Buffer.from(JSON.stringify(config)));
  const layers = plain.map((data) => registry.addBlob(gzipSync(data, { level })));
  const digest = registry.addManifest(repository, tag, DOCKER_MANIFEST, {
    schemaVersion: 2,
    mediaType: DOCKER_MANIFEST,
    config: { mediaType: DOCKER_CONFIG, ...configBlob },
    layers: layers.map((layer) => ({ mediaType: DOCKER_LAYER_GZIP, ...layer })),
  });
  return { id: configBlob.digest, layers: layers.map((layer) => layer.digest), digest };
}
