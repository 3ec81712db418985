import { create, type Message, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { type RpcError, SimClock, SimRandom, silentLogger } from '@skep/platform';
import { SimProposer, Store } from '@skep/store';
import { completeObject, type StoreObjects, type TableName } from '@skep/wire';
import {
  ClusterSchema,
  ConfigSchema,
  ExtensionSchema,
  NetworkSchema,
  NodeSchema,
  ResourceSchema,
  SecretSchema,
  ServiceSchema,
  ServiceSpecSchema,
  TaskSchema,
  VolumeSchema,
} from '@skep/wire/swarmkit';
import type { Control, ManagerMember } from '../contract.js';
import { createControl } from './control.js';

const SCHEMAS = {
  cluster: ClusterSchema,
  config: ConfigSchema,
  extension: ExtensionSchema,
  network: NetworkSchema,
  node: NodeSchema,
  resource: ResourceSchema,
  secret: SecretSchema,
  service: ServiceSchema,
  task: TaskSchema,
  volume: VolumeSchema,
} as const;

/** Control over a store in memory, for tests. */
export class SimControl {
  readonly clock = new SimClock();
  readonly random = new SimRandom(1);
  readonly store = new Store({ clock: this.clock, random: this.random, log: silentLogger });
  readonly members: ManagerMember[] = [];
  canRemoveMembers = false;
  /** What the host of this manager has routes to. */
  hostSubnets: string[] = [];
  readonly control: Control;
  #tokens = 0;

  constructor() {
    this.store.attach(new SimProposer(this.store));
    this.control = createControl({
      store: this.store,
      clock: this.clock,
      random: this.random,
      members: { list: () => this.members, canRemove: () => this.canRemoveMembers },
      hostSubnets: () => this.hostSubnets,
      newJoinToken: (root) => `SWMTKN-1-${root.length}-${++this.#tokens}`,
    });
  }

  /** Puts an object straight into the store. */
  put<T extends TableName>(
    table: T,
    object: MessageInitShape<(typeof SCHEMAS)[T]>,
  ): Promise<StoreObjects[T]> {
    const made = create(SCHEMAS[table], object as never);
    return this.store.update((tx) => tx.create(table, completeObject(table, made)));
  }
}

/** The fields a message is made from; unlike a message itself, they may be spread into others. */
export type Fields<S extends GenMessage<Message>> = Exclude<MessageInitShape<S>, MessageShape<S>>;

/** A valid spec of a replicated service. */
export function webSpec(changes: Fields<typeof ServiceSpecSchema> = {}) {
  return create(ServiceSpecSchema, {
    annotations: { name: 'web' },
    task: { runtime: { case: 'container', value: { image: 'nginx:alpine' } } },
    mode: { case: 'replicated', value: { replicas: 2n } },
    ...changes,
  });
}

/** The error of a call that must fail. */
export async function failure(call: Promise<unknown> | (() => unknown)): Promise<RpcError> {
  try {
    await (typeof call === 'function' ? call() : call);
  } catch (error) {
    return error as RpcError;
  }
  throw new Error('expected a failure');
}
