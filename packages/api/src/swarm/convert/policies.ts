import { create } from '@bufbuild/protobuf';
import { durationNanos } from '@skep/wire';
import {
  type RestartPolicy,
  RestartPolicy_RestartCondition,
  RestartPolicySchema,
  type UpdateConfig,
  UpdateConfig_FailureAction,
  UpdateConfig_UpdateOrder,
  UpdateConfigSchema,
} from '@skep/wire/swarmkit';
import { invalid } from '../errors.js';
import { type Json, omitEmpty, toNumber } from './json.js';
import type { JsonReader } from './reader.js';

/** Enum texts with a hyphen where the enum has an underscore: `on-failure`, `stop-first`. */
function hyphenated(names: Record<number, string>, value: number): string {
  return (names[value] ?? '').toLowerCase().replaceAll('_', '-');
}

function unhyphenated<E extends Record<string, string | number>>(
  names: E,
  text: string,
): number | undefined {
  if (text !== text.toLowerCase() || text.includes('_')) return undefined;
  const value = names[text.toUpperCase().replaceAll('-', '_')];
  return typeof value === 'number' ? value : undefined;
}

export function restartToJson(policy: RestartPolicy | undefined): Json | undefined {
  if (!policy) return undefined;
  return {
    Condition: hyphenated(RestartPolicy_RestartCondition, policy.condition),
    Delay: policy.delay && durationNanos(policy.delay),
    MaxAttempts: toNumber(policy.maxAttempts),
    Window: policy.window && durationNanos(policy.window),
  };
}

export function restartFromJson(json: JsonReader | undefined): RestartPolicy | undefined {
  if (!json) return undefined;
  const text = json.string('Condition');
  const condition =
    text === ''
      ? RestartPolicy_RestartCondition.ANY
      : unhyphenated(RestartPolicy_RestartCondition, text);
  if (condition === undefined) throw invalid(`invalid RestartCondition: ${JSON.stringify(text)}`);
  return create(RestartPolicySchema, {
    condition,
    delay: json.optionalDuration('Delay'),
    maxAttempts: json.uint64('MaxAttempts'),
    window: json.optionalDuration('Window'),
  });
}

/** Also of rollbacks: the same settings. */
export function updateConfigToJson(config: UpdateConfig | undefined): Json | undefined {
  if (!config) return undefined;
  return {
    ...omitEmpty({
      Delay: durationNanos(config.delay),
      FailureAction: hyphenated(UpdateConfig_FailureAction, config.failureAction),
      Monitor: durationNanos(config.monitor),
    }),
    Parallelism: toNumber(config.parallelism),
    MaxFailureRatio: singlePrecision(config.maxFailureRatio),
    Order: hyphenated(UpdateConfig_UpdateOrder, config.order),
  };
}

const SINGLE_DIGITS = 9;

/** The shortest decimal that is this number in single precision, as Go prints a float32. */
function singlePrecision(value: number): number {
  for (let digits = 1; digits < SINGLE_DIGITS; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
}

export function updateConfigFromJson(json: JsonReader | undefined): UpdateConfig | undefined {
  if (!json) return undefined;
  const action = json.string('FailureAction');
  const failureAction = action === '' ? 0 : unhyphenated(UpdateConfig_FailureAction, action);
  if (failureAction === undefined) {
    throw invalid(`unrecognized update failure action ${action}`);
  }
  const orderText = json.string('Order');
  const order = orderText === '' ? 0 : unhyphenated(UpdateConfig_UpdateOrder, orderText);
  if (order === undefined) throw invalid(`unrecognized update order ${orderText}`);
  const monitor = json.int64('Monitor');
  return create(UpdateConfigSchema, {
    parallelism: json.uint64('Parallelism'),
    delay: json.duration('Delay'),
    failureAction,
    monitor: monitor === 0n ? undefined : json.duration('Monitor'),
    maxFailureRatio: Math.fround(json.float('MaxFailureRatio')),
    order,
  });
}
