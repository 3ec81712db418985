import type { Labels } from '../types.js';
import type { SimWorld } from './world.js';

const CONTENT_REFERENCE = 'containerd.io/gc.ref.content';
const SNAPSHOT_REFERENCE = 'containerd.io/gc.ref.snapshot.';

interface Kept {
  content: Set<string>;
  snapshots: Set<string>;
}

function keepSnapshot(world: SimWorld, kept: Kept, name: string): void {
  const snapshot = world.snapshots.get(name);
  if (!snapshot || kept.snapshots.has(name)) return;
  kept.snapshots.add(name);
  keepSnapshot(world, kept, snapshot.parent);
}

function keepContent(world: SimWorld, kept: Kept, digest: string): void {
  const content = world.content.get(digest);
  if (!content || kept.content.has(digest)) return;
  kept.content.add(digest);
  keepReferences(world, kept, content.labels);
}

function keepReferences(world: SimWorld, kept: Kept, labels: Labels): void {
  for (const [label, target] of Object.entries(labels)) {
    if (label.startsWith(CONTENT_REFERENCE)) keepContent(world, kept, target);
    if (label.startsWith(SNAPSHOT_REFERENCE)) keepSnapshot(world, kept, target);
  }
}

/**
 * containerd's collection of garbage: all goes that cannot be reached from a lease, an image's name
 * or a container. A lease may name what is not there; that keeps nothing, and is no error.
 */
export function collectGarbage(world: SimWorld): void {
  const kept: Kept = { content: new Set(), snapshots: new Set() };
  for (const { resources } of world.leases.values()) {
    for (const { id, type } of resources) {
      if (type === 'content') keepContent(world, kept, id);
      else keepSnapshot(world, kept, id);
    }
  }
  for (const { target } of world.images.values()) keepContent(world, kept, target.digest);
  for (const { snapshotKey } of world.containers.values()) keepSnapshot(world, kept, snapshotKey);
  for (const digest of world.content.keys()) {
    if (!kept.content.has(digest)) world.content.delete(digest);
  }
  for (const name of world.snapshots.keys()) {
    if (!kept.snapshots.has(name)) world.snapshots.delete(name);
  }
}
