import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';

/** Where Debian's busybox-static puts its program. */
const BUSYBOX = '/bin/busybox';

const APPLETS = ['sh', 'ls', 'cat', 'echo', 'sleep', 'httpd', 'wget', 'ps', 'id', 'true', 'false'];

export interface ImageFile {
  content: string | Uint8Array;
  /** POSIX permission bits; 0o644 unless given. */
  mode?: number;
}

export interface ImageSpec {
  /** `name:tag`; without one the image has only its id. */
  name?: string;
  /** Absolute path → file; put on top of busybox and its commands in a layer of their own. */
  files?: Record<string, string | ImageFile>;
  /** Docker's container defaults: Cmd, Env, ExposedPorts, Labels, … */
  config?: Record<string, unknown>;
  /** Leaves out the layer with busybox. */
  scratch?: boolean;
  architecture?: string;
  /** RFC 3339; fixed unless given, so that the same image has the same id. */
  created?: string;
}

export interface BuiltLayer {
  /** Plain tar. */
  tar: Buffer;
  diffId: string;
}

/** An image in memory. */
export interface BuiltImage {
  name: string | undefined;
  /** `sha256:…` of the config. */
  id: string;
  config: Buffer;
  layers: BuiltLayer[];
}

export function sha256(data: Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

type TarEntry = Parameters<ReturnType<typeof pack>['entry']>[0] & { data?: Uint8Array };

/** A tar of entries, whole in memory; the same entries give the same bytes. */
export async function makeTar(entries: TarEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { data, ...header } of entries) {
    tar.entry({ mtime: new Date(0), ...header }, Buffer.from(data ?? ''));
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function layerOf(tar: Buffer): BuiltLayer {
  return { tar, diffId: sha256(tar) };
}

async function busyboxLayer(): Promise<BuiltLayer> {
  const directories = ['bin/', 'etc/', 'tmp/', 'proc/', 'sys/', 'dev/'];
  return layerOf(
    await makeTar([
      ...directories.map((name) => ({ name, type: 'directory' as const, mode: 0o755 })),
      { name: 'bin/busybox', mode: 0o755, data: readFileSync(BUSYBOX) },
      ...APPLETS.map((applet) => ({
        name: `bin/${applet}`,
        type: 'symlink' as const,
        linkname: 'busybox',
      })),
      { name: 'etc/passwd', data: Buffer.from('root:x:0:0:root:/:/bin/sh\n') },
      { name: 'etc/group', data: Buffer.from('root:x:0:\n') },
    ]),
  );
}

async function filesLayer(files: Record<string, string | ImageFile>): Promise<BuiltLayer> {
  const entries = Object.entries(files).map(([path, file]): TarEntry => {
    const { content, mode = 0o644 } = typeof file === 'string' ? { content: file } : file;
    return { name: path.replace(/^\//, ''), mode, data: Buffer.from(content) };
  });
  return layerOf(await makeTar(entries));
}

/** Builds an image from Debian's busybox-static and the given files. */
export async function buildImage(spec: ImageSpec): Promise<BuiltImage> {
  const layers: BuiltLayer[] = [];
  if (!spec.scratch) layers.push(await busyboxLayer());
  if (spec.files) layers.push(await filesLayer(spec.files));
  const created = spec.created ?? '2026-01-01T00:00:00Z';
  const config = Buffer.from(
    JSON.stringify({
      architecture: spec.architecture ?? 'amd64',
      os: 'linux',
      created,
      config: { Env: ['PATH=/bin'], Cmd: ['sh'], ...spec.config },
      rootfs: { type: 'layers', diff_ids: layers.map((layer) => layer.diffId) },
      history: layers.map((_, index) => ({ created, created_by: `layer ${index}` })),
    }),
  );
  return { name: spec.name, id: sha256(config), config, layers };
}

/** The same layers under another name, with other defaults for its containers. */
export function variantOf(
  image: BuiltImage,
  name: string,
  config: Record<string, unknown>,
): BuiltImage {
  const document = JSON.parse(image.config.toString('utf8'));
  Object.assign(document.config, config);
  const bytes = Buffer.from(JSON.stringify(document));
  return { name, id: sha256(bytes), config: bytes, layers: image.layers };
}

/** `docker save`'s classic layout: a directory a layer, a config, manifest.json. */
export async function dockerArchive(images: BuiltImage[]): Promise<Buffer> {
  const entries = new Map<string, TarEntry>();
  for (const image of images) {
    const configName = `${image.id.slice('sha256:'.length)}.json`;
    entries.set(configName, { name: configName, data: image.config });
    for (const layer of image.layers) {
      const name = layerPath(layer);
      entries.set(name, { name, data: layer.tar });
    }
  }
  const manifest = images.map((image) => ({
    Config: `${image.id.slice('sha256:'.length)}.json`,
    RepoTags: image.name === undefined ? null : [image.name],
    Layers: image.layers.map(layerPath),
  }));
  const data = Buffer.from(JSON.stringify(manifest));
  return makeTar([...entries.values(), { name: 'manifest.json', data }]);
}

function layerPath(layer: BuiltLayer): string {
  return `${layer.diffId.slice('sha256:'.length)}/layer.tar`;
}

/** What a registry stores for an image: documents and gzipped layers by digest. */
export interface RegistryImage {
  manifest: { digest: string; mediaType: string; data: Buffer };
  blobs: Map<string, Buffer>;
}

const OCI = 'application/vnd.oci.image';
const DOCKER = 'application/vnd.docker';

/** The image in the form it has in a registry, in Docker's or OCI's media types. */
export function registryImage(image: BuiltImage, format: 'docker' | 'oci'): RegistryImage {
  const types =
    format === 'oci'
      ? {
          manifest: `${OCI}.manifest.v1+json`,
          config: `${OCI}.config.v1+json`,
          layer: `${OCI}.layer.v1.tar+gzip`,
        }
      : {
          manifest: `${DOCKER}.distribution.manifest.v2+json`,
          config: `${DOCKER}.container.image.v1+json`,
          layer: `${DOCKER}.image.rootfs.diff.tar.gzip`,
        };
  const blobs = new Map([[image.id, image.config]]);
  const layers = image.layers.map(({ tar }) => {
    const data = gzipSync(tar);
    blobs.set(sha256(data), data);
    return { mediaType: types.layer, digest: sha256(data), size: data.length };
  });
  const data = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, digest: image.id, size: image.config.length },
      layers,
    }),
  );
  return { manifest: { digest: sha256(data), mediaType: types.manifest, data }, blobs };
}

