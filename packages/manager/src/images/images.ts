import { createHash } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { Code, RpcError } from '@skep/platform';
import type { ReadView } from '@skep/store';
import type { TaskObject } from '@skep/wire';
import {
  type LocateImageRequest,
  type LocateImageResponse,
  LocateImageResponseSchema,
  type MayHaveImageRequest,
  type MayHaveImageResponse,
  MayHaveImageResponseSchema,
  type NeededImagesResponse,
  NeededImagesResponseSchema,
} from '@skep/wire/skep';
import { TaskState } from '@skep/wire/swarmkit';
import type { ImagesService } from '../contract.js';
import type { LoopOptions } from '../loop/planner.js';
import { isLive } from '../orchestrator/slot.js';
import { holdersOf } from './holders.js';
import { imageOf } from './image-of.js';
import { KEYS_MAX } from './limits.js';

/**
 * Tells nodes where an image may be had from, who may have it, and which images the swarm needs. All
 * of it is read from the store: nothing is kept between calls.
 */
export class Images implements ImagesService {
  readonly #options: Pick<LoopOptions, 'store' | 'random'>;

  constructor(options: Pick<LoopOptions, 'store' | 'random'>) {
    this.#options = options;
  }

  async locate(nodeId: string, { image }: LocateImageRequest): Promise<LocateImageResponse> {
    const { random, store } = this.#options;
    const [task] = tasksUsing(store.view, nodeId, image);
    if (!task) throw new RpcError(Code.PERMISSION_DENIED, `no task of this node uses ${image}`);
    const holders = holdersOf(store.view, { nodeId, image, serviceId: task.serviceId, random });
    return create(LocateImageResponseSchema, { holders });
  }

  async mayHave(request: MayHaveImageRequest): Promise<MayHaveImageResponse> {
    const { image, nodeId, salt } = request;
    const tasks = tasksUsing(this.#options.store.view, nodeId, image);
    const keys = new Set(request.keys.slice(0, KEYS_MAX).map(hex));
    const holdsKey = (task: TaskObject) =>
      keysOf(task).some((key) => keys.has(saltedKey(salt, key)));
    const allowed = salt.length === 0 ? tasks.length > 0 : tasks.some(holdsKey);
    return create(MayHaveImageResponseSchema, { allowed });
  }

  async needed(): Promise<NeededImagesResponse> {
    const { view } = this.#options.store;
    const images = new Set<string>();
    for (const { spec, previousSpec } of view.all('service')) {
      for (const image of [imageOf(spec.task), imageOf(previousSpec?.task)]) images.add(image);
    }
    for (const task of view.all('task')) if (isLive(task)) images.add(imageOf(task.spec));
    images.delete('');
    return create(NeededImagesResponseSchema, { images: [...images] });
  }
}

/** Tasks of a node that are about to run, or run, from an image. */
function tasksUsing(view: ReadView, nodeId: string, image: string): TaskObject[] {
  const uses = (task: TaskObject) =>
    imageOf(task.spec) === image && isLive(task) && task.status.state <= TaskState.RUNNING;
  return [...view.tasksOfNode(nodeId)].filter(uses);
}

/** By what a task has a right to an image: its service, and the credentials it came with. */
function keysOf({ serviceId, spec }: TaskObject): string[] {
  const { runtime } = spec;
  const auth = runtime.case === 'container' ? runtime.value.pullOptions?.registryAuth : undefined;
  return auth ? [serviceId, auth] : [serviceId];
}

function saltedKey(salt: Uint8Array, key: string): string {
  return createHash('sha256').update(salt).update(key).digest('hex');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
