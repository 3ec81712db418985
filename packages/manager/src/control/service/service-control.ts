import { create, equals } from '@bufbuild/protobuf';
import { newId } from '@skep/platform';
import { MissingError, NameConflictError, type ReadView } from '@skep/store';
import { type CompleteServiceSpec, completeObject, type ServiceObject } from '@skep/wire';
import {
  CreateServiceResponseSchema,
  GetServiceResponseSchema,
  ListServiceStatusesResponseSchema,
  ListServicesResponseSchema,
  type NetworkAttachmentConfig,
  NetworkAttachmentConfigSchema,
  RemoveServiceResponseSchema,
  ServiceSchema,
  UpdateServiceRequest_Rollback,
  UpdateServiceResponseSchema,
  VersionSchema,
} from '@skep/wire/swarmkit';
import { isIngress } from '../../allocator/network-plan.js';
import { ingressNetwork, publishesIngress } from '../../allocator/networks.js';
import type { Control } from '../../contract.js';
import { withNewest } from '../../versions/references.js';
import type { ControlContext } from '../context.js';
import {
  alreadyExists,
  failedPrecondition,
  invalidArgument,
  notFound,
  unimplemented,
} from '../errors.js';
import { isOneOf, matchesCommon } from '../filter.js';
import { runtimeName } from '../task/naming.js';
import { withServiceDefaults } from './defaults.js';
import { checkOwnPorts } from './own-ports.js';
import { checkPortConflicts } from './ports.js';
import { checkReferencesExist } from './references.js';
import { firstRun, rolledBack, sequenceFor, updated } from './revisions.js';
import { serviceStatus } from './statuses.js';
import { checkServiceSpec } from './validate-service.js';

type ServiceControl = Pick<
  Control,
  | 'getService'
  | 'listServices'
  | 'createService'
  | 'updateService'
  | 'removeService'
  | 'listServiceStatuses'
>;

/** Services. */
export function serviceControl(context: ControlContext): ServiceControl {
  const { store } = context;
  return {
    async getService({ serviceId, insertDefaults }) {
      if (!serviceId) throw invalidArgument();
      const service = store.view.get('service', serviceId);
      if (!service) throw notFound('service', serviceId);
      const shown = insertDefaults
        ? { ...service, spec: withServiceDefaults(service.spec) }
        : service;
      return create(GetServiceResponseSchema, { service: shown });
    },

    async listServices({ filters }) {
      const services = [...store.view.all('service')].filter(
        (service) =>
          matchesCommon(service, service.spec.annotations, filters) &&
          isOneOf(runtimeName(service.spec.task), filters?.runtimes ?? []),
      );
      return create(ListServicesResponseSchema, { services });
    },

    async listServiceStatuses({ services }) {
      const statuses = services.map((id) => serviceStatus(store.view, id));
      return create(ListServiceStatusesResponseSchema, { statuses });
    },

    createService: async (request) => {
      const service = await createService(context, checkServiceSpec(request.spec));
      return create(CreateServiceResponseSchema, { service });
    },

    async updateService(request) {
      const { serviceId, serviceVersion: version, rollback } = request;
      if (!serviceId || !version) throw invalidArgument();
      const given = checkServiceSpec(request.spec);
      const nowMs = context.clock.now();
      const service = await store.update((tx) => {
        const stored = tx.get('service', serviceId);
        if (!stored) throw notFound('service', serviceId);
        checkUnchangeable(stored, given);
        const sequence = sequenceFor(stored, version);
        const next =
          rollback === UpdateServiceRequest_Rollback.PREVIOUS
            ? rolledBack(stored, sequence, nowMs)
            : updated(stored, withNewest(tx, given, stored), sequence, nowMs);
        checkAgainstSwarm(tx, next.spec, stored);
        checkOwnPorts(tx, next.spec.endpoint, context.members.list());
        return tx.update('service', next);
      });
      return create(UpdateServiceResponseSchema, { service });
    },

    async removeService({ serviceId }) {
      if (!serviceId) throw invalidArgument();
      await store.update((tx) => {
        try {
          tx.remove('service', serviceId);
        } catch (error) {
          throw error instanceof MissingError ? notFound('service', serviceId) : error;
        }
      });
      return create(RemoveServiceResponseSchema);
    },
  };
}

async function createService(
  { store, random, clock, members }: ControlContext,
  given: CompleteServiceSpec,
): Promise<ServiceObject> {
  const { name } = given.annotations;
  const service = completeObject(
    'service',
    create(ServiceSchema, {
      id: newId(random),
      spec: given,
      specVersion: create(VersionSchema),
      jobStatus: firstRun(given, clock.now()),
    }),
  );
  try {
    return await store.update((tx) => {
      const spec = withNewest(tx, service.spec);
      checkAgainstSwarm(tx, spec);
      checkOwnPorts(tx, spec.endpoint, members.list());
      return tx.create('service', { ...service, spec });
    });
  } catch (error) {
    if (!(error instanceof NameConflictError)) throw error;
    throw alreadyExists(`${error.message}: service ${name} already exists`);
  }
}

/** What a spec asks of the other objects of the swarm; `stored` is the service it is to replace. */
function checkAgainstSwarm(
  view: ReadView,
  spec: CompleteServiceSpec,
  stored?: ServiceObject,
): void {
  const targets = spec.task.networks.map(({ target }) => target);
  for (const [at, target] of targets.entries()) {
    const network = view.get('network', target);
    if (targets.indexOf(target) < at) {
      const name = network?.spec.annotations.name ?? target;
      throw invalidArgument(`network ${name} is given more than once`);
    }
    if (network && isIngress(network)) {
      const name = JSON.stringify(network.spec.annotations.name);
      throw invalidArgument(`Service cannot be explicitly attached to the ingress network ${name}`);
    }
  }
  checkPortConflicts(view, spec.endpoint, stored?.id);
  const { runtime } = spec.task;
  checkReferencesExist(view, runtime.case === 'container' ? runtime.value : undefined);
  checkIngressPresent(view, spec);
}

function checkIngressPresent(view: ReadView, spec: CompleteServiceSpec): void {
  if (publishesIngress(spec.endpoint) && !ingressNetwork(view)) {
    throw failedPrecondition('service needs ingress network, but no ingress network is present');
  }
}

/** What an update may not touch. */
function checkUnchangeable(stored: ServiceObject, spec: CompleteServiceSpec): void {
  if (
    !sameNetworks(spec.networks, stored.spec.networks) &&
    sameNetworks(spec.task.networks, stored.spec.task.networks)
  ) {
    throw unimplemented('networks must be migrated to TaskSpec before being changed');
  }
  if (stored.spec.mode.case !== spec.mode.case) {
    throw unimplemented('service mode change is not allowed');
  }
  if (stored.spec.annotations.name !== spec.annotations.name) {
    throw unimplemented('renaming services is not supported');
  }
}

function sameNetworks(
  a: readonly NetworkAttachmentConfig[],
  b: readonly NetworkAttachmentConfig[],
): boolean {
  return (
    a.length === b.length &&
    a.every((network, index) => equals(NetworkAttachmentConfigSchema, network, b[index]!))
  );
}