/** The layout `docker save` writes since Docker 25: OCI's, and a manifest.json beside it. */
export async function ociArchive(
  image: BuiltImage,
  options: { manifestJson: boolean } = { manifestJson: true },
): Promise<Buffer> {
  const { manifest, blobs } = registryImage(image, 'oci');
  const path = (digest: string) => `blobs/${digest.replace(':', '/')}`;
  const layers = JSON.parse(manifest.data.toString('utf8')).layers as { digest: string }[];
  const name = image.name === undefined ? {} : { 'io.containerd.image.name': image.name };
  const descriptor = {
    mediaType: manifest.mediaType,
    digest: manifest.digest,
    size: manifest.data.length,
    annotations: name,
  };
  const saved = {
    Config: path(image.id),
    RepoTags: image.name === undefined ? null : [image.name],
    Layers: layers.map((layer) => path(layer.digest)),
  };
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  return makeTar([
    ...[...blobs].map(([digest, data]) => ({ name: path(digest), data })),
    { name: path(manifest.digest), data: manifest.data },
    { name: 'index.json', data: json({ schemaVersion: 2, manifests: [descriptor] }) },
    { name: 'oci-layout', data: json({ imageLayoutVersion: '1.0.0' }) },
    ...(options.manifestJson ? [{ name: 'manifest.json', data: json([saved]) }] : []),
  ]);
}

/** An image's archive in `docker save`'s layout, as a stream for `load`. */
export async function* makeImage(spec: ImageSpec): AsyncGenerator<Uint8Array> {
  yield await dockerArchive([await buildImage(spec)]);
}
