import type { Timestamp } from '@bufbuild/protobuf/wkt';
import { Code, RpcError } from '@skep/platform';
import { LogStream, type LogSubscriptionOptions } from '@skep/wire/swarmkit';
import type { TaskLogOptions } from './executor.js';

const NANOS_PER_S = 1_000_000_000n;

/**
 * The number of last lines a subscription wants: SwarmKit writes n lines as -n-1, so that -1 is none and 0
 * (absent) is all. A positive number would count from the start of the log, which no engine can.
 */
export function tailLines(tail: bigint): number | undefined {
  if (tail === 0n) return undefined;
  if (tail > 0n) {
    throw new RpcError(Code.INVALID_ARGUMENT, 'tail relative to start of logs not supported');
  }
  return Number(-tail - 1n);
}

function nanoseconds(since: Timestamp | undefined): bigint | undefined {
  return since && since.seconds * NANOS_PER_S + BigInt(since.nanos);
}

/** What a subscription asks of each task. */
export function taskLogOptions(options: LogSubscriptionOptions | undefined): TaskLogOptions {
  const streams = options?.streams ?? [];
  const wants = (stream: LogStream) => streams.length === 0 || streams.includes(stream);
  return {
    stdout: wants(LogStream.STDOUT),
    stderr: wants(LogStream.STDERR),
    follow: options?.follow ?? false,
    sinceNs: nanoseconds(options?.since),
    tail: tailLines(options?.tail ?? 0n),
  };
}
