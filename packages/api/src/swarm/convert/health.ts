import { create } from '@bufbuild/protobuf';
import { durationNanos } from '@skep/wire';
import { type HealthConfig, HealthConfigSchema } from '@skep/wire/swarmkit';
import { type Json, omitEmpty } from './json.js';
import type { JsonReader } from './reader.js';

export function healthToJson(health: HealthConfig | undefined): Json | undefined {
  return (
    health &&
    omitEmpty({
      Test: health.test,
      Interval: durationNanos(health.interval),
      Timeout: durationNanos(health.timeout),
      StartPeriod: durationNanos(health.startPeriod),
      StartInterval: durationNanos(health.startInterval),
      Retries: health.retries,
    })
  );
}

export function healthFromJson(json: JsonReader | undefined): HealthConfig | undefined {
  if (!json) return undefined;
  return create(HealthConfigSchema, {
    test: json.strings('Test'),
    interval: json.duration('Interval'),
    timeout: json.duration('Timeout'),
    startPeriod: json.duration('StartPeriod'),
    startInterval: json.duration('StartInterval'),
    retries: json.int32('Retries'),
  });
}
