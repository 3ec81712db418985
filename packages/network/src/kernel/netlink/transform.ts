import { formatHostAddress } from '../../address/host-address.js';
import { bytesOfAddress } from '../../address/ipv4.js';
import type { SecurityAssociation, SecurityPolicy } from '../contract.js';
import { attribute, decodeAttributes, decodeText } from './codec.js';

/**
 * IPsec as the kernel has it ("transformations"): associations, which encrypt or decrypt, and policies,
 * which say what must be encrypted. IPv4, ESP in transport mode, AES-GCM. Source: linux/xfrm.h.
 */

export const TransformMessage = {
  NEW_ASSOCIATION: 0x10,
  DELETE_ASSOCIATION: 0x11,
  GET_ASSOCIATION: 0x12,
  DELETE_POLICY: 0x14,
  GET_POLICY: 0x15,
  /** Makes one, or takes the place of the one for the same packets. */
  UPDATE_POLICY: 0x19,
} as const;

const AF_INET = 2;
const PROTOCOL_ESP = 50;
const PROTOCOL_UDP = 17;
const DIRECTION_OUT = 1;
const Xfrma = { TEMPLATE: 5, REPLAY: 10, SOURCE: 13, AEAD: 18, MARK: 21 } as const;

const ALGORITHM = 'rfc4106(gcm(aes))';
const ALGORITHM_NAME_BYTES = 64;
const TAG_BITS = 64;
const ALL_BITS = 0xffff_ffff;

/** Sizes of the kernel's structs, and where their members are. */
const SELECTOR_BYTES = 56;
const Selector = {
  DESTINATION: 0,
  SOURCE: 16,
  DESTINATION_PORT: 32,
  FAMILY: 40,
  DESTINATION_LENGTH: 42,
  SOURCE_LENGTH: 43,
  PROTOCOL: 44,
} as const;
const ASSOCIATION_BYTES = 224;
const Association = {
  DESTINATION: 56,
  SPI: 72,
  PROTOCOL: 76,
  SOURCE: 80,
  LIMITS: 96,
  REQUEST: 208,
  FAMILY: 212,
} as const;
const ASSOCIATION_ID_BYTES = 24;
const AssociationId = { SPI: 16, FAMILY: 20, PROTOCOL: 22 } as const;
const POLICY_BYTES = 168;
const Policy = { LIMITS: 56, DIRECTION: 160 } as const;
const POLICY_ID_BYTES = 64;
const POLICY_ID_DIRECTION = 60;
const TEMPLATE_BYTES = 64;
const Template = {
  SPI: 16,
  PROTOCOL: 20,
  FAMILY: 24,
  SOURCE: 28,
  REQUEST: 44,
  ALGORITHMS: 52,
} as const;
/** Bytes and packets, soft and hard: without end. */
const LIMITS_BYTES = 32;

export function encodeAssociation(association: SecurityAssociation): Buffer {
  const { source, destination, spi, requestId, key } = association;
  const body = Buffer.alloc(ASSOCIATION_BYTES);
  bytesOfAddress(destination).copy(body, Association.DESTINATION);
  body.writeUInt32BE(spi, Association.SPI);
  body.writeUInt8(PROTOCOL_ESP, Association.PROTOCOL);
  bytesOfAddress(source).copy(body, Association.SOURCE);
  body.fill(0xff, Association.LIMITS, Association.LIMITS + LIMITS_BYTES);
  body.writeUInt32LE(requestId, Association.REQUEST);
  body.writeUInt16LE(AF_INET, Association.FAMILY);
  const algorithm = Buffer.alloc(ALGORITHM_NAME_BYTES + 8);
  algorithm.write(ALGORITHM);
  algorithm.writeUInt32LE(8 * key.length, ALGORITHM_NAME_BYTES);
  algorithm.writeUInt32LE(TAG_BITS, ALGORITHM_NAME_BYTES + 4);
  return Buffer.concat([body, attribute(Xfrma.AEAD, Buffer.concat([algorithm, key]))]);
}

export function encodeAssociationId(
  association: Pick<SecurityAssociation, 'source' | 'destination' | 'spi'>,
): Buffer {
  const body = Buffer.alloc(ASSOCIATION_ID_BYTES);
  bytesOfAddress(association.destination).copy(body);
  body.writeUInt32BE(association.spi, AssociationId.SPI);
  body.writeUInt16LE(AF_INET, AssociationId.FAMILY);
  body.writeUInt8(PROTOCOL_ESP, AssociationId.PROTOCOL);
  const source = Buffer.alloc(16);
  bytesOfAddress(association.source).copy(source);
  return Buffer.concat([body, attribute(Xfrma.SOURCE, source)]);
}

