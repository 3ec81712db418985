import { create } from '@bufbuild/protobuf';
import type {
  Annotations,
  Cluster,
  ClusterSpec,
  Config,
  ConfigSpec,
  Extension,
  Meta,
  Network,
  NetworkSpec,
  Node,
  NodeSpec,
  NodeStatus,
  Resource,
  RootCA,
  Secret,
  SecretSpec,
  Service,
  ServiceSpec,
  Task,
  TaskSpec,
  TaskStatus,
  Version,
  Volume,
  VolumeSpec,
} from './swarmkit.js';
import * as sk from './swarmkit.js';

/**
 * Complete objects: SwarmKit marks some sub-messages as never absent (the `!` of its tables), which proto3
 * types cannot say. The types here say it, and {@link completeObject} makes it true, so that code reads
 * `task.spec.container` without a question mark at every step.
 */
type With<T, F> = T & F;

export type CompleteMeta = With<Meta, { version: Version }>;
type Annotated<T> = With<T, { annotations: Annotations }>;

export type CompleteServiceSpec = With<Annotated<ServiceSpec>, { task: TaskSpec }>;
export type CompleteNodeSpec = Annotated<NodeSpec>;
export type CompleteNetworkSpec = Annotated<NetworkSpec>;
export type CompleteSecretSpec = Annotated<SecretSpec>;
export type CompleteConfigSpec = Annotated<ConfigSpec>;
export type CompleteVolumeSpec = Annotated<VolumeSpec>;
export type CompleteClusterSpec = With<
  Annotated<ClusterSpec>,
  {
    acceptancePolicy: sk.AcceptancePolicy;
    orchestration: sk.OrchestrationConfig;
    raft: sk.RaftConfig;
    dispatcher: sk.DispatcherConfig;
    caConfig: sk.CAConfig;
    taskDefaults: sk.TaskDefaults;
    encryptionConfig: sk.EncryptionConfig;
  }
>;

interface HasMeta {
  meta: CompleteMeta;
}

export type NodeObject = With<
  Node,
  HasMeta & { spec: CompleteNodeSpec; status: NodeStatus; certificate: sk.Certificate }
>;
export type ServiceObject = With<
  Service,
  HasMeta & { spec: CompleteServiceSpec; previousSpec?: CompleteServiceSpec }
>;
export type TaskObject = With<
  Task,
  HasMeta & {
    spec: TaskSpec;
    annotations: Annotations;
    serviceAnnotations: Annotations;
    status: TaskStatus;
  }
>;
export type NetworkObject = With<Network, HasMeta & { spec: CompleteNetworkSpec }>;
export type ClusterObject = With<
  Cluster,
  HasMeta & { spec: CompleteClusterSpec; rootCa: With<RootCA, { joinTokens: sk.JoinTokens }> }
>;
export type SecretObject = With<Secret, HasMeta & { spec: CompleteSecretSpec }>;
export type ConfigObject = With<Config, HasMeta & { spec: CompleteConfigSpec }>;
export type ResourceObject = With<Resource, HasMeta & { annotations: Annotations }>;
export type ExtensionObject = With<Extension, HasMeta & { annotations: Annotations }>;
export type VolumeObject = With<Volume, HasMeta & { spec: CompleteVolumeSpec }>;

/** The object type of each table of the store. */
export interface StoreObjects {
  cluster: ClusterObject;
  config: ConfigObject;
  extension: ExtensionObject;
  network: NetworkObject;
  node: NodeObject;
  resource: ResourceObject;
  secret: SecretObject;
  service: ServiceObject;
  task: TaskObject;
  volume: VolumeObject;
}

/** The tables of the store, in the order a snapshot restores them. */
export type TableName = keyof StoreObjects;

