import type { Labels } from '../containerd/types.js';
import { shortId } from './digest.js';
import type { Manifest } from './manifest.js';

/**
 * What keeps the parts of an image alive once its name stands: references from each document to the
 * next (wire.md 6.6, 6.9).
 */

export function indexLabels(manifestDigest: string): Labels {
  // Keyed by digest: an index may have several of its manifests here.
  return { [`containerd.io/gc.ref.content.m.${shortId(manifestDigest)}`]: manifestDigest };
}

export function manifestLabels(manifest: Manifest): Labels {
  const layers = manifest.layers.map((layer, index): [string, string] => [
    `containerd.io/gc.ref.content.l.${index}`,
    layer.digest,
  ]);
  return {
    'containerd.io/gc.ref.content.config': manifest.config.digest,
    ...Object.fromEntries(layers),
  };
}

export function configLabels(snapshotter: string, topChainId: string | undefined): Labels {
  if (topChainId === undefined) return {};
  return { [`containerd.io/gc.ref.snapshot.${snapshotter}`]: topChainId };
}

export function layerLabels(diffId: string): Labels {
  return { 'containerd.io/uncompressed': diffId };
}