/** Undefined for what is no ESP between IPv4 addresses. */
export function decodeAssociation(body: Buffer): SecurityAssociation | undefined {
  if (body.readUInt16LE(Association.FAMILY) !== AF_INET) return undefined;
  if (body.readUInt8(Association.PROTOCOL) !== PROTOCOL_ESP) return undefined;
  const attributes = decodeAttributes(body.subarray(ASSOCIATION_BYTES));
  const algorithm = attributes.get(Xfrma.AEAD);
  const replay = attributes.get(Xfrma.REPLAY);
  const isKnown = algorithm && decodeText(algorithm) === ALGORITHM;
  return {
    source: addressAt(body, Association.SOURCE),
    destination: addressAt(body, Association.DESTINATION),
    spi: body.readUInt32BE(Association.SPI),
    requestId: body.readUInt32LE(Association.REQUEST),
    key: isKnown ? new Uint8Array(algorithm.subarray(ALGORITHM_NAME_BYTES + 8)) : new Uint8Array(),
    ...(replay && { usedNumbers: replay.readUInt32LE(0) }),
  };
}

export function encodePolicy(policy: SecurityPolicy): Buffer {
  const body = Buffer.alloc(POLICY_BYTES);
  encodeSelector(policy).copy(body);
  body.fill(0xff, Policy.LIMITS, Policy.LIMITS + LIMITS_BYTES);
  body.writeUInt8(DIRECTION_OUT, Policy.DIRECTION);
  const template = Buffer.alloc(TEMPLATE_BYTES);
  bytesOfAddress(policy.destination).copy(template);
  template.writeUInt32BE(policy.spi, Template.SPI);
  template.writeUInt8(PROTOCOL_ESP, Template.PROTOCOL);
  template.writeUInt16LE(AF_INET, Template.FAMILY);
  bytesOfAddress(policy.source).copy(template, Template.SOURCE);
  template.writeUInt32LE(policy.requestId, Template.REQUEST);
  template.fill(0xff, Template.ALGORITHMS);
  return Buffer.concat([body, attribute(Xfrma.TEMPLATE, template), markOf(policy)]);
}

export function encodePolicyId(policy: Omit<SecurityPolicy, 'spi' | 'requestId'>): Buffer {
  const body = Buffer.alloc(POLICY_ID_BYTES);
  encodeSelector(policy).copy(body);
  body.writeUInt8(DIRECTION_OUT, POLICY_ID_DIRECTION);
  return Buffer.concat([body, markOf(policy)]);
}

/** Undefined for what is none of the kind that {@link encodePolicy} makes. */
export function decodePolicy(body: Buffer): SecurityPolicy | undefined {
  const attributes = decodeAttributes(body.subarray(POLICY_BYTES));
  const template = attributes.get(Xfrma.TEMPLATE);
  const mark = attributes.get(Xfrma.MARK);
  const isOfKind =
    body.readUInt16LE(Selector.FAMILY) === AF_INET &&
    body.readUInt8(Selector.PROTOCOL) === PROTOCOL_UDP &&
    body.readUInt8(Policy.DIRECTION) === DIRECTION_OUT;
  if (!isOfKind || template?.length !== TEMPLATE_BYTES || !mark) return undefined;
  return {
    source: addressAt(body, Selector.SOURCE),
    destination: addressAt(body, Selector.DESTINATION),
    udpPort: body.readUInt16BE(Selector.DESTINATION_PORT),
    mark: mark.readUInt32LE(0),
    spi: template.readUInt32BE(Template.SPI),
    requestId: template.readUInt32LE(Template.REQUEST),
  };
}

function encodeSelector(policy: Omit<SecurityPolicy, 'spi' | 'requestId'>): Buffer {
  const body = Buffer.alloc(SELECTOR_BYTES);
  bytesOfAddress(policy.destination).copy(body, Selector.DESTINATION);
  bytesOfAddress(policy.source).copy(body, Selector.SOURCE);
  body.writeUInt16BE(policy.udpPort, Selector.DESTINATION_PORT);
  body.writeUInt16BE(0xffff, Selector.DESTINATION_PORT + 2);
  body.writeUInt16LE(AF_INET, Selector.FAMILY);
  body.writeUInt8(32, Selector.DESTINATION_LENGTH);
  body.writeUInt8(32, Selector.SOURCE_LENGTH);
  body.writeUInt8(PROTOCOL_UDP, Selector.PROTOCOL);
  return body;
}

function markOf({ mark }: { mark: number }): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(mark, 0);
  bytes.writeUInt32LE(ALL_BITS, 4);
  return attribute(Xfrma.MARK, bytes);
}

function addressAt(body: Buffer, offset: number): string {
  return formatHostAddress(body.subarray(offset, offset + 4));
}
