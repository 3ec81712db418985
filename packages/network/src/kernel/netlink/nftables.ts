import { decodeAttributes } from './codec.js';

/** The generation of a namespace's rules. Source: linux/netfilter/nf_tables.h. */

const SUBSYSTEM_NFTABLES = 10;
const MESSAGE_GENERATION_GET = 16;
export const GENERATION_GET = (SUBSYSTEM_NFTABLES << 8) | MESSAGE_GENERATION_GET;

const NETFILTER_HEADER_BYTES = 4;
const GENERATION_ID = 1;

export function encodeGenerationGet(): Buffer {
  return Buffer.alloc(NETFILTER_HEADER_BYTES);
}

export function decodeGeneration(body: Buffer): number {
  const attributes = decodeAttributes(body.subarray(NETFILTER_HEADER_BYTES));
  return attributes.get(GENERATION_ID)?.readUInt32BE() ?? 0;
}
