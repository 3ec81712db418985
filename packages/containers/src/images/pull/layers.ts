import { errorMessage } from '@skep/platform';
import type { ProgressMessage } from '../../contract/engine.js';
import type { ImageConfig } from '../config.js';
import type { ImageContext } from '../context.js';
import { shortId } from '../digest.js';
import type { LeaseScope } from '../lease.js';
import type { Manifest } from '../manifest.js';
import { unpackAndLabel, unpackPlan } from '../record.js';
import { hasSnapshot, type UnpackLayer } from '../unpack.js';
import { fetchBlob } from './fetch-blob.js';
import { state, Throttle, tick } from './progress.js';
import type { Semaphore } from './semaphore.js';
import type { PullSession } from './session.js';

export interface LayersRequest {
  session: PullSession;
  manifest: Manifest;
  config: ImageConfig;
  downloads: Semaphore;
  /** Whether to have also the layers as they are sent that are here unpacked: other nodes get those. */
  whole: boolean;
  say(message: ProgressMessage): void;
  signal: AbortSignal;
}

/**
 * Downloads the missing layers, several at a time, and unpacks each as soon as it and all below are
 * there. Resolves with whether anything was missing.
 */
export async function pullLayers(
  context: ImageContext,
  scope: LeaseScope,
  request: LayersRequest,
): Promise<boolean> {
  const { manifest, config, say } = request;
  const plan = unpackPlan(manifest, config);
  const present = await countPresent(scope, plan);
  for (const [index, { layer }] of plan.entries()) {
    const status = index < present ? 'Already exists' : 'Pulling fs layer';
    say(state(status, shortId(layer.digest)));
  }
  const missing = plan.slice(present);

  // The first failure stops the other downloads, and is the one that is told.
  const stop = new AbortController();
  const signal = AbortSignal.any([request.signal, stop.signal]);
  const downloads = missing.map((step) => download(context, scope, { ...request, signal }, step));
  for (const promise of downloads) promise.catch((error: unknown) => stop.abort(error));
  const spare = request.whole ? plan.slice(0, present) : [];
  const spares = fetchSpares(context, scope, { ...request, signal }, spare);
  try {
    for (const [index, step] of missing.entries()) {
      await downloads[index];
      signal.throwIfAborted();
      await extract(context, scope, step, say);
    }
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled([...downloads, spares]);
    throw error;
  }
  await spares;
  return missing.length > 0;
}

/** Layers that are of use to other nodes alone: without them the image runs all the same. */
async function fetchSpares(
  context: ImageContext,
  scope: LeaseScope,
  request: LayersRequest,
  spare: readonly UnpackLayer[],
): Promise<void> {
  const silent = { ...request, say: () => {} };
  const results = await Promise.allSettled(
    spare.map((step) => download(context, scope, silent, step)),
  );
  for (const result of results) {
    if (result.status === 'fulfilled' || request.signal.aborted) continue;
    const error = errorMessage(result.reason);
    context.logger.info({ error }, 'a layer that is here unpacked cannot be given to other nodes');
  }
}

/** How many layers from the bottom have their snapshot already, now held by the lease. */
async function countPresent(scope: LeaseScope, plan: UnpackLayer[]): Promise<number> {
  for (let count = plan.length; count > 0; count--) {
    const name = plan[count - 1]?.chainId as string;
    await scope.keepSnapshot(name);
    if (await hasSnapshot(scope.containerd, name)) return count;
  }
  return 0;
}

async function download(
  context: ImageContext,
  scope: LeaseScope,
  request: LayersRequest,
  { layer }: UnpackLayer,
): Promise<void> {
  const { session, downloads, say, signal } = request;
  const id = shortId(layer.digest);
  if (downloads.exhausted) say(state('Waiting', id));
  await downloads.run(async () => {
    signal.throwIfAborted();
    const throttle = new Throttle(context.clock);
    const onBytes = (current: number) => {
      const isLast = current >= layer.size;
      if (throttle.due() || isLast) say(tick('Downloading', id, current, layer.size));
    };
    await fetchBlob(context, scope, { session, blob: layer, onBytes, signal });
    say(state('Verifying Checksum', id));
    say(state('Download complete', id));
  });
}

async function extract(
  context: ImageContext,
  scope: LeaseScope,
  step: UnpackLayer,
  say: (message: ProgressMessage) => void,
): Promise<void> {
  const { layer } = step;
  const id = shortId(layer.digest);
  // containerd does not tell how far it is: the bar jumps from nothing to all.
  say(tick('Extracting', id, 0, layer.size));
  await unpackAndLabel(context, scope, step);
  say(tick('Extracting', id, layer.size, layer.size));
  say(state('Pull complete', id));
}