/** Sub-messages that SwarmKit never leaves out, by message type: field name and how to make an empty one. */
const ALWAYS_PRESENT: Record<string, Record<string, () => object>> = {
  Meta: { version: () => create(sk.VersionSchema) },
  Node: {
    meta: () => create(sk.MetaSchema),
    spec: () => create(sk.NodeSpecSchema),
    status: () => create(sk.NodeStatusSchema),
    certificate: () => create(sk.CertificateSchema),
  },
  Certificate: { status: () => create(sk.IssuanceStatusSchema) },
  Service: { meta: () => create(sk.MetaSchema), spec: () => create(sk.ServiceSpecSchema) },
  ServiceSpec: {
    annotations: () => create(sk.AnnotationsSchema),
    task: () => create(sk.TaskSpecSchema),
  },
  JobStatus: { jobIteration: () => create(sk.VersionSchema) },
  Task: {
    meta: () => create(sk.MetaSchema),
    spec: () => create(sk.TaskSpecSchema),
    annotations: () => create(sk.AnnotationsSchema),
    serviceAnnotations: () => create(sk.AnnotationsSchema),
    status: () => create(sk.TaskStatusSchema),
  },
  Network: { meta: () => create(sk.MetaSchema), spec: () => create(sk.NetworkSpecSchema) },
  Cluster: {
    meta: () => create(sk.MetaSchema),
    spec: () => create(sk.ClusterSpecSchema),
    rootCa: () => create(sk.RootCASchema),
  },
  RootCA: { joinTokens: () => create(sk.JoinTokensSchema) },
  ClusterSpec: {
    annotations: () => create(sk.AnnotationsSchema),
    acceptancePolicy: () => create(sk.AcceptancePolicySchema),
    orchestration: () => create(sk.OrchestrationConfigSchema),
    raft: () => create(sk.RaftConfigSchema),
    dispatcher: () => create(sk.DispatcherConfigSchema),
    caConfig: () => create(sk.CAConfigSchema),
    taskDefaults: () => create(sk.TaskDefaultsSchema),
    encryptionConfig: () => create(sk.EncryptionConfigSchema),
  },
  Secret: { meta: () => create(sk.MetaSchema), spec: () => create(sk.SecretSpecSchema) },
  Config: { meta: () => create(sk.MetaSchema), spec: () => create(sk.ConfigSpecSchema) },
  Volume: { meta: () => create(sk.MetaSchema), spec: () => create(sk.VolumeSpecSchema) },
  Resource: {
    meta: () => create(sk.MetaSchema),
    annotations: () => create(sk.AnnotationsSchema),
  },
  Extension: {
    meta: () => create(sk.MetaSchema),
    annotations: () => create(sk.AnnotationsSchema),
  },
  NodeSpec: { annotations: () => create(sk.AnnotationsSchema) },
  NetworkSpec: { annotations: () => create(sk.AnnotationsSchema) },
  SecretSpec: { annotations: () => create(sk.AnnotationsSchema) },
  ConfigSpec: { annotations: () => create(sk.AnnotationsSchema) },
  VolumeSpec: { annotations: () => create(sk.AnnotationsSchema) },
};

/** Fields that are walked into when completing an object, besides the always-present ones. */
const NESTED: Record<string, readonly string[]> = { Service: ['previousSpec', 'jobStatus'] };

const PACKAGE_PREFIX = 'docker.swarmkit.v1.';

function completeInPlace(message: Record<string, unknown> & { $typeName: string }): void {
  const type = message.$typeName.slice(PACKAGE_PREFIX.length);
  const defaults = ALWAYS_PRESENT[type];
  for (const field of Object.keys(defaults ?? {})) {
    message[field] ??= defaults?.[field]?.();
    completeInPlace(message[field] as never);
  }
  for (const field of NESTED[type] ?? []) {
    if (message[field] !== undefined) completeInPlace(message[field] as never);
  }
}

/**
 * Fills the sub-messages that a complete object always has, in place, and returns the object under its
 * complete type. Call it on every object that comes from outside (log, snapshot, wire) or is newly made.
 */
export function completeObject<T extends TableName>(_table: T, message: object): StoreObjects[T] {
  completeInPlace(message as never);
  return message as StoreObjects[T];
}

/** Fills a spec that did not arrive inside an object. */
export function completeServiceSpec(spec: ServiceSpec): CompleteServiceSpec {
  completeInPlace(spec as never);
  return spec as CompleteServiceSpec;
}

export function completeClusterSpec(spec: ClusterSpec): CompleteClusterSpec {
  completeInPlace(spec as never);
  return spec as CompleteClusterSpec;
}
