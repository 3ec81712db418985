import { create } from '@bufbuild/protobuf';
import { newId, type Random } from '@skep/platform';
import type { Store, Transaction } from '@skep/store';
import { type CompleteClusterSpec, completeObject } from '@skep/wire';
import {
  ClusterSchema,
  DriverSchema,
  type EncryptionKey,
  IPAMOptionsSchema,
  IssuanceStatus_State,
  JoinTokensSchema,
  NetworkSchema,
  type NetworkSpecSchema,
  NodeRole,
  NodeSchema,
  type NodeSpec_Availability,
  NodeSpec_Membership,
  RaftMemberStatus_Reachability,
  RootCASchema,
} from '@skep/wire/swarmkit';
import { ingressNetwork } from '../allocator/networks.js';
import { PREDEFINED_LABEL, PREDEFINED_NETWORKS } from '../control/network/predefined.js';
import { newBootstrapKeys } from './bootstrap-keys.js';
import { CLUSTER_DEFAULTS } from './defaults.js';
import { managerKey, unlockKeysFor } from './unlock-key.js';

/** What a new swarm is made of. Used only where the store has nothing yet. */
export interface BootstrapOptions {
  random: Random;
  clusterId: string;
  spec: CompleteClusterSpec;
  /** What managers are unlocked with, where the spec has them locked; a new key unless given. */
  unlockKey?: Uint8Array | undefined;
  rootCa: {
    /** PEM of the root's private key; empty where an external authority signs. */
    key: Uint8Array;
    /** PEM of the root certificate. */
    certificate: Uint8Array;
    /** `sha256:<hex>` of the certificate's PEM. */
    certificateHash: string;
    joinTokens: { worker: string; manager: string };
  };
  /** CIDRs overlay subnets are cut from; empty for the default. */
  defaultAddressPool: readonly string[];
  /** Mask length of those subnets. */
  subnetSize: number;
  /** UDP port of VXLAN. */
  dataPathPort: number;
  /** This node, the one that leads. */
  node: {
    id: string;
    raftId: bigint;
    /** `ip:port` other managers reach it at. */
    address: string;
    availability: NodeSpec_Availability;
    /** PEM of its certificate. */
    certificate: Uint8Array;
  };
}

/**
 * Sees to it that the store holds what every swarm has: the cluster object, this node, the ingress network and
 * the predefined networks. Run at each start of leading; what is there already stays as it is. A swarm whose
 * users removed the ingress network does not get it back: it comes only together with this node's object.
 */
export async function bootstrap(store: Store, options: BootstrapOptions): Promise<void> {
  await store.update((tx) => {
    createCluster(tx, options);
    if (createOwnNode(tx, options) && !ingressNetwork(tx)) createIngress(tx, options.random);
    for (const name of PREDEFINED_NETWORKS) {
      if (!tx.named('network', name)) createPredefined(tx, name, options.random);
    }
  });
}

function createCluster(tx: Transaction, options: BootstrapOptions): void {
  if (tx.named('cluster', CLUSTER_DEFAULTS.name)) return;
  const { rootCa, defaultAddressPool } = options;
  const { keys, clock } = newBootstrapKeys(options.random);
  const cluster = create(ClusterSchema, {
    id: options.clusterId,
    spec: options.spec,
    rootCa: create(RootCASchema, {
      caKey: rootCa.key,
      caCert: rootCa.certificate,
      caCertHash: rootCa.certificateHash,
      joinTokens: create(JoinTokensSchema, rootCa.joinTokens),
      // The root is new: whatever number the spec has, no rotation is asked for.
      lastForcedRotation: options.spec.caConfig.forceRotate,
    }),
    networkBootstrapKeys: keys,
    encryptionKeyLamportClock: clock,
    defaultAddressPool: [
      ...(defaultAddressPool.length > 0 ? defaultAddressPool : CLUSTER_DEFAULTS.addressPools),
    ],
    subnetSize: options.subnetSize,
    VXLANUDPPort: options.dataPathPort,
    unlockKeys: firstUnlockKeys(options),
  });
  tx.create('cluster', completeObject('cluster', cluster));
}

function firstUnlockKeys({ spec, unlockKey, random }: BootstrapOptions): EncryptionKey[] {
  const given = unlockKey ? [managerKey(unlockKey)] : [];
  return unlockKeysFor(spec, given, false, random);
}

/** True when the node's object was missing. */
function createOwnNode(tx: Transaction, { node, dataPathPort }: BootstrapOptions): boolean {
  if (tx.get('node', node.id)) return false;
  const object = create(NodeSchema, {
    id: node.id,
    role: NodeRole.MANAGER,
    spec: {
      desiredRole: NodeRole.MANAGER,
      membership: NodeSpec_Membership.ACCEPTED,
      availability: node.availability,
    },
    certificate: {
      role: NodeRole.MANAGER,
      cn: node.id,
      certificate: node.certificate,
      status: { state: IssuanceStatus_State.ISSUED },
    },
    managerStatus: {
      raftId: node.raftId,
      addr: node.address,
      leader: true,
      reachability: RaftMemberStatus_Reachability.REACHABLE,
    },
    VXLANUDPPort: dataPathPort,
  });
  tx.create('node', completeObject('node', object));
  return true;
}

type NetworkFields = Parameters<typeof create<typeof NetworkSpecSchema>>[1];

function createNetwork(tx: Transaction, random: Random, spec: NetworkFields): void {
  const network = create(NetworkSchema, { id: newId(random), spec });
  tx.create('network', completeObject('network', network));
}

function createIngress(tx: Transaction, random: Random): void {
  createNetwork(tx, random, {
    annotations: { name: 'ingress' },
    ingress: true,
    driverConfig: create(DriverSchema),
    ipam: create(IPAMOptionsSchema, { driver: create(DriverSchema) }),
  });
}

/** Stands for the network of this driver that every node has. */
function createPredefined(tx: Transaction, name: string, random: Random): void {
  createNetwork(tx, random, {
    annotations: { name, labels: { [PREDEFINED_LABEL]: 'true' } },
    driverConfig: create(DriverSchema, { name }),
  });
}
