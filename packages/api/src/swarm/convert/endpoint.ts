import { create } from '@bufbuild/protobuf';
import {
  type Endpoint,
  type EndpointSpec,
  EndpointSpec_ResolutionMode,
  EndpointSpecSchema,
  type PortConfig,
  PortConfig_Protocol,
  PortConfig_PublishMode,
  PortConfigSchema,
} from '@skep/wire/swarmkit';
import { invalid } from '../errors.js';
import { enumText, enumValue, type Json, knownValue, omitEmpty } from './json.js';
import type { JsonReader } from './reader.js';

export function portToJson(port: PortConfig): Json {
  return omitEmpty({
    Name: port.name,
    Protocol: enumText(PortConfig_Protocol, port.protocol),
    TargetPort: port.targetPort,
    PublishedPort: port.publishedPort,
    PublishMode: enumText(PortConfig_PublishMode, port.publishMode),
  });
}

function portFromJson(json: JsonReader): PortConfig {
  return create(PortConfigSchema, {
    name: json.string('Name'),
    protocol: knownValue(PortConfig_Protocol, json.string('Protocol'), 'Protocol'),
    targetPort: json.uint32('TargetPort'),
    publishedPort: json.uint32('PublishedPort'),
    publishMode: knownValue(PortConfig_PublishMode, json.string('PublishMode'), 'PublishMode'),
  });
}

export function endpointSpecToJson(spec: EndpointSpec | undefined): Json | undefined {
  return (
    spec &&
    omitEmpty({
      Mode: enumText(EndpointSpec_ResolutionMode, spec.mode),
      Ports: spec.ports.map(portToJson),
    })
  );
}

export function endpointSpecFromJson(json: JsonReader | undefined): EndpointSpec | undefined {
  if (!json) return undefined;
  const mode = json.string('Mode');
  if (!['', 'vip', 'dnsrr'].includes(mode)) {
    throw invalid(`invalid resolution mode: ${JSON.stringify(mode)}`);
  }
  return create(EndpointSpecSchema, {
    mode: enumValue(EndpointSpec_ResolutionMode, mode),
    ports: json.objects('Ports').map(portFromJson),
  });
}

/** Where there is neither a port nor a virtual IP there is no endpoint for Docker: its spec is empty. */
export function endpointToJson(endpoint: Endpoint | undefined): Json {
  const given = Boolean(endpoint?.ports.length || endpoint?.virtualIps.length);
  return {
    Spec: (given && endpointSpecToJson(endpoint?.spec)) || {},
    ...omitEmpty({
      Ports: endpoint?.ports.map(portToJson),
      VirtualIPs: endpoint?.virtualIps.map(({ networkId, addr }) =>
        omitEmpty({ NetworkID: networkId, Addr: addr }),
      ),
    }),
  };
}
