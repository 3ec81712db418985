import type { ImageContext } from '../context.js';
import type { Image } from '../index-map.js';
import { repoDigests, repoTags } from './list.js';
import type { LayerSizes } from './sizes.js';

const NANOS_PER_S = 1_000_000_000n;
const MS_PER_S = 1_000;

function isoNs(ns: bigint): string {
  const whole = new Date(Number(ns / NANOS_PER_S) * MS_PER_S).toISOString().slice(0, 19);
  return `${whole}.${(ns % NANOS_PER_S).toString().padStart(9, '0')}Z`;
}

/** GET /images/{name}/json. */
export async function inspectImage(
  context: ImageContext,
  sizes: LayerSizes,
  reference: string,
): Promise<Record<string, unknown>> {
  const image = await context.index.find(reference);
  const { config } = image;
  const size = await sizes.imageBytes(image);
  return {
    Id: image.id,
    RepoTags: repoTags(image),
    RepoDigests: repoDigests(image),
    Parent: '',
    Comment: config.comment ?? config.history.at(-1)?.comment ?? '',
    ...(config.created !== undefined && { Created: config.created }),
    DockerVersion: config.dockerVersion ?? '',
    Author: config.author ?? '',
    Config: fullConfig(config.config as Record<string, unknown>),
    Architecture: config.architecture,
    ...(config.variant !== undefined && { Variant: config.variant }),
    Os: config.os,
    ...(config.osVersion !== undefined && { OsVersion: config.osVersion }),
    Size: size,
    VirtualSize: size,
    GraphDriver: { Data: null, Name: context.containerd.snapshots.snapshotter },
    RootFS: {
      Type: 'layers',
      ...(config.diffIds.length > 0 && { Layers: config.diffIds }),
    },
    Metadata: { LastTagTime: lastTagTime(image) },
  };
}

/** The fields clients read without asking whether they are there. */
function fullConfig(config: Record<string, unknown>): Record<string, unknown> {
  return {
    Hostname: '',
    Domainname: '',
    User: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: null,
    Cmd: null,
    Image: '',
    Volumes: null,
    WorkingDir: '',
    Entrypoint: null,
    OnBuild: null,
    Labels: null,
    ...config,
  };
}

function lastTagTime(image: Image): string {
  const tagged = image.names.filter(({ dangling }) => !dangling);
  let last = 0n;
  for (const { updatedNs } of tagged) if (updatedNs > last) last = updatedNs;
  return last === 0n ? '0001-01-01T00:00:00Z' : isoNs(last);
}
