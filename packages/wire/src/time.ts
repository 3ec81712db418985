import { create } from '@bufbuild/protobuf';
import {
  type Duration,
  DurationSchema,
  type Timestamp,
  TimestampSchema,
} from '@bufbuild/protobuf/wkt';

const NANOS_PER_MS = 1_000_000;
const MS_PER_S = 1_000;
const NANOS_PER_S = 1_000_000_000n;

/** A Timestamp from milliseconds since the epoch (fractions kept down to the nanosecond). */
export function timestampFromMs(ms: number): Timestamp {
  const seconds = Math.floor(ms / MS_PER_S);
  const nanos = Math.round((ms - seconds * MS_PER_S) * NANOS_PER_MS);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos });
}

/** Milliseconds since the epoch; 0 for an absent timestamp. */
export function timestampMs(timestamp: Timestamp | undefined): number {
  if (!timestamp) return 0;
  return Number(timestamp.seconds) * MS_PER_S + timestamp.nanos / NANOS_PER_MS;
}

/** Below 0 when `a` is earlier than `b`, 0 when they are the same; an absent one is the epoch. */
export function compareTimestamps(a: Timestamp | undefined, b: Timestamp | undefined): number {
  if (a && b && a.seconds === b.seconds) return a.nanos - b.nanos;
  return timestampMs(a) - timestampMs(b);
}

/** RFC 3339 with nanoseconds, as Docker's API writes times; Go's zero time when absent. */
export function timestampIso(timestamp: Timestamp | undefined): string {
  if (!timestamp) return '0001-01-01T00:00:00Z';
  const whole = new Date(Number(timestamp.seconds) * MS_PER_S).toISOString().slice(0, 19);
  const fraction = timestamp.nanos.toString().padStart(9, '0').replace(/0+$/, '');
  return fraction === '' ? `${whole}Z` : `${whole}.${fraction}Z`;
}

export function durationFromMs(ms: number): Duration {
  return durationFromNanos(BigInt(Math.round(ms * NANOS_PER_MS)));
}

/** A Duration from the integer nanoseconds of Docker's JSON. */
export function durationFromNanos(nanos: bigint): Duration {
  return create(DurationSchema, {
    seconds: nanos / NANOS_PER_S,
    nanos: Number(nanos % NANOS_PER_S),
  });
}

/** Milliseconds; `fallbackMs` for an absent duration. */
export function durationMs(duration: Duration | undefined, fallbackMs = 0): number {
  if (!duration) return fallbackMs;
  return Number(duration.seconds) * MS_PER_S + duration.nanos / NANOS_PER_MS;
}

/** Integer nanoseconds as Docker's JSON carries them (exact below 2^53 ns, about 104 days). */
export function durationNanos(duration: Duration | undefined): number {
  if (!duration) return 0;
  return Number(duration.seconds * NANOS_PER_S + BigInt(duration.nanos));
}
