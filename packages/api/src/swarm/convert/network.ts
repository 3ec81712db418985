import { create } from '@bufbuild/protobuf';
import { timestampIso } from '@skep/wire';
import {
  DriverSchema,
  IPAMConfigSchema,
  type IPAMOptions,
  IPAMOptionsSchema,
  type Network,
  type NetworkAttachment,
  type NetworkSpec,
  NetworkSpecSchema,
} from '@skep/wire/swarmkit';
import { type Json, omitEmpty, remembered } from './json.js';
import { annotationsFromJson, annotationsToJson, driverToJson, metaToJson } from './meta.js';
import type { JsonReader } from './reader.js';

const LEGACY_INGRESS_LABEL = 'com.docker.swarm.internal';

function isIngress({ spec }: Network): boolean {
  if (spec?.ingress) return true;
  const { name, labels = {} } = spec?.annotations ?? {};
  return name === 'ingress' && Object.hasOwn(labels, LEGACY_INGRESS_LABEL);
}

/** A network as a task's attachments show it: the swarm's object. */
function networkToJson(network: Network): Json {
  const { spec } = network;
  return {
    ID: network.id,
    ...metaToJson(network.meta),
    Spec: {
      ...annotationsToJson(spec?.annotations),
      DriverConfiguration: driverToJson(spec?.driverConfig),
      ...omitEmpty({
        IPv6Enabled: spec?.ipv6Enabled,
        Internal: spec?.internal,
        Attachable: spec?.attachable,
        Ingress: isIngress(network),
      }),
      IPAMOptions: ipamToJson(spec?.ipam),
      ConfigFrom:
        spec?.configFrom.case === 'network' ? { Network: spec.configFrom.value } : undefined,
      Scope: 'swarm',
    },
    DriverState: driverToJson(network.driverState) ?? {},
    IPAMOptions: ipamToJson(network.ipam),
  };
}

function ipamToJson(ipam: IPAMOptions | undefined): Json | undefined {
  return (
    ipam && {
      Driver: driverToJson(ipam.driver) ?? {},
      ...omitEmpty({
        Configs: ipam.configs.map(({ subnet, range, gateway }) =>
          omitEmpty({ Subnet: subnet, Range: range, Gateway: gateway }),
        ),
      }),
    }
  );
}

const attachedNetworkToJson = remembered(networkToJson);

export function attachmentToJson({ network, addresses }: NetworkAttachment): Json {
  return {
    Network: network ? attachedNetworkToJson(network) : {},
    ...omitEmpty({ Addresses: addresses }),
  };
}

/** A network as GET /networks shows it: the engine's resource. */
export function networkResourceToJson(network: Network): Json {
  const { spec } = network;
  // A moment after its creation nobody has worked out yet what it gets: then as it was asked for.
  const { driverState = spec?.driverConfig, ipam = spec?.ipam } = network;
  return {
    Name: spec?.annotations?.name ?? '',
    Id: network.id,
    Created: timestampIso(network.meta?.createdAt),
    Scope: 'swarm',
    Driver: driverState?.name ?? '',
    EnableIPv4: true,
    EnableIPv6: spec?.ipv6Enabled ?? false,
    IPAM: ipamResourceToJson(ipam),
    Internal: spec?.internal ?? false,
    Attachable: spec?.attachable ?? false,
    Ingress: isIngress(network),
    ConfigFrom: { Network: spec?.configFrom.case === 'network' ? spec.configFrom.value : '' },
    ConfigOnly: false,
    Containers: null,
    Options: driverState?.options ?? null,
    Labels: spec?.annotations?.labels ?? {},
  };
}

function ipamResourceToJson(ipam: IPAMOptions | undefined): Json {
  const options = ipam?.driver?.options ?? {};
  return {
    Driver: ipam?.driver?.name ?? '',
    Options: Object.keys(options).length > 0 ? options : null,
    Config:
      ipam?.configs.map(({ subnet, range, gateway, reserved }) =>
        omitEmpty({
          Subnet: subnet,
          IPRange: range,
          Gateway: gateway,
          AuxiliaryAddresses: reserved,
        }),
      ) ?? null,
  };
}

/** The spec of POST /networks/create. */
export function networkSpecFromJson(json: JsonReader): NetworkSpec {
  const configFrom = json.object('ConfigFrom')?.string('Network') ?? '';
  return create(NetworkSpecSchema, {
    annotations: annotationsFromJson(json),
    driverConfig: create(DriverSchema, {
      name: json.string('Driver'),
      options: json.map('Options'),
    }),
    ipv6Enabled: json.boolean('EnableIPv6'),
    internal: json.boolean('Internal'),
    attachable: json.boolean('Attachable'),
    ingress: json.boolean('Ingress'),
    ipam: ipamFromJson(json.object('IPAM')),
    configFrom: configFrom ? { case: 'network', value: configFrom } : { case: undefined },
  });
}

function ipamFromJson(json: JsonReader | undefined): IPAMOptions | undefined {
  if (!json) return undefined;
  return create(IPAMOptionsSchema, {
    driver: create(DriverSchema, {
      name: json.string('Driver') || 'default',
      options: json.map('Options'),
    }),
    configs: json.objects('Config').map((config) =>
      create(IPAMConfigSchema, {
        subnet: config.string('Subnet'),
        range: config.string('IPRange'),
        gateway: config.string('Gateway'),
        reserved: config.map('AuxiliaryAddresses'),
      }),
    ),
  });
}
