import { create } from '@bufbuild/protobuf';
import type { Random } from '@skep/platform';
import type { ReadView } from '@skep/store';
import { dataPathOf, hasOwnAgent, type NodeObject } from '@skep/wire';
import { type ImageHolder, ImageHolderSchema } from '@skep/wire/skep';
import { NodeStatus_State, TaskState } from '@skep/wire/swarmkit';
import { imageOf } from './image-of.js';
import { HOLDERS_MAX } from './limits.js';

export interface HoldersQuery {
  /** Who asks. */
  nodeId: string;
  image: string;
  /** Whose task needs it. */
  serviceId: string;
  random: Random;
}

/**
 * Nodes of our own kind that may have an image: those where a task got past fetching it, then any
 * others, which may have it from earlier or by hand. In random order, so that no node serves all.
 */
export function holdersOf(view: ReadView, query: HoldersQuery): ImageHolder[] {
  const likely = nodesThatFetched(view, query);
  const holders: ImageHolder[] = [];
  const others: ImageHolder[] = [];
  for (const node of shuffled([...view.all('node')], query.random)) {
    if (node.id === query.nodeId || !canServe(node)) continue;
    const address = dataPathOf(node.description)?.address || node.status.addr;
    const isLikely = likely.has(node.id);
    const holder = create(ImageHolderSchema, { nodeId: node.id, address, likely: isLikely });
    (isLikely ? holders : others).push(holder);
  }
  return [...holders, ...others].slice(0, HOLDERS_MAX);
}

/** The service's own tasks, and those of other services of the same image. */
function nodesThatFetched(view: ReadView, { image, serviceId }: HoldersQuery): Set<string> {
  const serviceIds = new Set([serviceId]);
  for (const { id, spec } of view.all('service')) {
    if (imageOf(spec.task) === image) serviceIds.add(id);
  }
  const nodes = new Set<string>();
  for (const id of serviceIds) {
    for (const { nodeId, spec, status } of view.tasksOfService(id)) {
      const { state } = status;
      const hasFetched = state >= TaskState.READY && state !== TaskState.REJECTED;
      if (hasFetched && imageOf(spec) === image) nodes.add(nodeId);
    }
  }
  return nodes;
}

function canServe({ description, status }: NodeObject): boolean {
  return status.state === NodeStatus_State.READY && hasOwnAgent(description);
}

function shuffled<T>(items: T[], random: Random): T[] {
  const keyed = items.map((item) => ({ item, at: random.float() }));
  return keyed.sort((a, b) => a.at - b.at).map(({ item }) => item);
}
