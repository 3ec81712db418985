import { create } from '@bufbuild/protobuf';
import type { Control } from '@skep/manager';
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
import type { Asker } from './asker.js';
import { findConfig } from './configs.js';
import { drawChange, drawMode, drawService } from './draw.js';
import { worsened } from './fates.js';
import { describeSpec, serviceSpec, wishOf, withForce, withImage, withMode } from './spec.js';

const CONFIG_PROBABILITY = 0.5;

/** Makes, changes or removes the service of this name. Resolves with what was done, in words. */
export async function changeService(
  asker: Asker,
  control: Control,
  name: string,
  configName: string,
): Promise<string> {
  const { draw } = asker;
  const filters = { names: [name] };
  const listed = await control.listServices(create(ListServicesRequestSchema, { filters }));
  const [service] = listed.services;
  if (!service?.spec) return await createService(asker, control, name, configName);
  const { spec } = service;
  const newImage = () => `${name}:${asker.nextNumber()}`;
  switch (drawChange(draw, spec)) {
    case 'remove':
      return await remove(asker, control, service);
    case 'rollback':
      return await rollBack(asker, control, service);
    case 'force':
      return await update(asker, control, service, withForce(spec));
    case 'resize': {
      const mode = drawMode(draw, spec.mode.case ?? 'replicated');
      return await update(asker, control, service, withMode(spec, mode));
    }
    case 'update':
      return await update(asker, control, service, withImage(spec, newImage()));
    case 'worsen':
      return await update(asker, control, service, withImage(spec, worsened(newImage())));
  }
}

async function createService(
  { draw, nextNumber, wishes }: Asker,
  control: Control,
  name: string,
  configName: string,
): Promise<string> {
  const wish = drawService(draw, name, `${name}:${nextNumber()}`);
  const reads = draw.chance(CONFIG_PROBABILITY);
  const config = reads ? await findConfig(control, configName) : undefined;
  const spec = serviceSpec({
    ...wish,
    ...(config && { config: { id: config.id, name: configName } }),
  });
  const acknowledge = wishes.create(wishOf(spec));
  await control.createService(create(CreateServiceRequestSchema, { spec }));
  acknowledge();
  return `created, ${describeSpec(spec)}`;
}

async function update(
  { wishes }: Asker,
  control: Control,
  service: Service,
  spec: ServiceSpec,
): Promise<string> {
  const acknowledge = wishes.update(wishOf(spec));
  await control.updateService(updateOf(service, { spec }));
  acknowledge();
  return `updated, ${describeSpec(spec)}`;
}

async function rollBack({ wishes }: Asker, control: Control, service: Service): Promise<string> {
  const { previousSpec, spec } = service;
  if (!previousSpec || !spec) return 'has nothing to go back to';
  const acknowledge = wishes.update(wishOf(previousSpec));
  const rollback = UpdateServiceRequest_Rollback.PREVIOUS;
  await control.updateService(updateOf(service, { rollback, spec }));
  acknowledge();
  return `rolled back, ${describeSpec(previousSpec)}`;
}

async function remove({ wishes }: Asker, control: Control, { id, spec }: Service): Promise<string> {
  const acknowledge = wishes.remove(spec?.annotations?.name ?? '');
  await control.removeService(create(RemoveServiceRequestSchema, { serviceId: id }));
  acknowledge();
  return 'removed';
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
