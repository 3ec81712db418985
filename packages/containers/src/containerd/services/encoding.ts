import { create, toBinary } from '@bufbuild/protobuf';
import { type Any, AnySchema, type Timestamp } from '@bufbuild/protobuf/wkt';
import { runc } from '@skep/wire/containerd';
import { RLIMIT_INFINITE } from '../../spec/oci.js';
import type { Descriptor, RuncOptions } from '../types.js';

/**
 * Go's `Any` values (wire.md 6.4): runtime-spec types travel as JSON, protobuf messages under their
 * bare full name, which 1.6 resolves and `type.googleapis.com/…` not.
 */

const UINT64_MAX = 2n ** 64n - 1n;
const SPEC_PREFIX = 'types.containerd.io/opencontainers/runtime-spec/1/';

export function anyFromSpec(kind: 'Spec' | 'Process' | 'LinuxResources', value: object): Any {
  return create(AnySchema, {
    typeUrl: `${SPEC_PREFIX}${kind}`,
    value: Buffer.from(withInfiniteLimits(JSON.stringify(value))),
  });
}

/** No number of ours is the one that Go reads as no limit. A key in a text has its quotes escaped. */
function withInfiniteLimits(json: string): string {
  return json
    .replaceAll(`"soft":${RLIMIT_INFINITE}`, `"soft":${UINT64_MAX}`)
    .replaceAll(`"hard":${RLIMIT_INFINITE}`, `"hard":${UINT64_MAX}`);
}

export function specFromAny(any: Any | undefined): object {
  if (!any || any.value.length === 0) return {};
  return JSON.parse(Buffer.from(any.value).toString('utf8')) as object;
}

export function anyFromRuncOptions(options: RuncOptions): Any {
  return create(AnySchema, {
    typeUrl: runc.OptionsSchema.typeName,
    value: toBinary(runc.OptionsSchema, create(runc.OptionsSchema, options)),
  });
}

const NANOS_PER_S = 1_000_000_000n;

/** Nanoseconds since the epoch; 0n for an absent instant and for Go's zero time. */
export function timestampNs(timestamp: Timestamp | undefined): bigint {
  if (!timestamp) return 0n;
  const nanos = timestamp.seconds * NANOS_PER_S + BigInt(timestamp.nanos);
  return nanos < 0n ? 0n : nanos;
}

export function descriptorToWire(descriptor: Descriptor) {
  return {
    mediaType: descriptor.mediaType,
    digest: descriptor.digest,
    size: BigInt(descriptor.size),
  };
}

export function descriptorFromWire(
  wire: { mediaType: string; digest: string; size: bigint } | undefined,
): Descriptor {
  return {
    mediaType: wire?.mediaType ?? '',
    digest: wire?.digest ?? '',
    size: Number(wire?.size ?? 0n),
  };
}
