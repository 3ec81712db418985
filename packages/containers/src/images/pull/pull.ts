import type {
  ImageSource,
  ProgressMessage,
  RegistryAuth,
  TaskPull,
} from '../../contract/engine.js';
import type { RegistryClient } from '../../registry/client.js';
import { RegistryError } from '../../registry/errors.js';
import { parseImageConfig } from '../config.js';
import type { ImageContext } from '../context.js';
import { indexLabels } from '../gc-labels.js';
import { ingestBytes } from '../ingest.js';
import { type LeaseScope, withLease } from '../lease.js';
import { CONFIG_BYTES_MAX } from '../limits.js';
import { MANIFEST_ACCEPT } from '../media-types.js';
import { type Platform, platformFit } from '../platform.js';
import { linkParts, type Meaning } from '../record.js';
import { canonicalString, familiarName, familiarString, type Reference } from '../reference.js';
import { hasSnapshot } from '../unpack.js';
import { pullError } from './errors.js';
import { fetchBlob } from './fetch-blob.js';
import { pullLayers } from './layers.js';
import { nameImage } from './naming.js';
import { type RemoteImage, resolveRemote } from './resolve-remote.js';
import type { Semaphore } from './semaphore.js';
import { type PullSession, SourceSession } from './session.js';

export interface PullRequest {
  /** With tag or digest. */
  reference: Reference;
  platform: Platform;
  auth: RegistryAuth | undefined;
  /** To take it from in place of the registry. */
  source?: ImageSource | undefined;
  /** The task that it is for. */
  task?: TaskPull | undefined;
  signal: AbortSignal;
  say(message: ProgressMessage): void;
}

export interface PullDependencies {
  context: ImageContext;
  registry: RegistryClient;
  downloads: Semaphore;
}

/**
 * Pulls an image: asks the registry (or who else has it) what the name means now, and fetches and
 * unpacks what is not here.
 */
export async function pullImage(deps: PullDependencies, request: PullRequest): Promise<void> {
  const { auth, reference, signal, source } = request;
  const { domain, path } = reference;
  const work = async (session: PullSession) => {
    const here = await currentMeaning(deps, session, request);
    if (here) {
      await name(deps, request, here.meaning, here.imageId);
      finish(deps, request, { digest: here.meaning.target.digest, isNew: false });
    } else {
      const fetched = await withLease(deps.context, (scope) =>
        fetchImage(deps, scope, session, request),
      );
      finish(deps, request, fetched);
    }
  };
  try {
    if (source) await work(new SourceSession(source, signal));
    else await deps.registry.withRepository({ domain, path, auth, signal }, work);
  } catch (error) {
    throw pullError(error, reference);
  }
}

/** What the name means at the registry, when exactly that is here, whole; undefined otherwise. */
async function currentMeaning(
  deps: PullDependencies,
  session: PullSession,
  request: PullRequest,
): Promise<{ meaning: Meaning; imageId: string } | undefined> {
  const { reference, platform, say } = request;
  const { index, containerd } = deps.context;
  const image = await index.byName(canonicalString(reference));
  if (!image || platformFit(platform, image.config) === 0) return undefined;
  const target = image.names.find((entry) => entry.name === canonicalString(reference))?.target;
  const wanted = reference.digest ?? reference.tag ?? 'latest';
  const head = await session.headManifest(wanted, MANIFEST_ACCEPT);
  if (target === undefined || head?.digest !== target.digest) return undefined;
  const top = image.chainIds.at(-1);
  if (top !== undefined && !(await hasSnapshot(containerd, top))) return undefined;
  say(beginning(reference));
  const meaning = { target, manifestDigest: image.manifestDescriptor.digest };
  return { meaning, imageId: image.id };
}

function name(
  { context }: PullDependencies,
  { auth, reference, source, task }: PullRequest,
  meaning: Meaning,
  imageId: string,
): Promise<boolean> {
  const restricted = source?.restricted ?? false;
  return nameImage(context, { auth, reference, task, restricted }, meaning, imageId);
}

/** Docker heads a pull with the tag, or with the whole name where that has a digest. */
function beginning(reference: Reference): ProgressMessage {
  const { digest, path, tag = 'latest' } = reference;
  const id = digest === undefined ? tag : canonicalString(reference);
  return { status: `Pulling from ${path}`, id };
}

async function fetchImage(
  deps: PullDependencies,
  scope: LeaseScope,
  session: PullSession,
  request: PullRequest,
): Promise<{ digest: string; isNew: boolean }> {
  const { context, downloads } = deps;
  const { reference, platform, say, signal, task } = request;
  const remote = await resolveRemote(session, reference, platform);
  say(beginning(reference));
  const config = await fetchConfig(context, scope, session, remote, signal);
  const manifest = remote.parsed;
  if (config.diffIds.length !== manifest.layers.length) {
    throw new RegistryError('invalid', 'the manifest and the image config differ in their layers');
  }
  const whole = task !== undefined;
  const layers = { session, manifest, config, downloads, whole, say, signal };
  const fetched = await pullLayers(context, scope, layers);
  await storeDocuments(context, scope, remote);
  await linkParts(scope, remote.manifest.descriptor.digest, manifest, config);
  const meaning = { target: remote.target, manifestDigest: remote.manifest.descriptor.digest };
  const renamed = await name(deps, request, meaning, manifest.config.digest);
  return { digest: remote.target.digest, isNew: fetched || renamed };
}

async function fetchConfig(
  context: ImageContext,
  scope: LeaseScope,
  session: PullSession,
  remote: RemoteImage,
  signal: AbortSignal,
) {
  const blob = remote.parsed.config;
  if (blob.size > CONFIG_BYTES_MAX) {
    throw new RegistryError('invalid', `the image config exceeds ${CONFIG_BYTES_MAX} bytes`);
  }
  await fetchBlob(context, scope, { session, blob, signal });
  const bytes = await scope.containerd.content.readAll(blob.digest, CONFIG_BYTES_MAX);
  return parseImageConfig(bytes);
}

async function storeDocuments(
  context: ImageContext,
  scope: LeaseScope,
  remote: RemoteImage,
): Promise<void> {
  await ingestBytes(scope, context.clock, remote.manifest.data);
  for (const { data, chosen } of remote.indexes) {
    await ingestBytes(scope, context.clock, data, indexLabels(chosen));
  }
}

function finish(
  { context }: PullDependencies,
  { reference, say }: PullRequest,
  { digest, isNew }: { digest: string; isNew: boolean },
): void {
  const shown = familiarString(reference);
  const result = isNew ? 'Downloaded newer image for' : 'Image is up to date for';
  say({ status: `Digest: ${digest}` });
  say({ status: `Status: ${result} ${shown}` });
  context.events.emit('pull', shown, familiarName(reference));
}
