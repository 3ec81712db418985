import { create } from '@bufbuild/protobuf';
import { isMark } from '@skep/wire';
import {
  type ManagerStatus,
  type Node,
  type NodeDescription,
  NodeRole,
  type NodeSpec,
  NodeSpec_Availability,
  NodeSpec_Membership,
  NodeSpecSchema,
  NodeStatus_State,
  type NodeTLSInfo,
  RaftMemberStatus_Reachability,
} from '@skep/wire/swarmkit';
import { invalid } from '../errors.js';
import { enumText, enumValue, type Json, omitEmpty, toBase64, toNumber } from './json.js';
import { annotationsFromJson, annotationsToJson, metaToJson } from './meta.js';
import { platformToJson } from './placement.js';
import type { JsonReader } from './reader.js';
import { resourcesToJson } from './resources.js';

export function nodeToJson(node: Node): Json {
  const { spec, status } = node;
  return {
    ID: node.id,
    ...metaToJson(node.meta),
    Spec: {
      ...annotationsToJson(spec?.annotations),
      Role: enumText(NodeRole, spec?.desiredRole ?? NodeRole.WORKER),
      Availability: enumText(NodeSpec_Availability, spec?.availability ?? 0),
    },
    Description: descriptionToJson(node.description),
    Status: omitEmpty({
      State: enumText(NodeStatus_State, status?.state ?? 0),
      Message: status?.message,
      Addr: status?.addr,
    }),
    ManagerStatus: node.managerStatus && managerStatusToJson(node.managerStatus),
  };
}

function descriptionToJson(description: NodeDescription | undefined): Json {
  const { engine } = description ?? {};
  return {
    ...omitEmpty({ Hostname: description?.hostname }),
    Platform: platformToJson(description?.platform),
    Resources: resourcesToJson(description?.resources) ?? {},
    Engine: omitEmpty({
      EngineVersion: engine?.engineVersion,
      Labels: engine?.labels,
      Plugins: engine?.plugins
        .filter((plugin) => !isMark(plugin))
        .map(({ type, name }) => omitEmpty({ Type: type, Name: name })),
    }),
    TLSInfo: tlsInfoToJson(description?.tlsInfo),
    ...omitEmpty({
      CSIInfo: description?.csiInfo.map((info) => ({
        ...omitEmpty({
          PluginName: info.pluginName,
          NodeID: info.nodeId,
          MaxVolumesPerNode: toNumber(info.maxVolumesPerNode),
        }),
        AccessibleTopology: info.accessibleTopology && {
          Segments: info.accessibleTopology.segments,
        },
      })),
    }),
  };
}

function tlsInfoToJson(info: NodeTLSInfo | undefined): Json {
  if (!info) return {};
  return omitEmpty({
    TrustRoot: Buffer.from(info.trustRoot).toString('utf8'),
    CertIssuerSubject: toBase64(info.certIssuerSubject),
    CertIssuerPublicKey: toBase64(info.certIssuerPublicKey),
  });
}

function managerStatusToJson(status: ManagerStatus): Json {
  return omitEmpty({
    Leader: status.leader,
    Reachability: enumText(RaftMemberStatus_Reachability, status.reachability),
    Addr: status.addr,
  });
}

export function nodeSpecFromJson(json: JsonReader): NodeSpec {
  const role = json.string('Role');
  const desiredRole = enumValue(NodeRole, role);
  if (desiredRole === undefined) throw invalid(`invalid Role: ${JSON.stringify(role)}`);
  return create(NodeSpecSchema, {
    annotations: annotationsFromJson(json),
    desiredRole,
    availability: availabilityFromText(json.string('Availability')),
    membership: NodeSpec_Membership.ACCEPTED,
  });
}

export function availabilityFromText(text: string): NodeSpec_Availability {
  const availability = enumValue(NodeSpec_Availability, text);
  if (availability === undefined) throw invalid(`invalid Availability: ${JSON.stringify(text)}`);
  return availability;
}
