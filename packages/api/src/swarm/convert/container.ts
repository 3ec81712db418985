import { create } from '@bufbuild/protobuf';
import { durationNanos } from '@skep/wire';
import {
  type ContainerSpec,
  ContainerSpec_DNSConfigSchema,
  ContainerSpec_Isolation,
  ContainerSpec_UlimitSchema,
  ContainerSpecSchema,
} from '@skep/wire/swarmkit';
import { healthFromJson, healthToJson } from './health.js';
import { enumText, type Json, knownValue, omitEmpty, toNumber } from './json.js';
import { mountFromJson, mountToJson } from './mount.js';
import { privilegesFromJson, privilegesToJson } from './privileges.js';
import type { JsonReader } from './reader.js';
import {
  configReferenceFromJson,
  configReferenceToJson,
  secretReferenceFromJson,
  secretReferenceToJson,
} from './references.js';

/** The registry credentials (`pull_options`) are never shown. */
export function containerToJson(container: ContainerSpec): Json {
  const { dnsConfig, stopGracePeriod } = container;
  return {
    ...omitEmpty(plainFieldsToJson(container)),
    Privileges: privilegesToJson(container.privileges),
    Init: container.init,
    StopGracePeriod: stopGracePeriod && durationNanos(stopGracePeriod),
    Healthcheck: healthToJson(container.healthcheck),
    DNSConfig:
      dnsConfig &&
      omitEmpty({
        Nameservers: dnsConfig.nameservers,
        Search: dnsConfig.search,
        Options: dnsConfig.options,
      }),
  };
}

function plainFieldsToJson(container: ContainerSpec): Json {
  return {
    Image: container.image,
    Labels: container.labels,
    Command: container.command,
    Args: container.args,
    Hostname: container.hostname,
    Env: container.env,
    Dir: container.dir,
    User: container.user,
    Groups: container.groups,
    StopSignal: container.stopSignal,
    TTY: container.tty,
    OpenStdin: container.openStdin,
    ReadOnly: container.readOnly,
    Mounts: container.mounts.map(mountToJson),
    Hosts: container.hosts,
    Secrets: container.secrets.map(secretReferenceToJson).filter(Boolean),
    Configs: container.configs.map(configReferenceToJson).filter(Boolean),
    Isolation: enumText(ContainerSpec_Isolation, container.isolation),
    Sysctls: container.sysctls,
    CapabilityAdd: container.capabilityAdd,
    CapabilityDrop: container.capabilityDrop,
    Ulimits: container.ulimits.map(({ name, soft, hard }) => ({
      Name: name,
      Hard: toNumber(hard),
      Soft: toNumber(soft),
    })),
    OomScoreAdj: toNumber(container.oomScoreAdj),
  };
}

export function containerFromJson(json: JsonReader): ContainerSpec {
  return create(ContainerSpecSchema, {
    ...textFieldsFromJson(json),
    tty: json.boolean('TTY'),
    openStdin: json.boolean('OpenStdin'),
    readOnly: json.boolean('ReadOnly'),
    init: json.optionalBoolean('Init'),
    mounts: json.objects('Mounts').map(mountFromJson),
    stopGracePeriod: json.optionalDuration('StopGracePeriod'),
    healthcheck: healthFromJson(json.object('Healthcheck')),
    dnsConfig: dnsFromJson(json.object('DNSConfig')),
    secrets: json.objects('Secrets').map(secretReferenceFromJson),
    configs: json.objects('Configs').map(configReferenceFromJson),
    privileges: privilegesFromJson(json.object('Privileges')),
    isolation: knownValue(ContainerSpec_Isolation, json.string('Isolation'), 'Isolation'),
    ulimits: json.objects('Ulimits').map((limit) =>
      create(ContainerSpec_UlimitSchema, {
        name: limit.string('Name'),
        soft: limit.int64('Soft'),
        hard: limit.int64('Hard'),
      }),
    ),
    oomScoreAdj: json.int64('OomScoreAdj'),
  });
}

function textFieldsFromJson(json: JsonReader) {
  return {
    image: json.string('Image'),
    labels: json.map('Labels'),
    command: json.strings('Command'),
    args: json.strings('Args'),
    hostname: json.string('Hostname'),
    env: json.strings('Env'),
    dir: json.string('Dir'),
    user: json.string('User'),
    groups: json.strings('Groups'),
    stopSignal: json.string('StopSignal'),
    hosts: json.strings('Hosts'),
    sysctls: json.map('Sysctls'),
    capabilityAdd: json.strings('CapabilityAdd'),
    capabilityDrop: json.strings('CapabilityDrop'),
  };
}

function dnsFromJson(json: JsonReader | undefined) {
  if (!json) return undefined;
  return create(ContainerSpec_DNSConfigSchema, {
    nameservers: json.strings('Nameservers'),
    search: json.strings('Search'),
    options: json.strings('Options'),
  });
}
