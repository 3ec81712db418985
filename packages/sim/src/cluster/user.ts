import { create } from '@bufbuild/protobuf';
import type { Control } from '@skep/manager';
import { errorMessage } from '@skep/platform';
import {
  CreateServiceRequestSchema,
  ListServicesRequestSchema,
  RemoveServiceRequestSchema,
  type Service,
  UpdateServiceRequestSchema,
} from '@skep/wire/swarmkit';
import type { Draw } from '../engine/index.js';
import { serviceSpec, type Wish } from './specs.js';
import { Wishes } from './wishes.js';
import type { ClusterWorld } from './world.js';

/** Time after which a user gives a request up, ms; its outcome is then not known. */
const ANSWER_WITHIN_MS = 20_000;
const REPLICAS_MAX = 6;
const SERVICES_MAX = 2;
const GLOBAL_PROBABILITY = 0.2;

export interface UserOptions {
  name: string;
  world: ClusterWorld;
  draw: Draw;
  /** Longest pause between two requests, ms. */
  pauseMsMax: number;
}

/** Somebody who makes, changes and removes services of their own, through any manager. */
export class User {
  readonly wishes: Wishes;
  readonly #options: UserOptions;
  #isStopped = false;
  #images = 0;

  constructor(options: UserOptions) {
    this.#options = options;
    this.wishes = new Wishes();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async run(): Promise<void> {
    const { draw, pauseMsMax, world } = this.#options;
    while (!this.#isStopped) {
      const name = `${this.#options.name}-${draw.between(1, SERVICES_MAX)}`;
      await this.#request(name);
      await world.timeline.sleep(draw.between(1, pauseMsMax));
    }
  }

  /** One request, at a manager that is at work; nothing where there is none. */
  async #request(name: string): Promise<void> {
    const { draw, world } = this.#options;
    const working = world.wanted.filter(({ member }) => member?.manager);
    if (working.length === 0) return;
    const { life, member } = draw.pick(working);
    const control = member?.manager?.control;
    if (!life || !control) return;
    const late = world.timeline.sleep(ANSWER_WITHIN_MS);
    const unknown = Promise.race([late, life.ended]).then(() => 'no answer');
    world.changesUnderWay++;
    const outcome = this.#change(control, name).catch(
      (error: unknown) => `is refused: ${errorMessage(error)}`,
    );
    world.note(this.#options.name, `${name}: ${await Promise.race([outcome, unknown])}`);
    world.changesUnderWay--;
  }

  /** Resolves with what was done, in words. */
  async #change(control: Control, name: string): Promise<string> {
    const { draw } = this.#options;
    const filters = { names: [name] };
    const listed = await control.listServices(create(ListServicesRequestSchema, { filters }));
    const [service] = listed.services;
    if (!service) return await this.#create(control, name);
    const wish = wishOf(service);
    const kind = draw.weighted({ scale: 4, update: 3, remove: 1 });
    if (kind === 'remove') return await this.#remove(control, service);
    if (kind === 'update' || wish.replicas === undefined) {
      return await this.#update(control, service, { ...wish, image: this.#newImage(name) });
    }
    return await this.#update(control, service, { ...wish, replicas: this.#someReplicas() });
  }

  async #create(control: Control, name: string): Promise<string> {
    const { draw } = this.#options;
    const isGlobal = draw.chance(GLOBAL_PROBABILITY);
    const replicas = isGlobal ? undefined : this.#someReplicas();
    const wish = { name, replicas, image: this.#newImage(name) };
    const acknowledge = this.wishes.create(wish);
    const spec = serviceSpec(wish);
    await control.createService(create(CreateServiceRequestSchema, { spec }));
    acknowledge();
    return `created, ${replicas ?? 'global'}`;
  }

  async #update(control: Control, service: Service, wish: Wish): Promise<string> {
    const acknowledge = this.wishes.update(wish);
    const serviceVersion = service.meta?.version;
    await control.updateService(
      create(UpdateServiceRequestSchema, {
        serviceId: service.id,
        spec: serviceSpec(wish),
        ...(serviceVersion && { serviceVersion }),
      }),
    );
    acknowledge();
    return `updated, ${wish.replicas ?? 'global'} of ${wish.image}`;
  }

  async #remove(control: Control, { id, spec }: Service): Promise<string> {
    const acknowledge = this.wishes.remove(spec?.annotations?.name ?? '');
    await control.removeService(create(RemoveServiceRequestSchema, { serviceId: id }));
    acknowledge();
    return 'removed';
  }

  #someReplicas(): number {
    return this.#options.draw.between(0, REPLICAS_MAX);
  }

  #newImage(name: string): string {
    return `${name}:${++this.#images}`;
  }
}

function wishOf({ spec }: Service): Wish {
  const name = spec?.annotations?.name ?? '';
  const { mode } = spec ?? {};
  const replicas = mode?.case === 'replicated' ? Number(mode.value.replicas) : undefined;
  const runtime = spec?.task?.runtime;
  const image = runtime?.case === 'container' ? runtime.value.image : '';
  return { name, replicas, image };
}
