import { create } from '@bufbuild/protobuf';
import type { Control } from '@skep/manager';
import { errorMessage } from '@skep/platform';
import {
  CreateServiceRequestSchema,
  ListServicesRequestSchema,
  RemoveServiceRequestSchema,
  type Service,
  type ServiceSpec,
  type UpdateServiceRequest,
  UpdateServiceRequest_Rollback,
  UpdateServiceRequestSchema,
} from '@skep/wire/swarmkit';
import type { Draw } from '../engine/index.js';
import {
  describeSpec,
  drawChange,
  drawMode,
  drawService,
  serviceSpec,
  withForce,
  withImage,
  withMode,
  worsened,
} from './services/index.js';
import { Wishes } from './wishes.js';
import type { ClusterWorld } from './world.js';

/** Time after which a user gives a request up, ms; its outcome is then not known. */
const ANSWER_WITHIN_MS = 20_000;
const SERVICES_MAX = 2;

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
    if (!service?.spec) return await this.#create(control, name);
    const { spec } = service;
    const change = drawChange(draw, spec);
    switch (change) {
      case 'remove':
        return await this.#remove(control, service);
      case 'rollback':
        return await this.#rollBack(control, service);
      case 'force':
        return await this.#update(control, service, withForce(spec));
      case 'resize': {
        const mode = drawMode(draw, spec.mode.case ?? 'replicated');
        return await this.#update(control, service, withMode(spec, mode));
      }
      case 'update':
        return await this.#update(control, service, withImage(spec, this.#newImage(name)));
      case 'worsen': {
        const image = worsened(this.#newImage(name));
        return await this.#update(control, service, withImage(spec, image));
      }
    }
  }

  async #create(control: Control, name: string): Promise<string> {
    const spec = serviceSpec(drawService(this.#options.draw, name, this.#newImage(name)));
    const acknowledge = this.wishes.create(spec);
    await control.createService(create(CreateServiceRequestSchema, { spec }));
    acknowledge();
    return `created, ${describeSpec(spec)}`;
  }

  async #update(control: Control, service: Service, spec: ServiceSpec): Promise<string> {
    const acknowledge = this.wishes.update(spec);
    await control.updateService(updateOf(service, { spec }));
    acknowledge();
    return `updated, ${describeSpec(spec)}`;
  }

  async #rollBack(control: Control, service: Service): Promise<string> {
    const { previousSpec, spec } = service;
    if (!previousSpec || !spec) return 'has nothing to go back to';
    const acknowledge = this.wishes.update(previousSpec);
    const rollback = UpdateServiceRequest_Rollback.PREVIOUS;
    await control.updateService(updateOf(service, { rollback, spec }));
    acknowledge();
    return `rolled back, ${describeSpec(previousSpec)}`;
  }

  async #remove(control: Control, { id, spec }: Service): Promise<string> {
    const acknowledge = this.wishes.remove(spec?.annotations?.name ?? '');
    await control.removeService(create(RemoveServiceRequestSchema, { serviceId: id }));
    acknowledge();
    return 'removed';
  }

  #newImage(name: string): string {
    return `${name}:${++this.#images}`;
  }
}

/** Asks for a change of the service as it was read. */
function updateOf(
  { id: serviceId, meta }: Service,
  change: { spec: ServiceSpec; rollback?: UpdateServiceRequest_Rollback },
): UpdateServiceRequest {
  const serviceVersion = meta?.version;
  return create(UpdateServiceRequestSchema, {
    serviceId,
    ...change,
    ...(serviceVersion && { serviceVersion }),
  });
}
