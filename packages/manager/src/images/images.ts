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
import { WrongKeys } from './wrong-keys.js';

type ImagesOptions = Pick<LoopOptions, 'store' | 'random' | 'clock' | 'log'>;

/**
 * Tells nodes where an image may be had from, who may have it, and which images the swarm needs. All
 * of it is read from the store: nothing is kept between calls, but who asked about wrong keys.
 */
export class Images implements ImagesService {
  readonly #options: ImagesOptions;
  readonly #wrongKeys: WrongKeys;

  constructor(options: ImagesOptions) {
    this.#options = options;
    this.#wrongKeys = new WrongKeys(options.clock);
  }

  async locate(nodeId: string, { image }: LocateImageRequest): Promise<LocateImageResponse> {
    const { random, store } = this.#options;
    const [task] = tasksUsing(store.view, nodeId, image);
    if (!task) throw new RpcError(Code.PERMISSION_DENIED, `no task of this node uses ${image}`);
    const holders = holdersOf(store.view, { nodeId, image, serviceId: task.serviceId, random });
    return create(LocateImageResponseSchema, { holders });
  }

  async mayHave(askerId: string, request: MayHaveImageRequest): Promise<MayHaveImageResponse> {
    const tasks = tasksUsing(this.#options.store.view, request.nodeId, request.image);
    const isAnybodys = request.salt.length === 0;
    const allowed = tasks.length > 0 && (isAnybodys || this.#fits(askerId, request, tasks));
    return create(MayHaveImageResponseSchema, { allowed });
  }

  /** Whether one of the tasks has one of the keys. */
  #fits(askerId: string, request: MayHaveImageRequest, tasks: readonly TaskObject[]): boolean {
    const { salt } = request;
    const keys = new Set(request.keys.slice(0, KEYS_MAX).map(hex));
    // The same key under another salt is another guess.
    const guesses = [...keys].map((key) => saltedKey(salt, key));
    if (!this.#wrongKeys.hasTriesFor(askerId, guesses)) {
      const fields = { node: askerId, image: request.image };
      this.#options.log.warn(fields, 'a node asks about too many keys that are wrong');
      throw new RpcError(Code.RESOURCE_EXHAUSTED, 'too many keys that are wrong');
    }
    const fits = tasks.some((task) => keysOf(task).some((key) => keys.has(saltedKey(salt, key))));
    if (!fits) this.#wrongKeys.add(askerId, guesses);
    return fits;
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
