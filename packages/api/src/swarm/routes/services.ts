import { create } from '@bufbuild/protobuf';
import { madeUpName } from '@skep/containers';
import type { Control } from '@skep/manager';
import type { CompleteServiceSpec } from '@skep/wire';
import {
  ContainerSpec_PullOptionsSchema,
  CreateServiceRequestSchema,
  ListServiceStatusesRequestSchema,
  ListServicesRequestSchema,
  RemoveServiceRequestSchema,
  type Service,
  UpdateServiceRequest_Rollback,
  UpdateServiceRequestSchema,
} from '@skep/wire/swarmkit';
import type { FastifyRequest } from 'fastify';
import { HttpError } from '../../server/errors.js';
import { filters, flag, type Query, text } from '../../server/query.js';
import { type Routes, speaks } from '../../server/server.js';
import type { Json } from '../convert/json.js';
import { dropUnknownServiceFields } from '../convert/old-versions.js';
import { JsonReader } from '../convert/reader.js';
import { serviceSpecFromJson, serviceStatusToJson, serviceToJson } from '../convert/service.js';
import { modeText } from '../convert/service-mode.js';
import { findService } from '../lookup.js';
import { resolveNetworks } from '../service-networks.js';
import { type ById, manager, type SwarmDependencies } from './dependencies.js';
import { pinImage } from './pin-image.js';
import { placementWarnings } from './placement-warnings.js';
import { labelsOf, strictFlag, versionOf } from './query.js';

const FILTERS = ['name', 'id', 'label', 'mode', 'runtime'];

/** /services, logs aside. */
export function serviceRoutes(deps: SwarmDependencies): Routes {
  return (app) => {
    app.get('/services', (request) => list(deps, request));
    app.post('/services/create', async (request, reply) =>
      reply.code(201).send(await createService(deps, request)),
    );
    app.get('/services/:id', async (request: ById) => {
      const insertDefaults = strictFlag(request.query as Query, 'insertDefaults');
      return serviceToJson(await findService(manager(deps), request.params.id, insertDefaults));
    });
    app.delete('/services/:id', async (request: ById, reply) => {
      const control = manager(deps);
      const { id: serviceId } = await findService(control, request.params.id);
      await control.removeService(create(RemoveServiceRequestSchema, { serviceId }));
      return reply.code(200).send();
    });
    app.post('/services/:id/update', (request: ById) => updateService(deps, request));
  };
}

async function list(deps: SwarmDependencies, request: FastifyRequest): Promise<Json[]> {
  const control = manager(deps);
  const query = request.query as Query;
  const wanted = filters(query, FILTERS);
  const { services } = await control.listServices(
    create(ListServicesRequestSchema, {
      filters: {
        namePrefixes: wanted.name ?? [],
        idPrefixes: wanted.id ?? [],
        labels: labelsOf(wanted.label),
        runtimes: wanted.runtime ?? ['container'],
      },
    }),
  );
  const shown = services.filter(
    ({ spec }) => !wanted.mode?.length || (spec && wanted.mode.includes(modeText(spec.mode))),
  );
  if (!speaks(request, '1.41') || !flag(query, 'status')) return shown.map(serviceToJson);
  return withStatuses(control, shown);
}

async function withStatuses(control: Control, services: readonly Service[]): Promise<Json[]> {
  const request = create(ListServiceStatusesRequestSchema, {
    services: services.map(({ id }) => id),
  });
  const { statuses } = await control.listServiceStatuses(request);
  const byId = new Map(statuses.map((status) => [status.serviceId, serviceStatusToJson(status)]));
  return services.map((service) => ({
    ...serviceToJson(service),
    ServiceStatus: byId.get(service.id),
  }));
}

async function createService(deps: SwarmDependencies, request: FastifyRequest): Promise<Json> {
  const control = manager(deps);
  const spec = await readSpec(deps, control, request);
  if (spec.annotations.name === '') spec.annotations.name = madeUpName(deps.random, 0);
  setRegistryAuth(spec, registryAuth(request));
  const Warnings = await warningsOf(deps, spec, request);
  const { service } = await control.createService(create(CreateServiceRequestSchema, { spec }));
  return { ID: service?.id ?? '', Warnings };
}

async function updateService(deps: SwarmDependencies, request: ById): Promise<Json> {
  const query = request.query as Query;
  const serviceVersion = versionOf(
    query,
    (value, reason) => `invalid service version '${value}': ${reason}`,
  );
  const control = manager(deps);
  const spec = await readSpec(deps, control, request);
  const current = await findService(control, request.params.id);
  setRegistryAuth(
    spec,
    registryAuth(request) || keptAuth(current, text(query, 'registryAuthFrom')),
  );
  if (spec.annotations.name === '') spec.annotations.name = madeUpName(deps.random, 0);
  const Warnings = await warningsOf(deps, spec, request);
  await control.updateService(
    create(UpdateServiceRequestSchema, {
      serviceId: current.id,
      serviceVersion,
      spec,
      rollback: rollbackOf(text(query, 'rollback') ?? ''),
    }),
  );
  return { Warnings };
}

/** Null where there are none, as in Docker. Names the image by its digest first, for old clients. */
async function warningsOf(
  deps: SwarmDependencies,
  spec: CompleteServiceSpec,
  request: FastifyRequest,
): Promise<string[] | null> {
  const ofImage = await pinImage(deps, spec, request);
  const warnings = [...(ofImage ?? []), ...placementWarnings(spec)];
  return warnings.length > 0 ? warnings : null;
}

async function readSpec(
  deps: SwarmDependencies,
  control: Control,
  request: FastifyRequest,
): Promise<CompleteServiceSpec> {
  dropUnknownServiceFields(request.body, request.apiVersion);
  const spec = serviceSpecFromJson(JsonReader.of(request.body, 'ServiceSpec'));
  await resolveNetworks(control, spec, deps.localNetwork);
  return spec;
}

/** The registry credentials of this request, as they travel to the nodes: base64 of JSON. */
function registryAuth(request: FastifyRequest): string {
  const header = request.headers['x-registry-auth'];
  return (Array.isArray(header) ? header[0] : header) ?? '';
}

function setRegistryAuth(spec: CompleteServiceSpec, auth: string): void {
  const { runtime } = spec.task;
  if (runtime.case !== 'container' || auth === '') return;
  runtime.value.pullOptions = create(ContainerSpec_PullOptionsSchema, { registryAuth: auth });
}

/** Credentials given once stay, unless new ones come: those of the spec in force, or of the one before. */
function keptAuth(service: Service, from = ''): string {
  if (from !== '' && from !== 'spec' && from !== 'previous-spec') {
    throw new HttpError(500, 'unsupported registryAuthFrom value');
  }
  const spec = from === 'previous-spec' ? service.previousSpec : service.spec;
  if (!spec) throw new HttpError(500, 'service does not have a previous spec');
  const runtime = spec.task?.runtime;
  if (runtime?.case !== 'container') {
    throw new HttpError(500, 'service does not use container tasks');
  }
  return runtime.value.pullOptions?.registryAuth ?? '';
}

function rollbackOf(option: string): UpdateServiceRequest_Rollback {
  if (option === '' || option === 'none') return UpdateServiceRequest_Rollback.NONE;
  if (option === 'previous') return UpdateServiceRequest_Rollback.PREVIOUS;
  throw new HttpError(500, `unrecognized rollback option ${option}`);
}
