import { create } from '@bufbuild/protobuf';
import { type CompleteClusterSpec, durationNanos } from '@skep/wire';
import {
  type CAConfig,
  type Cluster,
  type ClusterSpec,
  type ExternalCA,
  ExternalCA_CAProtocol,
  ExternalCASchema,
} from '@skep/wire/swarmkit';
import { invalid } from '../errors.js';
import { issuerOf } from './issuer.js';
import { enumText, enumValue, type Json, omitEmpty, toBase64, toNumber } from './json.js';
import { annotationsToJson, driverFromJson, metaToJson } from './meta.js';
import type { JsonReader } from './reader.js';

/** GET /swarm. */
export function swarmToJson(cluster: Cluster): Json {
  const { joinTokens } = cluster.rootCa ?? {};
  return {
    ...clusterInfoToJson(cluster),
    JoinTokens: { Worker: joinTokens?.worker ?? '', Manager: joinTokens?.manager ?? '' },
  };
}

/** The `Cluster` of /info: as GET /swarm, without the join tokens. */
export function clusterInfoToJson(cluster: Cluster): Json {
  const { rootCa, spec } = cluster;
  const root = rootCa?.caCert ?? new Uint8Array();
  // While roots are exchanged, nodes are done when the new one signed them.
  const issuer = issuerOf(rootCa?.rootRotation?.caCert ?? root);
  return {
    ID: cluster.id,
    ...metaToJson(cluster.meta),
    Spec: spec && clusterSpecToJson(spec),
    TLSInfo: omitEmpty({
      TrustRoot: Buffer.from(root).toString('utf8'),
      CertIssuerSubject: issuer && toBase64(issuer.subject),
      CertIssuerPublicKey: issuer && toBase64(issuer.publicKey),
    }),
    RootRotationInProgress: rootCa?.rootRotation !== undefined,
    DefaultAddrPool: cluster.defaultAddressPool,
    SubnetSize: cluster.subnetSize,
    DataPathPort: cluster.VXLANUDPPort,
  };
}

/** The signing certificate and key and the default log driver can be set, but are not shown. */
function clusterSpecToJson(spec: ClusterSpec): Json {
  const { raft, dispatcher } = spec;
  return {
    ...annotationsToJson(spec.annotations),
    Orchestration: {
      TaskHistoryRetentionLimit: toNumber(spec.orchestration?.taskHistoryRetentionLimit ?? 0n),
    },
    Raft: {
      ...omitEmpty({
        SnapshotInterval: toNumber(raft?.snapshotInterval ?? 0n),
        LogEntriesForSlowFollowers: toNumber(raft?.logEntriesForSlowFollowers ?? 0n),
      }),
      KeepOldSnapshots: toNumber(raft?.keepOldSnapshots ?? 0n),
      ElectionTick: raft?.electionTick ?? 0,
      HeartbeatTick: raft?.heartbeatTick ?? 0,
    },
    Dispatcher: omitEmpty({ HeartbeatPeriod: durationNanos(dispatcher?.heartbeatPeriod) }),
    CAConfig: caConfigToJson(spec.caConfig),
    TaskDefaults: {},
    EncryptionConfig: { AutoLockManagers: spec.encryptionConfig?.autoLockManagers ?? false },
  };
}

function caConfigToJson(config: CAConfig | undefined): Json {
  return omitEmpty({
    NodeCertExpiry: durationNanos(config?.nodeCertExpiry),
    ExternalCAs: config?.externalCas.map((ca) => ({
      Protocol: enumText(ExternalCA_CAProtocol, ca.protocol),
      URL: ca.url,
      ...omitEmpty({ Options: ca.options }),
      CACert: Buffer.from(ca.caCert).toString('utf8'),
    })),
    ForceRotate: toNumber(config?.forceRotate ?? 0n),
  });
}

/**
 * Lays the given settings over `base`: what is absent or zero keeps the base's value. Init takes the
 * defaults for a base; update an empty spec, since its caller has to say everything.
 */
export function mergeClusterSpec(json: JsonReader, base: CompleteClusterSpec): CompleteClusterSpec {
  const name = json.string('Name');
  const labels = json.map('Labels');
  const taskHistory = json.object('Orchestration')?.optionalInt64('TaskHistoryRetentionLimit');
  const heartbeat = json.object('Dispatcher')?.optionalDuration('HeartbeatPeriod');
  return {
    ...base,
    annotations: {
      ...base.annotations,
      name: name || base.annotations.name,
      labels: Object.keys(labels).length > 0 ? labels : base.annotations.labels,
    },
    orchestration: {
      ...base.orchestration,
      taskHistoryRetentionLimit: taskHistory ?? base.orchestration.taskHistoryRetentionLimit,
    },
    raft: mergeRaft(json.object('Raft'), base.raft),
    dispatcher: durationNanos(heartbeat)
      ? { ...base.dispatcher, heartbeatPeriod: heartbeat }
      : base.dispatcher,
    caConfig: mergeCaConfig(json.object('CAConfig'), base.caConfig),
    taskDefaults: {
      ...base.taskDefaults,
      logDriver:
        driverFromJson(json.object('TaskDefaults')?.object('LogDriver')) ??
        base.taskDefaults.logDriver,
    },
    encryptionConfig: {
      ...base.encryptionConfig,
      autoLockManagers: json.object('EncryptionConfig')?.boolean('AutoLockManagers') ?? false,
    },
  };
}

function mergeRaft(
  json: JsonReader | undefined,
  base: CompleteClusterSpec['raft'],
): CompleteClusterSpec['raft'] {
  if (!json) return base;
  return {
    ...base,
    snapshotInterval: json.uint64('SnapshotInterval') || base.snapshotInterval,
    keepOldSnapshots: json.optionalUint64('KeepOldSnapshots') ?? base.keepOldSnapshots,
    logEntriesForSlowFollowers:
      json.uint64('LogEntriesForSlowFollowers') || base.logEntriesForSlowFollowers,
    heartbeatTick: json.uint32('HeartbeatTick') || base.heartbeatTick,
    electionTick: json.uint32('ElectionTick') || base.electionTick,
  };
}

function mergeCaConfig(json: JsonReader | undefined, base: CAConfig): CAConfig {
  if (!json) return base;
  const expiry = json.duration('NodeCertExpiry');
  const certificate = json.string('SigningCACert');
  const key = json.string('SigningCAKey');
  return {
    ...base,
    nodeCertExpiry: durationNanos(expiry) ? expiry : base.nodeCertExpiry,
    signingCaCert: certificate ? Buffer.from(certificate) : base.signingCaCert,
    signingCaKey: key ? Buffer.from(key) : base.signingCaKey,
    forceRotate: json.uint64('ForceRotate'),
    externalCas: [...base.externalCas, ...json.objects('ExternalCAs').map(externalCaFromJson)],
  };
}

function externalCaFromJson(json: JsonReader): ExternalCA {
  const text = json.string('Protocol');
  const protocol = enumValue(ExternalCA_CAProtocol, text);
  if (protocol === undefined) throw invalid(`invalid protocol: ${JSON.stringify(text)}`);
  return create(ExternalCASchema, {
    protocol,
    url: json.string('URL'),
    options: json.map('Options'),
    caCert: Buffer.from(json.string('CACert')),
  });
}
