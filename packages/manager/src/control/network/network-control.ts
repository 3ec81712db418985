import { create } from '@bufbuild/protobuf';
import { newId, RpcError } from '@skep/platform';
import type { Transaction } from '@skep/store';
import { completeObject, type NetworkObject } from '@skep/wire';
import {
  CreateNetworkResponseSchema,
  GetNetworkResponseSchema,
  ListNetworksResponseSchema,
  NetworkSchema,
  RemoveNetworkResponseSchema,
  TaskState,
} from '@skep/wire/swarmkit';
import { admitNetwork } from '../../allocator/admission.js';
import { AllocationError } from '../../allocator/errors.js';
import { isIngress } from '../../allocator/network-plan.js';
import { ingressNetwork, publishesIngress } from '../../allocator/networks.js';
import type { Control } from '../../contract.js';
import type { ControlContext } from '../context.js';
import { alreadyExists, failedPrecondition, invalidArgument, notFound } from '../errors.js';
import { matchesCommon } from '../filter.js';
import { isPredefined } from './predefined.js';
import { checkNetworkSpec } from './validate-network.js';

type NetworkControl = Pick<
  Control,
  'getNetwork' | 'listNetworks' | 'createNetwork' | 'removeNetwork'
>;

/** Networks of the swarm. Addresses and ids of the data path are the allocator's. */
export function networkControl({ store, random, hostSubnets }: ControlContext): NetworkControl {
  return {
    async getNetwork({ networkId }) {
      if (!networkId) throw invalidArgument();
      const network = store.view.get('network', networkId);
      if (!network) throw notFound('network', networkId);
      return create(GetNetworkResponseSchema, { network });
    },

    async listNetworks({ filters }) {
      const networks = [...store.view.all('network')].filter((network) =>
        matchesCommon(network, network.spec.annotations, filters),
      );
      return create(ListNetworksResponseSchema, { networks });
    },

    async createNetwork(request) {
      const spec = checkNetworkSpec(request.spec);
      const made = completeObject('network', create(NetworkSchema, { id: newId(random), spec }));
      const network = await store.update((tx) => {
        checkAddable(tx, made, hostSubnets?.() ?? []);
        return tx.create('network', made);
      });
      return create(CreateNetworkResponseSchema, { network });
    },

    async removeNetwork({ networkId }) {
      if (!networkId) throw invalidArgument();
      await store.update((tx) => {
        const network = tx.get('network', networkId);
        if (!network) throw notFound('network', networkId);
        checkRemovable(tx, network);
        tx.remove('network', networkId);
      });
      return create(RemoveNetworkResponseSchema);
    },
  };
}

function checkAddable(
  tx: Transaction,
  network: NetworkObject,
  hostSubnets: readonly string[],
): void {
  const { name } = network.spec.annotations;
  if (tx.named('network', name)) throw alreadyExists(`network with name ${name} already exists`);
  const present = network.spec.ingress ? ingressNetwork(tx) : undefined;
  if (present) throw alreadyExists(`ingress network (${present.id}) is already present`);
  try {
    admitNetwork(tx, network, hostSubnets);
  } catch (error) {
    throw error instanceof AllocationError ? new RpcError(error.code, error.message) : error;
  }
}

function checkRemovable(tx: Transaction, network: NetworkObject): void {
  const { id } = network;
  if (isPredefined(network)) {
    throw failedPrecondition(
      `network ${id} (${network.spec.annotations.name}) is a swarm predefined network and cannot ` +
        'be removed',
    );
  }
  if (isIngress(network)) {
    checkIngressUnused(tx);
    return;
  }
  for (const { id: serviceId, spec } of tx.all('service')) {
    const targets = [...spec.task.networks, ...spec.networks].map(({ target }) => target);
    if (targets.includes(id)) {
      throw failedPrecondition(`network ${id} is in use by service ${serviceId}`);
    }
  }
  for (const task of tx.all('task')) {
    const attached = task.networks.some(({ network: attachedTo }) => attachedTo?.id === id);
    const lives = task.desiredState <= TaskState.COMPLETE && task.status.state <= TaskState.RUNNING;
    // Tasks of a removed service are told to end a moment after it; their network need not wait for that.
    const isOrphan = task.serviceId !== '' && !tx.get('service', task.serviceId);
    if (attached && lives && !isOrphan) {
      throw failedPrecondition(`network ${id} is in use by task ${task.id}`);
    }
  }
}

function checkIngressUnused(tx: Transaction): void {
  for (const { id, spec } of tx.all('service')) {
    if (publishesIngress(spec.endpoint)) {
      throw failedPrecondition(
        `ingress network cannot be removed because service ${id} depends on it`,
      );
    }
  }
}
